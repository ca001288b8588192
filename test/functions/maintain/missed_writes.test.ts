import test, { type ExecutionContext } from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { collect, createDatabase, rowCounts, type Sql } from '../../_support/database.ts'
import { counts, maintained, methods } from '../../_support/maintained.ts'

// What lets writes past the triggers, and what can be done about it where that is not just counting again.
const tampering: [what: string, statements: string, remedy?: string][] = [
  [
    'all triggers disabled and enabled',
    'alter table public.orders disable trigger all; insert into public.orders values (0); alter table public.orders enable trigger all',
    "select nms.maintain_count('public.orders')",
  ],
  [
    'disabled, and made what they were',
    `alter table public.orders disable trigger all; insert into public.orders values (0);
    alter table public.orders enable always trigger table_metrics_insert, enable always trigger table_metrics_delete,
      enable always trigger table_metrics_truncate`,
  ],
  [
    'a trigger dropped',
    'drop trigger table_metrics_delete on public.orders; delete from public.orders where id < 10',
    "select nms.maintain_count('public.orders')",
  ],
  [
    'a trigger that looks away',
    `create or replace trigger table_metrics_insert after insert on public.orders referencing new table as changed
    for each statement when (false) execute function nms_private.note_changes(); insert into public.orders values (0)`,
    "select nms.maintain_count('public.orders')",
  ],
  [
    'a child for a while',
    `create table public.children () inherits (public.orders); insert into public.children values (1);
    delete from public.orders where id = 1; drop table public.children`,
    'analyze public.orders',
  ],
]

for (const [what, statements, remedy] of tampering) {
  test(`${what}: it is an error, counted by the next run, and told`, async (t) => {
    const { sql } = await createDatabase(t)
    await maintained(sql, 'public.orders', 100)
    await sql.unsafe(statements)

    await refuses(t, sql)
    const run = await collect(sql)

    const [{ count }] = await sql<[{ count: string }]>`select count(*) from public.orders`
    t.is((await rowCounts(sql, run))['public.orders'], Number(count))
    t.is((await methods(sql, run))['public.orders'], 'exact')
    t.like(
      (await findAlerts(sql, run.run_id)).filter(({ kind }) => kind === 'triggers_changed'),
      [{ schema_name: 'public', table_name: 'orders' }],
    )
    if (remedy) {
      await refuses(t, sql)
      await sql.unsafe(remedy)
      await sql`select nms.fold_counts()`
    }
    t.deepEqual(...(await counts(sql, 'public.orders')))
    const next = await collect(sql)
    t.is((await methods(sql, next))['public.orders'], 'maintained')
    t.deepEqual(
      (await findAlerts(sql, next.run_id)).filter(({ kind }) => kind === 'triggers_changed'),
      [],
    )
    t.is((await findAlerts(sql, run.run_id)).filter(({ kind }) => kind === 'triggers_changed').length, 1)
  })
}

test('what upkeep has noticed is an alert of the next run', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`alter table public.orders disable trigger table_metrics_insert`
  await sql`alter table public.orders enable always trigger table_metrics_insert`
  const [folded] = await sql`select * from nms.fold_counts()`
  t.like(folded, { row_count: '100', is_counted: true, problem: null })

  const run = await collect(sql)

  t.is((await methods(sql, run))['public.orders'], 'maintained')
  t.like(
    (await findAlerts(sql, run.run_id)).filter(({ kind }) => kind === 'triggers_changed'),
    [{ table_name: 'orders', row_count: '100' }],
  )
})

test('another function in the place of ours is noticed', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql.unsafe(`
    create or replace function nms_private.note_changes() returns trigger language plpgsql security definer
      set search_path = pg_catalog, pg_temp as 'begin return null; end';
    insert into public.orders values (0)
  `)
  await refuses(t, sql)
  const run = await collect(sql)
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 101 })
  t.deepEqual(await kinds(sql, run.run_id), ['triggers_changed public.orders'])
})

test('a table that was a partition for a while is counted again', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql.unsafe(`
    create table public.sales (id bigint not null, note text) partition by list (id);
    alter table public.sales attach partition public.orders default
  `)
  await refuses(t, sql)
  await sql`insert into public.sales values (-1)`
  await sql`alter table public.sales detach partition public.orders`
  await refuses(t, sql)
  await sql`select nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [101, 101, ''])
})

test('a table that was a child for a while is counted again', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql.unsafe(`
    create table public.sales (id bigint);
    alter table public.orders inherit public.sales;
    delete from public.sales where id = 1;
    alter table public.orders no inherit public.sales
  `)
  await refuses(t, sql)
  await sql`select nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [99, 99, ''])
})

test('what does not change how rows are noted changes nothing', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql.unsafe(`
    alter table public.orders add column amount numeric default 1, add column customer int;
    alter table public.orders drop column customer;
    alter table public.orders rename to invoices;
    create schema books;
    alter table public.invoices set schema books;
    create index on books.invoices (amount);
    create trigger theirs before update on books.invoices for each row execute function suppress_redundant_updates_trigger();
    grant select on books.invoices to public;
    cluster books.invoices using invoices_amount_idx;
    insert into books.invoices values (101);
    truncate books.invoices;
    insert into books.invoices select generate_series(1, 5)
  `)
  await sql`vacuum (full, analyze) books.invoices`
  t.deepEqual(await counts(sql, 'books.invoices'), [5, 5, ''])
})

test('a table that was dropped leaves nothing', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`insert into public.orders values (0)`
  await sql`drop table public.orders`
  t.is((await collect(sql)).status, 'SUCCEEDED')
  const [left] = await sql`
    select (select count(*) from nms_private.maintained_counts) as counts, (select count(*) from nms_private.count_deltas) as deltas
  `
  t.deepEqual({ ...left }, { counts: '0', deltas: '0' })
})

test('after a restore, where its table has another OID, it is found by its triggers', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  // What a dump brings: the rows of the former database, and the table with its triggers.
  await sql.unsafe(`
    update nms_private.maintained_counts set table_oid = 1, server = '7000000000000000000 5', row_count = 7;
    insert into nms_private.count_deltas (table_oid, xid, change) values (1, '999999999', 5);
  `)
  await t.throwsAsync(sql`select nms.current_count('public.orders')`, { code: '55000' })
  const run = await collect(sql)
  t.deepEqual(await counts(sql, 'public.orders'), [100, 100, ''])
  t.deepEqual(await findAlerts(sql, run.run_id), [])
  const [left] = await sql`select count(*) from nms_private.count_deltas`
  t.is(left?.count, '0')
})

test('a database that was copied or restored by its files counts again where that is another one', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`update nms_private.maintained_counts set server = '7000000000000000000 5', row_count = 7`
  await refuses(t, sql)
  const run = await collect(sql)
  t.deepEqual(await counts(sql, 'public.orders'), [100, 100, ''])
  t.deepEqual(await findAlerts(sql, run.run_id), [])
})

test('doctor names a table that the owner has to look at, with the statement that mends it', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  const problems = () => sql<{ subject: string; remedy: string }[]>`
    select subject, remedy from nms.find_problems() where problem = 'count_not_maintained'
  `
  t.deepEqual([...(await problems())], [])
  await sql`alter table public.orders disable trigger all`
  const [problem] = await problems()
  t.is(problem?.subject, 'public.orders')
  await sql.unsafe(problem?.remedy ?? '')
  t.deepEqual([...(await problems())], [])
})

test('a count that a run has refuted is counted again', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`update nms_private.maintained_counts set row_count = row_count + 3`
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await sql`
    insert into nms.table_metrics_differences (run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, detail)
    values (${run_id}, 'public', 'orders', 'public.orders'::regclass, 'maintained', 103, 100, 'planted')
  `
  await sql`select nms.collect_table_metrics(run_id => ${run_id})`
  t.deepEqual(await counts(sql, 'public.orders'), [100, 100, ''])
})

test('what verifies a count says what it verifies', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`update nms_private.maintained_counts set row_count = row_count + 3, runs_since_count = 13`
  const found = await sql`
    select found.method, found.own_row_count, found.claimed_method, found.claimed_row_count
    from nms_private.find_maintained(
      targets => array(select target from nms_private.find_targets('[]', '[]', null) as target)
    ) as found
  `
  t.deepEqual(
    [...found],
    [{ method: 'exact', own_row_count: '100', claimed_method: 'maintained', claimed_row_count: '103' }],
  )
})

async function refuses(t: ExecutionContext, sql: Sql): Promise<void> {
  await t.throwsAsync(sql`select nms.current_count('public.orders')`, { code: '55000' })
  const [row] = await sql`select row_count, problem is not null as is_told from nms.table_metrics_maintained`
  t.deepEqual({ ...row }, { row_count: null, is_told: true })
}
