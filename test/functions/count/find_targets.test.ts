import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

interface Target {
  table_name: string
  schema_name: string
  table_kind: string
  is_partition: boolean
  pages: string
  filenode: number
  members: string[] | null
  is_reported: boolean
}

const partitioned = `
  create table public.sales (region int, id int) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2) partition by list (id);
  create table public.sales_2_low partition of public.sales_2 for values in (1);
  create table public.sales_2_rest partition of public.sales_2 default;
`

const diamond = `
  create table public.persons (id int);
  create table public.authors () inherits (public.persons);
  create table public.editors () inherits (public.persons);
  create table public.both () inherits (public.authors, public.editors);
`

const foreignServer = 'create extension file_fdw; create server files foreign data wrapper file_fdw;'

test('ordinary, unlogged and partitioned tables and their partitions are targets, nothing else is', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    ${partitioned}
    ${foreignServer}
    create table public.plain (id int primary key, long text);
    create unlogged table public.unlogged (id int);
    create temporary table temporary (id int);
    create foreign table public.far (id int) server files options (program 'true');
    create view public.a_view as table public.plain;
    create materialized view public.a_materialized_view as table public.plain;
    create sequence public.a_sequence;
    create type public.a_type as (id int);
    create index on public.sales (id);
  `)

  const targets = await findTargets(sql)

  t.deepEqual(
    targets.map(({ table_name, table_kind, is_partition }) => [table_name, table_kind, is_partition]),
    [
      ['plain', 'table', false],
      ['sales', 'partitioned table', false],
      ['sales_1', 'table', true],
      ['sales_2', 'partitioned table', true],
      ['sales_2_low', 'table', true],
      ['sales_2_rest', 'table', true],
      ['unlogged', 'table', false],
    ],
  )
})

test('the temporary tables of other sessions are no targets', async (t) => {
  const db = await createDatabase(t)
  await db.connect().unsafe('create temporary table passing (id int)')

  t.deepEqual(await findTargets(db.sql), [])
})

test('tables of machinery schemas, skipped schemas and excluded tables are no targets', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema tmp create table scratch (id int);
    create schema jobs create table queue (id int);
    create table public.kept (id int);
    create table public.dropped (id int);
    update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{jobs}';
  `)

  const targets = await findTargets(sql, { skip: ['tmp'], exclude: ['public.dropped'] })

  t.deepEqual(
    targets.map(({ table_name }) => table_name),
    ['kept'],
  )
})

const families: {
  promise: string
  tables: string
  skip?: string[]
  exclude?: string[]
  members: Record<string, string[]>
  /** Tables that are read and have no measurement. */
  unreported?: string[]
}[] = [
  {
    promise: 'the members of a partitioned table are its partitions at every level that store rows',
    tables: partitioned,
    members: {
      sales: ['sales_1', 'sales_2_low', 'sales_2_rest'],
      sales_2: ['sales_2_low', 'sales_2_rest'],
    },
  },
  {
    promise: 'a partitioned table without partitions has no members',
    tables: 'create table public.sales (id int) partition by list (id)',
    members: { sales: [] },
  },
  {
    promise: 'the members of an inheritance parent are itself and its descendants, a shared one once',
    tables: diamond,
    members: {
      authors: ['authors', 'both'],
      editors: ['both', 'editors'],
      persons: ['authors', 'both', 'editors', 'persons'],
    },
  },
  {
    promise: 'an excluded partition stays a member of every ancestor, and is read for them',
    tables: `
      ${partitioned}
      create table public.sales_3 partition of public.sales for values in (3) partition by list (id);
      create table public.sales_3_all partition of public.sales_3 default;
    `,
    exclude: ['public.sales_2_low'],
    members: {
      sales: ['sales_1', 'sales_2_low', 'sales_2_rest', 'sales_3_all'],
      sales_2: ['sales_2_low', 'sales_2_rest'],
      sales_3: ['sales_3_all'],
    },
    unreported: ['sales_2_low'],
  },
  {
    promise: 'a partition in a skipped schema stays a member, and is read for its ancestors',
    tables: `${partitioned} create schema archive; alter table public.sales_1 set schema archive`,
    skip: ['archive'],
    members: { sales: ['sales_1', 'sales_2_low', 'sales_2_rest'], sales_2: ['sales_2_low', 'sales_2_rest'] },
    unreported: ['sales_1'],
  },
  {
    promise: 'a foreign partition is a member of its ancestors',
    tables: `
      ${partitioned}
      ${foreignServer}
      create foreign table public.sales_3 partition of public.sales for values in (3)
      server files options (program 'true');
    `,
    members: {
      sales: ['sales_1', 'sales_2_low', 'sales_2_rest', 'sales_3'],
      sales_2: ['sales_2_low', 'sales_2_rest'],
    },
  },
  {
    promise:
      'an excluded foreign partition is read for its ancestors, and for nobody when these are left out too',
    tables: `
      ${partitioned}
      ${foreignServer}
      create foreign table public.sales_3 partition of public.sales for values in (3)
      server files options (program 'true');
      create schema archive;
      create table archive.old (id int) partition by list (id);
      create foreign table public.old_1 partition of archive.old default server files options (program 'true');
    `,
    exclude: ['public.sales_3'],
    skip: ['archive'],
    members: {
      sales: ['sales_1', 'sales_2_low', 'sales_2_rest', 'sales_3'],
      sales_2: ['sales_2_low', 'sales_2_rest'],
    },
    unreported: ['sales_3'],
  },
  {
    promise: 'a foreign parent counts with its children where it has a parent itself',
    tables: `
      ${foreignServer}
      create table public.root (id int);
      create foreign table public.far_parent () inherits (public.root) server files options (program 'true');
      create table public.near_child () inherits (public.far_parent);
      create foreign table public.alone (id int) server files options (program 'true');
      create foreign table public.far_child () inherits (public.alone) server files options (program 'true');
    `,
    members: {
      root: ['far_parent', 'near_child', 'root'],
      far_parent: ['far_parent', 'near_child'],
    },
  },
  {
    promise: 'an excluded partition that nobody adds up is not read',
    tables: partitioned,
    exclude: ['public.sales', 'public.sales_1', 'public.sales_2_low'],
    members: { sales_2: ['sales_2_low', 'sales_2_rest'] },
    unreported: ['sales_2_low'],
  },
  {
    promise: 'an excluded partitioned table between a root and its partitions changes nothing',
    tables: partitioned,
    exclude: ['public.sales_2'],
    members: { sales: ['sales_1', 'sales_2_low', 'sales_2_rest'] },
  },
  {
    promise: 'an excluded child stays a member of every ancestor, and is read for them',
    tables: diamond,
    exclude: ['public.both'],
    members: {
      authors: ['authors', 'both'],
      editors: ['both', 'editors'],
      persons: ['authors', 'both', 'editors', 'persons'],
    },
    unreported: ['both'],
  },
  {
    promise: 'a temporary child belongs to one session and is no member',
    tables: `${diamond} create temporary table passing () inherits (public.both)`,
    members: {
      authors: ['authors', 'both'],
      editors: ['both', 'editors'],
      persons: ['authors', 'both', 'editors', 'persons'],
    },
  },
]

for (const { promise, tables, members, unreported = [], ...request } of families) {
  test(promise, async (t) => {
    const sql = (await createDatabase(t)).connect()
    await sql.unsafe(tables)

    const targets = await findTargets(sql, request)

    const parents = targets.filter((target) => target.is_reported && target.members !== null)
    t.deepEqual(Object.fromEntries(parents.map((target) => [target.table_name, target.members])), members)
    t.deepEqual(
      targets.filter((target) => !target.is_reported).map(({ table_name }) => table_name),
      unreported,
    )
  })
}

test('a partition whose concurrent detaching is pending is no member any more, yet a target', async (t) => {
  const db = await createDatabase(t)
  const [reader, detacher] = [db.connect(), db.connect()]
  await db.sql.unsafe(partitioned)
  await reader.unsafe('begin; table public.sales')
  // Cancelled while it waits for the reader, it stays pending.
  await detacher`set statement_timeout = '300 ms'`
  await t.throwsAsync(
    detacher.unsafe('alter table public.sales detach partition public.sales_1 concurrently').execute(),
    { code: '57014' },
  )

  const targets = await findTargets(db.sql)

  const [pending] = await db.sql`
    select inhdetachpending as pending from pg_inherits where inhrelid = 'public.sales_1'::regclass
  `
  t.deepEqual({ ...pending }, { pending: true })
  t.deepEqual(targets.find(({ table_name }) => table_name === 'sales')?.members, [
    'sales_2_low',
    'sales_2_rest',
  ])
  t.true(targets.some(({ table_name }) => table_name === 'sales_1'))
})

for (const name of [
  'select',
  'Upper',
  'with space',
  'dot.ted',
  'quo"ted',
  `apo'strophe`,
  '🙂',
  'back\\slash',
  'x'.repeat(63),
]) {
  // The title in letters that every log can show.
  test(`a table is found under its name as the catalogue spells it: ${encodeURI(name)}`, async (t) => {
    const { sql } = await createDatabase(t)
    const quoted = `"${name.replaceAll('"', '""')}"`
    await sql.unsafe(`create schema ${quoted}; create table ${quoted}.${quoted} ()`)

    const [target, ...others] = await findTargets(sql)

    const [created] = await sql`select ${`${quoted}.${quoted}`}::regclass::oid as table_oid`
    t.deepEqual(others, [])
    t.like(target, { ...created, schema_name: name, table_name: name })
  })
}

test('size and file are what the catalogue has: of a vacuumed table, of a new one, of a partitioned one', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    ${partitioned}
    create table public.large as select generate_series(1, 3000) as id;
    create table public.new as select 1 as id;
  `)
  await sql`vacuum full public.large`

  const targets = await findTargets(sql)

  const [large] = await sql<[{ pages: string; filenode: number; oid: number }]>`
    select
      pg_relation_size('public.large') / current_setting('block_size')::bigint as pages,
      pg_relation_filenode('public.large') as filenode,
      'public.large'::regclass::oid as oid
  `
  const found = (name: string) => targets.find(({ table_name }) => table_name === name)
  t.is(found('large')?.pages, large.pages)
  t.is(found('large')?.filenode, large.filenode)
  t.true(large.filenode !== large.oid && Number(large.pages) > 1)
  t.is(found('new')?.pages, '0')
  t.is(found('sales')?.filenode, 0)
})

test('tables that the role may not read are found', async (t) => {
  const db = await createDatabase(t)
  const role = await db.createRole()
  await db.sql.unsafe(`
    create schema closed create table secret (id int);
    grant usage on schema nms, nms_private to ${role.name};
    grant select on nms.table_metrics_settings to ${role.name};
    grant execute on all functions in schema nms, nms_private to ${role.name};
  `)

  const targets = await findTargets(role.connect())

  t.deepEqual(
    targets.map(({ schema_name, table_name }) => [schema_name, table_name]),
    [['closed', 'secret']],
  )
})

test('no table is locked by looking for it', async (t) => {
  const sql = (await createDatabase(t)).connect()
  await sql.unsafe(`${partitioned} ${diamond}`)
  await sql`begin`

  await findTargets(sql, { exclude: ['public.both'] })

  const locked = await sql`
    select relation::regclass::text from pg_locks as lock
    join pg_class as relation on relation.oid = lock.relation
    where lock.pid = pg_backend_pid() and relation.relnamespace = 'public'::regnamespace
  `
  t.deepEqual([...locked], [])
})

async function findTargets(
  sql: Sql,
  { skip = [], exclude = [] }: { skip?: string[]; exclude?: string[] } = {},
): Promise<Target[]> {
  return [
    ...(await sql<Target[]>`
      select
        found.*,
        array(
          select relation.relname::text
          from unnest(found.members) as member
          join pg_class as relation on relation.oid = member
          where found.members is not null
          order by 1
        ) as member_names
      from nms_private.find_targets(${sql.json(skip)}, ${sql.json(exclude)}) as found
      order by found.schema_name, found.table_name
    `),
  ].map((target) => {
    const { member_names, ...rest } = target as Target & { member_names: string[] }
    return { ...rest, members: rest.members && member_names }
  })
}
