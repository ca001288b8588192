// What /metrics shows: each value from how the runs were made.

import test from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'

interface Report {
  datname: string
  database_rows: string | null
  database_estimated_rows: number | null
  database_size_bytes: number | null
  database_tables: number | null
  database_tables_by_method: Record<string, number>
  schema_rows: { schemaname: string; rows: number }[]
  table_rows: {
    schemaname: string
    relname: string
    rows: number
    rows_low?: number
    rows_high?: number
    size_bytes?: number
  }[]
  listed_tables_missing: string[]
  open_alerts: Record<string, number>
  last_success_timestamp_seconds: number | null
  last_run_timestamp_seconds: number | null
  last_run_duration_seconds: number | null
  last_run_succeeded: boolean | null
  last_run_tables_not_counted: number | null
  next_due_timestamp_seconds: number | null
  overdue_results: number | null
}

async function report(sql: Sql, tables: string[] = []): Promise<Report> {
  const [row] = await sql<[{ report: Report }]>`select nms.metrics_report(tables => ${tables}) as report`
  return row.report
}

const epoch = async (sql: Sql, local: string) => {
  const [row] = await sql<[{ at: number }]>`
    select extract(epoch from ${local}::timestamp at time zone 'America/New_York')::double precision as at
  `
  return row.at
}

test('without a run there is nothing to show but that no alert is open', async (t) => {
  const { sql, name } = await createDatabase(t)

  const { open_alerts, ...rest } = await report(sql)

  t.deepEqual(rest, {
    datname: name,
    database_rows: null,
    database_estimated_rows: null,
    database_size_bytes: null,
    database_tables: null,
    database_tables_by_method: {},
    schema_rows: [],
    table_rows: [],
    listed_tables_missing: [],
    last_success_timestamp_seconds: null,
    last_run_timestamp_seconds: null,
    last_run_duration_seconds: null,
    last_run_succeeded: null,
    last_run_tables_not_counted: null,
    next_due_timestamp_seconds: null,
    overdue_results: null,
  })
  t.deepEqual([...new Set(Object.values(open_alerts))], [0])
})

test('it knows every kind of alert', async (t) => {
  const { sql } = await createDatabase(t)
  const [{ kinds }] = await sql<[{ kinds: string }]>`
    select pg_get_constraintdef(oid) as kinds
    from pg_constraint
    where conrelid = 'nms.table_metrics_alert_log'::regclass and conname = 'kind_is_known'
  `

  t.deepEqual(
    Object.keys((await report(sql)).open_alerts).sort(),
    [...kinds.matchAll(/'(\w+)'/g)].map(([, kind]) => kind as string).sort(),
  )
})

test('each row is counted once in a sum, and a listed table has what a query of it counts', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders (id integer) partition by range (id);
    create table public.low partition of public.orders for values from (0) to (100);
    create table public.high partition of public.orders for values from (100) to (1000);
    insert into public.orders select generate_series(0, 249);
    create schema "Ware house";
    create table "Ware house"."a.b" as select generate_series(1, 7);
    create table public.skipped as select 1;
  `)
  await collect(sql, { exclude: ['public.skipped'] })

  const found = await report(sql, [
    'public.orders',
    '"public".low',
    'Ware house.a.b',
    '"Ware house"."a.b"',
    'public.skipped',
    'public.typo',
    'typo',
    '',
  ])

  t.is(Number(found.database_rows), 250 + 7)
  t.is(found.database_tables, 4)
  t.deepEqual(found.schema_rows, [
    { schemaname: 'Ware house', rows: 7 },
    { schemaname: 'public', rows: 250 },
  ])
  t.deepEqual(found.table_rows, [
    { schemaname: 'Ware house', relname: 'a.b', rows: 7 },
    { schemaname: 'public', relname: 'low', rows: 100 },
    { schemaname: 'public', relname: 'orders', rows: 250 },
  ])
  t.deepEqual(found.listed_tables_missing, ['', 'public.skipped', 'public.typo', 'typo'])
})

test('the last run is the last that ended, and does not hide when one succeeded', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(
    sql,
    [
      { day: 0, at: '06:00', counts: { 'public.orders': 10 } },
      {
        day: 1,
        at: '07:00',
        status: 'FAILED',
        counts: { 'public.orders': null, 'public.x': null, 'public.y': 1 },
      },
      { day: 2, at: '08:00', status: 'RUNNING', counts: {} },
      { day: 3, at: '09:00', recorded: true, counts: { 'public.orders': 9 } },
    ],
    '2026-03-02',
  )

  const found = await report(sql, ['public.orders'])

  t.like(found, {
    last_success_timestamp_seconds: await epoch(sql, '2026-03-02 06:00'),
    last_run_timestamp_seconds: await epoch(sql, '2026-03-03 07:00'),
    last_run_duration_seconds: 60,
    last_run_succeeded: false,
    last_run_tables_not_counted: 2,
  })
  t.deepEqual(found.table_rows, [{ schemaname: 'public', relname: 'orders', rows: 9 }])
})

test('what was estimated has its range, and each row and byte is in a sum once', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = {
    'public.events': {
      rows: 900,
      own: 0,
      method: 'estimate',
      low: 800,
      high: 1100,
      bytes: { table: 40, index: 2, own: 0 },
    },
    'public.events_1': {
      rows: 880,
      method: 'estimate',
      low: 780,
      high: 1080,
      bytes: { table: 30, index: 2 },
    },
    'public.events_2': { rows: 20, bytes: { table: 10, index: 0 } },
    'public.carried': { rows: 5, method: 'carried', from: 1 },
  } as const
  await writeRuns(sql, [{ day: 0, counts }], await daysAgo(sql, 0))

  const found = await report(sql, ['public.events', 'public.events_2', 'public.carried'])

  t.is(Number(found.database_rows), 905)
  t.is(Number(found.database_estimated_rows), 880)
  t.is(Number(found.database_size_bytes), 42)
  t.deepEqual(found.database_tables_by_method, { carried: 1, estimate: 2, exact: 1 })
  t.deepEqual(found.table_rows, [
    { schemaname: 'public', relname: 'carried', rows: 5 },
    { schemaname: 'public', relname: 'events', rows: 900, rows_low: 800, rows_high: 1100, size_bytes: 42 },
    { schemaname: 'public', relname: 'events_2', rows: 20, size_bytes: 10 },
  ])
})

test('open alerts are counted by kind, without those that a rule silences', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, closed_at)
    values
      ('drop', 'public', 'a', 'fewer', now(), null),
      ('drop', 'public', 'b', 'fewer', now(), null),
      ('drop', 'public', 'c', 'fewer', now() - interval '1 day', now()),
      ('spike', 'public', 'a', 'more', now(), null),
      ('no_tables', null, null, 'none', now(), null)
  `
  await sql`insert into nms.table_metrics_alert_rules (kind, is_on) values ('spike', false)`

  t.like((await report(sql)).open_alerts, { drop: 2, spike: 0, no_tables: 1, table_new: 0 })
})

const workdays = (weeks: number): PastRun[] =>
  Array.from({ length: weeks * 7 }, (_, day) => day)
    .filter((day) => day % 7 < 5)
    .map((day) => ({ day, counts: { 'public.orders': 1 } }))

test('results are overdue of the days of which none is there in time, on weekdays that have one', async (t) => {
  const { sql } = await createDatabase(t)
  // Four weeks from Monday to Friday, the last of them long ago.
  const [{ monday, today }] = await sql<[{ monday: string; today: string }]>`
    select
      (date_trunc('week', nms.business_date()) - interval '6 weeks')::date::text as monday,
      extract(isodow from nms.business_date())::text as today
  `
  await writeRuns(sql, workdays(4), monday)
  await sql`insert into nms.table_metrics_alert_rules (kind, late_after) values ('run_late', '0')`
  // Today's is overdue once it is past 6 o'clock of a working day.
  const [{ late }] = await sql<[{ late: boolean }]>`
    select (now() at time zone 'America/New_York')::time > '06:00' as late
  `
  const isWorkday = Number(today) <= 5
  const before = Math.min(Number(today) - 1, 5)

  const found = await report(sql)

  // Two whole weeks, and this one so far.
  t.is(found.overdue_results, 2 * 5 + before + (isWorkday && late ? 1 : 0))
  t.is(found.next_due_timestamp_seconds, await epoch(sql, `${await after(sql, monday, 28)} 06:00`))
  t.is(found.open_alerts.run_late, 1)
})

test('nothing is overdue before it is due', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [{ day: 0, at: '00:00:01', counts: { 'public.orders': 1 } }], await daysAgo(sql, 0))

  t.is((await report(sql)).overdue_results, 0)
})

async function after(sql: Sql, day: string, days: number): Promise<string> {
  const [row] = await sql<[{ date: string }]>`select (${day}::date + ${days}::integer)::text as date`
  return row.date
}
