import test from 'ava'
import { createDatabase, rowCounts, type Sql, untilItWaits } from '../../_support/database.ts'

const sales = `
  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  insert into public.sales select 1, generate_series(1, 3);
  insert into public.sales select 2, generate_series(1, 4);
  create table public.other as select generate_series(1, 5) as id;
`

// Planning its count waits at a gate. The newest of the tables: it is counted first.
const gated = `
  create function public.pass_the_gate() returns boolean language plpgsql immutable
  set lock_timeout = '1 min'
  as $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
  create table public.gated as select generate_series(1, 10000) as id;
  create index on public.gated (id) where public.pass_the_gate();
`

async function open(sql: Sql) {
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  return run_id
}

interface Measured {
  tables_counted: string
  changed: string[]
  locked: string[]
}

/** All tables of a run in one call, as a session of an online run would. */
async function measure(sql: Sql, run_id: string, { asOne = false, retryable = [] as string[] } = {}) {
  const [measured] = await sql<[Measured]>`
    select
      result.tables_counted,
      array(select table_name from unnest(result.changed_targets) order by table_name) as changed,
      array(select table_name from unnest(result.locked_targets) order by table_name) as locked
    from nms_private.measure(
      run_id => ${run_id},
      among => array(select found.table_oid from nms_private.find_targets('[]', '[]') as found),
      as_one => ${asOne},
      retryable => ${retryable}
    ) as result
  `
  return measured
}

for (const [what, locked, expected] of [
  ['one partition', ['sales_1'], /^public\.sales_1: /],
  ['all partitions', ['sales_1', 'sales_2'], /^public\.sales_[12]: /],
] as const) {
  test(`a partitioned table of which ${what} cannot be counted has no sum, and the reason names the partition`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(sales)
    const run_id = await open(db.sql)
    for (const table of locked)
      await db.connect().unsafe(`begin; lock table public.${table} in access exclusive mode`)
    const session = db.connect()
    await session`set lock_timeout = '50 ms'`

    await measure(session, run_id)

    const counts = await rowCounts(db.sql, { run_id })
    t.is(counts['public.sales'], null)
    t.is(counts['public.other'], 5)
    for (const table of locked) t.is(counts[`public.${table}`], null)
    const [parent] = await db.sql`
      select error_sqlstate, error_message from nms.table_metrics_measurements where table_name = 'sales'
    `
    t.is(parent?.error_sqlstate, '55P03')
    t.regex(parent?.error_message, expected)
  })
}

test('of a family of which one member is locked nothing is stored where the caller tries again; others are', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(sales)
  const run_id = await open(db.sql)
  await db.connect().unsafe('begin; lock table public.sales_2 in access exclusive mode')

  const measured = await measure(db.sql, run_id, { retryable: ['55P03'] })

  t.deepEqual({ ...measured }, { tables_counted: '1', changed: [], locked: ['sales', 'sales_1', 'sales_2'] })
  t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.other': 5 })
})

for (const [asOne, stored] of [
  [true, {}],
  [false, { 'public.gated': 10_000, 'public.other': 5 }],
] as const) {
  test(`when a partition is rewritten under the snapshot, nothing of its family is stored, ${asOne ? 'and nothing else' : 'others are'}`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
      ${sales}
      ${gated}
    `)
    const run_id = await open(db.sql)
    const [holder, session] = [db.connect(), db.connect()]
    await holder.unsafe('begin; select pg_advisory_xact_lock(4711)')
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
    const measuring = measure(session, run_id, { asOne, retryable: ['NM001'] })
    await untilItWaits(db.sql, pid)
    await db.sql.begin((transaction) =>
      transaction.unsafe(`
        delete from public.sales_1 where id <= 2;
        truncate public.sales_2;
        insert into public.sales_2 select 2, generate_series(1, 6);
      `),
    )
    await holder`rollback`

    const { changed } = await measuring

    for (const table of ['sales', 'sales_1', 'sales_2']) t.true(changed.includes(table), table)
    t.deepEqual(await rowCounts(db.sql, { run_id }), stored)
  })
}

test('what changed under the snapshot is seen beside a child that cannot be counted', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.old as select 1 as id;
    create table public.parent as select generate_series(1, 2) as id;
    create table public.child () inherits (public.parent);
    ${gated}
  `)
  const run_id = await open(db.sql)
  const [holder, session] = [db.connect(), db.connect()]
  await holder.unsafe('begin; select pg_advisory_xact_lock(4711)')
  await session`set lock_timeout = '50 ms'`
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const measuring = measure(session, run_id, { asOne: true, retryable: ['NM001'] })
  await untilItWaits(db.sql, pid)
  await db.sql`truncate only public.parent`
  await db.connect().unsafe('begin; lock table public.child in access exclusive mode')
  await holder`rollback`

  const { changed } = await measuring

  t.deepEqual(changed, ['child', 'gated', 'old', 'parent'])
  t.deepEqual(await rowCounts(db.sql, { run_id }), {})
})
