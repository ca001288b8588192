import test from 'ava'
import { collect, createDatabase, type Sql, type TestDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

const shop = `
  create table public.orders (id bigint primary key, note text);
  insert into public.orders select id, 'note ' || id from generate_series(1, 5000) as id;
  create index on public.orders (note);

  -- 3,000 characters that cannot be compressed: in the toast.
  create table public.letters (id int, body text);
  alter table public.letters alter body set storage external;
  insert into public.letters select id, repeat('letter', 500) from generate_series(1, 300) as id;

  create unlogged table public.carts as select generate_series(1, 1000) as id;
  create table public.empty ();

  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  create index on public.sales (id);
  insert into public.sales select 1, generate_series(1, 3000);
  insert into public.sales select 2, generate_series(1, 40);

  create table public.places (name text);
  create table public.cities (country text) inherits (public.places);
  insert into public.places select 'place ' || n from generate_series(1, 10) as n;
  insert into public.cities select 'city ' || n, 'somewhere' from generate_series(1, 2000) as n;
`

const members: Record<string, string[]> = {
  sales: ['sales_1', 'sales_2'],
  places: ['places', 'cities'],
}

interface Stored {
  table_name: string
  row_count: string | null
  total_bytes: string | null
  table_bytes: string | null
  index_bytes: string | null
  own_total_bytes: string | null
  dead_rows: string | null
  frozen_age: string | null
  last_vacuum: Date | null
  last_analyze: Date | null
}

async function createShop(t: Parameters<typeof createDatabase>[0], tables = shop): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${tables}
    update nms.table_metrics_settings set measure_storage = true, lock_timeout = '50 ms';
  `)
  return db
}

async function stored(sql: Sql, run_id: string): Promise<Record<string, Stored>> {
  const rows = await sql<Stored[]>`
    select
      table_name, row_count, total_bytes, table_bytes, index_bytes, own_total_bytes, dead_rows, frozen_age,
      last_vacuum, last_analyze
    from nms.table_metrics_measurements
    where run_id = ${run_id}
  `
  return Object.fromEntries(rows.map((row) => [row.table_name, row]))
}

/** What the server says, by another function than the one under test where there is one. */
async function sizes(sql: Sql) {
  const rows = await sql<{ name: string; total: string; indexes: string }[]>`
    select
      relation.relname as name,
      pg_total_relation_size(relation.oid) as total,
      (
        select coalesce(sum(pg_total_relation_size(indexrelid)), 0)
        from pg_index
        where indrelid = relation.oid and relation.relkind = 'r'
      ) as indexes
    from pg_class as relation
    where relation.relnamespace = 'public'::regnamespace and relation.relkind in ('r', 'p')
  `
  return Object.fromEntries(
    rows.map(({ name, total, indexes }) => [name, { total: +total, indexes: +indexes }]),
  )
}

for (const [when, vacuum] of [
  ['never vacuumed, each is read by itself', ''],
  ['vacuumed, small ones are read together', 'vacuum (analyze)'],
] as const) {
  test(`bytes are those that the server says, with toast, indexes and members: ${when}`, async (t) => {
    const db = await createShop(t)
    await db.sql.unsafe(vacuum)
    const known = await sizes(db.sql)

    const run = await collect(db.sql)

    t.is(run.status, 'SUCCEEDED')
    const found = await stored(db.sql, run.run_id)
    t.deepEqual(Object.keys(found).sort(), Object.keys(known).sort())
    for (const [name, { total }] of Object.entries(known)) {
      const among = (members[name] ?? [name]).map((member) => known[member] as (typeof known)[string])
      const sum = (of: 'total' | 'indexes') => among.reduce((bytes, member) => bytes + member[of], 0)
      t.is(Number(found[name]?.total_bytes), sum('total'), name)
      t.is(Number(found[name]?.index_bytes), sum('indexes'), name)
      t.is(Number(found[name]?.table_bytes), sum('total') - sum('indexes'), name)
      t.is(found[name]?.own_total_bytes, String(name === 'sales' ? 0 : total), name)
    }
    t.true(Number(found.letters?.table_bytes) > 900_000)
    t.is(found.empty?.total_bytes, '0')
  })
}

test('online they are measured too', async (t) => {
  const db = await createShop(t)
  const known = await sizes(db.sql)
  const [{ run_id }] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  for (const _ of ['find them', 'count them'])
    await db.sql`select nms.measure_targets(run_id => ${run_id}, budget => '1 min')`
  await db.sql`select nms.close_run(run_id => ${run_id})`

  const found = await stored(db.sql, run_id)

  t.is(Number(found.orders?.total_bytes), Number(known.orders?.total))
  t.is(Number(found.sales?.total_bytes), Number(known.sales_1?.total) + Number(known.sales_2?.total))
})

test('dead rows, ages and the last vacuum are those of the catalogue, of a parent those of its members', async (t) => {
  const db = await createShop(t)
  await db.sql.unsafe(`
    do $$ begin for n in 1..500 loop begin insert into public.orders values (-n); exception when others then null; end; end loop; end $$
  `)
  for (const table of ['orders', 'letters', 'sales_1', 'sales_2'])
    await db.sql.unsafe(`alter table public.${table} set (autovacuum_enabled = off)`)
  const [{ now }] = await db.sql<[{ now: string }]>`select pg_current_xact_id()::xid::text as now`
  // A vacuum freezes what is older than any snapshot: autovacuum, of the catalogue, may have one.
  const freeze = (table: string, options: string) =>
    eventually(async () => {
      await db.sql.unsafe(`vacuum (freeze, ${options}) ${table}`)
      const [row] = await db.sql`
        select age(relfrozenxid) <= age(${now}::xid) as is_frozen from pg_class where oid = ${table}::regclass
      `
      return row?.is_frozen
    }, `${table} is frozen`)
  // Only its toast is as old as the other tables.
  await freeze('public.letters', 'process_toast false')
  await freeze('public.sales_1', 'analyze')
  await db.sql.unsafe('analyze public.sales')
  const session = db.connect()
  await session.unsafe(
    'delete from public.orders where id between 1 and 70; delete from public.sales where id <= 30',
  )
  await session.end() // then it has told what it did
  const dead = async () => {
    const rows = await db.sql<{ name: string; rows: string }[]>`
      select relname as name, n_dead_tup as rows from pg_stat_user_tables where n_dead_tup > 0
    `
    return Object.fromEntries(rows.map(({ name, rows }) => [name, rows]))
  }
  await eventually(async () => {
    const { orders, sales_1, sales_2 } = await dead()
    return orders === '70' && sales_1 === '30' && sales_2 === '30'
  }, 'the server knows of dead rows')

  const run = await collect(db.sql)

  const found = await stored(db.sql, run.run_id)
  t.deepEqual(
    ['orders', 'sales', 'sales_1', 'sales_2', 'letters'].map((name) => found[name]?.dead_rows),
    ['70', '60', '30', '30', '0'],
  )
  // The run itself took a few transactions: the same for all tables.
  const ages = await db.sql<{ name: string; age: number; toast: number | null }[]>`
    select relation.relname as name, age(relation.relfrozenxid) as age, age(toast.relfrozenxid) as toast
    from pg_class as relation
    left join pg_class as toast on toast.oid = relation.reltoastrelid
    where relation.relnamespace = 'public'::regnamespace and relation.relkind = 'r'
  `
  const since = new Set(
    ages.map(({ name, age, toast }) => Math.max(age, toast ?? 0) - Number(found[name]?.frozen_age)),
  )
  t.is(since.size, 1)
  for (const name of ['letters', 'orders', 'sales'])
    t.true(Number(found[name]?.frozen_age) >= Number(found.sales_1?.frozen_age) + 500, name)
  t.is(found.sales?.frozen_age, found.sales_2?.frozen_age)
  t.deepEqual(
    ['sales', 'sales_1', 'letters', 'orders'].map((name) => [
      found[name]?.last_vacuum !== null,
      found[name]?.last_analyze !== null,
    ]),
    [
      [false, true],
      [true, true],
      [true, false],
      [false, false],
    ],
  )
})

test('without the setting nothing is measured', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)

  const run = await collect(db.sql)

  t.is(run.status, 'SUCCEEDED')
  for (const { table_name, row_count, ...measured } of Object.values(await stored(db.sql, run.run_id))) {
    t.not(row_count, null)
    t.deepEqual(new Set(Object.values(measured)), new Set([null]), table_name)
  }
})

test('a locked table fails as ever and has no bytes, nor has its parent; the others do', async (t) => {
  const db = await createShop(t)
  await db.connect().unsafe('begin; lock table public.sales_1 in access exclusive mode')

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  const found = await stored(db.sql, run.run_id)
  for (const name of ['sales', 'sales_1']) {
    t.is(found[name]?.row_count, null)
    t.is(found[name]?.total_bytes, null)
    t.is(found[name]?.own_total_bytes, null)
  }
  t.not(found.sales_2?.total_bytes, null)
  t.not(found.orders?.total_bytes, null)
})

for (const [when, vacuum] of [
  ['read by itself', ''],
  ['read among others', 'vacuum'],
] as const) {
  test(`a table whose toast is locked is counted without bytes, and so is its parent: ${when}`, async (t) => {
    const db = await createShop(
      t,
      `
        create table public.parcels (region int, body text) partition by list (region);
        create table public.parcels_1 partition of public.parcels for values in (1);
        create table public.parcels_2 partition of public.parcels for values in (2);
        insert into public.parcels select 1 + n % 2, 'parcel ' || n from generate_series(1, 50) as n;
        create table public.other as select generate_series(1, 7) as id;
      `,
    )
    await db.sql.unsafe(vacuum)
    const locker = db.connect()
    const [toast] = await locker<[{ name: string }]>`
      select reltoastrelid::regclass::text as name from pg_class where oid = 'public.parcels_1'::regclass
    `
    await locker.unsafe(`begin; reindex table ${toast.name}`)

    const run = await collect(db.sql)

    t.is(run.status, 'SUCCEEDED')
    const found = await stored(db.sql, run.run_id)
    t.deepEqual(
      Object.values(found).map(({ table_name, row_count, total_bytes }) => [
        table_name,
        row_count,
        total_bytes !== null,
      ]),
      Object.keys(found).map((name) => [
        name,
        { parcels: '50', parcels_1: '25', parcels_2: '25', other: '7' }[name] as string,
        name === 'parcels_2' || name === 'other',
      ]),
    )
    t.is(found.parcels?.table_bytes, null)
    t.is(found.parcels?.index_bytes, null)
    t.is(found.parcels?.own_total_bytes, '0')
    t.not(found.parcels?.frozen_age, null)
  })
}

test('a table that is gone has no bytes, and no error', async (t) => {
  const db = await createDatabase(t)

  const [{ sizes }] = await db.sql<[{ sizes: string }]>`select nms_private.sizes_of(0)::text as sizes`

  t.is(sizes, '(,)')
})
