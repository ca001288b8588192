import test from 'ava'
import {
  collect,
  createDatabase,
  type Run,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from './_support/database.ts'
import { eventually } from './_support/eventually.ts'

interface Day {
  snapshot_date: string
  run_id: string
  payload: Record<string, Record<string, number>>
}

const days = async (sql: Sql) => [
  ...(await sql<Day[]>`
    select snapshot_date, run_id, payload from nms.table_metrics_daily_snapshot order by snapshot_date
  `),
]

const shop = `
  create table public.blocker as select generate_series(1, 5000) as id;
  analyze public.blocker; -- the largest table is counted first
  create table public.orders as select generate_series(1, 3) as id;
  update nms.table_metrics_settings set lock_timeout = '1 min';
`

/** Starts a run that waits in a session of its own until `finish` lets it go on. */
async function startRun({ sql, connect }: TestDatabase) {
  const holder = connect()
  await holder`begin`
  await holder`lock table public.blocker in access exclusive mode`
  const session = connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const running = session<[Run]>`select * from nms.collect_table_metrics()`.execute()
  await untilItWaits(sql, pid)
  return async () => {
    await holder`rollback`
    const [run] = await running
    return run
  }
}

test('an older run that finishes last leaves the day to the newer one', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const finishOlder = await startRun(db)
  await db.sql`insert into public.orders values (4)`

  const newer = await collect(db.sql, { exclude: ['public.blocker'] })

  const older = await finishOlder()
  t.is(older.status, 'SUCCEEDED')
  t.is(newer.status, 'SUCCEEDED')
  t.true(BigInt(older.run_id) < BigInt(newer.run_id))
  t.true((older.finished_at as Date) > (newer.finished_at as Date))
  t.deepEqual(await days(db.sql), [
    { snapshot_date: newer.snapshot_date, run_id: newer.run_id, payload: { public: { orders: 4 } } },
  ])
  const [own] =
    await db.sql`select payload from nms.table_metrics_run_snapshot where run_id = ${older.run_id}`
  t.deepEqual(own?.payload, { public: { blocker: 5000, orders: 3 } }, 'the older run keeps its own result')
})

test('an older run waits for a newer one that is about to take the day, and leaves it the day', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const finishOlder = await startRun(db)
  const session = db.connect()
  await session`begin`
  const newer = await collect(session, { exclude: ['public.blocker'] })

  const finished = finishOlder()
  await eventually(
    async () =>
      (
        await db.sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      ).length === 1,
    'the older run waits for the newer one',
  )
  await session`commit`

  t.is((await finished).status, 'SUCCEEDED')
  t.like(await days(db.sql), { length: 1, 0: { run_id: newer.run_id, payload: { public: { orders: 3 } } } })
})

test('an older run takes the day when the newer one is rolled back', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const finishOlder = await startRun(db)
  const session = db.connect()
  await session`begin`
  await collect(session, { exclude: ['public.blocker'] })
  await session`rollback`

  const older = await finishOlder()

  t.like(await days(db.sql), { length: 1, 0: { run_id: older.run_id } })
})

test('a newer run that finishes last takes the day from the older one', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const older = await collect(db.sql)
  const finishNewer = await startRun(db)
  t.like(await days(db.sql), { length: 1, 0: { run_id: older.run_id } })

  const newer = await finishNewer()

  t.like(await days(db.sql), {
    length: 1,
    0: { run_id: newer.run_id, payload: { public: { blocker: 5000, orders: 3 } } },
  })
})

test('an older run that was opened first and collected last leaves the day to the newer one', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const newer = await collect(sql)
  await sql`insert into public.orders values (1)`

  const [older] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`

  t.is(older.status, 'SUCCEEDED')
  t.like(await days(sql), { length: 1, 0: { run_id: newer.run_id, payload: { public: { orders: 0 } } } })
})

test('a run that failed never touches the day', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders as select generate_series(1, 3) as id;
    create table public.locked (id int);
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  const [{ run_id: uncounted }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await collect(sql)
  const before = await sql`select * from nms.table_metrics_daily_snapshot`
  await sql`insert into public.orders values (4)`
  const holder = connect()
  await holder`begin`
  await holder`lock table public.locked in access exclusive mode`

  const failed = [
    await collect(sql),
    await collect(sql, { exclude: ['orders'] }),
    (await sql<[Run]>`select * from nms.close_run(run_id => ${uncounted})`)[0],
  ]

  await holder`rollback`
  t.deepEqual(
    failed.map(({ status }) => status),
    ['FAILED', 'FAILED', 'FAILED'],
  )
  t.deepEqual([...(await sql`select * from nms.table_metrics_daily_snapshot`)], [...before])
  t.is((await sql`select from nms.table_metrics_run_snapshot`).length, 1)
})

test('whatever runs side by side, each day holds the result of its successful run with the highest run_id', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders (id bigint generated always as identity primary key);
    create table public.invoices (id bigint generated always as identity primary key);
    create table public.events (id bigint generated always as identity) partition by range (id);
    create table public.events_1 partition of public.events for values from (0) to (7);
    create table public.events_2 partition of public.events default;
  `)
  const setBusinessZone = (zone: string) =>
    sql`update nms.table_metrics_settings set business_time_zone = ${zone}`
  // It is always a later date on Kiritimati than in Pago Pago: runs belong to several days.
  const zones = ['Pacific/Kiritimati', 'Pacific/Pago_Pago'] as const
  const first: Run[] = []
  for (const zone of zones) {
    await setBusinessZone(zone)
    first.push(await collect(sql))
  }
  const runners = Array.from({ length: 20 }, () => connect())
  await Promise.all(runners.map((runner) => runner`select`))
  let busy = true
  // One row in each table per transaction: whoever sees one snapshot sees as many of each.
  const inserting = [connect(), connect()].map(async (writer) => {
    while (busy) {
      await writer.unsafe(`
        begin;
        insert into public.orders default values;
        insert into public.invoices default values;
        insert into public.events default values;
        commit;
      `)
    }
  })
  const travelling = (async () => {
    for (let turn = 0; busy; turn++) {
      await setBusinessZone(zones[turn % 2] as string)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  let looks = 0
  const watching = (async () => {
    const wrong: unknown[] = []
    for (const watcher = connect(); busy; looks++) {
      wrong.push(
        ...(await watcher`
          select snapshot_date, last.run_id as last, daily.run_id as daily
          from (
            select snapshot_date, max(run_id) as run_id
            from nms.table_metrics_runs
            where status = 'SUCCEEDED'
            group by snapshot_date
          ) as last
          full join nms.table_metrics_daily_snapshot as daily using (snapshot_date)
          where last.run_id is distinct from daily.run_id
        `),
      )
    }
    return wrong
  })()

  const each = await Promise.all(
    runners.map(async (runner, number) => {
      const own: Run[] = []
      for (let turn = 0; turn < 3; turn++) {
        // Every fifth run fails; every fourth is opened first, as the schedule does.
        if ((number + turn) % 5 === 0) own.push(await collect(runner, { exclude: ['orders'] }))
        else if ((number + turn) % 4 === 0) {
          const [{ run_id }] = await runner<[{ run_id: string }]>`select nms.open_run() as run_id`
          own.push(...(await runner<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`))
        } else own.push(await collect(runner))
      }
      return own
    }),
  ).finally(async () => {
    busy = false
    await Promise.all([...inserting, travelling, watching])
  })
  const runs = [...first, ...each.flat()]

  t.deepEqual(await watching, [], 'at no moment did another run own its day')
  t.true(looks > 3)

  t.is(new Set(runs.map(({ run_id }) => run_id)).size, 62)
  const succeeded = runs.filter(({ status }) => status === 'SUCCEEDED')
  const failed = runs.filter(({ status }) => status === 'FAILED')
  t.deepEqual([succeeded.length, failed.length], [50, 12])

  const snapshots = await sql<{ run_id: string; payload: Day['payload'] }[]>`
    select run_id, payload from nms.table_metrics_run_snapshot
  `
  const payloads = new Map(snapshots.map(({ run_id, payload }) => [run_id, payload]))
  t.deepEqual(
    [...payloads.keys()].sort(),
    succeeded.map(({ run_id }) => run_id).sort(),
    'only successful runs',
  )

  for (const { orders, invoices, events, events_1, events_2 } of snapshots.map(
    ({ payload }) => payload.public ?? {},
  )) {
    t.true(orders === invoices && orders === events, 'one snapshot')
    t.is(events, (events_1 ?? 0) + (events_2 ?? 0))
  }

  const owners = new Map<string, bigint>()
  for (const { snapshot_date, run_id } of succeeded) {
    const id = BigInt(run_id)
    if (id > (owners.get(snapshot_date) ?? 0n)) owners.set(snapshot_date, id)
  }
  t.true(owners.size >= 2, 'runs belong to several days')
  t.deepEqual(
    await days(sql),
    [...owners].sort().map(([snapshot_date, id]) => ({
      snapshot_date,
      run_id: String(id),
      payload: payloads.get(String(id)) as Day['payload'],
    })),
  )
})
