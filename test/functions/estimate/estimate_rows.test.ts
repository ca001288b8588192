import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

interface Estimate {
  row_count: string | null
  row_count_low: string | null
  row_count_high: string | null
}

/** So many estimates of one table, each of other pages. */
async function estimates(sql: Sql, table: string, tries: number, seed = 0.5): Promise<Estimate[]> {
  return sql.begin(async (tx) => {
    await tx`select setseed(${seed})`
    return tx<Estimate[]>`
      select sample.*
      from generate_series(1, ${tries}) as try
      cross join lateral nms_private.estimate_rows(table_oid => (${table}::regclass::oid::bigint + 0 * try)::oid) as sample
    `
  })
}

const held = (rows: number) => (estimate: Estimate) =>
  Number(estimate.row_count_low) <= rows && rows <= Number(estimate.row_count_high)

const errorOf = (rows: number) => (estimate: Estimate) => Math.abs(Number(estimate.row_count) - rows) / rows

/** How often the range has the number of rows, per hundred. */
const coverage = (found: Estimate[], rows: number) => (100 * found.filter(held(rows)).length) / found.length

/** Pages that a table has, each with the number of rows that `rows` says of its number, from 0 on. */
const filled = (table: string, pages: number, rows: string) => `
  create table ${table} (page int, place int, rest text) with (autovacuum_enabled = off, fillfactor = 100);
  alter table ${table} alter rest set storage plain;
  select setseed(0.25);
  create temporary table fill on commit drop as
  select page, (${rows})::int as rows from generate_series(0, ${pages - 1}) as page;
  -- 226 rows of 36 bytes fill a page. Where there are less, the last one is as large as those that are missing.
  insert into ${table}
  select fill.page, place, case when place = fill.rows then repeat('x', greatest((226 - place) * 36 - 40, 0)) end
  from fill
  cross join lateral generate_series(0, least(fill.rows, 225)) as place;
  delete from ${table} where rest is not null;
`

const rowsOf = async (sql: Sql, table: string) => {
  const [{ rows }] = await sql<[{ rows: string }]>`select count(*) as rows from ${sql(table)}`
  return Number(rows)
}

const insertRows = (from: number, to: number) =>
  `insert into public.t select id, rpad('row ' || id, 50) from generate_series(${from}, ${to}) as id`
const rolledBack = insertRows(1, 250_000)

/** States in which other estimates go astray. All have many more pages than a sample. */
const states: Record<string, { make: string[]; rows: number; within: number }> = {
  'never analyzed': { make: [], rows: 250_000, within: 0.005 },
  'a fifth of the rows added since it was analyzed': {
    make: ['analyze public.t', insertRows(250_001, 300_000)],
    rows: 300_000,
    within: 0.005,
  },
  'every other row deleted': {
    make: ['analyze public.t', 'delete from public.t where id % 2 = 0'],
    rows: 125_000,
    within: 0.005,
  },
  'the first half deleted': {
    make: ['analyze public.t', 'delete from public.t where id <= 125000'],
    rows: 125_000,
    within: 0.01,
  },
  'the last half deleted, and vacuumed': {
    make: ['delete from public.t where id > 125000 and id < 250000', 'vacuum public.t'],
    rows: 125_001,
    within: 0.01,
  },
  'every row updated': { make: [`update public.t set note = note || '!'`], rows: 250_000, within: 0.01 },
  'as many rows rolled back': {
    make: [rolledBack],
    rows: 250_000,
    within: 0.01,
  },
  'wide rows added': {
    make: [`insert into public.t select id, repeat('w', 1900) from generate_series(1, 5000) as id`],
    rows: 255_000,
    within: 0.02,
  },
  'rows with toast added': {
    make: [
      'alter table public.t alter note set storage external',
      `insert into public.t select id, repeat('t', 9000) from generate_series(1, 5000) as id`,
    ],
    rows: 255_000,
    within: 0.02,
  },
}

for (const [state, { make, rows, within }] of Object.entries(states)) {
  test(`the estimate is near, and its range has the number of rows: ${state}`, async (t) => {
    const { sql, connect } = await createDatabase(t)
    await sql.unsafe(`
      create table public.t (id int, note text) with (autovacuum_enabled = off);
      ${insertRows(1, 250_000)};
    `)
    const session = connect()
    for (const statement of make) {
      if (statement === rolledBack) await session`begin`
      await session.unsafe(statement)
      if (statement === rolledBack) await session`rollback`
    }
    t.is(await rowsOf(sql, 'public.t'), rows)

    const found = await estimates(sql, 'public.t', 20)

    t.deepEqual(
      found.filter((estimate) => !held(rows)(estimate)),
      [],
    )
    t.true(Math.max(...found.map(errorOf(rows))) <= within, `errors of ${found.map(errorOf(rows))}`)
  })
}

// Of the last three, a range of 2.6 standard deviations has the number in 96 of 100 tries at most.
for (const [fill, rows] of Object.entries({
  'pages filled at random': 'floor(random() * 227)',
  'one page in 200 has rows': 'case when random() < 0.005 then 226 else 0 end',
  'one page in 500 is full, the others have 4 rows': 'case when random() < 0.002 then 226 else 4 end',
  'one page in 300 is empty, the others full': 'case when random() < 1 / 300.0 then 0 else 226 end',
})) {
  test(`99 of 100 ranges have the number of rows: ${fill}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(filled('public.t', 6000, rows))
    const [size] = await sql`select pg_relation_size('public.t') / 8192 as pages`
    t.is(size?.pages, '6000')
    const expected = await rowsOf(sql, 'public.t')

    const found = (await estimates(sql, 'public.t', 200)).filter(({ row_count }) => row_count !== null)

    t.true(coverage(found, expected) >= 99, `${coverage(found, expected)} of 100`)
    t.false(found.some(({ row_count }) => row_count === '0'))
    const mean = found.reduce((sum, { row_count }) => sum + Number(row_count), 0) / found.length
    if (found.length === 200) t.true(Math.abs(mean - expected) < 0.25 * expected, `${mean}, not ${expected}`)
  })
}

test('rows on nothing but the last pages: never 0, and never surer than that', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(filled('public.t', 6000, 'case when page >= 5999 then 200 else 0 end'))

  const found = await estimates(sql, 'public.t', 100)

  // One of the six pages of the last part: most samples do not meet it, and say nothing.
  const met = found.filter(({ row_count }) => row_count !== null)
  t.true(met.length > 0 && met.length < 50, `${met.length} of 100`)
  t.deepEqual(
    met.filter((estimate) => !held(200)(estimate)),
    [],
  )
  t.false(met.some(({ row_count, row_count_low }) => row_count === '0' || row_count_low === '0'))
})

test('what was not seen may be full: the range reaches as high as that', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(filled('public.t', 6000, '(page % 6 = 0)::int'))

  for (const { row_count_low, row_count_high } of await estimates(sql, 'public.t', 20)) {
    t.true(Number(row_count_high) >= (3 / 1000) * 6000 * 291, row_count_high as string)
    t.true(Number(row_count_low) >= 100, 'one of six pages of the sample has a row')
  }
})

/** A table without a page more than its rows take: 226 rows a page. */
async function packed(sql: Sql, rows: number) {
  await sql.unsafe(`create table public.t as select generate_series(1, ${rows}) as id`)
  await sql`vacuum full public.t`
}

for (const [table, make] of Object.entries<(sql: Sql) => Promise<unknown>>({
  'an empty table': (sql) => packed(sql, 0),
  'one page': (sql) => packed(sql, 226),
  'exactly 1,000 pages': (sql) => packed(sql, 226_000),
  'nothing but dead rows': async (sql) => {
    await packed(sql, 500_000)
    await sql`alter table public.t set (autovacuum_enabled = off)`
    await sql`delete from public.t`
  },
})) {
  test(`there is no estimate where only a count can tell: ${table}`, async (t) => {
    const { sql } = await createDatabase(t)
    await make(sql)

    t.deepEqual(
      (await estimates(sql, 'public.t', 3)).map((estimate) => ({ ...estimate })),
      Array(3).fill({ row_count: null, row_count_low: null, row_count_high: null }),
    )
  })
}

test('one page more than a sample: all but one of the pages are read', async (t) => {
  const { sql } = await createDatabase(t)
  await packed(sql, 226_001)

  for (const estimate of await estimates(sql, 'public.t', 20)) {
    t.true(held(226_001)(estimate))
    t.true(Number(estimate.row_count_low) >= 225_775, 'that is what the pages that were read have')
    t.true(errorOf(226_001)(estimate) <= 0.002)
  }
})

test('a sample reads 1,000 pages, each once, whatever pages are said to cost', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.t (id int) with (autovacuum_enabled = off);
    insert into public.t select generate_series(1, 500000);
    create index on public.t (id) where id > 0;
    analyze public.t;
  `)

  for (const cost of [0, 4, 1000]) {
    const [{ 'QUERY PLAN': plan }] = await sql.begin(async (tx) => {
      await tx.unsafe(`set local random_page_cost = ${cost}; set local enable_tidscan = off`)
      await tx`select nms_private.estimate_rows('public.t'::regclass)` // the session knows the catalogue
      return tx.unsafe<
        [{ 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number } }] }]
      >(`explain (analyze, buffers, format json) select nms_private.estimate_rows('public.t'::regclass)`)
    })
    const { Plan } = plan[0]
    const pages = Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks']
    t.true(pages >= 1000 && pages < 1100, `${pages} pages, those of the catalogue among them`)
  }
})
