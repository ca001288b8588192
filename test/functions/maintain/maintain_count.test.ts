import test from 'ava'
import { collect, createDatabase, rowCounts } from '../../_support/database.ts'
import { counts, maintained, methods } from '../../_support/maintained.ts'
import { rolesScript } from '../../_support/reader.ts'

test('it is counted by the next run, and maintained from then on', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders as select generate_series(1, 10) as id`
  const [row] = await sql<[{ next: string }]>`select nms.maintain_count('public.orders') as next`
  t.regex(row.next, /nms\.fold_counts\(\)/)
  await t.throwsAsync(sql`select nms.current_count('public.orders')`, { code: '55000' })

  const first = await collect(sql)
  await sql`insert into public.orders values (11)`
  const second = await collect(sql)

  t.deepEqual(await methods(sql, first), { 'public.orders': 'exact' })
  t.deepEqual(await methods(sql, second), { 'public.orders': 'maintained' })
  t.deepEqual(await rowCounts(sql, second), { 'public.orders': 11 })
})

test('a run does not read the table', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  const other = connect()
  await other`begin`
  await other`lock table public.orders in access exclusive mode`
  const run = await collect(sql)
  await other`rollback`
  t.deepEqual(await methods(sql, run), { 'public.orders': 'maintained' })
})

test('every fourteenth run counts it all the same, and so does one after 14 days', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql`update nms_private.maintained_counts set runs_since_count = 0`
  const found: (string | undefined)[] = []
  for (let i = 0; i < 15; i++) found.push((await methods(sql, await collect(sql)))['public.orders'])
  t.deepEqual(found, [...Array(13).fill('maintained'), 'exact', 'maintained'])

  await sql`update nms_private.maintained_counts set seeded_at = seeded_at - interval '14 days'`
  t.is((await methods(sql, await collect(sql)))['public.orders'], 'exact')
  t.is((await methods(sql, await collect(sql)))['public.orders'], 'maintained')
})

test('an online run takes it as well', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql`insert into public.orders values (0)`
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  for (let isFinished = false; !isFinished; ) {
    const [step] = await sql<[{ is_finished: boolean }]>`select * from nms.measure_targets(${run_id})`
    isFinished = step.is_finished
  }
  const [run] = await sql<[{ status: string }]>`select * from nms.close_run(${run_id})`
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, { run_id }), { 'public.orders': 11 })
  t.deepEqual(await methods(sql, { run_id }), { 'public.orders': 'maintained' })
})

test('stop_maintaining leaves nothing behind, and maintain_count begins anew', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql`insert into public.orders values (0)`
  await sql`select nms.stop_maintaining('public.orders')`
  const [left] = await sql`
    select
      (select count(*) from pg_trigger where tgrelid = 'public.orders'::regclass) as triggers,
      (select count(*) from nms_private.maintained_counts) as counts,
      (select count(*) from nms_private.count_deltas) as deltas
  `
  t.deepEqual({ ...left }, { triggers: '0', counts: '0', deltas: '0' })
  await sql`insert into public.orders values (-1)`
  const run = await collect(sql)
  t.deepEqual(await methods(sql, run), { 'public.orders': 'exact' })

  await sql`select nms.maintain_count('public.orders')`
  await sql`select nms.maintain_count('public.orders')`
  await sql`insert into public.orders values (-2)`
  await sql`select nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [13, 13, ''])
})

test('names are taken as they are', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema "Sales; --"; create table "Sales; --"."Order ""Items"" %s" (id bigint);
    select nms.maintain_count('"Sales; --"."Order ""Items"" %s"');
    select nms.fold_counts();
    insert into "Sales; --"."Order ""Items"" %s" values (1), (2);
  `)
  const [row] = await sql`select nms.current_count('"Sales; --"."Order ""Items"" %s"') as count`
  t.is(row?.count, '2')
  await sql.unsafe(`select nms.stop_maintaining('"Sales; --"."Order ""Items"" %s"')`)
})

test('what triggers cannot maintain is refused, with what to use instead', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.root (id int) partition by list (id);
    create table public.part partition of public.root default;
    create table public.parent (id int);
    create table public.child () inherits (public.parent);
    create unlogged table public.unlogged (id int);
    create temporary table temporary (id int);
    create view public.view as select 1 as id;
    create materialized view public.materialized as select 1 as id;
    create extension postgres_fdw;
    create server away foreign data wrapper postgres_fdw;
    create foreign table public.foreign_table (id int) server away;
    create table public.replicated (id int primary key);
    create subscription theirs connection 'dbname=nowhere' publication nothing with (connect = false);
    insert into pg_subscription_rel (srsubid, srrelid, srsubstate)
      select oid, 'public.replicated'::regclass, 'r' from pg_subscription where subname = 'theirs';
  `)
  const refused = [
    'public.root',
    'public.part',
    'public.parent',
    'public.child',
    'public.unlogged',
    'temporary',
    'public.view',
    'public.materialized',
    'public.foreign_table',
    'public.replicated',
    'nms.table_metrics_runs',
    'pg_catalog.pg_class',
  ]
  for (const table of refused) {
    const error = await t.throwsAsync<Error & { code: string; hint: string }>(
      sql`select nms.maintain_count(${table}::text::regclass)`,
      undefined,
      table,
    )
    t.is(error?.code, '0A000', table)
    t.truthy(error?.hint, table)
  }
  await sql.unsafe(`
    alter subscription theirs set (slot_name = none); drop subscription theirs
  `)
  t.is((await sql`select from nms_private.maintained_counts`).length, 0)
})

test('whoever owns the table and is a maintainer may, and writers need no right', async (t) => {
  const db = await createDatabase(t)
  await db.connect().unsafe(rolesScript)
  const [owner, writer, stranger] = [await db.createRole(), await db.createRole(), await db.createRole()]
  await db.sql.unsafe(`
    grant table_metrics_maintainer to ${owner.name}, ${stranger.name};
    create schema app authorization ${owner.name};
    grant usage on schema app to ${writer.name}, ${stranger.name};
    set role ${owner.name};
    create table app.orders (id bigint);
    grant insert, delete on app.orders to ${writer.name};
    reset role;
  `)
  await t.throwsAsync(stranger.connect()`select nms.maintain_count('app.orders')`, { code: '42501' })
  await t.throwsAsync(writer.connect()`select nms.maintain_count('app.orders')`, { code: '42501' })
  const own = owner.connect()
  await own`select nms.maintain_count('app.orders')`
  await own`select nms.fold_counts()`
  const writing = writer.connect()
  await writing`insert into app.orders select generate_series(1, 5)`
  await t.throwsAsync(writing`select from nms_private.count_deltas`, { code: '42501' })
  const [row] = await own`select nms.current_count('app.orders') as count`
  t.is(row?.count, '5')
  await own`select nms.stop_maintaining('app.orders')`
})

test('with our function on a table of his own, somebody changes no other count', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql.unsafe(`
    create table public.bait (id bigint);
    create trigger bait after insert on public.bait referencing new table as changed
      for each statement execute function nms_private.note_changes('public.orders');
    insert into public.bait select generate_series(1, 100);
  `)
  t.deepEqual(await counts(sql, 'public.orders'), [10, 10, ''])
  const run = await collect(sql)
  t.deepEqual(await rowCounts(sql, run), { 'public.bait': 100, 'public.orders': 10 })
  t.deepEqual(await methods(sql, run), { 'public.bait': 'exact', 'public.orders': 'maintained' })
})
