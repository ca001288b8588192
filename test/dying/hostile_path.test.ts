// Names that strangers have laid where our sessions look: nothing of it runs, and every answer is right.
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { hasSprung, paths, plantTraps } from '../_support/hostile_path.ts'
import { untilJobsAreDone } from '../_support/jobs.ts'
import { startPgbouncer } from '../_support/pgbouncer.ts'
import { tableMetrics } from '../_support/process.ts'
import { addJob, startWorker, stopWorker } from '../_support/worker.ts'

const counts = { shop: { customers: 3, orders: 7 } }

const reading = [
  ['status'],
  ['status', '--json'],
  ['daily'],
  ['daily', '--json'],
  ['daily', 'yesterday'],
  ['daily', '2020-01-01'],
  ['trend', 'shop.orders'],
  ['trend', 'shop.orders', '--json'],
  ['trend', 'shop.ordres'],
  ['trend', 'shop.stock', '--days', '1'],
  ['diff'],
  ['diff', '1', '2', '--all'],
  ['diff', '1', '2', '--json', '--fail-on', 'any'],
  ['diff', '1', '99'],
  ['alerts'],
  ['alerts', '--json'],
  ['report', '--all'],
  ['report', '--json'],
  ['export'],
  ['export', '--format', 'ndjson', '--since', 'yesterday', '--table', 'shop.orders'],
  ['prune', '--keep-runs', '1d', '--keep-daily', '1d', '--dry-run'],
  ['doctor', '--json'],
]

/** A shop that has been counted on two days. */
async function prepareHistory(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create schema shop;
    create table shop.orders as select generate_series(1, ${counts.shop.orders}) as id;
    create table shop.customers as select generate_series(1, ${counts.shop.customers}) as id;
    analyze;
    select nms.import_run(nms.business_date() - 1, '{"shop": {"orders": 5, "stock": 2}}');
    select nms.collect_table_metrics();
  `)
  return db
}

for (const [where, { path, planting, atLeast }] of Object.entries(paths)) {
  for (const way of ['directly', 'through pgbouncer in transaction mode']) {
    test(`traps in ${where}: no command runs one, ${way}`, async (t) => {
      t.timeout(300_000)
      const { db, url, expected } = await prepare(t)

      for (const [n, args] of reading.entries()) {
        const { status, stdout, stderr } = await tableMetrics(t, url, args)
        t.deepEqual({ args, status, stdout, stderr }, { args, ...expected[n] })
      }
      for (const args of [[], ['--online', '--jobs', '2'], ['--deadline', '300s']]) {
        const { status, stdout, stderr } = await tableMetrics(t, url, ['collect', '--json', ...args])
        t.is(status, 0, stderr)
        t.deepEqual(JSON.parse(stdout).payload, counts)
      }
      const preview = await tableMetrics(t, url, [
        'collect',
        '--dry-run',
        '--json',
        '--exclude',
        'shop.orders',
      ])
      t.is(preview.status, 0, preview.stderr)
      const logged = await tableMetrics(t, url, ['collect', '--log', 'json'])
      t.is(logged.status, 0, logged.stderr)
      for (const args of [
        ['rebuild', '2'],
        ['rebuild', 'today'],
        ['prune', '--keep-runs', '0d'],
      ]) {
        const { status, stderr } = await tableMetrics(t, url, args)
        t.is(status, 0, stderr)
      }
      t.false(await hasSprung(db.sql))
      await nothingLeaked(t, url)
    })

    test(`traps in ${where}: no worker runs one, ${way}`, async (t) => {
      t.timeout(300_000)
      const { db, url } = await prepare(t, [])
      const sql = db.connect({ connection: { search_path: 'pg_catalog' } as object })
      const worker = await startWorker(t, { ...db, connect: () => sql }, { url })
      await addJob({ sql })
      await addJob({ sql }, { online: true, jobs: 2 })
      await addJob({ sql }, { keepRuns: '90 days' }, 'prune_table_metrics')
      await addJob({ sql }, { nope: 1 })

      await untilJobsAreDone({ sql })

      await stopWorker(t, worker)
      const left = await sql`select task_identifier, last_error from graphile_worker.jobs`
      t.is(left.length, 1)
      t.regex(left[0]?.last_error, /"nope"/)
      const runs = await sql`
        select status, requested_by from nms.table_metrics_runs where run_id > 2 order by status
      `
      t.deepEqual(
        runs.map(({ status }) => status),
        ['FAILED', 'SUCCEEDED', 'SUCCEEDED'],
      )

      const schedule = '* * * * * collect_table_metrics ?id=each&fill=2m'
      const known = await startWorker(
        t,
        { ...db, connect: () => sql },
        { url, crontab: schedule, args: ['--once'] },
      )
      t.is((await known.finished).status, 0)
      await sql`update graphile_worker._private_known_crontabs set known_since = now() - interval '1 hour'`
      const once = await startWorker(
        t,
        { ...db, connect: () => sql },
        { url, crontab: schedule, args: ['--once'] },
      )
      t.is((await once.finished).status, 0)
      const slots = await sql`
        select from nms.table_metrics_runs where scheduled_for is not null and status = 'SUCCEEDED'
      `
      t.true(slots.length >= 1)
      t.false(await hasSprung(sql))
      await nothingLeaked(t, url)
    })

    /** The same answers before anything was planted, by somebody whose path holds nothing. */
    async function prepare(t: ExecutionContext, commands = reading) {
      const db = await prepareHistory(t)
      const expected = []
      for (const args of commands) {
        const { status, stdout, stderr } = await tableMetrics(t, db.url, args)
        expected.push({ status, stdout, stderr })
      }
      const planted = await plantTraps(db.connect(), planting)
      t.true(planted > atLeast, `${planted} traps`)
      const role = await db.createRole('superuser')
      await db.sql.unsafe(
        `alter role ${role.name} in database ${db.name} set search_path = ${path};
         alter role ${role.name} in database ${db.name} set standard_conforming_strings = off`,
      )
      if (way === 'directly') return { db, url: role.url, expected }
      const pool = await startPgbouncer(t, role.url, 3)
      t.teardown(pool.stop)
      return { db, url: pool.url, expected }
    }

    /** Whoever is given such a session next has the path that is theirs. */
    async function nothingLeaked(t: ExecutionContext, url: string): Promise<void> {
      const sql = postgres(url, { max: 3, prepare: false, fetch_types: false })
      const sessions = await Promise.all(
        [1, 2, 3].map(() =>
          sql.begin((transaction) =>
            Promise.all([transaction`show search_path`, transaction`select pg_catalog.pg_sleep(0.2)`]),
          ),
        ),
      )
      await sql.end()
      for (const [[shown]] of sessions) t.is(shown?.search_path, path)
    }
  }

  test(`traps in ${where}: what lies in nms means what it meant when it was made`, async (t) => {
    const db = await prepareHistory(t)
    await plantTraps(db.connect(), planting)
    const role = await db.createRole('superuser')
    await db.sql.unsafe(`alter role ${role.name} in database ${db.name} set search_path = ${path}`)
    const sql = postgres(role.url, { max: 1, prepare: false, fetch_types: false, onnotice: () => undefined })
    const relations = await db.sql<{ name: string }[]>`
      select format('%I.%I', relnamespace::regnamespace, relname) as name
      from pg_class
      where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind in ('r', 'v')
    `

    for (const { name } of relations) await sql.unsafe(`select * from ${name}`)
    for (const call of [
      'nms.collect_table_metrics()',
      'nms.open_run()',
      'nms.close_run(nms.open_run())',
      'nms.measure_targets(nms.open_run())',
      "nms.preview_run(exclude => '[]')",
      'nms.find_problems()',
      "nms_private.open_job('{}')",
      "nms_private.validate_job('{}')",
      'nms.abandon_silent_runs()',
      'nms_private.record_missing_run()',
      'nms.compare_runs(1, 2)',
      'nms.compare_days(nms.business_date(), nms.business_date())',
      "nms.table_trend('shop', 'orders', 30)",
      'nms.compare_report(1, 2)',
      'nms.run_report()',
      'nms.day_report()',
      'nms.status_report()',
      "nms.metrics_report('{shop.orders}')",
      "nms.trend_report('shop', 'orders')",
      "nms.find_table('shop.ordres')",
      "nms.find_run('today')",
      'nms.find_alerts(2)',
      'nms.record_alerts(2)',
      'nms.rebuild_run_snapshot(2)',
      'nms.rebuild_daily_snapshot(nms.business_date())',
      "nms.import_run('2020-01-01', '{}')",
      "nms.prune_table_metrics('90 days', '90 days')",
    ]) {
      await sql.unsafe(`select * from ${call}`)
    }
    await sql`update nms.table_metrics_settings set business_time_zone = 'UTC'`
    await sql`insert into nms.table_metrics_alert_rules (schema_name, drop_percent) values ('shop', 5)`
    await sql`delete from nms.table_metrics_runs`
    await sql.end()

    t.false(await hasSprung(db.sql))
  })
}
