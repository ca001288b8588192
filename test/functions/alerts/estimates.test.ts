import test from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daily, writeRuns } from '../../_support/history.ts'

/** Makes the last count of public.orders an estimate with this range. */
async function estimated(sql: Sql, run_id: string, low: number, high: number): Promise<string> {
  await sql`
    update nms.table_metrics_measurements
    set method = 'estimate', row_count_low = ${low}, row_count_high = ${high}
    where run_id = ${run_id}
  `
  return run_id
}

const days = Array<number>(20).fill(10_000)

// By default a count may be 15 % below and 30 % above what is usual: 8,500 to 13,000.
for (const [what, count, low, high, kind] of [
  ['far below, as its whole range is', 5000, 4000, 8000, 'drop'],
  ['far below, but its range reaches what is usual', 5000, 1, 8501, ''],
  ['far above, as its whole range is', 20_000, 13_100, 30_000, 'spike'],
  ['far above, but its range reaches what is usual', 20_000, 12_999, 30_000, ''],
  ['as usual', 10_000, 9_900, 10_300, ''],
  ['as usual, in a range that is hardly one', 10_000, 500, 90_000, ''],
  ['nearly nothing', 20, 1, 1500, 'drop'],
] as const) {
  test(`an estimate ${what}: ${kind || 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)
    const last = await writeRuns(sql, daily([...days, count]))

    await estimated(sql, last, low, high)

    t.deepEqual(await kinds(sql, last), kind ? [`${kind} public.orders`] : [])
  })
}

test('a change that is large enough for an alert is so at both ends of the range', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`insert into nms.table_metrics_alert_rules (kind, min_change) values ('drop', 3000)`
  const last = await writeRuns(sql, daily([...days, 6500]))

  t.deepEqual(await kinds(sql, last), ['drop public.orders'])
  t.deepEqual(await kinds(sql, await estimated(sql, last, 6000, 6900)), ['drop public.orders'])
  t.deepEqual(await kinds(sql, await estimated(sql, last, 6000, 7100)), [])
})

test('an alert about an estimate has its mark and its range', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeRuns(sql, daily([...days, 5000]))

  const [alert] = await findAlerts(sql, await estimated(sql, last, 4000, 6000))

  t.is(
    alert?.detail.replace(/\d{4}-\d\d-\d\d/, 'DATE'),
    '≈ 5,000 (4,000 to 6,000) rows, 10,000 rows on DATE (≈ -50 %), expected 8,500 to 13,000',
  )
})

test('a table that is new, or gone, has its mark as well', async (t) => {
  const { sql } = await createDatabase(t)
  const estimate = { rows: 1500, method: 'estimate', low: 1400, high: 1700 } as const
  const last = await writeRuns(sql, [
    { day: 0, counts: { 'public.orders': estimate } },
    { day: 1, counts: { 'public.items': estimate } },
  ])

  t.deepEqual((await findAlerts(sql, last)).map(({ kind, detail }) => [kind, detail]).toSorted(), [
    ['table_missing', 'gone: it had ≈ 1,500 rows'],
    ['table_new', 'new: it has ≈ 1,500 (1,400 to 1,700) rows'],
  ])
})

test('a history of estimates is judged by their numbers: noise makes no alert, and hides no loss', async (t) => {
  const { sql } = await createDatabase(t)
  const noisy = Array.from({ length: 60 }, (_, day) => 10_000 + ((day * 37) % 101) - 50)
  const runs = [...noisy, 10_040, 8000]
  const last = await writeRuns(sql, daily(runs))
  await sql`
    update nms.table_metrics_measurements
    set method = 'estimate', row_count_low = row_count * 99 / 100, row_count_high = row_count * 102 / 100
  `

  t.deepEqual(await kinds(sql, `${Number(last) - 1}`), [])
  t.deepEqual(await kinds(sql, last), ['drop public.orders'])
})
