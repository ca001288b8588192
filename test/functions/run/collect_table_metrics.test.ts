import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
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

const foreignRows = (rows: number) => `options (program 'seq 1 ${rows}')`
const foreignServer = 'create extension file_fdw; create server files foreign data wrapper file_fdw;'

const partitioned = `
  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  insert into public.sales select 1, generate_series(1, 3);
  insert into public.sales select 2, generate_series(1, 4);
`

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
    promise: 'a foreign partition is part of its parent and not counted itself',
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
    promise: 'a foreign child is part of its parent and not counted itself',
    tables: `
      ${foreignServer}
      create table public.near (id int);
      insert into public.near values (1), (2);
      create foreign table public.far () inherits (public.near) server files ${foreignRows(5)};
    `,
    expected: { 'public.near': 7 },
  },
  {
    promise: 'foreign tables, views, materialized views and sequences are not counted',
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

test('a table locked for longer than lock_timeout fails alone, and the message names both', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.busy as select generate_series(1, 3) as id;
    create table public.idle as select generate_series(1, 4) as id;
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.connect().unsafe('begin; lock table public.busy, only public.sales_2 in access exclusive mode')

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.busy.*lock_timeout/s)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.busy': null,
    'public.idle': 4,
    'public.sales': null,
    'public.sales_1': 3,
    'public.sales_2': null,
  })
  t.deepEqual(await failures(db.sql, run), {
    'public.busy': '55P03',
    'public.sales': '55P03',
    'public.sales_2': '55P03',
  })
  t.is(await payload(db.sql, run), undefined)
})

test('a table that the owner of the functions may not read fails alone', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.secret as select generate_series(1, 3) as id;
    create table public.open as select generate_series(1, 4) as id;
    create schema closed create table hidden (id int);
    grant select on public.open, public.sales, public.sales_1, closed.hidden to ${owner};
  `)

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', new RegExp(`public\\.secret.*${owner}`, 's'))
  t.deepEqual(await rowCounts(db.sql, run), {
    'closed.hidden': null,
    'public.open': 4,
    'public.sales': null,
    'public.sales_1': 3,
    'public.sales_2': null,
    'public.secret': null,
  })
  t.deepEqual(await failures(db.sql, run), {
    'closed.hidden': '42501',
    'public.sales': '42501',
    'public.sales_2': '42501',
    'public.secret': '42501',
  })
})

test('row-level security never thins a count: affected tables fail, others are counted whole', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  const policy = (table: string) => `
    create table public.${table} as select generate_series(1, 8) as id;
    alter table public.${table} enable row level security;
    create policy half on public.${table} using (id <= 4);
  `
  await db.sql.unsafe(`
    grant pg_read_all_data to ${owner};
    ${policy('others')}
    ${policy('own')}
    alter table public.own owner to ${owner};
    ${policy('own_forced')}
    alter table public.own_forced owner to ${owner}, force row level security;
    create table public.denied_by_default as select generate_series(1, 8) as id;
    alter table public.denied_by_default enable row level security;
    create table public.plain as select generate_series(1, 8) as id;
  `)

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.others.*row-level security/s)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.denied_by_default': null,
    'public.others': null,
    'public.own': 8,
    'public.own_forced': null,
    'public.plain': 8,
  })
  t.deepEqual(await failures(db.sql, run), {
    'public.denied_by_default': '42501',
    'public.others': '42501',
    'public.own_forced': '42501',
  })
})

test('policies on a partitioned table leave its count whole', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  await db.sql.unsafe(`
    grant pg_read_all_data to ${owner};
    ${partitioned}
    alter table public.sales enable row level security;
  `)

  t.deepEqual(await rowCounts(db.sql, await collect(db.sql)), {
    'public.sales': 7,
    'public.sales_1': 3,
    'public.sales_2': 4,
  })
  t.deepEqual(await rowCounts(db.sql, await collect(db.sql, { exclude: ['public.sales_2'] })), {
    'public.sales': 7,
    'public.sales_1': 3,
  })
})

test('a damaged table fails alone', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.damaged as select generate_series(1, 3) as id;
    create table public.sound as select generate_series(1, 4) as id;
  `)
  await damage(db, 'public.damaged')

  const run = await collect(db.connect())

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.damaged.*58P01.*restore/s)
  t.deepEqual(await rowCounts(db.sql, run), { 'public.damaged': null, 'public.sound': 4 })
  t.deepEqual(await failures(db.sql, run), { 'public.damaged': '58P01' })
})

test('two broken tables among thirty leave 28 counts, a FAILED run that names both, and the snapshots as they were', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    update nms.table_metrics_settings set lock_timeout = '50 ms';
    do $$
    begin
      for i in 1..30 loop
        execute format('create table public.t_%s as select generate_series(1, %1$s) as id', i);
      end loop;
    end
    $$;
  `)
  const good = await collect(db.sql)
  const snapshots = () => db.sql`
    select 'run' as kind, run_id, payload, collected_at from nms.table_metrics_run_snapshot
    union all
    select 'day', run_id, payload, collected_at from nms.table_metrics_daily_snapshot
    order by 1, 2
  `
  const before = await snapshots()
  await db.sql`insert into public.t_1 values (2)`
  await damage(db, 'public.t_11')
  await db.connect().unsafe('begin; lock table public.t_22 in access exclusive mode')

  const run = await collect(db.connect())

  t.is(good.status, 'SUCCEEDED')
  t.is(run.status, 'FAILED')
  t.is(run.target_count, '30')
  t.truthy(run.finished_at)
  t.regex(run.error_message ?? '', /public\.t_11 .*restore/)
  t.regex(run.error_message ?? '', /public\.t_22 .*lock_timeout/)
  t.deepEqual(await failures(db.sql, run), { 'public.t_11': '58P01', 'public.t_22': '55P03' })
  const rows = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`public.t_${i + 1}`, i + 1]))
  t.deepEqual(await rowCounts(db.sql, run), {
    ...rows,
    'public.t_1': 2,
    'public.t_11': null,
    'public.t_22': null,
  })
  t.is(before.length, 2)
  t.deepEqual([...(await snapshots())], [...before])
})

test('rows committed while the run is under way appear in no count, and locks are held by none', async (t) => {
  const db = await createDatabase(t)
  const other = db.connect()
  const underway = await startCollecting(
    db,
    'create table public.late as select generate_series(1, 3) as id',
    [],
    early,
  )

  await other.unsafe(`
    insert into public.early values (0);
    insert into public.late values (0);
  `)
  const [held] = await db.sql<[{ tables: string[] }]>`
    select array_agg(distinct relation::regclass::text) as tables
    from pg_locks
    where pid = ${underway.pid} and relation >= 16384
      and relation not in (select oid from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace))
  `
  await other.unsafe(`
    set lock_timeout = '1 s';
    alter table public.early add column note text default clock_timestamp()::text, alter column id type bigint;
  `)
  const [altered] = await other<[{ at: Date }]>`select clock_timestamp() as at`
  const run = await underway.finish()

  t.deepEqual(held.tables, ['blocker'])
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.blocker': 3000,
    'public.early': 6000,
    'public.late': 3,
  })
  const measured = await db.sql<{ table_name: string }[]>`
    select table_name from nms.table_metrics_measurements where measured_at < ${altered.at}
  `
  t.deepEqual(
    measured.map(({ table_name }) => table_name),
    ['early'],
    'early was counted before it was altered',
  )
})

// A newer file than the blocker's: counted before it.
const early = `
  create table public.early (id int primary key);
  insert into public.early select generate_series(1, 6000);
  analyze public.early;
`
const late = 'create table public.late (id int primary key); insert into public.late values (1), (2), (3)'

// Each statement of "meanwhile" is committed before the next, after the snapshot and before the table is counted.
const changed: {
  promise: string
  tables: string
  exclude?: string[]
  meanwhile: string[]
  expected: Record<string, number>
}[] = [
  {
    promise: 'dropped in mid-run leaves no measurement',
    tables: late,
    meanwhile: ['drop table public.late'],
    expected: {},
  },
  {
    promise: 'dropped and created again in mid-run is counted',
    tables: late,
    meanwhile: [`drop table public.late; ${late}; insert into public.late values (4)`],
    expected: { 'public.late': 4 },
  },
  {
    promise: 'truncated in mid-run is counted as it is then',
    tables: late,
    meanwhile: ['truncate public.late'],
    expected: { 'public.late': 0 },
  },
  {
    promise: 'truncated and filled again in mid-run is counted as it is then',
    tables: late,
    meanwhile: ['truncate public.late', 'insert into public.late select generate_series(1, 5)'],
    expected: { 'public.late': 5 },
  },
  ...[
    'alter table public.late alter column id type bigint',
    'vacuum full public.late',
    'cluster public.late using late_pkey',
  ].map((rewrite) => ({
    promise: `rewritten in mid-run keeps its rows: ${rewrite}`,
    tables: late,
    meanwhile: [rewrite],
    expected: { 'public.late': 3 },
  })),
  {
    promise: 'whose child was rewritten in mid-run counts with it',
    tables: diamond,
    meanwhile: ['alter table public.persons alter column id type bigint'],
    expected: { 'public.authors': 10, 'public.both': 7, 'public.editors': 12, 'public.persons': 17 },
  },
  {
    promise: 'with a partition that was truncated and filled again in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: [
      'truncate public.sales_1',
      'insert into public.sales_1 select 1, generate_series(1, 5)',
      'insert into public.sales_2 values (2, 0)', // in the snapshot under which all are counted again
    ],
    expected: { 'public.sales': 10, 'public.sales_1': 5, 'public.sales_2': 5 },
  },
  {
    promise: 'whose partitions were all rewritten in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: ['alter table public.sales alter column id type int'],
    expected: { 'public.sales': 7, 'public.sales_1': 3, 'public.sales_2': 4 },
  },
  {
    promise: 'with a partition that was replaced in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: [
      `
        drop table public.sales_1;
        create table public.sales_1 as select 1 as region, generate_series(1, 6)::bigint as id;
        alter table public.sales attach partition public.sales_1 for values in (1);
      `,
    ],
    expected: { 'public.sales': 10, 'public.sales_1': 6, 'public.sales_2': 4 },
  },
  {
    promise: 'with a partition that was dropped in mid-run is the sum of the others',
    tables: partitioned,
    meanwhile: ['drop table public.sales_1'],
    expected: { 'public.sales': 4, 'public.sales_2': 4 },
  },
  {
    promise: 'whose sum needs an excluded partition keeps its rows when all are rewritten in mid-run',
    tables: partitioned,
    exclude: ['public.sales_2'],
    meanwhile: ['alter table public.sales alter column id type int'],
    expected: { 'public.sales': 7, 'public.sales_1': 3 },
  },
  {
    promise: 'whose sum needs an excluded partition has its new rows when that is refilled in mid-run',
    tables: partitioned,
    exclude: ['public.sales_2'],
    meanwhile: ['truncate public.sales_2', 'insert into public.sales_2 select 2, generate_series(1, 5)'],
    expected: { 'public.sales': 8, 'public.sales_1': 3 },
  },
  {
    promise: 'whose sum needs an excluded child has its new rows when that is refilled in mid-run',
    tables: diamond,
    exclude: ['public.both'],
    meanwhile: ['truncate public.both', 'insert into public.both select generate_series(1, 9)'],
    expected: { 'public.authors': 12, 'public.editors': 14, 'public.persons': 19 },
  },
]

for (const { promise, tables, exclude = [], meanwhile, expected } of changed) {
  test(`a table ${promise}`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(db, tables, exclude)
    for (const statement of meanwhile) await db.sql.unsafe(statement)

    const run = await underway.finish()

    t.is(run.error_message, null)
    t.is(run.status, 'SUCCEEDED')
    t.deepEqual(await rowCounts(db.sql, run), { 'public.blocker': 3000, ...expected })
    t.deepEqual(await payload(db.sql, run), await measuredAsPayload(db.sql, run))
  })
}

// Whether by its old name or by its new one: every table is measured once.
const renamed: [promise: string, meanwhile: string][] = [
  ['renamed', 'alter table public.late rename to later'],
  ['moved to another schema', 'create schema archive; alter table public.late set schema archive'],
  [
    'exchanged for one that is not counted yet',
    'alter table public.late rename to previous; alter table public.next rename to late',
  ],
  [
    'exchanged for one that has been counted',
    'alter table public.early rename to previous; alter table public.late rename to early',
  ],
  [
    'rewritten while a counted one is renamed',
    'alter table public.early rename to earlier; alter table public.late alter column id type bigint',
  ],
]

for (const [promise, meanwhile] of renamed) {
  test(`a table is counted, and every other one once, when it is ${promise} in mid-run`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(
      db,
      `${late}; create table public.next as select generate_series(1, 8) as id`,
      [],
      early,
    )
    const tables = await db.sql`
      select table_name::regclass::oid as table_oid, row_count
      from (values ('public.blocker', '3000'), ('public.early', '6000'), ('public.late', '3'), ('public.next', '8'))
        as existing (table_name, row_count)
      order by 1
    `
    await db.sql.unsafe(meanwhile)

    const run = await underway.finish()

    const measured = await db.sql`
      select table_oid, row_count
      from nms.table_metrics_measurements
      where run_id = ${run.run_id}
      order by 1
    `
    t.is(run.error_message, null)
    t.deepEqual([...measured], [...tables])
  })
}

for (const [other, statement] of [
  ['another partition', 'truncate public.sales_2'],
  ['an unrelated table', 'truncate public.late'],
] as const) {
  test(`a partitioned table is the sum of its partitions when a counted one is replaced and ${other} emptied in mid-run`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(
      db,
      `
        ${late};
        ${partitioned}
        insert into public.sales select 1, generate_series(1, 6000);
        analyze public.sales_1;
      `,
    )
    await db.sql.unsafe(`
      drop table public.sales_1;
      create table public.sales_1 partition of public.sales for values in (1);
      insert into public.sales_1 select 1, generate_series(1, 5);
      ${statement};
    `)

    const run = await underway.finish()

    const counts = await rowCounts(db.sql, run)
    const second = other === 'another partition' ? 0 : 4
    t.is(run.status, 'SUCCEEDED')
    t.deepEqual(counts, {
      'public.blocker': 3000,
      'public.late': other === 'another partition' ? 3 : 0,
      'public.sales': 5 + second,
      'public.sales_1': 5,
      'public.sales_2': second,
    })
  })
}

for (const change of ['alter table public.late alter column id type bigint', 'truncate public.late']) {
  test(`a repeatable read transaction that began before fails for the table, never counts zero: ${change}`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`${late}; create table public.other as select generate_series(1, 4) as id`)
    const session = db.connect()
    await session.unsafe('begin isolation level repeatable read; select 1')
    await db.sql.unsafe(change)

    const run = await collect(session)
    await session`commit`

    t.is(run.status, 'FAILED')
    t.regex(run.error_message ?? '', /public\.late.*repeatable read/s)
    t.deepEqual(await rowCounts(db.sql, run), { 'public.late': null, 'public.other': 4 })
    t.deepEqual(await failures(db.sql, run), { 'public.late': 'NM001' })
  })
}

test('what moved between tables while the run was under way is counted once: all are as of one instant', async (t) => {
  const db = await createDatabase(t)
  const underway = await startCollecting(db, `${late}; create table public.rest as select 1 as id`, [], early)

  await db.sql.begin((transaction) =>
    transaction.unsafe(`
      with moved as (delete from public.early where id <= 500 returning id)
      insert into public.rest select id from moved;
      alter table public.rest alter column id type bigint;
    `),
  )
  await db.sql.begin((transaction) =>
    transaction.unsafe('insert into public.early select id + 10000 from public.late; drop table public.late'),
  )
  const run = await underway.finish()

  t.is(run.error_message, null)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.blocker': 3000,
    'public.early': 5503,
    'public.rest': 501,
  })
})

test('the settings of the session are the same after the call', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.busy (id int);
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.connect().unsafe('begin; lock table public.busy in access exclusive mode')
  const session = db.connect()
  const settings = () => session`
    select name, setting
    from pg_settings
    where name in (
      'lock_timeout', 'effective_io_concurrency', 'enable_indexonlyscan', 'jit', 'row_security', 'search_path'
    )
    order by name
  `
  await session.unsafe(`
    begin;
    set lock_timeout = '7 s';
    set effective_io_concurrency = 3;
    set enable_indexonlyscan = on;
    set jit = on;
    set row_security = on;
    set search_path = elsewhere, public;
  `)
  const before = await settings()

  await collect(session, { exclude: ['public.sales_2'] })

  t.is(before.length, 6)
  t.deepEqual([...(await settings())], [...before])
  await session`commit`
  t.deepEqual([...(await settings())], [...before])
})

/** Starts a run and returns as soon as it waits for a lock: after all large tables, before all small ones. */
async function startCollecting(db: TestDatabase, tables: string, exclude: string[] = [], counted = '') {
  await db.sql.unsafe(`
    ${tables};
    create table public.blocker as select generate_series(1, 3000) as id;
    analyze public.blocker;
    ${counted};
    update nms.table_metrics_settings set lock_timeout = '1 min';
  `)
  const [blocker, collector] = [db.connect(), db.connect()]
  const [{ pid }] = await collector<[{ pid: number }]>`select pg_backend_pid() as pid`
  await blocker.unsafe('begin; lock table public.blocker in access exclusive mode')
  const collecting = collect(collector, { exclude })
  await untilItWaits(db.sql, pid)
  return {
    pid,
    finish: async (): Promise<Run> => {
      await blocker`commit`
      return collecting
    },
  }
}

/** Takes the file of a table away, with no page of it left to write. */
async function damage({ sql }: TestDatabase, table: string) {
  await sql.unsafe(`vacuum (freeze) ${table}`)
  await sql`checkpoint`
  const [{ path }] = await sql<[{ path: string }]>`select pg_relation_filepath(${table}::regclass) as path`
  await unlink(join(process.env.TEST_DATA_DIRECTORY ?? '', path))
}

/** Gives everything in schema nms to a new role that is no superuser, and returns its name. */
async function handOver({ sql, createRole }: TestDatabase): Promise<string> {
  const { name } = await createRole('nosuperuser nobypassrls')
  await sql.unsafe(`
    do $$
    declare
      v_statement text;
    begin
      for v_statement in
        select format('alter schema nms owner to ${name}')
        union all
        select format('alter schema nms_private owner to ${name}')
        union all
        select format('alter table %s owner to ${name}', oid::regclass)
        from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'r'
        union all
        select format('alter type %s owner to ${name}', reltype::regtype)
        from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'c'
        union all
        select format('alter function %s owner to ${name}', oid::regprocedure)
        from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      loop
        execute v_statement;
      end loop;
    end
    $$;
    grant usage on schema public to ${name};
  `)
  return name
}

async function ownRows(sql: Sql, run: Run): Promise<number> {
  const [own] = await sql<[{ rows: string }]>`
    select sum(own_row_count) as rows from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  return Number(own.rows)
}

/** SQLSTATEs of the tables that could not be counted. */
async function failures(sql: Sql, run: Run): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; error_sqlstate: string }[]>`
    select schema_name || '.' || table_name as name, error_sqlstate
    from nms.table_metrics_measurements
    where run_id = ${run.run_id} and error_sqlstate is not null
    order by 1
  `
  return Object.fromEntries(rows.map(({ name, error_sqlstate }) => [name, error_sqlstate]))
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

async function payload(sql: Sql, run: Run): Promise<unknown> {
  const [snapshot] = await sql`
    select payload from nms.table_metrics_run_snapshot where run_id = ${run.run_id}
  `
  return snapshot?.payload
}

/** The measurements of a run as its payload should be. */
async function measuredAsPayload(sql: Sql, run: Run): Promise<unknown> {
  const rows = await sql<{ schema_name: string; table_name: string; row_count: string }[]>`
    select schema_name, table_name, row_count from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  const expected: Record<string, Record<string, number>> = {}
  for (const { schema_name, table_name, row_count } of rows) {
    expected[schema_name] = { ...expected[schema_name], [table_name]: Number(row_count) }
  }
  return expected
}
