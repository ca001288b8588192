import test from 'ava'
import { collect, createDatabase, rowCounts, type Sql } from './_support/database.ts'

// Each trap first has to catch an ordinary query of the same session: else it would prove nothing.
const traps = [
  {
    what: 'functions of public that are named like built-in ones',
    set: `
      create aggregate public.count(*) (sfunc = int8inc, stype = int8, initcond = '666');
      create function public.now() returns timestamptz language sql as $$ select timestamptz '1999-12-31 12:00Z' $$;
      create function public.clock_timestamp() returns timestamptz language sql as $$ select timestamptz '1999-12-31 12:00Z' $$;
      create function public.left(text, int) returns text language sql as $$ select 'hijacked' $$;
      create function public.length(text) returns int language sql as $$ select 666 $$;
      create function public.lower(text) returns text language sql as $$ select 'hijacked' $$;
      create function public.format(text, text) returns text language sql as $$ select 'hijacked' $$;
      create function public.format(text, text, text) returns text language sql as $$ select 'hijacked' $$;
      create function public.format(text, name, name) returns text language sql as $$ select 'hijacked' $$;
      create function public.replace(text, text, text) returns text language sql as $$ select 'hijacked' $$;
      create function public.to_regclass(text) returns regclass language sql as $$ select null::regclass $$;
      create function public.pg_relation_filenode(regclass) returns oid language sql as $$ select 1::oid $$;
      create function public.pg_relation_size(regclass) returns bigint language sql as $$ select 1::bigint $$;
      create function public.pg_my_temp_schema() returns oid language sql as $$ select 1::oid $$;
      create function public.jsonb_typeof(jsonb) returns text language sql as $$ select 'hijacked' $$;
      create function public.jsonb_array_elements(jsonb) returns setof jsonb language sql as $$ select '"hijacked"'::jsonb $$;
      create function public.jsonb_array_elements_text(jsonb) returns setof text language sql as $$ select 'hijacked' $$;
      create function public.current_setting(text) returns text language sql as $$ select '1' $$;
      create function public.set_config(text, text, boolean) returns text language sql as $$ select 'hijacked' $$;
      create function public.jsonb_object_agg(text, bigint) returns jsonb language sql as $$ select '{}'::jsonb $$;
      create aggregate public.max(timestamptz) (sfunc = timestamptz_larger, stype = timestamptz, initcond = 'infinity');
    `,
    springs: `count(*) = 667 and now() < '2000-01-01' and format('%s', 'a'::text) = 'hijacked' from (values (1)) as one`,
  },
  {
    what: 'operators of public that are spelled like built-in ones',
    set: ['text', 'name', 'oid', 'bigint', 'integer', 'jsonb', 'boolean', 'timestamptz']
      .map(
        (type) => `
          create function public.always(${type}, ${type}) returns boolean language sql as 'select true';
          create function public.never(${type}, ${type}) returns boolean language sql as 'select false';
          create operator public.= (function = public.never, leftarg = ${type}, rightarg = ${type});
          create operator public.<> (function = public.always, leftarg = ${type}, rightarg = ${type});
          create operator public.< (function = public.always, leftarg = ${type}, rightarg = ${type});
          create operator public.> (function = public.always, leftarg = ${type}, rightarg = ${type});
          create operator public.>= (function = public.never, leftarg = ${type}, rightarg = ${type});
        `,
      )
      .concat(`
        create function public.never(name, text) returns boolean language sql as 'select false';
        create operator public.= (function = public.never, leftarg = name, rightarg = text);
        create operator public.!~ (function = public.never, leftarg = name, rightarg = text);
        create operator public.!~ (function = public.always, leftarg = text, rightarg = text);
        create function public.glue(text, text) returns text language sql as $$ select 'hijacked' $$;
        create operator public.|| (function = public.glue, leftarg = text, rightarg = text);
      `)
      .join(''),
    springs: `not ('a'::text = 'a'::text) and (1 <> 1) and 'a'::text || 'b'::text operator(pg_catalog.=) 'hijacked'`,
  },
  {
    what: 'tables and types of public that are named like system ones',
    set: `
      create table public.pg_class as select * from pg_catalog.pg_class limit 0;
      create table public.pg_namespace as select * from pg_catalog.pg_namespace limit 0;
      create table public.pg_inherits as select * from pg_catalog.pg_inherits limit 0;
      create table public.pg_settings as select * from pg_catalog.pg_settings limit 0;
      create table public.pg_timezone_names as select * from pg_catalog.pg_timezone_names limit 0;
      create table public.table_metrics_runs (run_id int);
      create table public.table_metrics_settings (lock_timeout int);
      create domain public.jsonb as pg_catalog.jsonb check (value is null);
      create domain public.text as pg_catalog.text check (value is null);
      create domain public.regclass as pg_catalog.oid check (value is null);
      create domain public.oid as pg_catalog.oid check (value is null);
    `,
    springs: `count(*) = 0 and to_regtype('text') = 'public.text'::regtype from pg_class`,
    counts: {
      'public.pg_class': 0,
      'public.pg_inherits': 0,
      'public.pg_namespace': 0,
      'public.pg_settings': 0,
      'public.pg_timezone_names': 0,
      'public.table_metrics_runs': 0,
      'public.table_metrics_settings': 0,
    },
  },
  {
    what: 'temporary tables that are named like system ones, ours and those to count',
    set: `
      create temporary table pg_class as select * from pg_catalog.pg_class limit 0;
      create temporary table pg_namespace as select * from pg_catalog.pg_namespace limit 0;
      create temporary table pg_inherits as select * from pg_catalog.pg_inherits limit 0;
      create temporary table pg_settings as select * from pg_catalog.pg_settings limit 0;
      create temporary table table_metrics_runs (run_id int);
      create temporary table table_metrics_measurements (run_id int);
      create temporary table table_metrics_settings (lock_timeout int);
      create temporary table target (table_oid int);
      create temporary table text (id int);
      create temporary table orders as select generate_series(1, 666);
      create temporary table "Sales.Orders" as select generate_series(1, 666);
    `,
    path: 'pg_temp, public, pg_catalog',
    springs: `count(*) = 0 and (select count(*) from orders) = 666 from pg_class`,
  },
]

for (const { what, set, springs, path = 'public, pg_catalog', counts = {} } of traps) {
  test(`${what} change nothing`, async (t) => {
    const db = await createDatabase(t)
    await shop(db.sql)
    const sql = db.connect()
    await sql.unsafe(set)
    await sql.unsafe(`set search_path = ${path}`)
    const [control] = await sql.unsafe(`select ${springs}`)
    t.deepEqual(Object.values(control ?? {}), [true], 'the trap does not work')

    const run = await collect(sql, { skip: ['tmp'], exclude: ['Sales.Secret', 'public.nothing'] })

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(run.unmatched_entries, [{ argument: 'exclude', entry: 'public.nothing' }])
    t.true(Math.abs(Date.now() - run.collected_at.getTime()) < 3_600_000)
    const expected = { ...shopCounts, ...counts }
    t.deepEqual(await rowCounts(db.sql, run), expected)
    t.is(run.target_count, String(Object.keys(expected).length))
    const [daily] = await db.sql<[{ payload: Record<string, Record<string, number>> }]>`
      select payload from nms.table_metrics_daily_snapshot
    `
    t.deepEqual(daily.payload.Sales, { Orders: 11 })
    t.is(daily.payload.public?.orders, 7)
  })
}

test('the settings of the session that collects change nothing', async (t) => {
  const db = await createDatabase(t)
  await shop(db.sql)
  const sql = db.connect()
  await sql.unsafe(`
    set quote_all_identifiers = on;
    set standard_conforming_strings = off;
    set transform_null_equals = on;
    set array_nulls = off;
    set intervalstyle = 'sql_standard';
    set datestyle = 'SQL, DMY';
    set timezone = 'Pacific/Auckland';
    set row_security = off;
    set enable_seqscan = off;
    set enable_hashjoin = off;
    set work_mem = '64kB';
    set plan_cache_mode = 'force_generic_plan';
    set default_transaction_isolation = 'serializable';
    set plpgsql.extra_errors = 'all';
    set plpgsql.check_asserts = off;
  `)

  const run = await collect(sql, request)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(db.sql, run), shopCounts)
  t.is((await sql`show quote_all_identifiers`)[0]?.quote_all_identifiers, 'on')
  t.is((await sql`show row_security`)[0]?.row_security, 'off')
})

test('a malformed request is malformed however the session reads a backslash', async (t) => {
  const db = await createDatabase(t)
  const sql = db.connect()
  await sql`set standard_conforming_strings = off`

  const run = await collect(sql, { exclude: ['orders'] })

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /exclude.*"orders"/)
})

for (const { what, body, sqlstate } of [
  { what: 'divides by zero', body: 'return 1 / (random() * 0)::int = 1;', sqlstate: '22012' },
  { what: 'fails an assertion', body: 'assert false;', sqlstate: 'P0004' },
]) {
  test(`an index whose function ${what} spoils the count of its own table only`, async (t) => {
    const db = await createDatabase(t)
    await shop(db.sql)
    await setTrap(db.sql, body)

    const run = await collect(db.sql, request)

    t.is(run.status, 'FAILED')
    t.regex(run.error_message ?? '', new RegExp(`public\\.orders.*${sqlstate}`))
    t.deepEqual(await rowCounts(db.sql, run), { ...shopCounts, 'public.orders': null })
  })
}

test('an index whose function raises a private SQLSTATE of the collector fakes no count', async (t) => {
  const db = await createDatabase(t)
  await shop(db.sql)
  const codes = await db.sql<{ code: string }[]>`
    select distinct code
    from pg_proc
    cross join lateral (select (regexp_matches(prosrc, '''(NM[0-9A-Z]{3})''', 'g'))[1] as code) as found
    where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
  `
  for (const { code } of codes) {
    await setTrap(db.sql, `raise sqlstate '${code}';`)

    const run = await collect(db.sql, request)

    t.is(run.status, 'FAILED', code)
    t.regex(run.error_message ?? '', /public\.orders/, code)
    t.deepEqual(await rowCounts(db.sql, run), { ...shopCounts, 'public.orders': null }, code)
  }
  t.true(codes.length > 0)
})

test('an index whose function tampers with settings and results fails its own table and changes nothing', async (t) => {
  const db = await createDatabase(t)
  await shop(db.sql)
  const before = await collect(db.sql, request)
  await db.sql.unsafe(`
    create function public.tamper() returns boolean language plpgsql as $$
    begin
      update nms.table_metrics_measurements set row_count = 666, own_row_count = 666;
      update nms.table_metrics_settings set machinery_schemas = '{}';
      return true;
    end
    $$;
  `)
  await setTrap(
    db.sql,
    `
      perform set_config('search_path', 'public, pg_catalog', false), set_config('row_security', 'on', false);
      return public.tamper();
    `,
  )

  const run = await collect(db.sql, request)

  t.regex(run.error_message ?? '', /^1 of .* public\.orders \(25006, .*function/)
  t.deepEqual(await rowCounts(db.sql, run), { ...shopCounts, 'public.orders': null })
  t.deepEqual(await rowCounts(db.sql, before), shopCounts)
  t.is((await db.sql`select from nms.table_metrics_settings where machinery_schemas = '{}'`).length, 0)
})

const request = { skip: ['tmp'], exclude: ['Sales.Secret'] }
const shopCounts = {
  'Sales.Orders': 11,
  'public.empty': 0,
  'public.events': 5,
  'public.events_1': 5,
  'public.orders': 7,
}

async function shop(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table public.orders (id int primary key);
    insert into public.orders select generate_series(1, 7);
    create table public.empty (id int primary key);
    create table public.events (id int) partition by range (id);
    create table public.events_1 partition of public.events for values from (1) to (100);
    insert into public.events select generate_series(1, 5);
    create schema "Sales";
    create table "Sales"."Orders" as select generate_series(1, 11) as id;
    create table "Sales"."Secret" as select generate_series(1, 13) as id;
    create schema tmp;
    create table tmp.scratch as select generate_series(1, 17) as id;
  `)
}

/** Gives public.orders an index whose predicate runs this code whenever a query on the table is planned. */
async function setTrap(sql: Sql, body: string): Promise<void> {
  await sql.unsafe(`
    drop function if exists public.trap() cascade;
    create function public.trap() returns boolean language plpgsql immutable as 'begin return true; end';
    create index on public.orders (id) where public.trap();
    create or replace function public.trap() returns boolean language plpgsql immutable as $$
    begin
      ${body}
    end
    $$;
  `)
}

for (const [what, statement] of [
  ['draws from a sequence', `perform setval('public.drawn', 4711); return true;`],
  ['writes a table of its owner', 'insert into public.written values (1); return true;'],
  [
    'switches writing on again',
    `perform set_config('transaction_read_only', 'off', true); insert into public.written values (1); return true;`,
  ],
  [
    'catches what forbids it to write',
    `begin perform setval('public.drawn', 4711); exception when others then null; end; return true;`,
  ],
] as const) {
  test(`a count writes nothing: an index whose function ${what}`, async (t) => {
    const db = await createDatabase(t)
    await shop(db.sql)
    await db.sql.unsafe('create sequence public.drawn; create table public.written (id int)')
    await setTrap(db.sql, statement)
    const collector = db.connect()

    await collect(collector, request)

    t.deepEqual(
      [...(await db.sql`select last_value, is_called from public.drawn`)].map((row) => ({ ...row })),
      [{ last_value: '1', is_called: false }],
    )
    t.is((await db.sql`select from public.written`).length, 0)
    t.is((await collector`show transaction_read_only`)[0]?.transaction_read_only, 'off', 'afterwards it may')
  })
}
