import test from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRun } from '../../_support/history.ts'

const before = {
  'public.same': 5,
  'public.up': 10,
  'public.down': 10,
  'public.zero': 8,
  'public.gone': 3,
  'public.broken': 4,
}
const after = {
  'public.same': 5,
  'public.up': 15,
  'public.down': 7,
  'public.zero': 0,
  'public.fresh': 2,
  'public.broken': null,
}

const outcomes = async (sql: Sql, call: string) =>
  Object.fromEntries(
    (await sql.unsafe(`select table_name, outcome, change, change_percent from ${call}`)).map((row) => [
      row.table_name,
      [
        row.outcome,
        row.change === null ? null : Number(row.change),
        row.change_percent && Number(row.change_percent),
      ],
    ]),
  )

test('compare_runs tells what became of each table', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const { 'public.broken': _, ...counted } = after
  await writeRun(sql, today, before)
  await writeRun(sql, today, counted)

  t.deepEqual(await outcomes(sql, 'nms.compare_runs(1, 2)'), {
    same: ['unchanged', 0, 0],
    up: ['grew', 5, 50],
    down: ['shrank', -3, -30],
    zero: ['shrank', -8, -100],
    gone: ['disappeared', null, null],
    broken: ['disappeared', null, null],
    fresh: ['appeared', null, null],
  })
})

test('what a failed run has not counted has not disappeared', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  await writeRun(sql, today, before)
  await writeRun(sql, today, after)

  const forth = await outcomes(sql, 'nms.compare_runs(1, 2)')
  const back = await outcomes(sql, 'nms.compare_runs(2, 1)')

  t.deepEqual(forth.broken, ['not counted', null, null])
  t.deepEqual(forth.gone, ['not counted', null, null])
  t.deepEqual(forth.fresh, ['appeared', null, null])
  t.deepEqual(forth.up, ['grew', 5, 50])
  t.deepEqual(back.gone, ['not counted', null, null])
  t.deepEqual(back.fresh, ['disappeared', null, null])
})

test('the sum of own_change counts the rows of a partition once', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.events (id int) partition by range (id);
    create table public.events_1 partition of public.events for values from (0) to (100);
    create table public.plain as select generate_series(1, 10) as id;
    insert into public.events select generate_series(1, 50);
  `)
  await collect(sql)
  await sql.unsafe(`
    insert into public.events select generate_series(51, 70);
    drop table public.plain;
    create table public.other as select generate_series(1, 4) as id;
  `)
  await collect(sql)

  const [total] = await sql`select sum(own_change)::integer as change from nms.compare_runs(1, 2)`
  t.is(total?.change, 20 - 10 + 4)
})

test('compare_days compares the runs that own the days', async (t) => {
  const { sql } = await createDatabase(t)
  const [yesterday, today] = [await daysAgo(sql, 1), await daysAgo(sql, 0)]
  await writeRun(sql, yesterday, { 'public.orders': 1 })
  await writeRun(sql, yesterday, { 'public.orders': 10 })
  await writeRun(sql, today, { 'public.orders': 12 })

  t.deepEqual(await outcomes(sql, `nms.compare_days('${yesterday}', '${today}')`), {
    orders: ['grew', 2, 20],
  })
})

test('a day without a result is refused, with the days beside it', async (t) => {
  const { sql } = await createDatabase(t)
  const [three, one] = [await daysAgo(sql, 3), await daysAgo(sql, 1)]
  await writeRun(sql, three, { 'public.orders': 1 })
  await writeRun(sql, one, { 'public.orders': 1 })

  const error = await t.throwsAsync(
    sql`select nms.compare_days(${await daysAgo(sql, 2)}::date, ${one}::date)`,
    {
      code: 'P0002',
    },
  )
  t.true((error as unknown as { detail: string }).detail.includes(`${three} and ${one}`))
})

test('an unknown run and a RUNNING one are refused', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 0), { 'public.orders': 1 })
  await sql`select nms.open_run()`

  await t.throwsAsync(sql`select nms.compare_runs(1, 99)`, { code: 'P0002', message: /99/ })
  await t.throwsAsync(sql`select nms.compare_runs(null, 1)`, { code: 'P0002' })
  await t.throwsAsync(sql`select nms.compare_runs(1, 2)`, { code: '55000', message: /2/ })
})

test('table_trend shows the last days of a table, and the change since the row before', async (t) => {
  const { sql } = await createDatabase(t)
  const days = await Promise.all([9, 5, 2, 0].map((days) => daysAgo(sql, days)))
  for (const [index, day] of days.entries()) {
    await writeRun(sql, day, { 'public.orders': 1 }) // not the last one of its day
    await writeRun(sql, day, { 'public.orders': 100 * (index + 1), 'public.other': 5 })
  }

  const rows = await sql`
    select snapshot_date, row_count::integer, change::integer, change_percent::float8, run_id
    from nms.table_trend('public', 'orders', 6)
  `

  t.deepEqual(
    rows.map((row) => Object.values(row)),
    [
      [days[1], 200, null, null, '4'],
      [days[2], 300, 100, 50, '6'],
      [days[3], 400, 100, 33.33, '8'],
    ],
  )
  t.deepEqual([...(await sql`select from nms.table_trend('public', 'nothing')`)], [])
})
