import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { failures, partitioned, payload } from '../../_support/collecting.ts'
import { collect, createDatabase, rowCounts, type TestDatabase } from '../../_support/database.ts'

test('a table locked for longer than lock_timeout fails alone, and the message names both', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.busy as select generate_series(1, 3) as id;
    create table public.idle as select generate_series(1, 4) as id;
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.connect().unsafe('begin; lock table public.busy, only public.sales_2 in access exclusive mode')

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.busy.*lock_timeout/s)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.busy': null,
    'public.idle': 4,
    'public.sales': null,
    'public.sales_1': 3,
    'public.sales_2': null,
  })
  t.deepEqual(await failures(db.sql, run), {
    'public.busy': '55P03',
    'public.sales': '55P03',
    'public.sales_2': '55P03',
  })
  t.is(await payload(db.sql, run), undefined)
})

test('a table that the owner of the functions may not read fails alone', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.secret as select generate_series(1, 3) as id;
    create table public.open as select generate_series(1, 4) as id;
    create schema closed create table hidden (id int);
    grant select on public.open, public.sales, public.sales_1, closed.hidden to ${owner};
  `)

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', new RegExp(`public\\.secret.*${owner}`, 's'))
  t.deepEqual(await rowCounts(db.sql, run), {
    'closed.hidden': null,
    'public.open': 4,
    'public.sales': null,
    'public.sales_1': 3,
    'public.sales_2': null,
    'public.secret': null,
  })
  t.deepEqual(await failures(db.sql, run), {
    'closed.hidden': '42501',
    'public.sales': '42501',
    'public.sales_2': '42501',
    'public.secret': '42501',
  })
})

test('row-level security never thins a count: affected tables fail, others are counted whole', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  const policy = (table: string) => `
    create table public.${table} as select generate_series(1, 8) as id;
    alter table public.${table} enable row level security;
    create policy half on public.${table} using (id <= 4);
  `
  await db.sql.unsafe(`
    grant pg_read_all_data to ${owner};
    ${policy('others')}
    ${policy('own')}
    alter table public.own owner to ${owner};
    ${policy('own_forced')}
    alter table public.own_forced owner to ${owner}, force row level security;
    create table public.denied_by_default as select generate_series(1, 8) as id;
    alter table public.denied_by_default enable row level security;
    create table public.plain as select generate_series(1, 8) as id;
  `)

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.others.*row-level security/s)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.denied_by_default': null,
    'public.others': null,
    'public.own': 8,
    'public.own_forced': null,
    'public.plain': 8,
  })
  t.deepEqual(await failures(db.sql, run), {
    'public.denied_by_default': '42501',
    'public.others': '42501',
    'public.own_forced': '42501',
  })
})

test('policies on a partitioned table leave its count whole', async (t) => {
  const db = await createDatabase(t)
  const owner = await handOver(db)
  await db.sql.unsafe(`
    grant pg_read_all_data to ${owner};
    ${partitioned}
    alter table public.sales enable row level security;
  `)

  t.deepEqual(await rowCounts(db.sql, await collect(db.sql)), {
    'public.sales': 7,
    'public.sales_1': 3,
    'public.sales_2': 4,
  })
  t.deepEqual(await rowCounts(db.sql, await collect(db.sql, { exclude: ['public.sales_2'] })), {
    'public.sales': 7,
    'public.sales_1': 3,
  })
})

test('a damaged table fails alone', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.damaged as select generate_series(1, 3) as id;
    create table public.sound as select generate_series(1, 4) as id;
  `)
  await damage(db, 'public.damaged')

  const run = await collect(db.connect())

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.damaged.*58P01.*restore/s)
  t.deepEqual(await rowCounts(db.sql, run), { 'public.damaged': null, 'public.sound': 4 })
  t.deepEqual(await failures(db.sql, run), { 'public.damaged': '58P01' })
})

test('two broken tables among thirty leave 28 counts, a FAILED run that names both, and the snapshots as they were', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    update nms.table_metrics_settings set lock_timeout = '50 ms';
    do $$
    begin
      for i in 1..30 loop
        execute format('create table public.t_%s as select generate_series(1, %1$s) as id', i);
      end loop;
    end
    $$;
  `)
  const good = await collect(db.sql)
  const snapshots = () => db.sql`
    select 'run' as kind, run_id, payload, collected_at from nms.table_metrics_run_snapshot
    union all
    select 'day', run_id, payload, collected_at from nms.table_metrics_daily_snapshot
    order by 1, 2
  `
  const before = await snapshots()
  await db.sql`insert into public.t_1 values (2)`
  await damage(db, 'public.t_11')
  await db.connect().unsafe('begin; lock table public.t_22 in access exclusive mode')

  const run = await collect(db.connect())

  t.is(good.status, 'SUCCEEDED')
  t.is(run.status, 'FAILED')
  t.is(run.target_count, '30')
  t.truthy(run.finished_at)
  t.regex(run.error_message ?? '', /public\.t_11 .*restore/)
  t.regex(run.error_message ?? '', /public\.t_22 .*lock_timeout/)
  t.deepEqual(await failures(db.sql, run), { 'public.t_11': '58P01', 'public.t_22': '55P03' })
  const rows = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`public.t_${i + 1}`, i + 1]))
  t.deepEqual(await rowCounts(db.sql, run), {
    ...rows,
    'public.t_1': 2,
    'public.t_11': null,
    'public.t_22': null,
  })
  t.is(before.length, 2)
  t.deepEqual([...(await snapshots())], [...before])
})

/** Takes the file of a table away, with no page of it left to write. */
async function damage({ sql }: TestDatabase, table: string) {
  await sql.unsafe(`vacuum (freeze) ${table}`)
  await sql`checkpoint`
  const [{ path }] = await sql<[{ path: string }]>`select pg_relation_filepath(${table}::regclass) as path`
  await unlink(join(process.env.TEST_DATA_DIRECTORY ?? '', path))
}

/** Gives everything in schema nms to a new role that is no superuser, and returns its name. */
async function handOver({ sql, createRole }: TestDatabase): Promise<string> {
  const { name } = await createRole('nosuperuser nobypassrls')
  await sql.unsafe(`
    do $$
    declare
      v_statement text;
    begin
      for v_statement in
        select format('alter schema nms owner to ${name}')
        union all
        select format('alter schema nms_private owner to ${name}')
        union all
        select format('alter table %s owner to ${name}', oid::regclass)
        from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'r'
        union all
        select format('alter type %s owner to ${name}', reltype::regtype)
        from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'c'
        union all
        select format('alter function %s owner to ${name}', oid::regprocedure)
        from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      loop
        execute v_statement;
      end loop;
    end
    $$;
    grant usage on schema public to ${name};
  `)
  return name
}
