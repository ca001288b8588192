import test from 'ava'
import {
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

interface CountingSession {
  pid: number
  table_oid: number | null
  schema_name: string | null
  table_name: string | null
  waiting_session: string | null
}

type ServerError = Error & { code: string }

// Planning its count waits at a gate, with the table's lock held.
const gated = `
  create function public.pass_the_gate() returns boolean language plpgsql immutable
  set lock_timeout = '1 min'
  as $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
  create table public.gated as select generate_series(1, 10000) as id;
  create table public.companion as select generate_series(1, 2) as id;
  create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
  analyze;
  create index on public.gated (id) where public.pass_the_gate();
  update nms.table_metrics_settings set lock_timeout = '1 min', yield_after = '1 ms';
`

async function open(sql: Sql, exclude: string[] = []) {
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    select nms.open_run(exclude => ${sql.json(exclude)}) as run_id
  `
  return run_id
}

async function measure(sql: Sql, run_id: string, budget = '1 min') {
  const [progress] = await sql<[{ tables_counted: string; tables_left: string; is_finished: boolean }]>`
    select * from nms.measure_targets(run_id => ${run_id}, budget => ${budget}::interval)
  `
  return progress
}

const measureAll = (sql: Sql, run_id: string) =>
  eventually(async () => (await measure(sql, run_id)).is_finished, `run ${run_id} has been counted`)

async function close(sql: Sql, run_id: string) {
  const [run] = await sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`
  return run
}

const countingSessions = async (sql: Sql, run_id: string) => [
  ...(await sql<CountingSession[]>`select * from nms_private.counting_sessions(run_id => ${run_id})`),
]

async function yieldTarget(sql: Sql, run_id: string | null, table: string, to = 'session 1 (migration)') {
  const [row] = await sql`
    select nms_private.yield_target(
      run_id => ${run_id}, table_oid => to_regclass(${table})::oid, waiting_session => ${to}
    ) as outcome
  `
  return row?.outcome
}

const pidOf = async (sql: Sql) => {
  const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
  return pid
}

/** Sessions that count stop at public.gated until this is released. */
async function closeGate({ connect }: TestDatabase) {
  const holder = connect()
  await holder.unsafe('begin; select pg_advisory_xact_lock(4711)') // no portal that would keep a snapshot
  return async () => {
    await holder`rollback`
  }
}

/** A session that is counting public.gated, until the gate opens or it is canceled. */
async function countingSession(db: TestDatabase, run_id: string) {
  const session = db.connect()
  const pid = await pidOf(session)
  const measuring = measure(session, run_id)
  measuring.catch(() => undefined)
  await untilItWaits(db.sql, pid)
  return { pid, measuring }
}

/** A session of an application that waits. */
async function waitingSession(db: TestDatabase, statement: string, untilThen = untilItWaits) {
  const session = db.connect({ connection: { application_name: 'migration' } })
  const pid = await pidOf(session)
  const waiting = session.unsafe(statement).execute()
  waiting.catch(() => undefined)
  await untilThen(db.sql, pid)
  return { pid, waiting }
}

/** What the watcher of a run does: cancels the count for which somebody waits, and puts its table back. */
async function watchOnce({ sql }: TestDatabase, run_id: string) {
  const [blocking] = (await countingSessions(sql, run_id)).filter(({ waiting_session }) => waiting_session)
  if (!blocking) return undefined
  await sql`select pg_cancel_backend(${blocking.pid})`
  const [row] = await sql`
    select nms_private.yield_target(
      run_id => ${run_id}, table_oid => ${blocking.table_oid}, waiting_session => ${blocking.waiting_session}
    ) as outcome
  `
  return row?.outcome
}

const queue = async (sql: Sql) =>
  (
    await sql<{ tables: string[]; times_yielded: number; times_put_off: number }[]>`
      select
        array(select (target).table_name from unnest(targets) as target order by 1) as tables,
        times_yielded::int, times_put_off::int
      from nms_private.targets
      where not is_done
      order by position
    `
  ).map(({ tables, times_yielded, times_put_off }) => [tables.join(), times_yielded, times_put_off])

test('a session that counts is told with its table, and nobody else is', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${gated} create schema "Größe"; alter table public.gated set schema "Größe"`)
  const [run_id, other] = [await open(db.sql), await open(db.sql)]
  t.deepEqual(await countingSessions(db.sql, run_id), [])
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const { pid, measuring } = await countingSession(db, run_id)

  const sessions = await countingSessions(db.sql, run_id)

  t.like(sessions, {
    length: 1,
    0: { pid, schema_name: 'Größe', table_name: 'gated', waiting_session: null },
  })
  t.deepEqual(await countingSessions(db.sql, other), [])
  t.deepEqual(await countingSessions(db.sql, '4711'), [])
  await openGate()
  await measuring
  t.deepEqual(await countingSessions(db.sql, run_id), [])
})

test('a stranger who takes locks that look like those of a run is not told as counting, and stops nobody', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${gated} drop index public.gated_id_idx;`)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const role = await db.createRole()
  const stranger = role.connect()
  await stranger.unsafe(`
    begin;
    select pg_advisory_xact_lock_shared(hashtextextended('nms.measure_targets', ${run_id}));
    select pg_advisory_xact_lock(hashtextextended('nms_private.settle_targets', ${run_id}));
  `)
  await db.sql`grant select on public.gated to public`
  await stranger`select count(*) from public.gated`
  const { waiting } = await waitingSession(db, 'begin; lock table public.gated; commit')
  const refused = ['for key share', 'for update'].map((mode) =>
    t.throwsAsync(
      db
        .connect()
        .unsafe(`set role ${role.name}; select from nms.table_metrics_runs where run_id = ${run_id} ${mode}`),
      { code: '42501' },
    ),
  )

  const sessions = await countingSessions(db.sql, run_id)

  await Promise.all(refused)
  t.deepEqual(sessions, [])
  await stranger`rollback`
  await waiting
  await measureAll(db.sql, run_id)
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
})

test('two sessions that count two tables at the same time are both told', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${gated}
    create table public.gated_too with (fillfactor = 10) as select generate_series(1, 9000) as id;
    analyze public.gated_too;
    create index on public.gated_too (id) where public.pass_the_gate();
  `)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const counting = [await countingSession(db, run_id), await countingSession(db, run_id)]

  const sessions = await countingSessions(db.sql, run_id)

  t.deepEqual(
    sessions.map(({ pid, table_name }) => [pid, table_name]).sort(),
    counting.map(({ pid }, i) => [pid, ['gated_too', 'gated'][i]]).sort(),
  )
  await openGate()
  await Promise.all(counting.map(({ measuring }) => measuring))
})

const untilItWaitsForATransaction = (sql: Sql, pid: number) =>
  eventually(async () => {
    const waiting = await sql`
      select from pg_locks
      where pid = ${pid} and not granted and locktype = 'virtualxid'
        and clock_timestamp() - waitstart > interval '100 ms'
    `
    return waiting.length === 1
  }, `session ${pid} waits for a transaction`)

for (const [statement, untilThen = untilItWaits] of [
  ['alter table public.gated add column more int'],
  ['truncate public.gated'],
  ['drop index public.gated_plain'],
  ['drop table public.gated'],
  ['vacuum full public.gated'],
  ['drop index concurrently public.gated_plain', untilItWaitsForATransaction],
  ['create index concurrently on public.companion (id)', untilItWaitsForATransaction],
] as const) {
  test(`a count yields to ${statement}, but not before yield_after has passed`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`${gated} create index gated_plain on public.gated (id)`)
    await db.sql`update nms.table_metrics_settings set yield_after = '1 min'`
    const run_id = await open(db.sql)
    await measure(db.sql, run_id)
    const openGate = await closeGate(db)
    const { pid, measuring } = await countingSession(db, run_id)
    const { pid: waitingPid, waiting } = await waitingSession(db, statement, untilThen)

    t.like(await countingSessions(db.sql, run_id), { length: 1, 0: { pid, waiting_session: null } })
    await db.sql`update nms.table_metrics_settings set yield_after = '1 ms'`
    const sessions = await countingSessions(db.sql, run_id)

    t.like(sessions, { length: 1, 0: { pid, table_name: 'gated' } })
    t.regex(sessions[0]?.waiting_session ?? 'null', new RegExp(`\\b${waitingPid}\\b.*migration`))
    await openGate()
    await measuring
    await waiting
  })
}

test('who waits for somebody else, or on a table that is not being counted, makes no count yield', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const { measuring } = await countingSession(db, run_id)
  const holder = db.connect()
  await holder.unsafe('begin; lock table public.companion')
  await waitingSession(db, 'alter table public.companion add column more int')

  const sessions = await countingSessions(db.sql, run_id)

  t.deepEqual(
    sessions.map(({ waiting_session }) => waiting_session),
    [null],
  )
  await holder`rollback`
  await openGate()
  await measuring
})

test('whoever waited proceeds, and the traffic behind; the table is put back at the end, its companions too', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const { measuring } = await countingSession(db, run_id)
  const { waiting } = await waitingSession(db, 'alter table public.gated add column more int')
  const { waiting: traffic } = await waitingSession(db, 'select from public.gated limit 1')

  const outcome = await watchOnce(db, run_id)

  t.is(outcome, 'put back')
  const error = await t.throwsAsync<ServerError>(measuring)
  t.is(error?.code, '57014')
  t.true(error?.message.includes('public.gated'))
  await waiting // and the gate is still closed
  t.deepEqual((await queue(db.sql)).map(([tables, given]) => [tables, given]).sort(), [
    ['companion', 0],
    ['gated', 1],
    ['large', 0],
  ])
  await openGate()
  await traffic
  await measureAll(db.sql, run_id)
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, { run_id }), {
    'public.companion': 2,
    'public.gated': 10_000,
    'public.large': 9000,
  })
})

test('a table that was put back is counted after all others', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(gated)
  const run_id = await open(sql)
  await measure(sql, run_id)

  t.is(await yieldTarget(sql, run_id, 'public.large'), 'put back')

  t.deepEqual(await queue(sql), [
    ['companion,gated', 0, 0],
    ['large', 1, 0],
  ])
})

test('the third time the table is given up with NM003; all others are counted and the run FAILED', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const outcomes: string[] = []
  for (const attempt of [1, 2, 3]) {
    const { measuring } = await countingSession(db, run_id)
    const { waiting } = await waitingSession(db, `alter table public.gated add column more_${attempt} int`)
    outcomes.push(await watchOnce(db, run_id))
    await t.throwsAsync(measuring)
    await waiting
  }
  await openGate()
  await measureAll(db.sql, run_id)

  const run = await close(db.sql, run_id)

  t.deepEqual(outcomes, ['put back', 'put back', 'given up'])
  t.like(run, { status: 'FAILED', target_count: '3' })
  for (const part of ['public.gated', 'NM003', 'yielded to', 'migration', 'yield_after'])
    t.true(run.error_message?.includes(part), part)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.companion': 2,
    'public.gated': null,
    'public.large': 9000,
  })
  t.is((await db.sql`select from nms_private.targets`).length, 0)
})

test('companions of a table that yields again and again do not pay for it', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(gated)
  const run_id = await open(sql)
  await measure(sql, run_id)

  const outcomes = [
    await yieldTarget(sql, run_id, 'public.gated'),
    await yieldTarget(sql, run_id, 'public.gated'),
    await yieldTarget(sql, run_id, 'public.companion'),
    await yieldTarget(sql, run_id, 'public.gated'),
    await yieldTarget(sql, run_id, 'public.gated'),
  ]

  t.deepEqual(outcomes, ['put back', 'put back', 'put back', 'given up', null])
  t.deepEqual(await queue(sql), [
    ['large', 0, 0],
    ['companion', 1, 0],
  ])
})

test('a table that yielded and is locked then remembers both', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  await yieldTarget(db.sql, run_id, 'public.large')
  const holder = db.connect()
  await holder.unsafe('begin; lock table public.large')
  await measure(db.sql, run_id)

  const before = await queue(db.sql)
  const outcome = await yieldTarget(db.sql, run_id, 'public.large')

  t.deepEqual(before, [['large', 1, 1]])
  t.is(outcome, 'put back')
  t.deepEqual(await queue(db.sql), [['large', 2, 1]])
  await holder`rollback`
})

test('a partition yields together with its family', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${gated}
    create table public.whole (id int) partition by list (id);
    alter table public.whole attach partition public.gated default;
  `)
  const run_id = await open(db.sql, ['public.gated', 'public.large', 'public.companion'])
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const { measuring } = await countingSession(db, run_id)
  const { waiting } = await waitingSession(db, 'begin; lock table public.gated; commit')

  const outcome = await watchOnce(db, run_id)

  t.is(outcome, 'put back')
  await t.throwsAsync(measuring)
  await waiting
  t.deepEqual(await queue(db.sql), [['gated,whole', 1, 0]])
  await openGate()
})

test('a table that was counted meanwhile, was dropped, or never was a target gives no way', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${gated} create table public.excluded (id int)`)
  const run_id = await open(sql, ['public.excluded'])
  await measure(sql, run_id)
  await measure(sql, run_id, '0 s') // large
  const before = await queue(sql)

  const outcomes = [
    await yieldTarget(sql, run_id, 'public.large'),
    await yieldTarget(sql, run_id, 'public.excluded'),
    await yieldTarget(sql, run_id, 'public.dropped'),
  ]

  t.deepEqual(outcomes, [null, null, null])
  t.deepEqual(await queue(sql), before)
})

test('a table that another session has begun to count again is left to it', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const { measuring } = await countingSession(db, run_id)

  const outcome = await yieldTarget(db.sql, run_id, 'public.gated')

  t.is(outcome, null)
  await openGate()
  t.like(await measuring, { is_finished: true })
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
})

for (const [what, prepare, code] of [
  ['an unknown run', async () => '4711', 'P0002'],
  ['null', async () => null, 'P0002'],
  [
    'a finished run',
    async (sql: Sql) => {
      const run_id = await open(sql)
      await close(sql, run_id)
      return run_id
    },
    '55000',
  ],
] as const) {
  test(`in ${what} nothing yields: ${code}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(gated)
    const run_id = await prepare(sql)

    const error = await t.throwsAsync<ServerError>(yieldTarget(sql, run_id, 'public.gated'))

    t.is(error?.code, code)
  })
}
