import test from 'ava'
import { collect, createDatabase, rowCounts, untilItWaits } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { standIn } from '../../_support/stand_in.ts'

// Neither extension can be had here: these have the catalogues that both document, and tables that
// show their rows to a plain select only.

// As a compressed chunk does, chunk_1 keeps its rows in another table: "only" shows none of them.
const timescale = `
  create schema _timescaledb_catalog;
  create schema _timescaledb_internal;
  create table _timescaledb_catalog.hypertable (id int, schema_name name, table_name name);
  create table _timescaledb_catalog.chunk (id int, hypertable_id int, status int);
  create table public.readings (at timestamptz, value int);
  create table _timescaledb_internal.chunk_1 () inherits (public.readings);
  create table _timescaledb_internal.compress_1 () inherits (_timescaledb_internal.chunk_1);
  create table public.chunk_2 () inherits (public.readings);
  insert into _timescaledb_internal.compress_1 select now(), generate_series(1, 30);
  insert into public.chunk_2 select now(), generate_series(1, 4);
  insert into _timescaledb_catalog.hypertable values (1, 'public', 'readings');
  insert into _timescaledb_catalog.chunk values (1, 1, 1), (2, 1, 0);
`
const timescaleCatalogue = ['_timescaledb_catalog.hypertable', '_timescaledb_catalog.chunk']

test('a hypertable is counted whole, compressed chunks included, and its chunks are no tables of their own', async (t) => {
  const { sql } = await createDatabase(t)
  await standIn(sql, 'timescaledb', timescale, timescaleCatalogue)
  await sql`create table public.plain as select generate_series(1, 3) as id`

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(sql, run), { 'public.plain': 3, 'public.readings': 34 })
  const [{ rows }] = await sql<[{ rows: string }]>`
    select sum(own_row_count) as rows from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  t.is(rows, '37', 'each row is counted once')
})

test('online, a hypertable is counted whole as well', async (t) => {
  const { sql } = await createDatabase(t)
  await standIn(sql, 'timescaledb', timescale, timescaleCatalogue)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await eventually(async () => {
    const [step] = await sql`select is_finished from nms.measure_targets(run_id => ${run_id})`
    return step?.is_finished
  }, 'the run has been counted')

  const [run] = await sql`select status from nms.close_run(run_id => ${run_id})`

  t.is(run?.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, { run_id }), { 'public.readings': 34 })
})

test('a preview says why a chunk is not counted', async (t) => {
  const { sql } = await createDatabase(t)
  await standIn(sql, 'timescaledb', timescale, timescaleCatalogue)

  const rows = await sql`
    select table_name, outcome from nms.preview_run() where schema_name in ('public', '_timescaledb_internal') order by 1
  `

  t.deepEqual(
    rows.map(({ table_name, outcome }) => [table_name, outcome]),
    [
      ['chunk_1', 'machinery'],
      ['chunk_2', 'machinery'],
      ['compress_1', 'machinery'],
      ['readings', 'counted'],
    ],
  )
})

for (const [what, change, expected] of [
  ['dropped', 'drop table public.chunk_2', 30],
  ['truncated', 'truncate public.chunk_2', 30],
  [
    'compressed',
    `
      insert into _timescaledb_internal.compress_1 table public.chunk_2;
      delete from public.chunk_2;
      update _timescaledb_catalog.chunk set status = 1 where id = 2;
    `,
    34,
  ],
  [
    'added with rows of another one',
    `
      create table _timescaledb_internal.chunk_3 () inherits (public.readings);
      insert into _timescaledb_internal.chunk_3 table public.chunk_2;
      drop table public.chunk_2;
    `,
    34,
  ],
] as const) {
  test(`a hypertable whose chunk was ${what} after the snapshot has a total that held`, async (t) => {
    const db = await createDatabase(t)
    await standIn(
      db.sql,
      'timescaledb',
      `${timescale} update nms.table_metrics_settings set lock_timeout = '1 min'`,
      timescaleCatalogue,
    )
    // Its file is newer: it is read first.
    await db.sql`create table public.blocker as select generate_series(1, 2) as id`
    const [blocker, collector] = [db.connect(), db.connect()]
    await blocker.unsafe('begin; lock table public.blocker in access exclusive mode')
    const [{ pid }] = await collector<[{ pid: number }]>`select pg_backend_pid() as pid`
    const collecting = collect(collector)
    await untilItWaits(db.sql, pid)
    await db.sql.begin((transaction) => transaction.unsafe(change))
    await blocker`commit`

    const run = await collecting

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await rowCounts(db.sql, run), { 'public.blocker': 2, 'public.readings': expected })
  })
}

test('tables that only look like those of the extension are tables like any other', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    ${timescale}
    create extension file_fdw;
    update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{_timescaledb_catalog}';
  `)

  const run = await collect(sql)

  t.deepEqual(await rowCounts(sql, run), {
    '_timescaledb_internal.chunk_1': 30,
    '_timescaledb_internal.compress_1': 30,
    'public.chunk_2': 4,
    'public.readings': 34,
  })
})

test('a distributed table is counted whole, and its shards never', async (t) => {
  const { sql } = await createDatabase(t)
  await standIn(
    sql,
    'citus',
    `
      create table pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char");
      create table pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint);
      create table public.orders (id int);
      create table public.orders_102008 () inherits (public.orders);
      create table public.orders_102009 () inherits (public.orders);
      insert into public.orders_102008 select generate_series(1, 5);
      insert into public.orders_102009 select generate_series(1, 6);
      insert into pg_dist_partition values ('public.orders', 'h');
      insert into pg_dist_shard values ('public.orders', 102008), ('public.orders', 102009);
      create table public.local_102008x as select 1 as id;
      create table public.report_2024 as select generate_series(1, 2) as id;
    `,
    ['pg_catalog.pg_dist_partition', 'pg_catalog.pg_dist_shard'],
  )

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(sql, run), {
    'public.local_102008x': 1,
    'public.orders': 11,
    'public.report_2024': 2,
  })
})

test('a table of another access method is counted, whatever its file is called', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create access method other type table handler heap_tableam_handler;
    create table public.kept (id int) using other;
    insert into public.kept select generate_series(1, 9);
  `)

  const [found] = await sql`select filenode from nms_private.find_targets('[]', '[]')`
  const run = await collect(sql)

  t.is(found?.filenode, null, 'no conclusion is drawn from it')
  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(sql, run), { 'public.kept': 9 })
})
