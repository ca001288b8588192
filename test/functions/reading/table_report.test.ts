import test, { type ExecutionContext } from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Report {
  days: { snapshot_date: string; row_count: number | null }[]
  expected: { snapshot_date: string; expected_low: number; expected_high: number }[]
  alerts: { kind: string; snapshot_date: string; expected_low: number; closed_at: string | null }[]
  last_runs: { snapshot_date: string; runs: Record<string, unknown>[] }
}

/** Runs until today, as a reader is told of them. */
async function history(t: ExecutionContext, runs: PastRun[]) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, runs, await daysAgo(db.sql, 0))
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

async function ask<T = Report>(sql: Sql, table: string, days = 90): Promise<T> {
  const [row] = await sql<
    [{ report: T }]
  >`select nms.table_report('public', ${table}, ${days}::integer) as report`
  return row.report
}

const steady = (days: number): PastRun[] =>
  Array.from({ length: days }, (_, n) => ({
    day: n - days,
    counts: { 'public.orders': 1000, 'public.other': 5 },
  }))

test('each day that the alert rules judge has the range that they expected', async (t) => {
  const { sql, reader } = await history(t, steady(20))

  const { days, expected } = await ask(reader, 'orders')

  t.is(days.length, 20)
  // 15 % less and 30 % more, from the day on that has 14 days before it.
  t.deepEqual(
    expected,
    await Promise.all(
      [6, 5, 4, 3, 2, 1].map(async (ago) => ({
        snapshot_date: await daysAgo(sql, ago),
        expected_low: 850,
        expected_high: 1300,
      })),
    ),
  )
})

test('a rule for the table moves its range', async (t) => {
  const { sql, reader } = await history(t, steady(20))
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, drop_percent, spike_percent)
    values ('public', 'orders', 50, 100)
  `

  const { expected } = await ask(reader, 'orders', 1 + 1)

  t.like(expected, [{ expected_low: 500, expected_high: 2000 }])
})

test('an alert has its day and the range of that day, and an older one is told while it is open', async (t) => {
  const { sql, reader } = await history(t, [...steady(20), { day: 0, counts: { 'public.orders': 300 } }])
  const [run] = await sql<[{ run_id: string }]>`select max(run_id) as run_id from nms.table_metrics_runs`
  await sql`select nms.record_alerts(${run.run_id})`
  const old = `${await daysAgo(sql, 80)}T12:00Z`
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, closed_at)
    values
      ('spike', 'public', 'orders', 'over', ${old}, ${old}),
      ('table_new', 'public', 'orders', 'still', ${old}, null),
      ('drop', 'public', 'other', 'of another', now(), null)
  `

  const { expected, alerts } = await ask(reader, 'orders', 30)

  const today = await daysAgo(sql, 0)
  t.like(alerts, [
    { kind: 'drop', snapshot_date: today, expected_low: 850, closed_at: null },
    { kind: 'table_new', snapshot_date: await daysAgo(sql, 80), closed_at: null },
  ])
  t.is(alerts.length, 2)
  t.like(expected.at(-1), { snapshot_date: today, expected_low: 850, expected_high: 1300 })
})

test('the runs of its last day come newest first, with the change from one to the next', async (t) => {
  const { sql, reader } = await history(t, [
    ...steady(1),
    { day: 0, at: '05:00', counts: { 'public.orders': 1010 } },
    { day: 0, at: '06:00', counts: { 'public.orders': 1004 } },
    { day: 0, at: '07:00', status: 'FAILED', counts: { 'public.orders': null } },
  ])

  const { last_runs } = await ask(reader, 'orders')

  t.is(last_runs.snapshot_date, await daysAgo(sql, 0))
  t.is(last_runs.runs.length, 3)
  t.like(last_runs.runs, [
    { run_id: 4, status: 'FAILED', row_count: null, error_sqlstate: '42501', is_result: false },
    { run_id: 3, row_count: 1004, change: -6, is_result: true },
    { run_id: 2, row_count: 1010, change: null, is_result: false },
  ])
})

test('a partition names what it is a partition of, a table that is gone is known all the same', async (t) => {
  const { sql, reader } = await history(t, [
    { day: 0, counts: { 'public.events_1': 3, 'public.gone': 4 }, partitions: ['public.events_1'] },
  ])
  await sql.unsafe(`
    create table public.events (id integer) partition by range (id);
    create table public.events_1 partition of public.events default;
  `)

  t.like(await ask<object>(reader, 'events_1'), {
    table_kind: 'table',
    is_partition: true,
    partition_of: { schema_name: 'public', table_name: 'events' },
  })
  t.like(await ask<object>(reader, 'gone'), { is_partition: false, partition_of: null })
})

test('days imported from elsewhere have no range, because no alert is told of them', async (t) => {
  const { reader } = await history(
    t,
    steady(20).map((run) => ({ ...run, recorded: true })),
  )

  t.deepEqual((await ask(reader, 'orders')).expected, [])
})

test('a table that no run has met is refused with those that are most like it', async (t) => {
  const { reader } = await history(t, steady(1))

  const error = await t.throwsAsync<Error & { code?: string; hint?: string }>(ask(reader, 'order'))

  t.is(error?.code, 'P0002')
  t.is(error?.hint, 'Did you mean public.orders?')
})
