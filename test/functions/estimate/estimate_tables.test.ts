import test from 'ava'
import { collect, createDatabase, type Run, type Sql, untilItWaits } from '../../_support/database.ts'
import { hostileNames } from '../../_support/hostile_tables.ts'

/** A table of so many rows with 22 of them on a page: 25,000 take more pages than a sample has. */
const sparse = (name: string, rows: number, like = '(id int)') => `
  create table ${name} ${like} with (fillfactor = 10, autovacuum_enabled = off);
  insert into ${name} select generate_series(1, ${rows});
`
const rule = (schema: string, table: string, method = 'estimate') =>
  `insert into nms.table_metrics_count_rules (schema_name, table_name, method) values ('${schema}', '${table}', '${method}');`

interface Measurement {
  row_count: string | null
  own_row_count: string | null
  row_count_low: string | null
  row_count_high: string | null
  method: string
  error_sqlstate: string | null
}

async function measurements(sql: Sql, { run_id }: Pick<Run, 'run_id'>): Promise<Record<string, Measurement>> {
  const rows = await sql<(Measurement & { table_name: string })[]>`
    select table_name, row_count, own_row_count, row_count_low, row_count_high, method, error_sqlstate
    from nms.table_metrics_measurements
    where run_id = ${run_id}
  `
  return Object.fromEntries(rows.map(({ table_name, ...measurement }) => [table_name, measurement]))
}

const methods = (measured: Record<string, Measurement>) =>
  Object.fromEntries(Object.entries(measured).map(([name, { method }]) => [name, method]))

const holds = ({ row_count_low: low, row_count: count, row_count_high: high }: Measurement, rows: number) =>
  Number(low) <= rows && rows <= Number(high) && Math.abs(Number(count) - rows) <= rows / 50

const exactly = (rows: number) => ({
  row_count: `${rows}`,
  own_row_count: `${rows}`,
  row_count_low: null,
  row_count_high: null,
  method: 'exact',
  error_sqlstate: null,
})

test('what a rule names is estimated, with its range; the others are counted', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(
    sparse('public.orders', 30_000) + sparse('public.items', 30_000) + rule('public', 'orders'),
  )

  const { orders, items } = await measurements(sql, await collect(sql))

  t.is(orders?.method, 'estimate')
  t.true(holds(orders as Measurement, 30_000))
  t.is(orders?.own_row_count, orders?.row_count as string)
  t.deepEqual(items, exactly(30_000))
})

test('the snapshots have the estimate itself', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 30_000) + rule('public', 'orders'))

  const run = await collect(sql)

  const { orders } = await measurements(sql, run)
  const [snapshot] =
    await sql`select payload from nms.table_metrics_run_snapshot where run_id = ${run.run_id}`
  t.deepEqual(snapshot?.payload, { public: { orders: Number(orders?.row_count) } })
})

test('what 1,000 pages hold is counted, and what has no row in a sample', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    ${sparse('public.small', 3)}
    ${sparse('public.analyzed', 5)}
    ${sparse('public.thousand_pages', 22_000)}
    ${sparse('public.emptied', 30_000)}
    analyze public.analyzed;
    delete from public.emptied;
    ${rule('*', '*')}
  `)

  t.deepEqual(await measurements(sql, await collect(sql)), {
    small: exactly(3),
    analyzed: exactly(5),
    thousand_pages: exactly(22_000),
    emptied: exactly(0),
  })
})

test('a partitioned table is as sure as its partitions together', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.sales (id int) partition by hash (id);
    create table public.sales_1 partition of public.sales for values with (modulus 3, remainder 0) with (fillfactor = 10);
    create table public.sales_2 partition of public.sales for values with (modulus 3, remainder 1) with (fillfactor = 10);
    create table public.sales_3 partition of public.sales for values with (modulus 3, remainder 2);
    insert into public.sales select generate_series(1, 90000);
    ${rule('public', 'sales')}
  `)

  const { sales, ...parts } = await measurements(sql, await collect(sql))

  t.deepEqual(methods(parts), { sales_1: 'estimate', sales_2: 'estimate', sales_3: 'exact' })
  const sum = (column: 'row_count' | 'row_count_low' | 'row_count_high') =>
    Object.values(parts).reduce((total, part) => total + Number(part[column] ?? part.row_count), 0)
  t.deepEqual(sales, {
    row_count: `${sum('row_count')}`,
    own_row_count: '0',
    row_count_low: `${sum('row_count_low')}`,
    row_count_high: `${sum('row_count_high')}`,
    method: 'estimate',
    error_sqlstate: null,
  })
  t.true(holds(sales as Measurement, 90_000))
})

test('the rule of a table wins over that of its parent, of its schema and of all', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema other;
    ${sparse('other.a', 30_000)}
    ${sparse('public.b', 30_000)}
    ${sparse('public.c', 30_000)}
    create table public.d () inherits (public.c) with (fillfactor = 10);
    insert into public.d select generate_series(1, 30000);
    create table public.e () inherits (public.c) with (fillfactor = 10);
    insert into public.e select generate_series(1, 30000);
    ${rule('*', '*')}
    ${rule('public', '*', 'exact')}
    ${rule('public', 'c')}
    ${rule('public', 'e', 'exact')}
  `)

  t.deepEqual(methods(await measurements(sql, await collect(sql))), {
    a: 'estimate',
    b: 'exact',
    c: 'estimate',
    d: 'estimate',
    e: 'exact',
  })
})

test('an estimate is of the snapshot of the run, as counts are', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 30_000) + rule('public', 'orders'))
  const collector = connect()
  await collector.unsafe('begin isolation level repeatable read; select from pg_class')
  await sql`insert into public.orders select generate_series(1, 30000)`
  await sql`delete from public.orders where id > 15000`

  const [run] = await collector<[Run]>`select * from nms.collect_table_metrics()`
  await collector`commit`

  t.true(holds((await measurements(sql, run)).orders as Measurement, 30_000))
})

for (const [what, change] of Object.entries({
  truncated: 'truncate public.orders; insert into public.orders select generate_series(1, 30000)',
  rewritten: 'alter table public.orders alter id type bigint',
  dropped: 'drop table public.orders',
})) {
  test(`a table that is ${what} after the snapshot has no estimate, rather than a false one`, async (t) => {
    const { sql, connect } = await createDatabase(t)
    await sql.unsafe(sparse('public.orders', 30_000) + rule('public', 'orders'))
    const collector = connect()
    await collector.unsafe('begin isolation level repeatable read; select from pg_class')
    await sql.unsafe(change)

    const [run] = await collector<[Run]>`select * from nms.collect_table_metrics()`
    await collector`commit`

    t.is(run.status, 'FAILED')
    t.regex(run.error_message as string, /NM001/)
    const { orders } = await measurements(sql, run)
    t.is(orders?.row_count ?? null, null)
  })
}

test('online, a table that is rewritten while it is estimated is estimated again', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create function public.pass() returns boolean language plpgsql immutable set lock_timeout = '1 min'
    as $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
    ${sparse('public.orders', 30_000)}
    ${sparse('public.gated', 30_000)}
    create index on public.gated (id) where public.pass();
    ${rule('public', '*')}
  `)
  const [holder, session] = [connect(), connect()]
  const [{ run_id }] = await session<[{ run_id: string }]>`select nms.open_run() as run_id`
  await holder`select pg_advisory_lock(4711)`
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const measuring = session`
    select from nms_private.measure(
      ${run_id}, array(select table_oid from nms_private.find_targets('[]', '[]')), true, '{NM001}'
    )
  `.execute()
  await untilItWaits(sql, pid)
  await sql`truncate public.orders`
  await sql`insert into public.orders select generate_series(1, 60000)`
  await holder`select pg_advisory_unlock(4711)`
  await measuring
  t.deepEqual(await measurements(sql, { run_id }), {}, 'nothing of a snapshot that one of them has left')

  for (let n = 0; n < 3; n++) await session`select from nms.measure_targets(${run_id})`
  await session`select from nms.close_run(${run_id})`

  const { orders, gated } = await measurements(sql, { run_id })
  t.deepEqual([orders?.method, gated?.method], ['estimate', 'estimate'])
  t.true(holds(orders as Measurement, 60_000))
  t.true(holds(gated as Measurement, 30_000))
})

test('no lock outlasts an estimate, and a table that is locked has its reason', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(sparse('public.orders', 30_000) + sparse('public.held', 30_000) + rule('public', '*'))
  await sql`update nms.table_metrics_settings set lock_timeout = '100 ms'`
  const holder = connect()
  await holder.unsafe('begin; lock table public.held in access exclusive mode')
  const collector = connect()
  await collector`begin`

  const [run] = await collector<[Run]>`select * from nms.collect_table_metrics()`

  const locks = await sql`
    select from pg_locks where relation = 'public.orders'::regclass and pid <> pg_backend_pid()
  `
  t.is(locks.length, 0)
  await collector`commit`
  const { orders, held } = await measurements(sql, run)
  t.is(orders?.method, 'estimate')
  t.deepEqual(held, {
    row_count: null,
    own_row_count: null,
    row_count_low: null,
    row_count_high: null,
    method: 'exact',
    error_sqlstate: '55P03',
  })
})

test('code of an owner that runs meanwhile writes nothing, and no name leads elsewhere', async (t) => {
  const { sql } = await createDatabase(t)
  const columns = '(stored int, drawn tid, page tid, part int, number int, rows int)'
  await sql.unsafe(`
    create sequence public.drain;
    create function public.spend() returns boolean language plpgsql immutable as $$ begin return true; end $$;
    ${sparse('public.orders', 30_000)}
    create index on public.orders (id) where public.spend();
    create or replace function public.spend() returns boolean language plpgsql immutable
    as $$ begin perform nextval('public.drain'); return true; end $$;
    ${sparse('public.named', 30_000, columns)}
    select setval('public.drain', 1000);
    ${rule('*', '*')}
  `)

  const { orders, named } = await measurements(sql, await collect(sql))

  t.is(orders?.error_sqlstate, '25006')
  t.is(orders?.row_count, null)
  t.true(holds(named as Measurement, 30_000))
  const [drain] = await sql`select last_value from public.drain`
  t.is(drain?.last_value, '1000')
})

test('a table may be called anything', async (t) => {
  const { sql } = await createDatabase(t)
  const names = hostileNames.slice(0, 8)
  for (const name of names) {
    await sql`create table public.${sql(name.replaceAll('.', '!'))} (id int) with (fillfactor = 10)`
    await sql`insert into public.${sql(name.replaceAll('.', '!'))} select generate_series(1, 25000)`
  }
  await sql.unsafe(rule('public', '*'))

  const measured = await measurements(sql, await collect(sql))

  t.deepEqual(Object.keys(measured).sort(), names.map((name) => name.replaceAll('.', '!')).sort())
  for (const [name, measurement] of Object.entries(measured)) {
    t.is(measurement.method, 'estimate', name)
    t.true(holds(measurement, 25_000), name)
  }
})

test('a policy hides nothing from an estimate: it is an error', async (t) => {
  const db = await createDatabase(t)
  const role = await db.createRole('nosuperuser nobypassrls')
  await db.sql.unsafe(`
    ${sparse('public.filtered', 30_000)}
    alter table public.filtered enable row level security;
    create policy half on public.filtered using (id % 2 = 0);
    grant select on public.filtered to ${role.name};
    grant usage on schema nms, nms_private to ${role.name};
    grant execute on all functions in schema nms_private to ${role.name};
  `)

  const error = await t.throwsAsync(
    role.connect()`select nms_private.estimate_rows('public.filtered'::regclass)`,
  )

  t.is((error as unknown as { code: string }).code, '42501')
})
