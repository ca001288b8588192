import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type Sql } from './_support/database.ts'
import { writeRuns } from './_support/history.ts'

/**
 * A transaction that began on one business day and goes on when the next one has begun: the business time zone is one
 * whose midnight is the next full second, which no zone with a name is.
 */
async function overMidnight(t: ExecutionContext, before: (sql: Sql) => Promise<unknown> = async () => null) {
  const db = await createDatabase(t)
  const { sql } = db
  await sql.unsafe(`
    create table public.orders as select generate_series(1, 3) as id;
    alter table nms.table_metrics_settings drop constraint business_time_zone_is_known_to_the_server;
  `)
  const session = db.connect()
  await session`begin`
  const [day] = await session<[{ midnight: string; zone: string; first: string; second: string }]>`
    select
      midnight::text,
      to_char(midnight at time zone 'UTC', '"<test>+"HH24:MI:SS') as zone, -- so far west of Greenwich
      ((midnight at time zone 'UTC')::date - 1)::text as first,
      (midnight at time zone 'UTC')::date::text as second
    from (select date_trunc('second', clock_timestamp()) + interval '1 s') as next (midnight)
  `
  await sql`update nms.table_metrics_settings set business_time_zone = ${day.zone}`
  await writeRuns(sql, [{ day: 0, counts: { 'public.orders': 1 } }], day.first)
  await sql`select nms.rebuild_daily_snapshot(${day.first}::date)`
  await before(sql)
  for (let passed = false; !passed; ) {
    const [row] = await session<[{ passed: boolean; is_earlier: boolean }]>`
      select clock_timestamp() >= ${day.midnight}::timestamptz as passed, now() < ${day.midnight} as is_earlier
      from pg_sleep(0.02)
    `
    t.true(row.is_earlier)
    passed = row.passed
  }
  return { ...db, session, ...day }
}

test('a run of a transaction that began before midnight belongs to the day on which the run starts', async (t) => {
  const { sql, session, midnight, first, second } = await overMidnight(t)

  const run = await collect(session)
  const [same] = await session`
    select
      collected_at >= ${midnight}::timestamptz as is_later,
      nms.business_date(at => collected_at) = snapshot_date as agrees,
      finished_at >= collected_at as has_passed
    from nms.table_metrics_runs where run_id = ${run.run_id}
  `
  await session`commit`

  t.is(run.snapshot_date, second)
  t.deepEqual({ ...same }, { is_later: true, agrees: true, has_passed: true })
  t.deepEqual(
    [
      ...(await sql`
        select snapshot_date, run_id, payload from nms.table_metrics_daily_snapshot order by snapshot_date
      `),
    ],
    [
      { snapshot_date: first, run_id: '1', payload: { public: { orders: 1 } } },
      { snapshot_date: second, run_id: run.run_id, payload: { public: { orders: 3 } } },
    ],
    'what was found before midnight stays',
  )
})

test('a transaction that began before midnight reads the day that it has just counted as today', async (t) => {
  const { session, second } = await overMidnight(t)
  const { run_id } = await collect(session)

  t.deepEqual([...(await session`select run_id from nms.table_metrics_today`)], [{ run_id }])
  t.deepEqual([...(await session`select nms.business_date()::text as day`)], [{ day: second }])
  t.deepEqual(
    [...(await session`select snapshot_date, run_id from nms.table_trend('public', 'orders', 1)`)],
    [{ snapshot_date: second, run_id }],
  )
  await session`commit`
})

test('counts of the day that has begun can be recorded in a transaction that is older', async (t) => {
  const { session, second } = await overMidnight(t)

  const [run] = await session`select * from nms.import_run(${second}::date, '{"public": {"orders": 4}}')`
  await t.throwsAsync(session`select nms.import_run(${second}::date + 1, '{}')`, { code: '22023' })
  await session`rollback`

  t.like(run, { status: 'SUCCEEDED', snapshot_date: second })
})

test('silences end, and runs grow old, at the midnight of the clock', async (t) => {
  const { session } = await overMidnight(t, async (sql) => {
    await sql.unsafe(`
      insert into nms.table_metrics_alert_log (kind, detail, opened_at) values ('no_tables', 'none', now());
      insert into nms.table_metrics_alert_rules (kind, silenced_until)
      select 'no_tables', max(snapshot_date) + 1 from nms.table_metrics_runs;
    `)
    await writeRuns(sql, [{ day: 5 }])
  })

  t.deepEqual(
    [...(await session`select kind from nms.table_metrics_alerts where kind = 'no_tables'`)],
    [{ kind: 'no_tables' }],
  )
  const [pruned] = await session`select * from nms.prune_table_metrics(keep_runs => '0', keep_daily => '0')`
  await session`rollback`
  t.like(pruned, { runs_deleted: '1' })
})

test('the clock, not the transaction, says when a run starts', async (t) => {
  const { sql } = await createDatabase(t)

  const [run] = await sql.begin(async (session) => {
    const [{ later }] = await session<[{ later: string }]>`select clock_timestamp()::text as later`
    await session`select nms.open_run()`
    return session`
      select collected_at > now() as is_later, collected_at >= ${later}::timestamptz as is_by_the_clock
      from nms.table_metrics_runs
    `
  })

  t.deepEqual({ ...run }, { is_later: true, is_by_the_clock: true })
})
