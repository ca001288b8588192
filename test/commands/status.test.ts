import ava from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const tables = `
  create table public.orders as select generate_series(1, 1234) as id;
  create table public.items as select generate_series(1, 6) as id;
`

test('status says that today was counted, and how each of the last runs went', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(tables)
  await collect(db.sql)
  await collect(db.sql, { exclude: ['orders'] })
  await collect(db.sql)
  const today = await daysAgo(db.sql, 0)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['status'], { COLUMNS: '80' })

  t.is(status, 0, stderr)
  t.is(stderr, '')
  t.true(stdout.startsWith(`today, ${today} (America/New_York): counted by run 3\n`), stdout)
  t.regex(
    stdout,
    /^last run: 3, SUCCEEDED, started \d{4}-\d\d-\d\d \d\d:\d\d \(America\/New_York\), took [\d.]+ s$/m,
  )
  t.regex(
    stdout,
    new RegExp(`^ +3 +SUCCEEDED +${today} +\\d\\d-\\d\\d \\d\\d:\\d\\d +[\\d.]+ s +2 +1,240$`, 'm'),
  )
  t.regex(stdout, new RegExp(`^ +2 +FAILED +${today} `, 'm'))
  t.regex(stdout, /^run 2 FAILED: exclude: saw "orders", expected/m)
  t.true(
    stdout.split('\n').every((line) => line.length <= 80),
    stdout,
  )
})

test('status says in full why the last run failed, and which day is the last with a result', async (t) => {
  const db = await createHistory(t, { 3: { public: { orders: 1 } } })
  await collect(db.sql, { exclude: ['orders'] })

  const { status, stdout } = await tableMetrics(t, db.url, ['status'])

  t.is(status, 0)
  t.true(stdout.includes(`: no result yet, the last day with one is ${await daysAgo(db.sql, 3)}\n`), stdout)
  t.regex(stdout, /^last run: 2, FAILED, /m)
  t.regex(
    stdout,
    /^reason: exclude: saw "orders", expected schema and table with a dot between, such as "public\.orders"$/m,
  )
})

test('a run that is under way is RUNNING so far', async (t) => {
  const db = await createDatabase(t)
  await db.sql`select nms.open_run()`

  const { stdout } = await tableMetrics(t, db.url, ['status'])

  t.regex(stdout, /^last run: 1, RUNNING, started .*, so far [\d.]+ s$/m)
})

test('--runs decides how many runs are shown; SNAPSHOT_TZ, in which zone', async (t) => {
  const db = await createDatabase(t)
  for (const _ of [1, 2, 3]) await collect(db.sql)
  const [run] = await db.sql<[{ started: string }]>`
    select to_char(collected_at at time zone 'Asia/Kolkata', 'YYYY-MM-DD HH24:MI') as started
    from nms.table_metrics_runs
    where run_id = 3
  `

  const { stdout } = await tableMetrics(t, db.url, ['status', '--runs', '2'], { SNAPSHOT_TZ: 'Asia/Kolkata' })

  t.deepEqual(
    [...stdout.matchAll(/^ +(\d) +SUCCEEDED/gm)].map(([, id]) => id),
    ['3', '2'],
  )
  t.true(stdout.includes(`started ${run.started} (Asia/Kolkata)`), stdout)
})

test('status --json prints today and the last runs with their durations', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(tables)
  await collect(db.sql)
  await collect(db.sql, { exclude: ['orders'] })

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['status', '--json'])

  t.is(status, 0)
  t.is(stderr, '')
  const { business_date, business_time_zone, today, runs } = JSON.parse(stdout)
  t.is(business_date, await daysAgo(db.sql, 0))
  t.is(business_time_zone, 'America/New_York')
  t.like(today, { run_id: 1, snapshot_date: business_date })
  t.like(runs, [
    { run_id: 2, status: 'FAILED' },
    { run_id: 1, status: 'SUCCEEDED', target_count: 2 },
  ])
  const [finished] = await db.sql<[{ seconds: number }]>`
    select extract(epoch from finished_at - collected_at)::float8 as seconds
    from nms.table_metrics_runs
    where run_id = 1
  `
  t.is(runs[1].seconds, finished.seconds)
})

test('before the first run status says what to type', async (t) => {
  const db = await createDatabase(t)

  const { status, stdout } = await tableMetrics(t, db.url, ['status'])

  t.is(status, 0)
  t.regex(stdout, /^no run yet: type table-metrics collect$/m)
})
