import test from 'ava'
import { createDatabase, type Sql, untilItWaits } from '../../_support/database.ts'

interface Count {
  table_name: string
  own_row_count: string | null
  measured_at: Date
  error_sqlstate: string | null
  error_message: string | null
}

const diamond = `
  create table public.persons (id int);
  create table public.authors () inherits (public.persons);
  create table public.editors () inherits (public.persons);
  create table public.both () inherits (public.authors, public.editors);
  insert into public.persons select generate_series(1, 2);
  insert into public.authors select generate_series(1, 3);
  insert into public.editors select generate_series(1, 5);
  insert into public.both select generate_series(1, 7);
`

test('each table has one row with its own rows; sums are not made here', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${diamond} create table public.none (id int)`)

  const counts = await countTables(sql)

  t.deepEqual(
    counts.map((count) => [count.table_name, count.own_row_count, count.error_sqlstate]),
    [
      ['authors', '3', null],
      ['both', '7', null],
      ['editors', '5', null],
      ['none', '0', null],
      ['persons', '2', null],
    ],
  )
})

test('a member that the request leaves out is read as well, for the sake of its parents', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(diamond)

  const counts = await countTables(sql, ['public.both'])

  t.deepEqual(
    counts.map((count) => [count.table_name, count.own_row_count]),
    [
      ['authors', '3'],
      ['both', '7'],
      ['editors', '5'],
      ['persons', '2'],
    ],
  )
})

test('no target, no row', async (t) => {
  const { sql } = await createDatabase(t)

  t.deepEqual(await countTables(sql), [])
})

// Small tables are read several at a time, those of unknown size one by one.
for (const [size, analyze] of [
  ['unknown size', ''],
  ['known to be small', 'analyze;'],
] as const) {
  test(`a table that cannot be counted has its SQLSTATE and message and no count; the others are counted: ${size}`, async (t) => {
    const db = await createDatabase(t)
    const role = await db.createRole('nosuperuser nobypassrls')
    await db.sql.unsafe(`
      create table public.open as select generate_series(1, 4) as id;
      create table public.busy as table public.open;
      create table public.filtered as table public.open;
      alter table public.filtered enable row level security;
      create policy half on public.filtered using (id <= 2);
      grant select on public.open, public.busy, public.filtered to ${role.name};
      create table public.secret as table public.open;
      grant usage on schema nms, nms_private to ${role.name};
      grant select on nms.table_metrics_filters to ${role.name};
      grant select on nms.table_metrics_settings to ${role.name};
      grant execute on all functions in schema nms, nms_private to ${role.name};
      ${analyze}
    `)
    await db.connect().unsafe('begin; lock table public.busy in access exclusive mode')
    const session = role.connect()
    await session`set lock_timeout = '50 ms'`

    const counts = await countTables(session)

    t.deepEqual(
      counts.map((count) => [count.table_name, count.own_row_count, count.error_sqlstate]),
      [
        ['busy', null, '55P03'],
        ['filtered', null, '42501'],
        ['open', '4', null],
        ['secret', null, '42501'],
      ],
    )
    t.true(counts.every((count) => (count.error_message === null) === (count.error_sqlstate === null)))
    t.true(counts.every((count) => count.measured_at instanceof Date))
  })

  for (const [change, statement] of [
    ['truncated', 'truncate public.late'],
    ['rewritten', 'alter table public.late alter column id type bigint'],
    ['dropped', 'drop table public.late'],
    ['replaced', 'drop table public.late; create table public.late as select generate_series(1, 9) as id'],
  ] as const) {
    test(`a table that was ${change} after the snapshot is never taken for empty: ${size}`, async (t) => {
      const db = await createDatabase(t)
      await db.sql.unsafe(`
        create table public.late as select generate_series(1, 3) as id;
        create table public.other as select generate_series(1, 4) as id;
        ${analyze}
      `)
      const session = db.connect()
      await session.unsafe('begin isolation level repeatable read; select 1')
      await db.sql.unsafe(statement)

      const counts = await countTables(session)

      t.deepEqual(
        counts.map((count) => [count.table_name, count.own_row_count, count.error_sqlstate]),
        [
          ['late', null, 'NM001'],
          ['other', '4', null],
        ],
      )
    })
  }

  for (const [change, statements] of [
    ['renamed', 'alter table public.late rename to later'],
    ['moved to another schema', 'create schema elsewhere; alter table public.late set schema elsewhere'],
    [
      'exchanged for another one by name',
      `
        alter table public.late rename to exchanged;
        alter table public.other rename to late;
        alter table public.exchanged rename to other;
      `,
    ],
  ] as const) {
    test(`a table that was ${change} after the snapshot is counted under the name that the snapshot sees: ${size}`, async (t) => {
      const db = await createDatabase(t)
      await db.sql.unsafe(`
        create table public.late as select generate_series(1, 3) as id;
        create table public.other as select generate_series(1, 4) as id;
        ${analyze}
      `)
      const session = db.connect()
      await session.unsafe('begin isolation level repeatable read; select 1')
      await db.sql.unsafe(statements)

      const counts = await countTables(session)

      t.deepEqual(
        counts.map((count) => [count.table_name, count.own_row_count, count.error_sqlstate]),
        [
          ['late', '3', null],
          ['other', '4', null],
        ],
      )
    })
  }
}

for (const [state, tables, analyze] of [
  ['analyzed', 40, 'analyze'],
  ['never analyzed', 120, ''],
] as const) {
  test(`among many small tables only the locked one waits, and none of the others is locked meanwhile: ${state}`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
    do $$
    begin
      for v_table in 1..${tables} loop
        execute format('create table public.small_%s as select generate_series(1, %s) as id', v_table, v_table);
      end loop;
    end
    $$;
    ${analyze}
  `)
    const blocker = db.connect()
    await blocker.unsafe('begin; lock table public.small_7 in access exclusive mode')
    const session = db.connect()
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
    const counting = countTables(session)
    await untilItWaits(db.sql, pid)

    const locked = await db.sql<{ name: string }[]>`
    select relation::regclass::text as name
    from pg_locks
    where pid = ${pid} and granted and relation::regclass::text like 'small%'
  `
    await blocker`commit`
    const counts = await counting

    t.deepEqual([...locked], [])
    t.deepEqual(
      counts.map((count) => [count.table_name, count.own_row_count]).sort(),
      Array.from({ length: tables }, (_, index) => [`small_${index + 1}`, `${index + 1}`]).sort(),
    )
  })
}

test('a large table among many that were never analyzed is counted by itself', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    do $$
    begin
      for v_table in 1..110 loop
        execute format(
          'create table public.t%s as select generate_series(1, %s) as id',
          v_table, case v_table when 50 then 10000 else v_table end
        );
      end loop;
    end
    $$
  `)
  // Whoever counts it waits here, and holds the locks of what it counts together.
  await db.sql.unsafe(`
    create function public.pass_the_gate() returns boolean language plpgsql immutable
    set lock_timeout = '1 min'
    as $$ begin perform pg_advisory_xact_lock_shared(4712); return true; end $$;
    create index on public.t50 (id) where public.pass_the_gate();
  `)
  const gate = db.connect()
  await gate`select pg_advisory_lock(4712)`
  const session = db.connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const counting = countTables(session)
  await untilItWaits(db.sql, pid)

  const locked = await db.sql<{ name: string }[]>`
    select distinct relation::regclass::text as name
    from pg_locks
    where pid = ${pid} and granted and relation::regclass::text like 't%' and relation::regclass::text !~ 'idx'
  `
  await gate`select pg_advisory_unlock(4712)`
  const counts = await counting

  t.deepEqual(
    locked.map(({ name }) => name).filter((name) => /^t\d+$/.test(name)),
    ['t50'],
  )
  t.deepEqual(
    Object.fromEntries(counts.map((count) => [count.table_name, count.own_row_count])),
    Object.fromEntries(
      Array.from({ length: 110 }, (_, n) => [`t${n + 1}`, n + 1 === 50 ? '10000' : String(n + 1)]),
    ),
  )
})

test('rows that the transaction itself wrote, truncated or rewrote are counted as it sees them', async (t) => {
  const sql = (await createDatabase(t)).connect()
  await sql.unsafe(`
    create table public.refilled as select generate_series(1, 3) as id;
    create table public.rewritten as select generate_series(1, 4) as id;
    begin;
    truncate public.refilled;
    insert into public.refilled select generate_series(1, 7);
    alter table public.rewritten alter column id type bigint;
    create table public.new as select generate_series(1, 2) as id;
  `)

  const counts = await countTables(sql)

  t.deepEqual(
    counts.map((count) => [count.table_name, count.own_row_count, count.error_sqlstate]),
    [
      ['new', '2', null],
      ['refilled', '7', null],
      ['rewritten', '4', null],
    ],
  )
})

test('no lock on a table or index outlasts its count, whether it could be counted or not', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.counted (id int primary key);
    create table public.parts (id int primary key) partition by list (id);
    create table public.part partition of public.parts default;
    create table public.left_out partition of public.parts for values in (0);
    create table public.busy (id int primary key);
  `)
  await db.connect().unsafe('begin; lock table public.busy in access exclusive mode')
  const session = db.connect()
  await session`set lock_timeout = '50 ms'`
  await session`begin`

  const counts = await countTables(session, ['public.left_out'])

  const locked = await session`
    select relation.relname
    from pg_locks as lock
    join pg_class as relation on relation.oid = lock.relation
    where lock.pid = pg_backend_pid() and relation.relnamespace = 'public'::regnamespace
  `
  t.deepEqual(
    counts.map((count) => [count.table_name, count.error_sqlstate]),
    [
      ['busy', '55P03'],
      ['counted', null],
      ['left_out', null],
      ['part', null],
    ],
  )
  t.deepEqual([...locked], [])
})

test('a count that the planner makes parallel is done by parallel workers', async (t) => {
  const db = await createDatabase(t)
  const plans: string[] = []
  const session = db.connect({ onnotice: ({ message }) => plans.push(message ?? '') })
  await session.unsafe(`
    create table public.large as select generate_series(1, 50000) as id;
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_analyze = on;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_level = notice;
    set min_parallel_table_scan_size = 0;
    set parallel_setup_cost = 0;
    set parallel_tuple_cost = 0;
  `)

  const counts = await countTables(session)

  t.is(counts[0]?.own_row_count, '50000')
  const plan = plans.filter((text) => /select count\(\*\).*public\.large/.test(text)).join('\n')
  t.regex(plan, /Workers Launched: [1-9]/)
})

test('a cancelled count ends the call with a message that names the table', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.busy (id int)`
  await db.connect().unsafe('begin; lock table public.busy in access exclusive mode')
  const session = db.connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const cancelled = t.throwsAsync(countTables(session), { code: '57014', message: /public\.busy/ })
  await untilItWaits(db.sql, pid)

  await db.sql`select pg_cancel_backend(${pid})`

  await cancelled
})

/** Counts every target that is not added up from others. */
async function countTables(sql: Sql, exclude: string[] = []): Promise<Count[]> {
  return [
    ...(await sql<Count[]>`
      with target as materialized (
        select found from nms_private.find_targets('[]', ${sql.json(exclude)}) as found
      )
      select
        (target.found).table_name,
        count.own_row_count, count.measured_at, count.error_sqlstate, count.error_message
      from nms_private.count_tables(array(
        select found from target where (found).table_kind <> 'partitioned table'
      )) as count
      join target on (target.found).table_oid = count.table_oid
      order by 1
    `),
  ]
}
