import test from 'ava'
import {
  collect,
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { runAsOwner } from '../../_support/owner.ts'

interface Progress {
  tables_counted: string
  rows_counted: string
  pages_counted: string
  tables_left: string
  pages_left: string
  is_finished: boolean
}

type ServerError = Error & { code: string; detail: string; hint: string }

async function open(sql: Sql, { skip = [], exclude = [] }: { skip?: string[]; exclude?: string[] } = {}) {
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    select nms.open_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as run_id
  `
  return run_id
}

async function measure(sql: Sql, run_id: string | null, budget = '0 s') {
  const [progress] = await sql<[Progress]>`
    select * from nms.measure_targets(run_id => ${run_id}, budget => ${budget}::interval)
  `
  return progress
}

/** Everything that the calls report until the run can be closed. */
async function measureAll(sql: Sql, run_id: string, budget?: string) {
  const steps: Progress[] = []
  await eventually(async () => {
    do steps.push(await measure(sql, run_id, budget))
    while (steps.at(-1)?.tables_counted !== '0')
    return steps.at(-1)?.is_finished === true
  }, `run ${run_id} has been counted`)
  return steps
}

async function close(sql: Sql, run_id: string) {
  const [run] = await sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`
  return run
}

async function payload(sql: Sql, { run_id }: Run) {
  const [row] = await sql`select payload from nms.table_metrics_run_snapshot where run_id = ${run_id}`
  return row?.payload
}

const queued = async (sql: Sql) => (await sql`select from nms_private.targets`).length

const pidOf = async (sql: Sql) => {
  const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
  return pid
}

// Planning its count waits at a gate, with the table's lock held. 10,000 rows are 45 pages.
const gated = `
  create function public.pass_the_gate() returns boolean language plpgsql immutable
  set lock_timeout = '1 min'
  as $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
  create table public.gated as select generate_series(1, 10000) as id;
  analyze public.gated;
  create index on public.gated (id) where public.pass_the_gate();
`

/** Sessions that count stop at public.gated until this is released. */
async function closeGate({ connect }: TestDatabase) {
  const holder = connect()
  await holder`begin`
  await holder`select pg_advisory_xact_lock(4711)`
  return async () => {
    await holder`rollback`
  }
}

async function lock({ connect }: TestDatabase, table: string, mode = 'access exclusive') {
  const holder = connect()
  await holder`begin`
  await holder.unsafe(`lock table ${table} in ${mode} mode`)
  return async () => {
    await holder`rollback`
  }
}

const varied = `
  create table public.orders (id int primary key);
  insert into public.orders select generate_series(1, 7);
  create table public.nothing (id int);
  create unlogged table public.sessions as select generate_series(1, 6) as id;
  create table public.no_columns ();
  insert into public.no_columns select from generate_series(1, 3);

  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  create table public.sales_3 partition of public.sales for values in (3) partition by range (id);
  create table public.sales_3_low partition of public.sales_3 for values from (0) to (6);
  create table public.sales_3_rest partition of public.sales_3 default;
  create table public.sales_4 partition of public.sales for values in (4) partition by range (id);
  insert into public.sales select 1, generate_series(1, 3);
  insert into public.sales select 2, generate_series(1, 4);
  insert into public.sales select 3, generate_series(1, 11);
  create table public.no_partition (id int) partition by list (id);

  create table public.persons (id int);
  create table public.authors () inherits (public.persons);
  create table public.editors () inherits (public.persons);
  create table public.both () inherits (public.authors, public.editors);
  insert into public.persons select generate_series(1, 2);
  insert into public.authors select generate_series(1, 3);
  insert into public.editors select generate_series(1, 5);
  insert into public.both select generate_series(1, 7);

  create extension file_fdw;
  create server files foreign data wrapper file_fdw;
  create table public.far (id int) partition by list (id);
  create foreign table public.far_1 partition of public.far default server files options (program 'seq 1 5');
  create table public.far_2 partition of public.far for values in (2);
  insert into public.far_2 values (2), (2);
  create table public.near (id int);
  insert into public.near values (1), (2);
  create foreign table public.near_1 () inherits (public.near) server files options (program 'seq 1 5');
  create foreign table public.elsewhere (id int) server files options (program 'seq 1 5');
  create view public.a_view as table public.orders;

  create schema "Größe ""1""";
  create table "Größe ""1"""."dot.ted 🙂" as select generate_series(1, 8) as id;
  create table "Größe ""1"""."line
break" as select generate_series(1, 9) as id;
  create schema archive;
  create table archive.old as select generate_series(1, 10) as id;
  alter table public.sales_2 set schema archive;
  alter table public.editors set schema archive;
`

const everything = {
  public: {
    ...{ orders: 7, nothing: 0, sessions: 6, no_columns: 3, no_partition: 0 },
    ...{ sales: 18, sales_1: 3, sales_3: 11, sales_3_low: 5, sales_3_rest: 6, sales_4: 0 },
    ...{ persons: 17, authors: 10, both: 7 },
    ...{ far: 7, far_1: 5, far_2: 2, near: 7, near_1: 5 },
  },
  archive: { old: 10, sales_2: 4, editors: 12 },
  'Größe "1"': { 'dot.ted 🙂': 8, 'line\nbreak': 9 },
}
const without = (tables: Record<string, number>, ...names: string[]) =>
  Object.fromEntries(Object.entries(tables).filter(([name]) => !names.includes(name)))

for (const { request, expected, what } of [
  { what: 'everything', request: {}, expected: everything },
  {
    what: 'a schema skipped',
    request: { skip: ['archive'] },
    expected: { public: everything.public, 'Größe "1"': everything['Größe "1"'] },
  },
  {
    what: 'leaves and a shared child excluded',
    request: { exclude: ['public.sales_3_low', 'public.far_2', 'public.both'] },
    expected: { ...everything, public: without(everything.public, 'sales_3_low', 'far_2', 'both') },
  },
  {
    what: 'parents excluded',
    request: { exclude: ['public.sales', 'public.persons', 'public.far'] },
    expected: { ...everything, public: without(everything.public, 'sales', 'persons', 'far', 'far_1') },
  },
]) {
  for (const [size, analyze] of [
    ['of unknown size', ''],
    ['of known size', 'analyze'],
  ] as const) {
    test(`an online run has the payload of a run as of one instant: ${what}, tables ${size}`, async (t) => {
      const { sql } = await createDatabase(t)
      await sql.unsafe(`${varied} ${analyze}`)
      const run_id = await open(sql, request)

      await measureAll(sql, run_id)

      const run = await close(sql, run_id)
      t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
      t.deepEqual(await payload(sql, run), expected)
      const tables = Object.values(expected).flatMap((of_schema) => Object.keys(of_schema)).length
      t.like(run, { is_online: true, target_count: String(tables) })
      t.is(await queued(sql), 0)

      const atOnce = await collect(sql, request)
      t.is(atOnce.is_online, false)
      t.deepEqual(await payload(sql, atOnce), expected)
      t.deepEqual(await descriptions(sql, run), await descriptions(sql, atOnce))
    })
  }
}

// All of a measurement but when it was taken.
const descriptions = (sql: Sql, { run_id }: Run) => sql`
  select schema_name, table_name, table_oid, table_kind, is_partition, row_count, own_row_count, method, error_sqlstate
  from nms.table_metrics_measurements
  where run_id = ${run_id}
  order by 1, 2
`

test('the own rows of all tables are the rows of the database, each once', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(varied)
  const run_id = await open(sql)

  await measureAll(sql, run_id)

  const [{ rows }] = await sql<[{ rows: string }]>`
    select sum(own_row_count) as rows from nms.table_metrics_measurements where run_id = ${run_id}
  `
  const stored = {
    plain: 7 + 6 + 3 + 8 + 9 + 10,
    sales: 3 + 4 + 11,
    persons: 2 + 3 + 5 + 7,
    far: 5 + 2,
    near: 2 + 5,
  }
  t.is(
    Number(rows),
    Object.values(stored).reduce((sum, n) => sum + n),
  )
})

test('a database without tables is finished with nothing to count', async (t) => {
  const { sql } = await createDatabase(t)
  const run_id = await open(sql)

  const progress = await measure(sql, run_id)

  t.deepEqual(progress, {
    tables_counted: '0',
    rows_counted: '0',
    pages_counted: '0',
    tables_left: '0',
    pages_left: '0',
    is_finished: true,
  })
  t.deepEqual(await measure(sql, run_id), progress)
  const run = await close(sql, run_id)
  t.like(run, { status: 'SUCCEEDED', is_online: true, target_count: '0' })
  t.deepEqual(await payload(sql, run), {})
})

test('the largest tables are counted first, each in a call of its own when there is no time for two', async (t) => {
  const { sql } = await createDatabase(t)
  // About 22 rows on a page.
  await sql.unsafe(`
    create table public.a_small as select generate_series(1, 3) as id;
    create table public.b_large with (fillfactor = 10) as select generate_series(1, 9000) as id;
    create table public.c_largest with (fillfactor = 10) as select generate_series(1, 12000) as id;
    create table public.d_small as select generate_series(1, 2) as id;
    analyze;
    create table public.e_unknown with (fillfactor = 10, autovacuum_enabled = off) as select generate_series(1, 40000) as id;
  `)
  await eventually(
    async () =>
      (await sql`select from pg_stat_user_tables where relname = 'e_unknown' and n_live_tup = 40000`)
        .length === 1,
    'the statistics know the size of e_unknown',
  )
  const run_id = await open(sql)

  const steps = await measureAll(sql, run_id)

  t.deepEqual(
    steps.map(({ tables_counted, rows_counted }) => [tables_counted, rows_counted]),
    [
      ['0', '0'],
      ['1', '12000'],
      ['1', '9000'],
      ['1', '40000'], // never analyzed: a hundred rows on a page
      ['2', '5'],
      ['0', '0'],
    ],
  )
})

test('progress says what was counted and what is left; the first call only looks', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
    create table public.small as select generate_series(1, 3) as id;
    create table public.nothing (id int);
    analyze;
  `)
  const [{ large }] = await sql<
    [{ large: number }]
  >`select relpages as large from pg_class where relname = 'large'`
  const run_id = await open(sql)

  const steps = await measureAll(sql, run_id)

  t.deepEqual(steps, [
    {
      ...{ tables_counted: '0', rows_counted: '0', pages_counted: '0' },
      ...{ tables_left: '3', pages_left: `${large + 1}`, is_finished: false },
    },
    {
      ...{ tables_counted: '1', rows_counted: '9000', pages_counted: `${large}` },
      ...{ tables_left: '2', pages_left: '1', is_finished: false },
    },
    {
      ...{ tables_counted: '2', rows_counted: '3', pages_counted: '1' },
      ...{ tables_left: '0', pages_left: '0', is_finished: false },
    },
    {
      ...{ tables_counted: '0', rows_counted: '0', pages_counted: '0' },
      ...{ tables_left: '0', pages_left: '0', is_finished: true },
    },
  ])
})

test('a budget is enough for many tables, and a run that is finished stays so', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(varied)
  const run_id = await open(sql)
  await measure(sql, run_id)

  const progress = await measure(sql, run_id, '1 min')

  t.like(progress, { tables_left: '0', is_finished: true })
  const before = await rowCounts(sql, { run_id })
  t.like(await measure(sql, run_id, '1 min'), { tables_counted: '0', is_finished: true })
  t.deepEqual(await rowCounts(sql, { run_id }), before)
})

for (const sessions of [2, 4]) {
  test(`${sessions} sessions at once count each table once and leave none out`, async (t) => {
    const db = await createDatabase(t)
    const tables = 350
    await db.sql.unsafe(`
      do $$
      begin
        for v_n in 1..${tables} loop
          execute format(
            'create table public.t_%s with (fillfactor = 10) as select generate_series(1, %s) as id',
            v_n, case when v_n % 10 = 0 then 6000 else v_n end
          );
        end loop;
      end $$;
      analyze;
    `)
    const run_id = await open(db.sql)

    const steps = (
      await Promise.all(Array.from({ length: sessions }, () => measureAll(db.connect(), run_id)))
    ).flat()

    const sum = (what: 'tables_counted' | 'rows_counted') =>
      steps.reduce((total, step) => total + Number(step[what]), 0)
    const expected = Object.fromEntries(
      Array.from({ length: tables }, (_, i) => i + 1).map((n) => [`public.t_${n}`, n % 10 === 0 ? 6000 : n]),
    )
    t.is(sum('tables_counted'), tables)
    t.is(
      sum('rows_counted'),
      Object.values(expected).reduce((total, n) => total + n),
    )
    t.deepEqual(await rowCounts(db.sql, { run_id }), expected)
    t.like(await close(db.sql, run_id), { status: 'SUCCEEDED', target_count: String(tables) })
  })
}

test('sessions that look first at the same time queue each table once', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(varied)
  const run_id = await open(db.sql)

  const first = await Promise.all(Array.from({ length: 4 }, () => measure(db.connect(), run_id)))

  const [{ tables, rounds }] = await db.sql<[{ tables: string; rounds: string }]>`
    select sum(cardinality(targets)) as tables, count(distinct round) as rounds from nms_private.targets
  `
  t.is(rounds, '1')
  t.true(first.every((progress) => !progress.is_finished))
  t.is(tables, '24', 'each target, and two that are left out and part of a sum')
})

test('while a session counts a table, others count the rest; when it dies, they take that one too', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${gated} create table public.orders (id int); insert into public.orders values (1), (2);
    create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id; analyze public.large;`)
  await db.sql`update pg_class set relpages = 100000 where oid = 'public.gated'::regclass`
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const session = db.connect()
  const pid = await pidOf(session)
  const dying = t.throwsAsync(measure(session, run_id, '1 min'))
  await untilItWaits(db.sql, pid)

  const others = await measure(db.sql, run_id, '1 min')

  t.like(others, { tables_counted: '2', tables_left: '1', is_finished: false })
  t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.large': 9000, 'public.orders': 2 })
  t.like(await measure(db.sql, run_id), { tables_counted: '0', is_finished: false })

  await db.sql`select pg_terminate_backend(${pid})`
  await dying
  await openGate()
  await measureAll(db.sql, run_id)
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, { run_id }), {
    'public.gated': 10000,
    'public.large': 9000,
    'public.orders': 2,
  })
})

test('a session that dies takes along what it counted in the same call, and others count that again', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${gated}
    create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id; analyze public.large;`)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const openGate = await closeGate(db)
  const session = db.connect()
  const pid = await pidOf(session)
  const dying = t.throwsAsync(measure(session, run_id, '1 min'))
  await untilItWaits(db.sql, pid)

  await db.sql`select pg_terminate_backend(${pid})`

  await dying
  await openGate()
  t.deepEqual(await rowCounts(db.sql, { run_id }), {})
  await measureAll(db.sql, run_id)
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.gated': 10000, 'public.large': 9000 })
})

for (const call of ['close_run', 'collect_table_metrics']) {
  test(`${call} is refused while a session measures the run, which goes on`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(gated)
    const run_id = await open(db.sql)
    await measure(db.sql, run_id)
    const openGate = await closeGate(db)
    const session = db.connect()
    const pid = await pidOf(session)
    const measuring = measure(session, run_id, '1 min')
    await untilItWaits(db.sql, pid)

    const error = await t.throwsAsync<ServerError>(
      db.sql.unsafe(`select nms.${call}(run_id => $1)`, [run_id]),
    )

    t.is(error?.code, '55P03')
    t.true(error?.message.includes(run_id))
    await openGate()
    t.like(await measuring, { tables_counted: '1', is_finished: true })
    t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
  })
}

test('a run that is being counted as of one instant is not measured', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(gated)
  const run_id = await open(db.sql)
  const openGate = await closeGate(db)
  const session = db.connect()
  const pid = await pidOf(session)
  const collecting = session<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`.execute()
  await untilItWaits(db.sql, pid)

  const error = await t.throwsAsync<ServerError>(measure(db.sql, run_id))

  t.is(error?.code, '55P03')
  t.true(error?.message.includes(run_id))
  await openGate()
  t.like((await collecting)[0], { status: 'SUCCEEDED', is_online: false, target_count: '1' })
})

for (const [calls, measured] of [
  [0, {}],
  [1, {}],
  [2, { 'public.large': 9000 }],
  [3, { 'public.large': 9000, 'public.small': 3 }],
] as const) {
  test(`a run that is closed after ${calls} of 4 calls FAILED, without a snapshot`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(`
      create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
      create table public.small as select generate_series(1, 3) as id;
      analyze;
    `)
    const run_id = await open(sql)
    for (let call = 0; call < calls; call++) await measure(sql, run_id)

    const run = await close(sql, run_id)

    t.like(run, { status: 'FAILED', is_online: calls > 0, target_count: null })
    t.regex(run.error_message ?? '', /before its tables were counted/)
    t.deepEqual(await rowCounts(sql, { run_id }), measured)
    t.is(await payload(sql, run), undefined)
    t.is((await sql`select from nms.table_metrics_daily_snapshot`).length, 0)
    t.is(await queued(sql), 0)
  })
}

for (const [what, prepare, code] of [
  ['no run', async () => '4711', 'P0002'],
  ['null', async () => null, 'P0002'],
  ['a run that SUCCEEDED', async (sql: Sql) => (await collect(sql)).run_id, '55000'],
  [
    'a run that FAILED',
    async (sql: Sql) => {
      const run_id = await open(sql)
      await close(sql, run_id)
      return run_id
    },
    '55000',
  ],
] as const) {
  test(`${what} cannot be measured: ${code}, with a hint, and nothing is queued`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql`create table public.orders (id int)`
    const run_id = await prepare(sql)
    const before = await sql`select * from nms.table_metrics_runs`

    const error = await t.throwsAsync<ServerError>(measure(sql, run_id))

    t.is(error?.code, code)
    t.true(error?.message.includes(run_id ?? 'null'))
    t.true(error?.hint.includes('nms.open_run()'))
    t.is(await queued(sql), 0)
    t.deepEqual(await sql`select * from nms.table_metrics_runs`, before)
  })
}

for (const [what, mode] of [
  ['that is locked', 'access exclusive'],
  ['that somebody waits to lock', 'access share'],
] as const) {
  test(`a table ${what} is put off, its companions are not; it is counted once it is free`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
      create table public.busy as select generate_series(1, 5) as id;
      create table public.orders as select generate_series(1, 3) as id;
      create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
      analyze;
      update nms.table_metrics_settings set lock_timeout = '1 min';
    `)
    const release = await lock(db, 'public.busy', mode)
    const migration = db.connect()
    const altered = migration`select pg_backend_pid() as pid`.then(async ([row]) => {
      if (mode === 'access exclusive') return
      const altering = migration`alter table public.busy add column more int`.execute()
      await untilItWaits(db.sql, row?.pid)
      return { altering }
    })
    const waiting = await altered
    const run_id = await open(db.sql)
    await measure(db.sql, run_id)

    const progress = await measure(db.sql, run_id, '1 min')

    t.like(progress, { tables_counted: '2', rows_counted: '9003', tables_left: '1', is_finished: false })
    t.like(await measure(db.sql, run_id), { tables_counted: '0', tables_left: '1', is_finished: false })
    t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.large': 9000, 'public.orders': 3 })
    await release()
    await waiting?.altering
    await measureAll(db.sql, run_id)
    t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
    t.is((await rowCounts(db.sql, { run_id }))['public.busy'], 5)
  })
}

for (const [what, prepare, names] of [
  ['a table', '', ['public.busy']],
  [
    'a partition',
    `create table public.whole (id int) partition by list (id);
     alter table public.whole attach partition public.busy default;`,
    ['public.busy', 'public.whole'],
  ],
] as const) {
  test(`${what} that stays locked for longer than lock_timeout is recorded with 55P03 and the run FAILED`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
      create table public.busy as select generate_series(1, 5) as id;
      create table public.orders as select generate_series(1, 3) as id;
      ${prepare}
      update nms.table_metrics_settings set lock_timeout = '300 ms';
    `)
    const release = await lock(db, 'public.busy')
    const run_id = await open(db.sql)

    await measureAll(db.sql, run_id)

    const run = await close(db.sql, run_id)
    await release()
    t.like(run, { status: 'FAILED', target_count: String(names.length + 1) })
    for (const part of [...names, '55P03', 'lock_timeout']) t.true(run.error_message?.includes(part), part)
    const failed = await db.sql`
      select
        schema_name || '.' || table_name as name, row_count, own_row_count, error_sqlstate,
        measured_at - ${run.collected_at} >= interval '300 ms' as was_waited_for,
        measured_at - ${run.collected_at} < interval '30 s' as was_given_up
      from nms.table_metrics_measurements
      where run_id = ${run_id} and error_sqlstate is not null
      order by 1
    `
    t.deepEqual(
      [...failed],
      names.map((name) => ({
        name,
        row_count: null,
        own_row_count: null,
        error_sqlstate: '55P03',
        was_waited_for: true,
        was_given_up: true,
      })),
    )
    t.is((await rowCounts(db.sql, run))['public.orders'], 3)
    t.is(await payload(db.sql, run), undefined)
    t.is(await queued(db.sql), 0)
  })
}

test('a table that is locked and then dropped is no failure', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.busy (id int);
    create table public.orders (id int);
    update nms.table_metrics_settings set lock_timeout = '1 min';
  `)
  const holder = db.connect()
  await holder`begin`
  await holder`drop table public.busy`
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  await measure(db.sql, run_id, '1 min')

  await holder`commit`

  await measureAll(db.sql, run_id)
  t.like(await close(db.sql, run_id), { status: 'SUCCEEDED', target_count: '1' })
  t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.orders': 0 })
})

for (const [what, prepare, names] of [
  ['without the privilege', 'create table public.secret as table public.open', ['public.secret']],
  [
    'with a policy that would hide rows',
    `create table public.filtered as table public.open;
     grant select on public.filtered to public;
     alter table public.filtered enable row level security;
     create policy half on public.filtered using (id <= 2)`,
    ['public.filtered'],
  ],
  [
    'in a schema that may not be used',
    'create schema hidden; create table hidden.secret as table public.open',
    ['hidden.secret'],
  ],
  [
    'as a partition',
    `create table public.whole (id int) partition by list (id);
     grant select on public.whole to public;
     create table public.part partition of public.whole for values in (1)`,
    ['public.part', 'public.whole'],
  ],
] as const) {
  test(`a table that the owner of the functions cannot read ${what} is a failed measurement, never a small number`, async (t) => {
    const db = await createDatabase(t)
    const owner = await db.createRole('nosuperuser nobypassrls')
    await db.sql.unsafe(`
      create table public.open as select generate_series(1, 4) as id;
      grant select on public.open to public;
      ${prepare};
    `)
    await runAsOwner(db.sql, owner.name)
    const run_id = await open(db.sql)

    await measureAll(db.sql, run_id)

    const run = await close(db.sql, run_id)
    t.like(run, { status: 'FAILED', target_count: String(names.length + 1) })
    for (const part of [...names, '42501']) t.true(run.error_message?.includes(part), part)
    t.deepEqual(await rowCounts(db.sql, run), {
      'public.open': 4,
      ...Object.fromEntries(names.map((name) => [name, null])),
    })
    const states = await db.sql`
      select distinct error_sqlstate from nms.table_metrics_measurements
      where run_id = ${run_id} and error_sqlstate is not null
    `
    t.deepEqual([...states], [{ error_sqlstate: '42501' }])
    t.is(await queued(db.sql), 0)
  })
}

// Such a transaction cannot see what another one has claimed meanwhile: it is told to begin again.
for (const isolation of ['repeatable read', 'serializable']) {
  test(`sessions whose transactions are ${isolation} count each table once, if they begin again at 40001`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
      do $$
      begin
        for v_n in 1..30 loop
          execute format(
            'create table public.t_%s with (fillfactor = 10) as select generate_series(1, 6000) as id', v_n
          );
        end loop;
      end $$;
      analyze;
      alter database ${db.name} set default_transaction_isolation = '${isolation}';
    `)
    const run_id = await open(db.sql)
    let counted = 0
    const count = (sql: Sql) =>
      eventually(async () => {
        const progress = await measure(sql, run_id).catch((error: ServerError) => {
          if (error.code !== '40001') throw error
        })
        counted += Number(progress?.tables_counted ?? 0)
        return progress?.is_finished === true
      }, `run ${run_id} has been counted`)

    await Promise.all([count(db.connect()), count(db.connect())])

    t.is(counted, 30)
    t.like(await close(db.sql, run_id), { status: 'SUCCEEDED', target_count: '30' })
    t.deepEqual(new Set(Object.values(await rowCounts(db.sql, { run_id }))), new Set([6000]))
  })
}

test('a moment in which somebody locks a table of the collector itself is waited for', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select generate_series(1, 3) as id`
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const release = await lock(db, 'nms.table_metrics_measurements', 'share')
  const session = db.connect()
  const pid = await pidOf(session)

  const measuring = measure(session, run_id)

  await t.notThrowsAsync(Promise.race([measuring, untilItWaits(db.sql, pid)]))
  await release()
  t.like(await measuring, { tables_counted: '1' })
})

test('two runs at once are counted apart from each other', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(varied)
  const runs = [await open(db.sql), await open(db.sql, { skip: ['public'] })]

  await Promise.all(runs.map((run_id) => measureAll(db.connect(), run_id)))

  const closed = await Promise.all(runs.map((run_id) => close(db.sql, run_id)))
  t.deepEqual(await Promise.all(closed.map((run) => payload(db.sql, run))), [
    everything,
    { archive: everything.archive, 'Größe "1"': everything['Größe "1"'] },
  ])
})
