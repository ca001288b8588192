import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

const sparse = (
  name: string,
  rows: number,
  rest = '(id int) with (fillfactor = 10, autovacuum_enabled = off)',
) => `
  create table ${name} ${rest};
  insert into ${name} select generate_series(1, ${rows});
`

interface Estimate {
  row_count: string
  row_count_low: string
  row_count_high: string
  method: string
  pages_read: string
  pages: string
}

async function estimate(sql: Sql, table: string | null, schema = 'public'): Promise<Estimate> {
  const [found] = await sql<[Estimate]>`select * from nms.estimate_count(${schema}, ${table})`
  return { ...found }
}

const pagesOf = async (sql: Sql, ...tables: string[]) => {
  const [size] = await sql<[{ pages: string }]>`
    select sum(pg_relation_size(name::regclass)) / 8192 as pages from unnest(${tables}::text[]) as name
  `
  return Number(size.pages)
}

const holds = (found: Estimate, rows: number) =>
  Number(found.row_count_low) <= rows &&
  rows <= Number(found.row_count_high) &&
  Math.abs(Number(found.row_count) - rows) <= rows / 50

test('a large table is estimated from 1,000 pages, with its range, without any run', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 30_000))

  const found = await estimate(sql, 'orders')

  t.true(holds(found, 30_000))
  t.is(found.method, 'estimate')
  t.is(found.pages_read, '1000')
  t.is(Number(found.pages), await pagesOf(sql, 'public.orders'))
  t.is((await sql`select from nms.table_metrics_runs`).length, 0)
})

for (const [what, make, rows] of [
  ['a small table', sparse('public.t', 5), 5],
  ['an empty table', sparse('public.t', 0), 0],
  ['a table with none but dead rows', `${sparse('public.t', 30_000)} delete from public.t`, 0],
] as const) {
  test(`what cannot be estimated is counted, and says so: ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(make)
    const pages = `${await pagesOf(sql, 'public.t')}`

    t.deepEqual(await estimate(sql, 't'), {
      row_count: `${rows}`,
      row_count_low: `${rows}`,
      row_count_high: `${rows}`,
      method: 'exact',
      pages_read: pages,
      pages,
    })
  })
}

test('a partitioned table has the sum of its partitions, a parent that of its children and its own', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.sales (id int) partition by hash (id);
    create table public.sales_1 partition of public.sales for values with (modulus 2, remainder 0) with (fillfactor = 10);
    create table public.sales_2 partition of public.sales for values with (modulus 2, remainder 1);
    insert into public.sales select generate_series(1, 60000);
    ${sparse('public.animals', 30_000)}
    ${sparse('public.birds', 7, '() inherits (public.animals)')}
  `)

  const sales = await estimate(sql, 'sales')
  const animals = await estimate(sql, 'animals')

  t.true(holds(sales, 60_000))
  t.is(sales.method, 'estimate')
  t.is(Number(sales.pages_read), 1000 + (await pagesOf(sql, 'public.sales_2')))
  t.is(Number(sales.pages), await pagesOf(sql, 'public.sales_1', 'public.sales_2'))
  t.true(holds(animals, 30_007))
  t.is(animals.pages_read, '1001')
})

test('a name is as the catalogue spells it', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(
    `create schema "Sales.EU"; ${sparse('"Sales.EU"."Or""ders', 4).replaceAll('Or""ders', 'Or""ders"')}`,
  )

  t.is((await estimate(sql, 'Or"ders', 'Sales.EU')).row_count, '4')
})

for (const [what, table, schema] of [
  ['that does not exist', 'nothing', 'public'],
  ['that is a view', 'seen', 'public'],
  ['of ours', 'table_metrics_runs', 'nms'],
  ['of the system', 'pg_class', 'pg_catalog'],
  ['without a name', null, 'public'],
] as const) {
  test(`there is no estimate of a table ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql`create view public.seen as select 1 as id`

    const error = await t.throwsAsync(estimate(sql, table, schema))

    t.is((error as unknown as { code: string }).code, 'P0002')
  })
}

test('a misspelled name is told the one that is most alike', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 1))
  await sql`select from nms.collect_table_metrics()`

  const error = await t.throwsAsync(estimate(sql, 'ordres'))

  t.like(error, { code: 'P0002', hint: 'Did you mean public.orders?' })
})

test('a partition that lies on another server is not read: a run does that', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create foreign data wrapper elsewhere;
    create server away foreign data wrapper elsewhere;
    create table public.sales (id int) partition by list (id);
    create table public.here partition of public.sales for values in (1);
    create foreign table public.there partition of public.sales for values in (2) server away;
  `)

  t.like(await t.throwsAsync(estimate(sql, 'sales')), {
    code: '0A000',
    detail: 'public.there keeps its rows elsewhere than in pages of a heap',
  })
})

test('a locked table is told after a second, and nothing stays locked', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 30_000) + sparse('public.held', 30_000))
  await connect().unsafe('begin; lock table public.held in access exclusive mode')

  t.like(await t.throwsAsync(estimate(sql, 'held')), { code: '55P03', hint: 'Ask again.' })

  await sql.begin(async (transaction) => {
    await estimate(transaction as unknown as Sql, 'orders')
    const locks = await transaction`select from pg_locks where relation = 'public.orders'::regclass`
    t.is(locks.length, 0)
  })
})
