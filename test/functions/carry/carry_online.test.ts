import test from 'ava'
import { createCarrying, flush, naive } from '../../_support/carrying.ts'
import { countQueued, finishOnline, measure, openOnline, runOnline } from '../../_support/carrying_online.ts'
import { collect, type Sql, type TestDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

const shop = `
  create table orders (id int) with (autovacuum_enabled = off);
  insert into orders select generate_series(1, 100);
  create table items (id int) with (autovacuum_enabled = off);
  insert into items select generate_series(1, 30);
`
const days = `
  create table days (id int) partition by range (id);
  create table day_1 partition of days for values from (1) to (11);
  create table day_2 partition of days for values from (11) to (21);
  create table day_3 partition of days for values from (21) to (31);
  insert into days select generate_series(1, 30);
`

test('an online run carries what has not changed, and does not read it', async (t) => {
  const { sql, carries } = await createCarrying(t, shop)
  await flush(sql)
  const blocks = async () => {
    await sql`select pg_stat_clear_snapshot()`
    const [read] = await sql<[{ blocks: number; scans: number }]>`
      select sum(coalesce(heap_blks_read + heap_blks_hit, 0))::int as blocks, sum(seq_scan)::int as scans
      from pg_statio_user_tables join pg_stat_user_tables using (relid)
      where pg_statio_user_tables.relname in ('orders', 'items')
    `
    return read
  }
  const before = await blocks()

  const found = await runOnline(sql)

  await flush(sql)
  const carried = carries ? 'carried' : 'exact'
  t.like(found['public.orders'], { count: 100, method: carried })
  t.like(found['public.items'], { count: 30, method: carried })
  if (carries) t.deepEqual(await blocks(), before)
})

test('what an online run has counted is carried by later runs of either kind', async (t) => {
  const { sql, carries, run } = await createCarrying(t, `${shop} ${days}`)
  await sql`delete from nms_private.bases`
  const first = await runOnline(sql)
  const [{ counted_by } = { counted_by: 0 }] =
    await sql`select max(run_id)::int as counted_by from nms.table_metrics_runs`
  const online = await runOnline(sql)
  const oneSnapshot = await run()

  t.is(first['public.orders']?.method, 'exact')
  for (const found of [online, oneSnapshot]) {
    for (const [table, count] of Object.entries({ orders: 100, items: 30, days: 30, day_1: 10 })) {
      t.deepEqual(found[`public.${table}`], {
        count,
        method: carries ? 'carried' : 'exact',
        from: carries ? counted_by : null,
      })
    }
  }
})

test('an online run counts whatever has changed the number of rows', async (t) => {
  const { sql, carries } = await createCarrying(
    t,
    ['inserted', 'deleted', 'updated', 'truncated', 'rewritten', 'untouched']
      .map((name) => `create table ${name} (id int); insert into ${name} select generate_series(1, 10);`)
      .join('\n'),
  )
  await sql`insert into inserted values (11)`
  await sql`delete from deleted where id <= 3`
  await sql`update updated set id = id + 1`
  await sql`truncate truncated`
  await sql`vacuum full rewritten`
  await flush(sql)

  const found = await runOnline(sql)

  const carried = carries ? 'carried' : 'exact'
  t.deepEqual(
    Object.fromEntries(
      Object.entries(found).map(([name, { count, method }]) => [name.slice(7), [count, method]]),
    ),
    {
      inserted: [11, 'exact'],
      deleted: [7, 'exact'],
      updated: [10, carried],
      truncated: [0, 'exact'],
      rewritten: [10, 'exact'],
      untouched: [10, carried],
    },
  )
})

test('of a family an online run counts what has changed, and carries the rest as of that snapshot', async (t) => {
  const { sql, carries } = await createCarrying(t, `${days} ${shop}`)
  await sql`insert into days values (15)`
  await flush(sql)

  const found = await runOnline(sql)

  const carried = carries ? 'carried' : 'exact'
  t.deepEqual(
    ['days', 'day_1', 'day_2', 'day_3'].map((name) => [
      found[`public.${name}`]?.count,
      found[`public.${name}`]?.method,
    ]),
    [
      [31, carried],
      [10, carried],
      [11, 'exact'],
      [10, carried],
    ],
  )
})

test('rows that move between partitions while an online run waits are there once', async (t) => {
  const { db, sql } = await createCarrying(t, days)
  const other = db.connect()
  await sql`insert into days values (15)`
  await flush(sql)
  const release = await keepWaiting(db)
  const run_id = await openOnline(sql)
  await countQueued(sql, run_id)
  await other.unsafe('update days set id = 5 where id = 15')
  await flush(other)
  // Its base is younger than the snapshot under which the first partition was counted.
  await collect(other)
  await release()

  const found = await finishOnline(sql, run_id)

  t.is(found['public.days']?.count, 31)
  t.is(
    ['day_1', 'day_2', 'day_3'].reduce((sum, name) => sum + (found[`public.${name}`]?.count ?? 0), 0),
    31,
  )
})

const changes: { what: string; change: string; after: Record<string, number>[] }[] = [
  {
    what: 'is written to',
    change: 'insert into orders values (101)',
    after: [
      { orders: 100, items: 30 },
      { orders: 101, items: 30 },
    ],
  },
  {
    what: 'is renamed',
    change: 'alter table orders rename to sales',
    after: [
      { orders: 100, items: 30 },
      { sales: 100, items: 30 },
    ],
  },
  {
    what: 'is dropped and created anew',
    change: 'drop table orders; create table orders as select generate_series(1, 9) as id',
    after: [{ orders: 9, items: 30 }],
  },
  {
    what: 'exchanges its name with another one',
    change:
      'alter table orders rename to x; alter table items rename to orders; alter table x rename to items',
    after: [{ orders: 30, items: 100 }],
  },
  { what: 'is dropped', change: 'drop table orders', after: [{ items: 30 }, { orders: 100, items: 30 }] },
  {
    what: 'is truncated',
    change: 'truncate orders',
    after: [
      { orders: 100, items: 30 },
      { orders: 0, items: 30 },
    ],
  },
]

for (const { what, change, after } of changes) {
  for (const moment of ['when it is queued', 'while it is held'] as const) {
    test(`a table that ${what} ${moment} has its own count, and each is there once`, async (t) => {
      const { db, sql, carries } = await createCarrying(t, shop)
      if (moment === 'while it is held' && !carries) return t.pass()
      const other = db.connect()
      const release = await keepWaiting(db)
      const run_id = await openOnline(sql)
      await measure(sql, run_id)
      if (moment === 'while it is held') await countQueued(sql, run_id)

      await other.unsafe(change)
      await flush(other)
      await release()
      const found = await finishOnline(sql, run_id)

      const counts = Object.fromEntries(
        Object.entries(found).map(([name, { count }]) => [name.slice(7), count]),
      )
      t.true(
        after.some((allowed) => JSON.stringify(sorted(allowed)) === JSON.stringify(sorted(counts))),
        JSON.stringify(counts),
      )
    })
  }
}

test('a partition that comes or goes while an online run holds its family', async (t) => {
  const { db, sql } = await createCarrying(
    t,
    `${days} create table late (id int); insert into late values (35);`,
  )
  const other = db.connect()
  await sql`insert into days values (15)`
  await flush(sql)
  const release = await keepWaiting(db)
  const run_id = await openOnline(sql)
  await countQueued(sql, run_id)

  await other`alter table days attach partition late for values from (31) to (41)`
  await other`alter table days detach partition day_3`
  await release()
  const found = await finishOnline(sql, run_id)

  const count = (name: string) => found[`public.${name}`]?.count
  t.deepEqual(['day_1', 'day_2', 'day_3', 'late'].map(count), [10, 11, 10, 1])
  t.true([31, 22].includes(count('days') as number), `${count('days')}`) // as it was, or as it is
})

test('what a session hides is counted by an online run, which waits for it without a snapshot or a lock', async (t) => {
  const { db, sql, carries } = await createCarrying(t, shop)
  const hider = db.connect()
  await hider.unsafe('begin; insert into orders values (101); commit; begin; select 1')
  if (carries) t.is(await naive(sql, 'orders'), 100)
  const run_id = await openOnline(sql)

  await countQueued(sql, run_id)
  if (carries) {
    t.false(await measure(sql, run_id))
    const [held] = await sql<[{ tables: number }]>`
      select sum(cardinality(targets))::int as tables from nms_private.targets where run_id = ${run_id} and is_held
    `
    t.is(held.tables, 2)
  }
  const found = await finishOnline(sql, run_id)

  t.deepEqual([found['public.orders']?.count, found['public.orders']?.method], [101, 'exact'])
  t.is(found['public.items']?.count, 30)
  await hider.unsafe('commit')
})

test('the session that has begun to wait is not believed by the one that goes on', async (t) => {
  const { db, sql, carries } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const release = await keepWaiting(db)
  const run_id = await openOnline(sql)
  await measure(sql, run_id) // which only finds the tables
  const hider = db.connect()
  await hider`select 1`
  // In one message: it is never idle.
  await hider.unsafe(`
    begin; insert into orders values (101); commit;
    begin; select from nms.measure_targets(run_id => ${run_id}); commit;
    begin; select 1
  `)
  t.is(await naive(sql, 'orders'), 100)
  const [state] =
    await sql`select since is not null as waits from nms_private.carrying_runs where run_id = ${run_id}`
  t.true(state?.waits)
  await release()

  const found = await finishOnline(sql, run_id)

  t.is(found['public.orders']?.count, 101)
  await hider.unsafe('commit')
})

test('an online run compares what it verifies, and a difference ends carrying', async (t) => {
  const { sql, carries } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const comparisons = async () => {
    const [sum] = await sql`
      select sum(comparisons)::int as comparisons, sum(differences)::int as differences from nms.table_metrics_comparisons
    `
    return [sum?.comparisons, sum?.differences]
  }
  const verified = await runOnline(sql, 'orders')
  t.is(verified['public.orders']?.method, 'exact')
  const [made] = await comparisons()
  t.true(made >= 1)

  await sql`update nms_private.bases set own_row_count = 7 where table_oid = 'orders'::regclass`
  const refuted = await runOnline(sql, 'orders')
  t.is(refuted['public.orders']?.count, 100)
  t.is((await comparisons())[1], 1)
  const [difference] =
    await sql`select claimed_row_count::int, row_count::int from nms.table_metrics_differences`
  t.deepEqual(difference, { claimed_row_count: 7, row_count: 100 })
  t.is((await runOnline(sql))['public.orders']?.method, 'exact')
})

test('while a rule is new an online run counts everything, and compares', async (t) => {
  const { sql, carries } = await createCarrying(t, shop)
  await sql`update nms.table_metrics_count_rules set shadow = '7 days'`

  const found = await runOnline(sql)

  t.deepEqual(
    Object.values(found).map(({ method }) => method),
    ['exact', 'exact'],
  )
  const compared =
    await sql`select is_shadow, comparisons::int, differences::int from nms.table_metrics_comparisons`
  t.deepEqual([...compared], carries ? [{ is_shadow: true, comparisons: 2, differences: 0 }] : [])
})

test('an online run that is given up keeps what later runs may carry, and nothing is left of it', async (t) => {
  const { sql, carries } = await createCarrying(t, shop)
  await sql`delete from nms_private.bases`
  const run_id = await openOnline(sql)
  await countQueued(sql, run_id)

  await sql`select nms_private.give_up_run(run_id => ${run_id}, reason => 'too late')`

  const [left] = await sql<[{ rows: number }]>`
    select ((select count(*) from nms_private.targets) + (select count(*) from nms_private.carrying_runs))::int as rows
  `
  t.is(left.rows, 0)
  t.is((await runOnline(sql))['public.orders']?.method, carries ? 'carried' : 'exact')
})

test('sessions that count a run together find out together what it carries', async (t) => {
  const { db, sql, carries } = await createCarrying(t, `${shop} ${days}`)
  await sql`insert into days values (15)`
  await flush(sql)
  const run_id = await openOnline(sql)
  const work = (session: Sql) => eventually(() => measure(session, run_id), 'the run is counted', 60)

  await Promise.all([work(sql), work(db.connect()), work(db.connect())])
  const found = await finishOnline(sql, run_id)

  t.is(found['public.orders']?.method, carries ? 'carried' : 'exact')
  t.is(found['public.days']?.count, 31)
})

/** As long as this transaction is open, nobody can tell what has not changed. */
async function keepWaiting({ connect, sql }: TestDatabase): Promise<() => Promise<void>> {
  const waited = connect()
  await waited.unsafe('begin; select 1')
  const [{ pid } = { pid: 0 }] = await waited`select pg_backend_pid() as pid`
  return async () => {
    await sql`select pg_terminate_backend(${pid})`
  }
}

const sorted = (counts: object) => Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
