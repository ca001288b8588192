import test from 'ava'
import { createCarrying, flush, naive } from '../../_support/carrying.ts'
import { collect, createDatabase, rowCounts } from '../../_support/database.ts'

const shop = `
  create table orders (id int) with (autovacuum_enabled = off);
  insert into orders select generate_series(1, 100);
  create table items (id int) with (autovacuum_enabled = off);
  insert into items select generate_series(1, 30);
`

test('a table that has not changed keeps the count of the run that read it, and is not read', async (t) => {
  const { sql, carries, run } = await createCarrying(t, shop)
  const scans = () =>
    sql`select pg_stat_clear_snapshot()`.then(
      () => sql`
    select relname, seq_scan::int, coalesce(heap_blks_read + heap_blks_hit, 0)::int as blocks
    from pg_statio_user_tables join pg_stat_user_tables using (relid, relname) order by 1
  `,
    )
  await flush(sql)
  const before = (await scans()).filter(({ relname }) => ['orders', 'items'].includes(relname))

  const found = await run()
  await flush(sql)
  const after = (await scans()).filter(({ relname }) => ['orders', 'items'].includes(relname))

  t.deepEqual([found['public.orders']?.count, found['public.items']?.count], [100, 30])
  t.is(found['public.orders']?.method, carries ? 'carried' : 'exact')
  t.is(found['public.orders']?.from === null, !carries)
  if (carries) t.deepEqual([...after], [...before])
})

test('whatever changes the number of rows is counted, an update is not', async (t) => {
  const { sql, carries, run } = await createCarrying(
    t,
    ['inserted', 'deleted', 'updated', 'truncated', 'copied', 'rewritten', 'rolled_back', 'untouched']
      .map((name) => `create table ${name} (id int); insert into ${name} select generate_series(1, 10);`)
      .join('\n'),
  )

  await sql`insert into inserted values (11)`
  await sql`delete from deleted where id <= 3`
  await sql`update updated set id = id + 1`
  await sql`truncate truncated`
  await sql`create table other as select generate_series(1, 4) as id`
  await sql`insert into copied select id from other`
  await sql`vacuum full rewritten`
  await sql.unsafe('begin; insert into rolled_back values (1); rollback')
  await flush(sql)
  const found = await run()

  t.deepEqual(
    Object.fromEntries(
      Object.entries(found).map(([name, { count, method }]) => [
        name.slice(7),
        [count, carries ? method : 'exact'],
      ]),
    ),
    {
      inserted: [11, 'exact'],
      deleted: [7, 'exact'],
      updated: [10, carries ? 'carried' : 'exact'],
      truncated: [0, 'exact'],
      copied: [14, 'exact'],
      rewritten: [10, 'exact'],
      rolled_back: [10, 'exact'],
      untouched: [10, carries ? 'carried' : 'exact'],
      other: [4, 'exact'],
    },
  )
})

test('what the collecting session has changed itself and not told yet is counted', async (t) => {
  const { sql, run } = await createCarrying(t, shop)

  await sql`insert into orders values (101)`
  const committed = await run()
  t.is(committed['public.orders']?.count, 101)

  await sql.unsafe('begin; insert into items values (31)')
  const { run_id } = await collect(sql)
  const [open] = await sql`
    select row_count::int from nms.table_metrics_measurements where run_id = ${run_id} and table_name = 'items'
  `
  await sql.unsafe('commit')
  t.is(open?.row_count, 31)
})

test('partitions are carried one by one, and their table is the sum of those of today', async (t) => {
  const { sql, carries, run } = await createCarrying(
    t,
    `
      create table days (id int) partition by range (id);
      create table day_1 partition of days for values from (1) to (11);
      create table day_2 partition of days for values from (11) to (21);
      create table day_3 partition of days for values from (21) to (31);
      insert into days select generate_series(1, 30);
    `,
  )

  await sql`insert into days values (15)`
  await sql`alter table days detach partition day_3`
  await flush(sql)
  const found = await run()

  t.deepEqual(
    ['days', 'day_1', 'day_2', 'day_3'].map((name) => found[`public.${name}`]?.count),
    [21, 10, 11, 10],
  )
  t.is(found['public.day_1']?.method, carries ? 'carried' : 'exact')
  t.is(found['public.day_2']?.method, 'exact')
  t.is(found['public.days']?.method, carries ? 'carried' : 'exact')
})

test('a family with a member whose counters tell nothing is counted', async (t) => {
  const { sql, run } = await createCarrying(
    t,
    `
      create extension postgres_fdw;
      create server elsewhere foreign data wrapper postgres_fdw;
      create table days (id int) partition by range (id);
      create table day_1 partition of days for values from (1) to (11);
      create table day_2 partition of days for values from (11) to (21);
      insert into days select generate_series(1, 20);
    `,
  )
  const exclude = ['public.day_2']
  const { run_id } = await collect(sql, { exclude })
  const methods = await sql`
    select table_name, row_count::int, method from nms.table_metrics_measurements where run_id = ${run_id} order by 1
  `
  t.deepEqual(
    methods.map((row) => Object.values(row)),
    [
      ['day_1', 10, 'exact'],
      ['days', 20, 'exact'],
    ],
  )
  t.is((await run())['public.days']?.count, 20)
})

test('rules: the nearest name wins, and no count is carried for longer than it says', async (t) => {
  const { sql, carries, run } = await createCarrying(
    t,
    `
      create schema a; create schema b;
      create table a.one (id int); create table a.two (id int); create table b.one (id int);
      create table a.parent (id int) partition by range (id);
      create table b.child partition of a.parent for values from (0) to (10);
    `,
  )
  await sql`insert into nms.table_metrics_count_rules (schema_name, table_name, method, shadow) values
    ('a', '*', 'exact', '0'), ('a', 'two', 'carried', '0'), ('a', 'parent', 'exact', '0')`
  const carried = carries ? 'carried' : 'exact'
  const methods = async () =>
    Object.fromEntries(Object.entries(await run()).map(([name, { method }]) => [name, method]))
  t.deepEqual(await methods(), {
    'a.one': 'exact',
    'a.two': carried,
    'a.parent': 'exact',
    'b.child': 'exact',
    'b.one': carried,
  })

  await sql`update nms.table_metrics_count_rules set recount_after = '1 minute'`
  await sql`update nms_private.bases set measured_at = measured_at - interval '1 minute'`
  t.is((await methods())['b.one'], 'exact')
  t.is((await methods())['b.one'], carried)
})

test('while a rule is new everything is counted, and what would have been carried is compared', async (t) => {
  const { sql, carries, run } = await createCarrying(t, shop)
  await sql`update nms.table_metrics_count_rules set shadow = '7 days'`
  const found = await run()
  t.deepEqual(
    Object.values(found).map(({ method }) => method),
    ['exact', 'exact'],
  )
  const comparisons =
    await sql`select method, is_shadow, comparisons::int, differences::int from nms.table_metrics_comparisons`
  t.deepEqual(
    [...comparisons],
    carries ? [{ method: 'carried', is_shadow: true, comparisons: 2, differences: 0 }] : [],
  )
})

test('a count of rows whose file is empty is not believed', async (t) => {
  const { sql, run } = await createCarrying(t, 'create table elsewhere (id int)')
  await sql`update nms_private.bases set own_row_count = 5`
  const found = await run()
  t.deepEqual([found['public.elsewhere']?.count, found['public.elsewhere']?.method], [0, 'exact'])
})

test('a rule that becomes one to carry is as new as any other', async (t) => {
  const { sql } = await createCarrying(t, shop)
  await sql`update nms.table_metrics_count_rules set method = 'exact', since = now() - interval '30 days'`
  await sql`update nms.table_metrics_count_rules set method = 'carried'`
  const [rule] =
    await sql`select since > now() - interval '1 hour' as is_new from nms.table_metrics_count_rules`
  t.true(rule?.is_new)
})

test('a count that a recount refutes is not carried again until somebody has looked', async (t) => {
  const { sql, carries, run } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  await sql`update nms_private.bases set own_row_count = 7 where table_oid = 'orders'::regclass`

  t.is((await run('orders'))['public.orders']?.count, 100)
  const [difference] = await sql`select * from nms.table_metrics_differences`
  t.like(difference, {
    schema_name: 'public',
    table_name: 'orders',
    method: 'carried',
    claimed_row_count: '7',
    row_count: '100',
    resumed_at: null,
  })
  t.regex(difference?.detail, /counted 7 rows .* 100 inserted and 0 deleted/)
  const [comparison] = await sql`select differences::int from nms.table_metrics_comparisons`
  t.deepEqual(comparison, { differences: 1 })

  const stopped = await run()
  t.deepEqual([stopped['public.orders']?.method, stopped['public.items']?.method], ['exact', 'carried'])
  await sql`select nms.resume_carrying('public', 'orders')`
  t.is((await run())['public.orders']?.method, 'carried')

  const error = await t.throwsAsync(sql`select nms.resume_carrying('public', 'orders')`)
  t.like(error, { code: 'P0002' })
  t.regex((error as { hint?: string } | undefined)?.hint ?? '', /nms\.table_metrics_differences/)
})

test('none is carried through more than thirteen runs', async (t) => {
  const { sql, carries } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const methods: string[] = []
  for (let n = 1; n <= 28; n++) {
    const { run_id } = await collect(sql)
    const [row] =
      await sql`select method from nms.table_metrics_measurements where run_id = ${run_id} and table_name = 'orders'`
    methods.push(row?.method)
  }
  t.notRegex(methods.join(' '), /(carried ?){14}/)
  t.regex(methods.join(' '), /(carried ?){13}/)
})

test('a repeatable read transaction carries nothing and leaves no base', async (t) => {
  const { sql } = await createCarrying(t, shop)
  const [before] = await sql`select max(run_id) as run_id from nms_private.bases`
  await sql`insert into orders values (101)`
  await sql.unsafe('begin isolation level repeatable read')
  const { run_id } = await collect(sql)
  await sql.unsafe('commit')
  const methods =
    await sql`select distinct method from nms.table_metrics_measurements where run_id = ${run_id}`
  t.deepEqual([...methods], [{ method: 'exact' }])
  const [after] = await sql`select max(run_id) as run_id from nms_private.bases`
  t.deepEqual(after, before)
})

test('two runs at once are both right, and so is the next one', async (t) => {
  const { db, sql, run } = await createCarrying(t, shop)
  const other = db.connect()
  await sql`insert into orders values (101)`
  await flush(sql)

  const [found, { run_id }] = await Promise.all([run(), collect(other)])
  const [beside] = await sql`
    select row_count::int from nms.table_metrics_measurements where run_id = ${run_id} and table_name = 'orders'
  `
  t.deepEqual([found['public.orders']?.count, beside?.row_count], [101, 101])

  await other`insert into orders values (102)`
  t.is((await run())['public.orders']?.count, 102)
})

test('an epoch that has ended proves nothing', async (t) => {
  const { sql, carries, run } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  await sql`select pg_stat_reset_single_table_counters('items'::regclass)`
  await sql`insert into items select generate_series(1, 30)`
  await flush(sql)
  const found = await run()
  t.deepEqual([found['public.items']?.count, found['public.items']?.method], [60, 'exact'])
  t.is(found['public.orders']?.method, 'exact')
})

test('a copy of a database is counted, though its counters are those of before', async (t) => {
  const { db, sql, carries } = await createCarrying(t, 'create table orders (id int)')
  await sql`insert into orders select generate_series(1, 100)`
  await Promise.all([sql.end(), db.sql.end()]) // a database that is copied has no sessions

  const copy = (await createDatabase(t, db.name)).connect()

  if (carries) t.is(await naive(copy, 'orders'), 0)
  t.deepEqual(await rowCounts(copy, await collect(copy)), { 'public.orders': 100 })
})
