import test from 'ava'
import { diamond, measuredAsPayload, partitioned, payload } from '../../_support/collecting.ts'
import { collect, createDatabase, type Run, rowCounts, type Sql } from '../../_support/database.ts'

const foreignRows = (rows: number) => `options (program 'seq 1 ${rows}')`
const foreignServer = 'create extension file_fdw; create server files foreign data wrapper file_fdw;'

const odd = [
  'order',
  'Upper Case',
  'dot.ted',
  'quo"ted',
  `apo'strophe`,
  'back\\slash',
  '%s %I $1',
  'line\nbreak',
  'größe_表_🙂',
  '1',
  `${'é'.repeat(31)}x`, // 63 bytes
]
const quote = (name: string) => `"${name.replaceAll('"', '""')}"`

const counted: {
  promise: string
  tables: string
  skip?: string[]
  exclude?: string[]
  expected: Record<string, number>
}[] = [
  {
    promise: 'every table is counted, an empty one as zero',
    tables: `
      create table public.orders (id int primary key);
      insert into public.orders select generate_series(1, 7);
      create table public.returns (id int primary key);
    `,
    expected: { 'public.orders': 7, 'public.returns': 0 },
  },
  {
    promise: 'an unlogged table is counted',
    tables: 'create unlogged table public.sessions as select generate_series(1, 6) as id',
    expected: { 'public.sessions': 6 },
  },
  {
    promise: 'rows that were deleted or rolled back are not counted',
    tables: `
      create table public.orders as select generate_series(1, 9) as id;
      delete from public.orders where id <= 4;
      do $$ begin insert into public.orders values (10); raise 'no'; exception when others then null; end $$;
    `,
    expected: { 'public.orders': 5 },
  },
  {
    promise: 'a partitioned table counts as the sum of its partitions',
    tables: partitioned,
    expected: { 'public.sales': 7, 'public.sales_1': 3, 'public.sales_2': 4 },
  },
  {
    promise: 'partitions of partitions are part of the sum, once at each level',
    tables: `
      ${partitioned}
      create table public.sales_3 partition of public.sales for values in (3) partition by range (id);
      create table public.sales_3_low partition of public.sales_3 for values from (0) to (6);
      create table public.sales_3_rest partition of public.sales_3 default;
      insert into public.sales select 3, generate_series(1, 11);
    `,
    expected: {
      'public.sales': 18,
      'public.sales_1': 3,
      'public.sales_2': 4,
      'public.sales_3': 11,
      'public.sales_3_low': 5,
      'public.sales_3_rest': 6,
    },
  },
  {
    promise: 'a partitioned table without any partition is counted as zero, at every level',
    tables: `
      create table public.sales (id int) partition by list (id);
      create table public.returns (id int) partition by list (id);
      create table public.returns_1 partition of public.returns for values in (1) partition by list (id);
    `,
    expected: { 'public.sales': 0, 'public.returns': 0, 'public.returns_1': 0 },
  },
  {
    promise: 'an excluded partition has no measurement, and its rows stay part of its parent',
    tables: partitioned,
    exclude: ['public.sales_2'],
    expected: { 'public.sales': 7, 'public.sales_1': 3 },
  },
  {
    promise: 'a partition in a skipped schema stays part of its parent',
    tables: `
      ${partitioned}
      create schema archive;
      alter table public.sales_1 set schema archive;
    `,
    skip: ['archive'],
    expected: { 'public.sales': 7, 'public.sales_2': 4 },
  },
  {
    promise: 'an excluded partitioned table leaves its partitions in',
    tables: partitioned,
    exclude: ['public.sales'],
    expected: { 'public.sales_1': 3, 'public.sales_2': 4 },
  },
  {
    promise: 'a foreign partition is counted, and part of its parent',
    tables: `
      ${partitioned}
      ${foreignServer}
      create table public.far (id int) partition by list (id);
      create foreign table public.far_1 partition of public.far default server files ${foreignRows(5)};
      create table public.far_2 partition of public.far for values in (2);
      insert into public.far_2 values (2), (2);
    `,
    expected: {
      'public.far': 7,
      'public.far_1': 5,
      'public.far_2': 2,
      'public.sales': 7,
      'public.sales_1': 3,
      'public.sales_2': 4,
    },
  },
  {
    promise: 'an inheritance parent counts with its children, a shared one once',
    tables: diamond,
    expected: { 'public.authors': 10, 'public.both': 7, 'public.editors': 12, 'public.persons': 17 },
  },
  {
    promise: 'an excluded child stays part of its parents',
    tables: diamond,
    exclude: ['public.both'],
    expected: { 'public.authors': 10, 'public.editors': 12, 'public.persons': 17 },
  },
  {
    promise: 'a foreign child is counted, and part of its parent',
    tables: `
      ${foreignServer}
      create table public.near (id int);
      insert into public.near values (1), (2);
      create foreign table public.far () inherits (public.near) server files ${foreignRows(5)};
    `,
    expected: { 'public.far': 5, 'public.near': 7 },
  },
  {
    promise: 'foreign tables without a parent, views, materialized views and sequences are not counted',
    tables: `
      create table public.orders as select generate_series(1, 7) as id;
      create view public.a_view as table public.orders;
      create materialized view public.a_materialized_view as table public.orders;
      create sequence public.a_sequence;
      create type public.a_type as (id int);
      ${foreignServer}
      create foreign table public.far (id int) server files ${foreignRows(5)};
    `,
    expected: { 'public.orders': 7 },
  },
  {
    promise: 'any name that Postgres allows is counted and written as the catalogue spells it',
    tables: odd
      .map(
        (name, index) => `
          create schema ${quote(name)};
          create table ${quote(name)}.${quote(name)} as select generate_series(1, ${index}) as id;
        `,
      )
      .join(''),
    expected: Object.fromEntries(odd.map((name, index) => [`${name}.${name}`, index])),
  },
]

for (const { promise, tables, expected, ...request } of counted) {
  test(promise, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(tables)

    const run = await collect(sql, request)

    t.is(run.status, 'SUCCEEDED')
    t.is(run.error_message, null)
    t.is(run.target_count, String(Object.keys(expected).length))
    t.deepEqual(await rowCounts(sql, run), expected)
    t.deepEqual(await plainCounts(sql, run), expected)
    t.deepEqual(await payload(sql, run), await measuredAsPayload(sql, run))
  })
}

test('temporary tables are not counted, neither those of the caller nor those of others', async (t) => {
  const db = await createDatabase(t)
  const [own, other] = [db.connect(), db.connect()]
  await db.sql`create table public.lasting (id int)`
  for (const session of [own, other]) {
    await session.unsafe(`
      create temporary table passing as select generate_series(1, 3) as id;
      create temporary table passing_parts (id int) partition by list (id);
      create temporary table passing_child () inherits (public.lasting);
      insert into passing_child values (1);
    `)
  }

  const run = await collect(own)

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(own, run), { 'public.lasting': 0 })
})

test('the own rows of all tables add up to the rows stored, each once', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    ${partitioned}
    ${diamond}
    create table public.sales_3 partition of public.sales for values in (3) partition by range (id);
    create table public.sales_3_low partition of public.sales_3 default;
    insert into public.sales select 3, generate_series(1, 11);
    create table public.plain as select generate_series(1, 13) as id;
  `)
  const [stored] = await sql<[{ rows: string }]>`
    select sum((xpath('/row/rows/text()', query_to_xml(
      format('select count(*) as rows from only %s', oid::regclass), false, true, ''
    )))[1]::text::bigint) as rows
    from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace
  `

  for (const exclude of [[], ['public.nothing_such']]) {
    const run = await collect(sql, { exclude })
    t.is(await ownRows(sql, run), 3 + 4 + 11 + 2 + 3 + 5 + 7 + 13)
    t.is(await ownRows(sql, run), Number(stored.rows))
  }
  // What reads a parent with its children tells the rows of the parent apart.
  const run = await collect(sql, { exclude: ['public.both', 'public.sales_1'] })
  t.is(await ownRows(sql, run), 4 + 11 + 2 + 3 + 5 + 13)
})

test('a measurement tells partitioned tables and partitions from plain tables', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${partitioned} create table public.plain (id int)`)

  const run = await collect(sql)

  const kinds = await sql`
    select table_name, table_kind, is_partition, method, own_row_count, table_oid = to_regclass('public.' || table_name)::oid as same
    from nms.table_metrics_measurements
    where run_id = ${run.run_id}
    order by 1
  `
  t.deepEqual(
    kinds.map((row) => Object.values(row)),
    [
      ['plain', 'table', false, 'exact', '0', true],
      ['sales', 'partitioned table', false, 'exact', '0', true],
      ['sales_1', 'table', true, 'exact', '3', true],
      ['sales_2', 'table', true, 'exact', '4', true],
    ],
  )
})

test('a database without any table succeeds with an empty payload', async (t) => {
  const { sql } = await createDatabase(t)

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.is(run.target_count, '0')
  t.deepEqual(await payload(sql, run), {})
  const [daily] = await sql`select run_id, payload from nms.table_metrics_daily_snapshot`
  t.deepEqual({ ...daily }, { run_id: run.run_id, payload: {} })
})

async function ownRows(sql: Sql, run: Run): Promise<number> {
  const [own] = await sql<[{ rows: string }]>`
    select sum(own_row_count) as rows from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  return Number(own.rows)
}

/** What a plain count(*) says about every table that has a measurement. */
async function plainCounts(sql: Sql, run: Run): Promise<Record<string, number>> {
  const tables = await sql<{ name: string; table: string }[]>`
    select schema_name || '.' || table_name as name, table_oid::regclass::text as table
    from nms.table_metrics_measurements
    where run_id = ${run.run_id}
  `
  const counts: Record<string, number> = {}
  for (const { name, table } of tables) {
    const [row] = await sql.unsafe<[{ rows: string }]>(`select count(*) as rows from ${table}`)
    counts[name] = Number(row.rows)
  }
  return counts
}
