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

const kept = async (sql: Sql) =>
  (
    await sql<{ kept: string }[]>`
      select
        format(
          '%s days ago: %s', nms.business_date() - snapshot_date,
          string_agg(status || case when day.run_id is not null then ' owner' else '' end, ', ' order by run.run_id)
        ) as kept
      from nms.table_metrics_runs as run
      left join nms.table_metrics_daily_snapshot as day using (run_id, snapshot_date)
      group by snapshot_date
      order by snapshot_date
    `
  ).map((row) => row.kept)

test('old runs go, those that own a day later, with everything that belongs to them', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [100, 40, 20, 1])

  const [result] = await sql`select * from nms.prune_table_metrics('30 days', '60 days', '1 min')`

  t.deepEqual({ ...result }, { runs_deleted: '5', runs_left: '0' })
  t.deepEqual(await kept(sql), [
    '40 days ago: SUCCEEDED owner',
    '20 days ago: SUCCEEDED, SUCCEEDED owner, FAILED',
    '1 days ago: SUCCEEDED, SUCCEEDED owner, FAILED',
  ])
  const [left] = await sql`
    select
      (select count(distinct run_id) from nms.table_metrics_measurements)::integer as measured,
      (select count(*) from nms.table_metrics_run_snapshot)::integer as snapshots,
      (select count(*) from nms.table_metrics_daily_snapshot)::integer as days
  `
  t.deepEqual({ ...left }, { measured: 7, snapshots: 5, days: 3 })
})

test('the latest successful run stays, however old it is, and so does a RUNNING one', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [100, 90])
  await sql`insert into nms.table_metrics_runs (collected_at) values (now() - interval '95 days')`

  await sql`select nms.prune_table_metrics('0', '0', '1 min')`

  t.deepEqual(
    [...(await sql`select run_id, status from nms.table_metrics_runs order by 1`)],
    [
      { run_id: '5', status: 'SUCCEEDED' },
      { run_id: '7', status: 'RUNNING' },
    ],
  )
})

test('nothing goes unless a time is given', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [5000, 10])
  const before = await kept(sql)

  await sql`select nms.prune_table_metrics()`
  t.deepEqual(await kept(sql), before)

  await sql`select nms.prune_table_metrics(keep_runs => '30 days')`
  t.deepEqual(await kept(sql), ['5000 days ago: SUCCEEDED owner', ...before.slice(1)])
})

test('a call ends when its budget is spent, and says how much is left', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [100, 90, 80])
  const steps: unknown[] = []

  for (let left = -1; left !== 0; ) {
    const [step] = await sql`select * from nms.prune_table_metrics('30 days', '30 days', '0 s')`
    left = Number(step?.runs_left)
    steps.push(Number(step?.runs_deleted))
  }

  t.deepEqual(steps, Array(8).fill(1))
  t.deepEqual(await kept(sql), ['80 days ago: SUCCEEDED owner'])
})

test('days that would be kept for a shorter time than runs, and negative times, are refused', async (t) => {
  const { sql } = await createDatabase(t)
  await writeHistory(sql, [100])
  for (const [runs, days] of [
    ['30 days', '10 days'],
    ['-1 day', '10 days'],
    ['-2 days', '-1 day'],
  ] as const) {
    await t.throwsAsync(sql`select nms.prune_table_metrics(${runs}::interval, ${days}::interval)`, {
      code: '22023',
    })
  }
  t.is((await sql`select from nms.table_metrics_runs`).length, 3)
})

test('pruning makes no run wait', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 3) as id`
  await writeHistory(sql, [100, 90])
  const pruning = connect()
  await pruning`begin`
  await pruning`select nms.prune_table_metrics('30 days', '60 days', '1 min')`

  const session = connect()
  await session`set lock_timeout = '1 s'`
  const [run] = await session`select status, error_message from nms.collect_table_metrics()`

  t.deepEqual({ ...run }, { status: 'SUCCEEDED', error_message: null })
  await pruning`commit`
})
