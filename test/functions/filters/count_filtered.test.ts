import test from 'ava'
import { collect, createDatabase, rowCounts, type Sql } from '../../_support/database.ts'
import { addFilter, filteredCounts } from '../../_support/filters.ts'

// 60 rows: every third is active, every fourth deleted, of three one is paid, one is not, and of one nobody knows.
const orders = `
  create type public.mood as enum ('happy', 'sad');
  create table public.orders (
    id int primary key, status varchar(20), code char(3), deleted_at timestamptz, paid boolean, mood public.mood,
    price numeric, doubled int generated always as (id * 2) stored, "Odd ""name" int
  );
  insert into public.orders (id, status, code, deleted_at, paid, mood, price, "Odd ""name")
  select
    id,
    case when id % 3 = 0 then 'active' else 'it''s \\gone' end,
    case when id % 2 = 0 then 'a' else 'b' end,
    case when id % 4 = 0 then now() end,
    case id % 3 when 0 then true when 1 then false end,
    case when id % 5 = 0 then 'sad' else 'happy' end::public.mood,
    id % 6,
    id % 10
  from generate_series(1, 60) as id;
`
const tests: [name: string, test: unknown, rows: number][] = [
  ['deleted', { column: 'deleted_at', is: 'not null' }, 15],
  ['kept', { column: 'deleted_at', is: 'null' }, 45],
  ['paid', { column: 'paid', is: 'true' }, 20],
  ['unpaid', { column: 'paid', is: false }, 20],
  ['unknown', { column: 'paid', is: 'null' }, 20],
  ['active', { column: 'status', equals: 'active' }, 20],
  ['gone', { column: 'status', equals: "it's \\gone" }, 40],
  ['none', { column: 'status', equals: 'Active' }, 0],
  ['padded', { column: 'code', equals: 'a' }, 30],
  ['sad', { column: 'mood', equals: 'sad' }, 12],
  ['number', { column: 'price', equals: 2.0 }, 10],
  ['generated', { column: 'doubled', equals: 8 }, 1],
  ['is paid', { column: 'paid', equals: true }, 20],
  ['Odd "one', { column: 'Odd "name', equals: 7 }, 6],
]

// Small tables of known size are read several at a time, but not those with filters.
for (const [size, analyze] of [
  ['unknown size', ''],
  ['known size', 'analyze;'],
] as const) {
  test(`the rows that match each filter are counted beside all rows: ${size}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(orders)
    await sql.unsafe(`create table public.plain as select generate_series(1, 5) as id; ${analyze}`)
    for (const [name, test] of tests) await addFilter(sql, 'public.orders', name, test)

    const run = await collect(sql)

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await rowCounts(sql, run), { 'public.orders': 60, 'public.plain': 5 })
    t.deepEqual(
      await filteredCounts(sql, run),
      Object.fromEntries(tests.map(([name, , rows]) => [`public.orders ${name}`, rows]).sort()),
    )
  })
}

test('a filter of a table holds for its partitions, and is the sum of theirs', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(log)
  await addFilter(sql, 'public.log', 'bad', { column: 'is_bad', is: 'true' })
  await addFilter(sql, 'public.log_2', 'good', { column: 'is_bad', is: 'false' })

  const run = await collect(sql, { exclude: ['public.log_1b'] })

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await filteredCounts(sql, run), {
    'public.log bad': 6 + 3 + 2,
    'public.log_1 bad': 6 + 3,
    'public.log_1a bad': 6,
    'public.log_2 bad': 2,
    'public.log_2 good': 8,
  })
})

test('a filter of a parent in inheritance holds for its children, each row once', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.persons (id int, gone boolean);
    create table public.authors () inherits (public.persons);
    create table public.editors () inherits (public.persons);
    create table public.both () inherits (public.authors, public.editors);
    insert into public.persons select id, id = 1 from generate_series(1, 4) as id;
    insert into public.authors select id, id <= 2 from generate_series(1, 4) as id;
    insert into public.both select id, id <= 3 from generate_series(1, 4) as id;
  `)
  await addFilter(sql, 'public.persons', 'gone', { column: 'gone', is: 'true' })

  const run = await collect(sql)

  t.deepEqual(await filteredCounts(sql, run), {
    'public.authors gone': 2 + 3,
    'public.both gone': 3,
    'public.editors gone': 3,
    'public.persons gone': 1 + 2 + 3,
  })
})

test('a partitioned table without partitions has no rows that match', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.log (id int, is_bad boolean) partition by range (id)`
  await addFilter(sql, 'public.log', 'bad', { column: 'is_bad', is: 'true' })

  t.deepEqual(await filteredCounts(sql, await collect(sql)), { 'public.log bad': 0 })
})

test('a partition that has another filter of the same name cannot be added to the others', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(log)
  await addFilter(sql, 'public.log', 'bad', { column: 'is_bad', is: 'true' })
  await addFilter(sql, 'public.log_2', 'bad', { column: 'is_bad', is: 'null' })

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.like(await filteredCounts(sql, run), {
    'public.log bad': '42710',
    'public.log_2 bad': 0,
    'public.log_1 bad': 9,
  })
  const [{ error_message }] = await sql<[{ error_message: string }]>`
    select error_message from nms.table_metrics_filtered_counts where table_name = 'log'
  `
  t.regex(error_message, /^public\.log_2: /)
})

test('a filter that cannot be counted says why, and is a warning; the table is counted, the run succeeds', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(orders)
  await addFilter(db.sql, 'public.orders', 'kept', { column: 'deleted_at', is: 'null' })
  await addFilter(db.sql, 'public.orders', 'dropped', { column: 'price', equals: 1 })
  await addFilter(db.sql, 'public.orders', 'retyped', { column: 'paid', is: 'true' })
  await addFilter(db.sql, 'public.orders', 'no number', { column: 'id', equals: 'four' })
  await db.sql`alter table public.orders drop column price, alter column paid type text`
  const warnings: Record<string, string>[] = []
  const sql = db.connect({ onnotice: (notice) => warnings.push(notice as never) })

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 60 })
  t.deepEqual(await filteredCounts(sql, run), {
    'public.orders dropped': '42703',
    'public.orders kept': 45,
    'public.orders no number': '22P02',
    'public.orders retyped': '42804',
  })
  t.deepEqual(warnings.map(({ severity, code }) => `${severity} ${code}`).sort(), [
    'WARNING 22P02',
    'WARNING 42703',
    'WARNING 42804',
  ])
  for (const { message, hint } of warnings) {
    t.regex(message ?? '', /of public\.orders was not counted/)
    t.regex(hint ?? '', /nms\.table_metrics_filters/)
  }
})

test('when a table cannot be counted, its filters are not either', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(orders)
  await addFilter(sql, 'public.orders', 'kept', { column: 'deleted_at', is: 'null' })
  await sql`update nms.table_metrics_settings set lock_timeout = '20 ms'`
  const run = await whileLocked(connect(), () => collect(sql))

  t.is(run.status, 'FAILED')
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': null })
  t.deepEqual(await filteredCounts(sql, run), { 'public.orders kept': '55P03' })
})

test('an online run counts filters as well, and keeps none of a table that was dropped', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(orders)
  await sql`create table public.short as table public.orders`
  for (const table of ['public.orders', 'public.short']) {
    await addFilter(sql, table, 'kept', { column: 'deleted_at', is: 'null' })
  }
  const [run] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await sql`select nms.measure_targets(run_id => ${run.run_id}, budget => '0')`
  await sql`drop table public.short`
  for (let finished = false; !finished; ) {
    const [state] = await sql<[{ is_finished: boolean }]>`
      select is_finished from nms.measure_targets(run_id => ${run.run_id})
    `
    finished = state.is_finished
  }
  const [{ status }] = await sql<
    [{ status: string }]
  >`select status from nms.close_run(run_id => ${run.run_id})`

  t.is(status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 60 })
  t.deepEqual(await filteredCounts(sql, run), { 'public.orders kept': 45 })
})

test('the counts of filters go with their run', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(orders)
  await addFilter(sql, 'public.orders', 'kept', { column: 'deleted_at', is: 'null' })
  const runs = [await collect(sql), await collect(sql)] as const

  await sql`delete from nms.table_metrics_runs where run_id = ${runs[0].run_id}`

  t.deepEqual(await filteredCounts(sql, runs[0]), {})
  t.deepEqual(await filteredCounts(sql, runs[1]), { 'public.orders kept': 45 })
  await sql`truncate nms.table_metrics_runs cascade`
  t.deepEqual(await filteredCounts(sql, runs[1]), {})
})

// log_1 has 10 + 10 rows in its two partitions, log_2 10; 6, 3 and 2 of them are bad.
const log = `
  create table public.log (id int, is_bad boolean) partition by range (id);
  create table public.log_1 partition of public.log for values from (0) to (20) partition by range (id);
  create table public.log_1a partition of public.log_1 for values from (0) to (10);
  create table public.log_1b partition of public.log_1 for values from (10) to (20);
  create table public.log_2 partition of public.log for values from (20) to (30);
  insert into public.log
  select id, id < 6 or id between 10 and 12 or id >= 28 from generate_series(0, 29) as id;
`

async function whileLocked<T>(other: Sql, work: () => Promise<T>): Promise<T> {
  try {
    await other`begin`
    await other`lock table public.orders`
    return await work()
  } finally {
    await other`rollback`
  }
}

test('what is neither a filter nor a function is refused by the name of what must hold', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders ()`

  t.like(
    await t.throwsAsync(
      sql`insert into nms.table_metrics_filters (schema_name, table_name, filter_name) values ('public', 'orders', 'none')`,
    ),
    { code: '23514', constraint_name: 'either_a_filter_or_a_function' },
  )
})
