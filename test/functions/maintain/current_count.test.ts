import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { counts, maintained } from '../../_support/maintained.ts'

// Each is followed by a comparison with a plain count(*), inside of the transaction and after it.
const writes: [what: string, statements: string][] = [
  ['one row', "insert into public.orders values (1001, 'x')"],
  ['no row', 'delete from public.orders where false; insert into public.orders select 1 where false'],
  ['many rows', 'insert into public.orders select generate_series(2000, 2999)'],
  ['an update', "update public.orders set note = 'y', id = id + 100000 where id < 10"],
  ['a delete', 'delete from public.orders where id between 20 and 29'],
  [
    'a savepoint that is rolled back',
    `insert into public.orders values (3000); savepoint one; insert into public.orders select generate_series(3001, 3010);
    rollback to one; insert into public.orders values (3011)`,
  ],
  [
    'a savepoint that is released',
    'savepoint one; insert into public.orders values (3100); release one; delete from public.orders where id = 3100',
  ],
  [
    'an error that is caught',
    `do $$ begin insert into public.orders values (3200), (3201); insert into public.orders values (3200);
    exception when unique_violation then insert into public.orders values (3202); end $$`,
  ],
  [
    'on conflict',
    `insert into public.orders select generate_series(100, 3300) on conflict do nothing;
    insert into public.orders values (100), (3301) on conflict (id) do update set note = 'z'`,
  ],
  [
    'data-modifying CTEs',
    `with gone as (delete from public.orders where id < 50 returning id), come as (
      insert into public.orders select id + 50000 from gone returning id
    )
    insert into public.orders select id + 50000 from come where id % 2 = 0`,
  ],
  [
    'a rule',
    `create table public.inbox (id bigint);
    create rule forward as on insert to public.inbox do instead insert into public.orders values (new.id);
    insert into public.inbox values (60001)`,
  ],
  [
    'a view',
    `create view public.recent as select * from public.orders where id > 1000;
    insert into public.recent values (60010); delete from public.recent where id = 60010; insert into public.recent values (60011)`,
  ],
  [
    'a foreign key that cascades',
    `create table public.customers (id bigint primary key); insert into public.customers values (1);
    alter table public.orders add column customer_id bigint references public.customers on delete cascade;
    insert into public.orders (id, customer_id) values (60020, 1), (60021, 1), (60022, null);
    delete from public.customers`,
  ],
  [
    'a trigger that leaves rows out',
    `create function public.leave_out() returns trigger language plpgsql as 'begin return null; end';
    create trigger leave_out before insert on public.orders for each row when (new.id % 2 = 0) execute function public.leave_out();
    insert into public.orders select generate_series(61001, 61010); drop trigger leave_out on public.orders`,
  ],
  [
    'the replica role',
    'set local session_replication_role = replica; insert into public.orders values (62000); set local session_replication_role = origin',
  ],
  ['truncate', 'truncate public.orders'],
  ['rows after that', 'insert into public.orders select generate_series(1, 7)'],
  [
    'truncate between inserts',
    `insert into public.orders values (8); truncate public.orders; insert into public.orders values (1), (2);
    savepoint one; truncate public.orders; insert into public.orders values (3); rollback to one`,
  ],
  [
    'truncate cascade',
    `create table public.parents (id bigint primary key); alter table public.orders add column parent bigint references public.parents;
    insert into public.parents values (1); truncate public.parents cascade; insert into public.orders values (4)`,
  ],
]

test('it is what count(*) shows, whatever writes to the table', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 1000)
  const session = connect()
  for (const [what, statements] of writes) {
    await session.unsafe('begin')
    await session.unsafe(statements)
    t.deepEqual(...(await counts(session, 'public.orders', `${what}, inside`)))
    await session.unsafe('rollback')
    t.deepEqual(...(await counts(session, 'public.orders', `${what}, rolled back`)))
    await session.unsafe(`begin; ${statements}; commit`)
    t.deepEqual(...(await counts(sql, 'public.orders', `${what}, committed`)))
  }
})

test('what is folded between does not matter, and nothing is left of it', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 1000)
  const session = connect()
  for (const [what, statements] of writes.filter(([, text]) => !/create|alter/.test(text))) {
    await session.unsafe(`begin; ${statements}`)
    await sql`select nms.fold_counts()`
    // Nobody else reads a table that is being truncated.
    if (!what.includes('truncate')) t.deepEqual(...(await counts(sql, 'public.orders', `${what}, beside`)))
    await session`commit`
    t.deepEqual(...(await counts(sql, 'public.orders', `${what}, committed`)))
    await sql`select nms.fold_counts()`
    t.deepEqual(...(await counts(sql, 'public.orders', `${what}, folded`)))
  }
  t.deepEqual(await waiting(sql), { deltas: '0', sums: '0' })
})

test('copy and merge are noted', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  const copying = await sql`copy public.orders (id) from stdin`.writable()
  copying.end('1001\n1002\n1003\n')
  await new Promise((resolve) => copying.on('finish', resolve))
  t.deepEqual(await counts(sql, 'public.orders'), [103, 103, ''])

  const [{ version }] = await sql<[{ version: number }]>`
    select current_setting('server_version_num')::integer as version
  `
  if (version >= 150000) {
    await sql.unsafe(`
      merge into public.orders using (select generate_series(96, 200) as id) as come on come.id = orders.id
      when matched and come.id > 98 then delete
      when matched then update set note = 'met'
      when not matched then insert values (come.id)
    `)
    t.deepEqual(...(await counts(sql, 'public.orders', 'merge')))
  }
})

test('a repeatable read transaction sees what it saw, and one that is older than a truncate writes after it', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  const older = connect()
  await older`begin isolation level repeatable read`
  t.deepEqual(await counts(older, 'public.orders'), [100, 100, ''])

  await sql`insert into public.orders select generate_series(201, 250)`
  await sql`select nms.fold_counts()`
  await sql`insert into public.orders select generate_series(301, 310)`
  t.deepEqual(await counts(older, 'public.orders'), [100, 100, ''])
  await older`insert into public.orders values (400)`
  t.deepEqual(await counts(older, 'public.orders'), [101, 101, ''])
  await older`commit`
  t.deepEqual(await counts(sql, 'public.orders'), [161, 161, ''])

  await older`begin isolation level repeatable read`
  await older`select 1`
  await sql`truncate public.orders`
  await older.unsafe(
    `do $$ begin for i in 1..2500 loop insert into public.orders values (i); end loop; end $$`,
  )
  await older`commit`
  t.deepEqual(await counts(sql, 'public.orders'), [2500, 2500, ''])
})

test('many notes of one transaction are added up on the way', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  await sql.unsafe(`
    do $$
    begin
      for i in 1..5000 loop
        insert into public.orders values (1000 + i);
        if i % 3 = 0 then
          begin
            delete from public.orders where id = 1000 + i;
            if i % 2 = 0 then raise exception 'never mind'; end if;
          exception when raise_exception then null;
          end;
        end if;
      end loop;
    end
    $$
  `)
  const { sums } = await waiting(sql)
  t.true(Number(sums) > 2, sums)
  t.deepEqual(...(await counts(sql, 'public.orders', 'with sums')))
  await sql`select nms.fold_counts()`
  t.deepEqual(...(await counts(sql, 'public.orders', 'folded')))
})

test('a million notes do not have to be read', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  // As a hundred thousand writers leave them, who have added up as they do.
  await sql.unsafe(`
    do $$
    begin
      for i in 1..20000 loop
        insert into public.orders values (1000 + i);
        if i % 4 = 0 then commit; end if;
      end loop;
    end
    $$
  `)
  const plan = await sql<{ 'QUERY PLAN': string }[]>`
    explain (analyze, buffers, costs off, timing off, summary off) select nms.current_count('public.orders')
  `
  const [, hit] = /shared hit=(\d+)/.exec(plan.map((line) => line['QUERY PLAN']).join('\n')) ?? []
  t.deepEqual(...(await counts(sql, 'public.orders')))
  t.true(Number(hit) < 8000, `${hit} pages were read`)
  t.is((await waiting(sql)).deltas, '20000')
})

async function waiting(sql: Sql) {
  const [row] = await sql`
    select
      (select count(*) from nms_private.count_deltas) as deltas,
      (select count(*) from nms_private.count_sums) as sums
  `
  return { ...row }
}
