import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { createHistory, daysAgo } from '../../_support/history.ts'

async function find(sql: Sql, call: string): Promise<string> {
  const [row] = await sql.unsafe(`select nms.${call}::text as found`)
  return row?.found
}

/** The same day of the month so many months ago, or the last day of that month where it has none. */
function monthsAgo(today: string, months: number): string {
  const [year = 0, month = 0, day = 0] = today.split('-').map(Number)
  const last = new Date(Date.UTC(year, month - 1 - months + 1, 0))
  return new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), Math.min(day, last.getUTCDate())))
    .toISOString()
    .slice(0, 10)
}

test('a day is a date, a day of this week, or so many days, weeks, months or years back from today', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)

  for (const [named, date] of [
    ['today', today],
    ['yesterday', await daysAgo(sql, 1)],
    ['0d', today],
    ['7d', await daysAgo(sql, 7)],
    ['400d', await daysAgo(sql, 400)],
    ['2w', await daysAgo(sql, 14)],
    ['1m', monthsAgo(today, 1)],
    ['11m', monthsAgo(today, 11)],
    ['1y', monthsAgo(today, 12)],
    ['2026-02-28', '2026-02-28'],
  ]) {
    t.is(await find(sql, `find_day('${named}')`), date as string, named)
    t.is(await find(sql, `find_day('${named}', edge => 'since')`), date as string, named)
  }
})

test('a month begins with its first day and ends with its last, this month with today', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const month = today.slice(0, 7)

  t.is(await find(sql, `find_day('2024-02', 'since')`), '2024-02-01')
  t.is(await find(sql, `find_day('2024-02', 'until')`), '2024-02-29')
  t.is(await find(sql, `find_day('2023-12')`), '2023-12-31')
  t.is(await find(sql, `find_day('${month}', 'since')`), `${month}-01`)
  t.is(await find(sql, `find_day('${month}', 'until')`), today)
  t.is(await find(sql, `find_day('2999-04')`), '2999-04-30')
})

for (const [call, code] of [
  [`find_day('monday')`, '22007'],
  [`find_day('2026')`, '22007'],
  [`find_day('-1d')`, '22007'],
  [`find_day('12345d')`, '22007'],
  [`find_day('1h')`, '22007'],
  [`find_day(null)`, '22007'],
  [`find_day('2026-13')`, '22008'],
  [`find_day('9999y')`, '22008'],
  [`find_day('today', 'to')`, '22023'],
  [`find_day('today', null)`, '22023'],
] as const) {
  test(`${call} is refused with ${code}`, async (t) => {
    const { sql } = await createDatabase(t)

    await t.throwsAsync(find(sql, call), { code })
  })
}

test('what is no date stands for the last day until then that has a result, a date only for itself', async (t) => {
  const { sql } = await createHistory(t, {})
  for (const day of ['2025-01-30', '2025-03-02', '2025-05-31']) {
    await sql`select from nms.import_run(${day}, '{"public": {"orders": 1}}')`
  }
  const [row] = await sql<[{ days: number }]>`select nms.business_date() - '2025-05-20'::date as days`

  t.is(await find(sql, `find_run('${row.days}d')`), '2', 'after 2025-03-02, before 2025-05-31')
  t.is(await find(sql, `find_run('2025-05', edge => 'since')`), '2')
  t.is(await find(sql, `find_run('2025-05')`), '3')
  t.is(await find(sql, `find_run('2025-01')`), '1')
  for (const named of ['2025-05-20', 'yesterday', '2025-02', '90y']) {
    await t.throwsAsync(find(sql, `find_run('${named}')`), { code: 'P0002' }, named)
  }
})
