import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRun } from '../../_support/history.ts'

/** Two successful runs and a failed one on each of these days. */
async function writeHistory(sql: Sql, days: number[]): Promise<void> {
  for (const days_ago of days) {
    const day = await daysAgo(sql, days_ago)
    for (const orders of [1, 2, null]) await writeRun(sql, day, { 'public.orders': orders })
  }
}

const runIds = async (sql: Sql) =>
  (await sql<{ run_id: string }[]>`select run_id from nms.table_metrics_runs order by run_id`).map(
    ({ run_id }) => run_id,
  )

test('the runs are listed that would go, oldest first, with what they are', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [100, 40, 1])

  const rows = await sql`
    select run_id, nms.business_date() - snapshot_date as days_ago, status, owns_day
    from nms.prunable_runs(keep_runs => '30 days', keep_daily => '60 days')
  `

  t.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      { run_id: '1', days_ago: 100, status: 'SUCCEEDED', owns_day: false },
      { run_id: '2', days_ago: 100, status: 'SUCCEEDED', owns_day: true },
      { run_id: '3', days_ago: 100, status: 'FAILED', owns_day: false },
      { run_id: '4', days_ago: 40, status: 'SUCCEEDED', owns_day: false },
      { run_id: '6', days_ago: 40, status: 'FAILED', owns_day: false },
    ],
  )
})

for (const [keep_runs, keep_daily] of [
  ['30 days', '60 days'],
  ['0', '0'],
  [null, '10 days'],
  ['10 days', null],
  [null, null],
] as const) {
  test(`pruning deletes exactly what is listed: ${keep_runs} and ${keep_daily}`, async (t) => {
    const { sql } = await createDatabase(t)
    await writeHistory(sql, [100, 40, 20, 1])
    await sql`insert into nms.table_metrics_runs (collected_at) values (now() - interval '95 days')`
    const listed = await sql<{ run_id: string }[]>`
      select run_id from nms.prunable_runs(${keep_runs}::interval, ${keep_daily}::interval)
    `
    const before = await runIds(sql)

    await sql`select nms.prune_table_metrics(${keep_runs}::interval, ${keep_daily}::interval, '1 min')`

    const left = await runIds(sql)
    t.deepEqual(
      before.filter((run_id) => !left.includes(run_id)),
      listed.map(({ run_id }) => run_id),
    )
  })
}

test('it writes nothing, locks no row, and waits for nobody', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await writeHistory(sql, [100, 40])
  const holder = connect()
  await holder`begin`
  await holder`select from nms.table_metrics_runs for update`
  const session = connect()
  await session`set lock_timeout = '100 ms'`
  await session`begin`

  const rows = await session`select from nms.prunable_runs(keep_runs => '0', keep_daily => '0')`

  t.is(rows.length, 5)
  // Whoever writes or locks a row has a number.
  const [row] = await session`select pg_current_xact_id_if_assigned()::text as xid`
  t.deepEqual({ ...row }, { xid: null })
  await session`rollback`
  await holder`rollback`
})

test('days for a shorter time than runs, and negative times, are refused, and it says what was seen', async (t) => {
  const { sql } = await createDatabase(t)
  for (const [runs, days, seen] of [
    ['30 days', '10 days', /30 days for runs and 10 days for days/],
    ['-1 day', null, /-1 days for runs and ever for days/],
    [null, '1001 years', /1001 years for days/],
  ] as const) {
    const error = await t.throwsAsync(
      async () => await sql`select nms.prunable_runs(${runs}::interval, ${days}::interval)`,
      { code: '22023' },
    )
    t.regex((error as unknown as { detail: string }).detail, seen)
  }
})
