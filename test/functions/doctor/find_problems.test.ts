import { rm, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import {
  collect,
  createDatabase,
  majorOf,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { runAsOwner } from '../../_support/owner.ts'
import { startOwnServer } from '../../_support/server.ts'
import { standIn } from '../../_support/stand_in.ts'

interface Problem {
  severity: 'error' | 'warning'
  problem: string
  subject: string
  detail: string
  remedy: string
}

async function createShop(t: ExecutionContext, statements = ''): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`create table public.orders as select generate_series(1, 3) as id; ${statements}`)
  return db
}

const findProblems = (sql: Sql, payload: Record<string, unknown> = {}) =>
  sql<Problem[]>`select * from nms.find_problems(${sql.json(payload as never)})`

/** What was found, as `severity problem subject`; without what every database of these tests has. */
const summary = (problems: readonly Problem[]) =>
  problems
    .filter(({ problem }) => problem !== 'owned_by_superuser' && problem !== 'no_run_today')
    .map(({ severity, problem, subject }) => `${severity} ${problem} ${subject}`)

const only = (problems: readonly Problem[], name: string) => {
  const [found, ...others] = problems.filter(({ problem }) => problem === name)
  if (!found || others.length > 0) throw new Error(`not one ${name} in ${JSON.stringify(problems)}`)
  return found
}

/** Runs what the problem says would mend it. */
const mend = (sql: Sql, { remedy }: Problem) => sql.unsafe(remedy)

test('a database that was collected today, by an owner who may read everything, has no problem', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole('bypassrls')
  await runAsOwner(sql, owner.name)
  await sql`grant pg_read_all_data to ${sql(owner.name)}`
  await collect(sql)

  const problems = await findProblems(sql)

  t.deepEqual([...problems], [])
})

test('what the owner may not read, or sees thinned, is exactly what a run fails on, and each remedy mends it', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole()
  await sql.unsafe(`
    create table public.readable (id int);
    create table public.one_column (id int, secret text);
    create table public."Top Secret" (id int);
    create table public.thinned (id int);
    alter table public.thinned enable row level security;
    create table public.forced (id int);
    alter table public.forced owner to ${owner.name};
    alter table public.forced enable row level security, force row level security;
    create table public.own (id int);
    alter table public.own owner to ${owner.name};
    alter table public.own enable row level security;
    create schema vault;
    create table vault.gold (id int);
    create table vault.silver (id int);
    create table public.events (id int) partition by list (id);
    create table public.events_1 partition of public.events for values in (1);
    grant select on public.orders, public.readable, public.thinned, vault.gold to ${owner.name};
    grant select (id) on public.one_column to ${owner.name};
  `)
  await runAsOwner(sql, owner.name)

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), [
    'error table_not_readable public."Top Secret"',
    'error table_not_readable public.events_1',
    'error table_not_readable vault.gold',
    'error table_not_readable vault.silver',
    'error table_thinned_by_policies public.forced',
    'error table_thinned_by_policies public.thinned',
  ])
  const before = await collect(sql)
  const failed = await sql<{ name: string }[]>`
    select format('%I.%I', schema_name, table_name) as name
    from nms.table_metrics_measurements
    where run_id = ${before.run_id} and row_count is null and table_kind = 'table'
  `
  const errors = problems.filter(({ severity }) => severity === 'error')
  t.deepEqual(errors.map(({ subject }) => subject).sort(), failed.map(({ name }) => name).sort())

  for (const error of errors) await mend(sql, error)
  const after = await collect(sql)
  t.is(after.status, 'SUCCEEDED', after.error_message ?? '')
  t.deepEqual(summary(await findProblems(sql)), [])
})

test('a partition that is left out has to be readable for the sum of its table', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole()
  await sql.unsafe(`
    create table public.events (id int) partition by list (id);
    create table public.events_1 partition of public.events for values in (1);
    create table public.events_2 partition of public.events for values in (2);
    grant select (id) on public.orders, public.events, public.events_1 to ${owner.name};
  `)
  await runAsOwner(sql, owner.name)

  const problems = await findProblems(sql, { exclude: ['public.events_2'] })

  t.deepEqual(summary(problems), ['error table_not_readable public.events_2'])
  t.is((await collect(sql, { exclude: ['public.events_2'] })).status, 'FAILED')
  await sql.unsafe(`grant select (id) on public.events_2 to ${owner.name}`)
  t.deepEqual(summary(await findProblems(sql, { exclude: ['public.events_2'] })), [
    'error last_run_failed run 1',
  ])
  t.is((await collect(sql, { exclude: ['public.events_2'] })).status, 'SUCCEEDED')
})

test('what a run leaves out is no problem', async (t) => {
  const { sql, createRole } = await createShop(
    t,
    `
      create table public.secret (id int);
      create schema vault;
      create table vault.gold (id int);
    `,
  )
  const owner = await createRole()
  await sql`grant select on public.orders to ${sql(owner.name)}`
  await runAsOwner(sql, owner.name)

  const problems = await findProblems(sql, { skipSchemas: ['vault'], exclude: ['public.secret'] })

  t.deepEqual(summary(problems), [])
  t.deepEqual(summary(await findProblems(sql)), [
    'error table_not_readable public.secret',
    'error table_not_readable vault.gold',
  ])
})

for (const [payload, ...said] of [
  [{ skipSchemas: 'tmp' }, 'skipSchemas', '"tmp"'],
  [{ exclude: ['orders'] }, 'exclude', '"orders"'],
  [{ skip: ['tmp'] }, '"skip"', 'unknown'],
] as const) {
  test(`a payload of ${JSON.stringify(payload)} is an error that says what was seen`, async (t) => {
    const { sql } = await createShop(t)

    const problems = await findProblems(sql, payload)

    t.deepEqual(summary(problems), ['error malformed_payload the job'])
    const { detail } = only(problems, 'malformed_payload')
    for (const words of said) t.true(detail.includes(words), detail)
  })
}

test('SQL null is a payload without a key', async (t) => {
  const { sql } = await createShop(t)

  const problems = await sql<Problem[]>`select * from nms.find_problems(null)`

  t.deepEqual(summary(problems), [])
})

test('functions that belong to a superuser are a warning', async (t) => {
  const { sql, createRole } = await createShop(t)
  const superuser = await createRole('superuser')
  await runAsOwner(sql, superuser.name)

  const { severity, detail, remedy } = only(await findProblems(sql), 'owned_by_superuser')

  t.is(severity, 'warning')
  t.true(detail.includes(superuser.name), detail)
  t.true(remedy.includes('migrations/roles.sql'), remedy)
})

test('an update whose functions and tables the owner has no right on is an error, and the remedy mends it', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole()
  await sql`grant select on public.orders to ${sql(owner.name)}`
  await runAsOwner(sql, owner.name)
  await sql.unsafe(`
    alter function nms_private.run_payload(bigint, integer) owner to postgres;
    revoke insert on nms.table_metrics_run_snapshot from ${owner.name};
  `)
  t.is((await collect(sql)).status, 'FAILED')

  const problem = only(await findProblems(sql), 'owner_lacks_right')

  t.is(problem.severity, 'error')
  for (const words of [
    owner.name,
    'nms_private.run_payload(bigint,integer)',
    'nms.table_metrics_run_snapshot',
  ]) {
    t.true(problem.detail.includes(words), problem.detail)
  }
  await mend(sql, problem)
  const run = await collect(sql)
  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(summary(await findProblems(sql)), [])
})

test('the rights are those of the role that counts, also while this function belongs to another one', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole()
  await runAsOwner(sql, owner.name)
  await sql`alter function nms.find_problems(jsonb) owner to postgres`

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['error table_not_readable public.orders'])
})

test('an owner who lacks rights on what it asks is one error, and the remedy mends it', async (t) => {
  const { sql, createRole } = await createShop(t)
  const owner = await createRole()
  await sql`grant select on public.orders to ${sql(owner.name)}`
  await runAsOwner(sql, owner.name)
  await sql`alter function nms_private.lint_no_run_today(jsonb, nms_private.target[], date) owner to postgres`

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['error owner_lacks_right nms.find_problems'])
  const problem = only(problems, 'owner_lacks_right')
  for (const words of [owner.name, 'lint_no_run_today'])
    t.true(problem.detail.includes(words), problem.detail)
  await mend(sql, problem)
  t.deepEqual(summary(await findProblems(sql)), [])
})

test('every lint is asked', async (t) => {
  const { sql } = await createDatabase(t)

  const forgotten = await sql`
    select lint.proname
    from pg_proc as lint
    join pg_proc as asking on asking.oid = 'nms.find_problems'::regproc
    where lint.proname like 'lint\\_%' and asking.prosrc !~ format('nms_private\\.%s\\(', lint.proname)
  `

  t.deepEqual([...forgotten], [])
})

test('who may execute it needs no right on the tables', async (t) => {
  const { sql, createRole } = await createShop(t)
  const caller = await createRole()
  await sql.unsafe(`
    grant usage on schema nms, nms_private to ${caller.name};
    grant execute on function nms.find_problems to ${caller.name};
  `)
  const other = await createRole()

  t.deepEqual(summary(await findProblems(caller.connect())), [])
  await t.throwsAsync(findProblems(other.connect()), { code: '42501' })
})

test('it changes nothing and waits for no table', async (t) => {
  const { sql, connect } = await createShop(t)
  const holder = connect()
  await holder`begin`
  await holder`lock table public.orders in access exclusive mode`
  const session = connect({ connection: { lock_timeout: 1 } })

  const problems = await session.begin('read only', (transaction) =>
    findProblems(transaction as unknown as Sql),
  )

  t.deepEqual(summary(problems), [])
  t.deepEqual([...(await sql`select from nms.table_metrics_runs`)], [])
  await holder`rollback`
})

for (const { name, setting, value, expected } of [
  {
    name: 'a role that may not write is an error',
    setting: 'default_transaction_read_only',
    value: 'on',
    expected: (database: string) => `error server_is_read_only ${database}`,
  },
  {
    name: 'a statement_timeout that runs would meet is a warning',
    setting: 'statement_timeout',
    value: "'1 min'",
    expected: () => 'warning time_is_limited statement_timeout',
  },
]) {
  test(`${name}, and its remedy mends it`, async (t) => {
    const db = await createShop(t)
    const role = await db.createRole('superuser')
    await db.sql.unsafe(`alter role ${role.name} set ${setting} = ${value}`)

    const problems = await findProblems(role.connect())

    t.deepEqual(summary(problems), [expected(db.name)])
    await mend(db.sql, problems.find((problem) => summary([problem])[0] === expected(db.name)) as Problem)
    t.deepEqual(summary(await findProblems(role.connect())), [])
  })
}

test('a time zone that the server does not know is an error, and its remedy mends it', async (t) => {
  const { sql } = await createShop(
    t,
    `
      alter table nms.table_metrics_settings drop constraint business_time_zone_is_known_to_the_server;
      update nms.table_metrics_settings set business_time_zone = 'Mars/Olympus_Mons';
    `,
  )
  await t.throwsAsync(collect(sql))

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['error time_zone_unknown nms.table_metrics_settings'])
  const problem = only(problems, 'time_zone_unknown')
  t.true(problem.detail.includes('Mars/Olympus_Mons'))
  await mend(sql, problem)
  t.is((await collect(sql)).status, 'SUCCEEDED')
})

test('the tables of a worker in a schema of another name would be counted: a warning, and its remedy mends it', async (t) => {
  const { sql } = await createShop(
    t,
    `
      create schema "Jobs";
      create table "Jobs"._private_jobs (id int);
      create table "Jobs"._private_known_crontabs (id int);
      create schema printing;
      create table printing.jobs (id int);
    `,
  )

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['warning machinery_is_counted "Jobs"'])
  await mend(sql, only(problems, 'machinery_is_counted'))
  t.deepEqual(summary(await findProblems(sql)), [])
  t.is((await collect(sql)).target_count, '2')
})

test('settings that no longer name the schema of the collector are a warning', async (t) => {
  const { sql } = await createShop(
    t,
    `update nms.table_metrics_settings set machinery_schemas = '{graphile_migrate}'`,
  )

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), [
    'warning machinery_is_counted nms',
    'warning machinery_is_counted nms_private',
  ])
})

test('a request that leaves no table to count is a warning', async (t) => {
  const { sql } = await createShop(t)

  const problems = await findProblems(sql, { skipSchemas: ['public'] })

  t.deepEqual(
    problems
      .map(({ severity, problem }) => [severity, problem])
      .filter(([, name]) => name === 'nothing_to_count'),
    [['warning', 'nothing_to_count']],
  )
})

test('a foreign partition that the owner has no user mapping for is an error', async (t) => {
  const { sql, createRole } = await createShop(
    t,
    `
      create extension postgres_fdw;
      create server elsewhere foreign data wrapper postgres_fdw
        options (dbname 'nowhere', options '-c statement_timeout=0', connect_timeout '5');
      create table public.events (id int) partition by list (id);
      create table public.events_1 partition of public.events for values in (1);
      create foreign table public.events_2 partition of public.events for values in (2) server elsewhere;
      create foreign table public.not_counted (id int) server elsewhere;
    `,
  )
  await sql`create user mapping for ${sql((await createRole()).name)} server elsewhere`
  const run = await collect(sql)

  const problems = await findProblems(sql)

  t.regex(run.error_message ?? '', /public\.events, public\.events_2 .*user mapping not found/)
  t.deepEqual(summary(problems), [
    'error last_run_failed run 1',
    'error user_mapping_missing public.events_2',
  ])
  await sql`create user mapping for public server elsewhere`
  t.deepEqual(summary(await findProblems(sql)), ['error last_run_failed run 1'])
})

const sharded = (options: string) => `
  create extension postgres_fdw;
  create server shard_1 foreign data wrapper postgres_fdw options (${options});
  create server shard_2 foreign data wrapper postgres_fdw options (${options});
  create user mapping for public server shard_1;
  create user mapping for public server shard_2;
  create table public.events (id int) partition by list (id);
  create foreign table public.events_1 partition of public.events for values in (1) server shard_1;
  create foreign table public.events_2 partition of public.events for values in (2) server shard_2;
`

test('a server that may keep a run waiting without an end is a warning, and its remedy mends it', async (t) => {
  const { sql } = await createShop(t, sharded(`async_capable 'true'`))
  await sql`alter server shard_2 options (add options '-c work_mem=8MB', add connect_timeout '3')`

  const found = (await findProblems(sql)).filter(
    ({ problem }) => problem === 'other_server_may_keep_runs_waiting',
  )

  t.deepEqual(summary(found), [
    'warning other_server_may_keep_runs_waiting server shard_1',
    'warning other_server_may_keep_runs_waiting server shard_2',
  ])
  for (const { remedy } of found) await sql.unsafe(remedy)
  t.false((await findProblems(sql)).some(({ problem }) => problem === 'other_server_may_keep_runs_waiting'))
  const options =
    await sql`select srvname, array_to_string(srvoptions, ' ') as said from pg_foreign_server order by 1`
  t.regex(options[0]?.said, /options=-c statement_timeout=\d+/)
  t.regex(options[1]?.said, /options=-c work_mem=8MB -c statement_timeout=\d+/)
})

test('several servers that are asked one after the other are a warning, and its remedy mends it', async (t) => {
  const { sql } = await createShop(t, sharded(`options '-c statement_timeout=0', connect_timeout '5'`))
  await sql`alter server shard_2 options (add async_capable 'false')`
  const major = await majorOf(sql)

  const found = await findProblems(sql)

  // Before 15, a count is never asynchronous: there is nothing to mend.
  const expected = major < 15 ? [] : ['warning servers_are_asked_in_turn public.events']
  t.deepEqual(
    summary(found).filter((line) => line.includes('server')),
    expected,
  )
  for (const { problem, remedy } of found)
    if (problem === 'servers_are_asked_in_turn') await sql.unsafe(remedy)
  t.false(summary(await findProblems(sql)).some((line) => line.includes('server')))
  await sql`alter server shard_2 options (set async_capable 'false')`
  await sql`drop foreign table public.events_1`
  t.false(summary(await findProblems(sql)).some((line) => line.includes('server')))
})

test('a business day without a successful run is a warning until there is one', async (t) => {
  const { sql } = await createShop(
    t,
    `update nms.table_metrics_settings set business_time_zone = 'Etc/GMT+12'`,
  )
  const before = only(await findProblems(sql), 'no_run_today')
  await sql.unsafe(before.remedy)

  const after = await findProblems(sql)

  t.is(before.severity, 'warning')
  t.false(after.some(({ problem }) => problem === 'no_run_today'))
  // There, it is always another day.
  await sql`update nms.table_metrics_settings set business_time_zone = 'Pacific/Kiritimati'`
  const [day] = await sql<
    [{ today: string }]
  >`select (now() at time zone 'Pacific/Kiritimati')::date::text as today`
  t.is(only(await findProblems(sql), 'no_run_today').subject, day.today)
})

test('a last run that FAILED is an error while its day has no result, and a warning when it has', async (t) => {
  const { sql } = await createShop(t)
  const fail = () => sql`select from nms.close_run(nms.open_run())`
  await fail()
  const first = only(await findProblems(sql, { exclude: ["public.It's"] }), 'last_run_failed')
  t.like(first, { severity: 'error', subject: 'run 1', detail: 'closed before its tables were counted' })
  await sql`create table public."It's" (id int)`
  await sql.unsafe(first.remedy)
  t.deepEqual(summary(await findProblems(sql)), [])
  await fail()
  await sql`select nms.open_run()` // one that is under way has no outcome yet

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['warning last_run_failed run 3'])
  const [run] = await sql`select exclude_tables from nms.table_metrics_runs where run_id = 2`
  t.deepEqual(run?.exclude_tables, ["public.It's"])
})

const longAgo = `update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where status = 'RUNNING'`

test('a run that nobody has worked on is a warning, also beside a live one, and its remedy ends it', async (t) => {
  const { sql, connect } = await createShop(t)
  const live = connect()
  await live`begin`
  await live`select nms_private.claim_run(nms.open_run())`
  await sql`insert into nms.table_metrics_runs (collected_at) values (now() - interval '1 hour')`

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['warning run_abandoned run 2'])
  await mend(sql, only(problems, 'run_abandoned'))
  t.deepEqual(summary(await findProblems(sql)), ['error last_run_failed run 2'])
  await live`rollback`
})

test('a run whose session was killed is a warning once it has been silent', async (t) => {
  const { sql, connect } = await createShop(t)
  const session = connect()
  await session`select nms.open_run()`
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  await sql.unsafe(longAgo)
  await session`begin`
  await session`select nms_private.claim_run(1)`
  t.deepEqual(summary(await findProblems(sql)), [], 'its session lives')
  await sql`select pg_terminate_backend(${pid})`
  await eventually(
    async () => (await sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
    'the session has ended',
  )

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), ['warning run_abandoned run 1'])
})

test('a run that waits for a table, however long, is no problem', async (t) => {
  const { sql, connect } = await createShop(
    t,
    `
      create table public.blocker as select generate_series(1, 5000) as id;
      analyze public.blocker;
      update nms.table_metrics_settings set lock_timeout = '1 min';
    `,
  )
  const holder = connect()
  await holder`begin`
  await holder`lock table public.blocker in access exclusive mode`
  const session = connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  await session`select nms.open_run()`
  await sql.unsafe(longAgo)
  const running = session`select status from nms.collect_table_metrics(run_id => 1)`.execute()
  await untilItWaits(sql, pid)

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), [])
  await holder`rollback`
  t.is((await running)[0]?.status, 'SUCCEEDED')
})

test('an online run that looks at locked tables again and again is no problem until nobody looks', async (t) => {
  const { sql, connect } = await createShop(t)
  const holder = connect()
  await holder`begin`
  await holder`lock table public.orders in access exclusive mode`
  await sql`select nms.open_run()`
  await sql.unsafe(longAgo)
  await sql`select nms.measure_targets(1)` // finds the tables
  await sql`select nms.measure_targets(1)`

  t.deepEqual(summary(await findProblems(sql)), [])
  await sql`update nms_private.targets set retry_at = retry_at - interval '1 hour'`
  t.deepEqual(summary(await findProblems(sql)), ['warning run_abandoned run 1'])
  await holder`rollback`
})

test('a run that has measured a table just now is no problem', async (t) => {
  const { sql } = await createShop(t)
  await sql`select nms.open_run()`
  await sql.unsafe(longAgo)
  await sql`
    insert into nms.table_metrics_measurements
      (run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid)
    values (1, 'public', 'orders', 3, 3, clock_timestamp(), 'table', false, 'public.orders'::regclass)
  `

  const problems = await findProblems(sql)

  t.deepEqual(summary(problems), [])
})

test.serial(
  'a hypertable that needs more locks than the server has is an error, and its remedy mends it; a tree of partitions is none',
  async (t) => {
    const server = await startOwnServer({ max_connections: '12' })
    t.teardown(server.remove)
    const { sql } = await server.createDatabase(t)
    await sql`alter system set max_locks_per_transaction = 10`
    await server.stop('fast')
    await server.start()
    await standIn(
      sql,
      'timescaledb',
      `
        create schema _timescaledb_catalog;
        create table _timescaledb_catalog.hypertable (id int, schema_name name, table_name name);
        create table _timescaledb_catalog.chunk (id int, hypertable_id int);
        create table public.readings (id int);
        insert into _timescaledb_catalog.hypertable values (1, 'public', 'readings')
      `,
      ['_timescaledb_catalog.hypertable', '_timescaledb_catalog.chunk'],
    )
    await sql`create table public.apart (id int) partition by range (id)`
    const addChunks = async (from: number, to: number) => {
      for (let chunk = from; chunk < to; chunk++)
        await sql.unsafe(`create table public.chunk_${chunk} () inherits (public.readings)`)
    }
    // Room for 10 * (12 connections + 8 worker processes + 10 WAL senders) = 300 locks. Each partition is read by itself.
    for (let part = 0; part < 400; part++)
      await sql.unsafe(
        `create table public.apart_${part} partition of public.apart for values from (${part}) to (${part + 1})`,
      )
    await addChunks(0, 140)
    t.deepEqual(summary(await findProblems(sql)), [])
    await addChunks(140, 290)
    t.deepEqual(summary(await findProblems(sql)), ['warning too_few_locks public.readings'])
    await addChunks(290, 1000)
    const before = await collect(sql)

    const problems = await findProblems(sql)

    t.regex(before.error_message ?? '', /^1 of 402 .*public\.readings \(53200/)
    t.deepEqual(summary(problems), ['error last_run_failed run 1', 'error too_few_locks public.readings'])
    const { detail, remedy } = only(problems, 'too_few_locks')
    t.regex(detail, /\b1001 locks.* 300\b/)
    await sql.unsafe(remedy)
    await server.stop('fast')
    await server.start()
    t.deepEqual(summary(await findProblems(sql)), ['error last_run_failed run 1'])
    t.is((await collect(sql)).status, 'SUCCEEDED')
  },
)

test.serial('a standby is an error: no run can write its result there', async (t) => {
  const server = await startOwnServer()
  t.teardown(server.remove)
  const { sql } = await server.createDatabase(t)
  const [{ data_directory }] = await sql<[{ data_directory: string }]>`show data_directory`
  const signal = `${data_directory}/standby.signal`
  await server.stop('fast')
  await writeFile(signal, '')
  await server.start()

  const problems = await findProblems(sql)

  t.true(summary(problems).some((line) => line.startsWith('error server_is_read_only ')))
  await server.stop('fast')
  await rm(signal)
  await server.start()
  t.false(summary(await findProblems(sql)).some((line) => line.startsWith('error')))
})

test('functions of others that planning a count runs are named, those of nobody else, and leaving out the schema mends it', async (t) => {
  const db = await createDatabase(t)
  const { sql } = db
  const owner = await db.createRole('bypassrls')
  const maker = await db.createRole()
  await runAsOwner(sql, owner.name)
  await sql`grant pg_read_all_data to ${sql(owner.name)}`
  await sql.unsafe(`
    create schema others;
    create function others.run(value integer) returns integer language plpgsql immutable as 'begin return value; end';
    create function others.same(one integer, other integer) returns boolean language plpgsql immutable
      as 'begin return one = other; end';
    create operator others.=== (function = others.same, leftarg = integer, rightarg = integer);
    create function others.trusted(value integer) returns integer language plpgsql immutable as 'begin return value; end';

    create table others.by_predicate (id integer);
    create index on others.by_predicate (id) where others.run(1) = 1;
    create table others.by_operator (id integer);
    create index on others.by_operator (id) where 1 operator(others.===) 1;
    create table others.by_expression (id integer);
    create index on others.by_expression (others.run(1));
    create table others.by_exclusion (id integer, exclude using btree (id with =) where (others.run(1) = 1));
    create table others.by_statistics (id integer, other integer);
    create statistics others.pairs on (others.run(1) + id), other from others.by_statistics;
    insert into others.by_statistics select n, n from generate_series(1, 100) as n;
    analyze others.by_statistics;
    create table others.by_key (id integer) partition by list ((others.run(1) + id));
    create table others.by_key_2 partition of others.by_key for values in (2);
    create table others.by_key_3 partition of others.by_key for values in (3);
    create table others.trusting (id integer);
    create table others.child () inherits (others.trusting);
    create index on others.child (id) where others.run(1) = 1;

    create domain others.positive as integer check (others.run(1) = 1 and value > 0);
    create table others.silent (
      id integer primary key default others.run(1) check (others.run(1) = 1),
      made integer generated always as (others.run(1)) stored,
      place others.positive
    );
    create policy mine on others.silent using (others.run(1) = 1);
    create table others.by_bound (id integer) partition by range (id);
    create table others.by_bound_1 partition of others.by_bound for values from (others.run(1)) to (9);
    create index on others.trusting (id) where others.trusted(1) = 1 and lower('A') = 'a';

    alter function others.run owner to ${maker.name};
    alter function others.same owner to ${maker.name};
    create or replace function others.run(value integer) returns integer language plpgsql immutable
      as 'begin raise exception $$it runs$$; end';
    create or replace function others.same(one integer, other integer) returns boolean language plpgsql immutable
      as 'begin raise exception $$it runs$$; end';
  `)

  // A partition is left out: its parent is read in one query with the others.
  const exclude = ['others.by_key_3']
  const problems = (await findProblems(sql, { exclude })).filter(
    ({ problem }) => problem === 'runs_functions_of_others',
  )

  // Ground truth: they raise an error when they run.
  const run = await collect(sql, { exclude })
  const failed = await sql<{ name: string }[]>`
    select schema_name || '.' || table_name as name
    from nms.table_metrics_measurements
    where run_id = ${run.run_id} and error_message = 'it runs'
    order by 1
  `
  t.deepEqual(
    problems.map(({ subject }) => subject),
    failed.map(({ name }) => name),
  )
  t.deepEqual(
    problems.map(({ subject }) => subject),
    [
      'others.by_exclusion',
      'others.by_expression',
      'others.by_operator',
      'others.by_predicate',
      'others.by_statistics',
      'others.child',
    ],
  )
  const of = (table: string) => problems.find(({ subject }) => subject === `others.${table}`)?.detail
  const before = `planning its count may run, with the rights of ${owner.name}, others.`
  t.is(of('by_predicate'), `${before}run(integer) of ${maker.name}, for index others.by_predicate_id_idx`)
  t.is(
    of('by_operator'),
    `${before}same(integer,integer) of ${maker.name}, for index others.by_operator_id_idx`,
  )
  t.is(of('by_statistics'), `${before}run(integer) of ${maker.name}, for statistics pairs`)
  for (const { severity } of problems) t.is(severity, 'warning')
  await mend(sql, problems[0] as Problem)
  t.deepEqual(
    (await findProblems(sql)).filter(({ problem }) => problem === 'runs_functions_of_others'),
    [],
  )
})
