import test from 'ava'
import { findAlerts } from './_support/alerts.ts'
import { collect, createDatabase, type Run, type Sql, untilItWaits } from './_support/database.ts'
import { daysAgo, writeRun, writeRuns } from './_support/history.ts'

const recorded = { public: { orders: 70, lines: 900 } }
const counted = { public: { orders: 3 } }

const record = (sql: Sql, day: string) =>
  sql<[Run]>`select * from nms.import_run(${day}::date, ${sql.json(recorded)})`

const days = async (sql: Sql) => [
  ...(await sql`
    select snapshot_date, run_id, payload from nms.table_metrics_daily_snapshot order by snapshot_date
  `),
]

/** Run 1 is opened, counts are recorded as run 2, and then run 1 is collected. */
async function countedLast(t: Parameters<typeof createDatabase>[0]) {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select generate_series(1, 3) as id`
  const today = await daysAgo(db.sql, 0)
  await db.sql`select nms.open_run()`
  await record(db.sql, today)
  const [run] = await db.sql<[Run]>`select * from nms.collect_table_metrics(run_id => 1)`
  t.is(run.status, 'SUCCEEDED')
  return { ...db, today }
}

test('a counted run takes its day from counts that were recorded after it was opened', async (t) => {
  const { sql, today } = await countedLast(t)

  t.deepEqual(await days(sql), [{ snapshot_date: today, run_id: '1', payload: counted }])
  t.deepEqual(
    [...(await sql`select run_id, payload from nms.table_metrics_today`)],
    [{ run_id: '1', payload: counted }],
  )
  t.deepEqual(
    [...(await sql`select table_name, row_count, run_id from nms.table_metrics_latest`)],
    [{ table_name: 'orders', row_count: '3', run_id: '1' }],
  )
  t.deepEqual(
    [...(await sql`select run_id, row_count from nms.table_trend('public', 'orders')`)],
    [{ run_id: '1', row_count: '3' }],
  )
  t.deepEqual([...(await sql`select nms_private.run_of_day(${today}::date) as run_id`)], [{ run_id: '1' }])
})

test('a rebuilt day stays with its counted run, and goes to recorded counts only when that is deleted', async (t) => {
  const { sql, today } = await countedLast(t)
  const rebuild = () => sql`select nms.rebuild_daily_snapshot(${today}::date)`

  await rebuild()
  t.like(await days(sql), { length: 1, 0: { run_id: '1', payload: counted } })
  await sql`delete from nms.table_metrics_daily_snapshot`
  await rebuild()
  t.like(await days(sql), { length: 1, 0: { run_id: '1', payload: counted } })

  await sql`delete from nms.table_metrics_runs where run_id = 1`
  t.deepEqual(await days(sql), [])
  await rebuild()
  t.like(await days(sql), { length: 1, 0: { run_id: '2', payload: recorded } })
  const again = await collect(sql)
  t.like(await days(sql), { length: 1, 0: { run_id: again.run_id, payload: counted } })
})

test('pruning keeps the counted run of the last day, and not what was recorded after it', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 3) as id`
  const long = await daysAgo(sql, 100)
  await sql`select nms.open_run()`
  await sql`
    update nms.table_metrics_runs set snapshot_date = ${long}, collected_at = ${long}::date where run_id = 1
  `
  await record(sql, long)
  await sql`select nms.collect_table_metrics(run_id => 1)`
  await sql.unsafe(`
    alter table nms.table_metrics_runs disable trigger user;
    update nms.table_metrics_runs set collected_at = snapshot_date;
    alter table nms.table_metrics_runs enable trigger user;
  `)

  const [pruned] = await sql`select * from nms.prune_table_metrics(keep_runs => '90 d', keep_daily => '90 d')`

  t.like(pruned, { runs_deleted: '1', runs_left: '0' })
  t.deepEqual([...(await sql`select run_id from nms.table_metrics_runs`)], [{ run_id: '1' }])
  t.like(await days(sql), { length: 1, 0: { run_id: '1' } })
})

test('what is usual is learned from counted runs where there are recorded ones, too', async (t) => {
  const { sql } = await createDatabase(t)
  const before = Array.from({ length: 20 }, (_, day) => [
    { day, at: '05:00', counts: { 'public.orders': 1000 } },
    { day, at: '06:00', counts: { 'public.orders': 10, 'public.none': 1 }, recorded: true },
  ]).flat()
  const same = { day: 20, counts: { 'public.orders': 1000 } }

  const usual = await writeRuns(sql, [
    ...before,
    { ...same, at: '05:00' },
    { day: 20, at: '05:30', counts: { 'public.none': 1 }, recorded: true },
    same,
  ])

  t.deepEqual(await findAlerts(sql, usual), [])
  const [drop] = await findAlerts(sql, await writeRuns(sql, [{ day: 21, counts: { 'public.orders': 10 } }]))
  t.like(drop, { kind: 'drop', table_name: 'orders', row_count: '10' })
})

test('what the same day has found before is what its counted run has found', async (t) => {
  const { sql } = await createDatabase(t)
  const lines = { 'public.lines': 7 }
  const last = await writeRuns(sql, [
    { day: 0, at: '05:00', counts: { ...lines, 'public.orders': 5 } },
    { day: 0, at: '05:30', counts: { ...lines, 'public.orders_of_before': 5 }, recorded: true },
    { day: 0, counts: lines },
  ])

  t.deepEqual(
    (await findAlerts(sql, last)).map(({ kind, table_name }) => [kind, table_name]),
    [['table_missing', 'orders']],
  )
})

test('days are compared by their counted runs', async (t) => {
  const { sql, today } = await countedLast(t)
  const yesterday = await daysAgo(sql, 1)
  await writeRun(sql, yesterday, { 'public.orders': 1 })

  t.deepEqual(
    [
      ...(await sql`
        select table_name, outcome, change from nms.compare_days(${yesterday}::date, ${today}::date)
      `),
    ],
    [{ table_name: 'orders', outcome: 'grew', change: '2' }],
  )
})

test('counts that are recorded while a counted run is about to take the day are refused', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 3) as id`
  const today = await daysAgo(sql, 0)
  const [counting, recording] = [connect(), connect()]
  const [{ pid }] = await recording<[{ pid: number }]>`select pg_backend_pid() as pid`
  await counting`begin`
  const run = await collect(counting)
  const refused = t.throwsAsync(record(recording, today).execute(), { code: '55000', message: /was counted/ })
  await untilItWaits(sql, pid)

  await counting`commit`

  await refused
  t.deepEqual(await days(sql), [{ snapshot_date: today, run_id: run.run_id, payload: counted }])
  t.deepEqual([...(await sql`select from nms.table_metrics_runs where is_imported`)], [])
})

test('counts that are recorded while a counted run rolls back own the day', async (t) => {
  const { sql, connect } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const [counting, recording] = [connect(), connect()]
  const [{ pid }] = await recording<[{ pid: number }]>`select pg_backend_pid() as pid`
  await counting`begin`
  await collect(counting)
  const recorder = record(recording, today).execute()
  await untilItWaits(sql, pid)

  await counting`rollback`

  const [run] = await recorder
  t.deepEqual(await days(sql), [{ snapshot_date: today, run_id: run.run_id, payload: recorded }])
})

test('a counted run that waits for counts being recorded takes the day from them', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 3) as id`
  const today = await daysAgo(sql, 0)
  const [counting, recording] = [connect(), connect()]
  const [{ pid }] = await counting<[{ pid: number }]>`select pg_backend_pid() as pid`
  await sql`select nms.open_run()`
  await recording`begin`
  const [later] = await record(recording, today)
  t.is(later.run_id, '2')
  const running = counting<[Run]>`select * from nms.collect_table_metrics(run_id => 1)`.execute()
  await untilItWaits(sql, pid)

  await recording`commit`

  t.is((await running)[0].status, 'SUCCEEDED')
  t.deepEqual(await days(sql), [{ snapshot_date: today, run_id: '1', payload: counted }])
})

test('whoever counts and records side by side, a day never belongs to another run than the rule says', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 3) as id`
  const today = await daysAgo(sql, 0)
  let busy = true
  let looks = 0
  const watching = (async () => {
    const wrong: unknown[] = []
    for (const watcher = connect(); busy; looks++) {
      wrong.push(
        ...(await watcher`
          select owner.run_id as owner, day.run_id as day
          from (
            select distinct on (snapshot_date) snapshot_date, run_id
            from nms.table_metrics_runs
            where status = 'SUCCEEDED'
            order by snapshot_date, is_imported, run_id desc
          ) as owner
          full join nms.table_metrics_daily_snapshot as day using (snapshot_date)
          where owner.run_id is distinct from day.run_id
        `),
      )
    }
    return wrong
  })()
  const recorders = Array.from({ length: 6 }, () => connect())
  const opened = await Promise.all(recorders.map((session) => session`select nms.open_run() as run_id`))

  const outcomes = await Promise.all(
    recorders.flatMap((session, number) => [
      ...Array.from({ length: 4 }, () =>
        record(session, today)
          .then(() => 'imported')
          .catch(({ code }) => code),
      ),
      session`select * from nms.collect_table_metrics(run_id => ${opened[number]?.[0]?.run_id})`.then(
        ([run]) => run?.status,
      ),
      record(session, today)
        .then(() => 'imported')
        .catch(({ code }) => code),
    ]),
  ).finally(() => {
    busy = false
  })

  t.deepEqual(await watching, [])
  t.true(looks > 0)
  t.is(outcomes.filter((outcome) => outcome === 'SUCCEEDED').length, 6)
  t.true(outcomes.includes('imported'))
  t.deepEqual(
    outcomes.filter((outcome) => !['SUCCEEDED', 'imported', '55000'].includes(outcome)),
    [],
  )
  t.like(await days(sql), { length: 1, 0: { run_id: '6', payload: counted } })
})
