// When primary keys run out, by the position of what gives out their numbers.

import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Key {
  outcome: string | null
  earliest: string | null
  middle: string | null
  latest: string | null
  position: number | null
  keys_left: number
  used_percent: number
  remedy: string
  per_day: number | null
}

const keyOf = async (sql: Sql, table: string) =>
  (await ask<{ key: Key | null }>(sql, `forecast_report('public', '${table}')`)).report.key

/** As runs of so many days up to yesterday would have kept them. */
async function keepPositions(sql: Sql, sequence: string, days: number, position: (ago: number) => number) {
  await sql`
    insert into nms_private.key_positions (sequence_schema, sequence_name, run_id, read_at, position)
    select 'public', ${sequence}, -ago, now() - make_interval(days => ago), position
    from jsonb_to_recordset(${sql.json(
      Array.from({ length: days }, (_, n) => ({ ago: n + 1, position: position(n + 1) })),
    )}) as given (ago integer, position bigint)
  `
}

async function createTables(t: ExecutionContext, statements: string) {
  const db = await createDatabase(t)
  await db.sql.unsafe(statements)
  await collect(db.sql)
  return { ...db, db, reader: await createReader(db) }
}

const limits: Record<
  string,
  { make: string; expected: Partial<Record<keyof Key | 'limited_by', unknown>> | null }
> = {
  'a serial is limited by its type, and its sequence with it': {
    make: `create table public.t (id serial primary key); select setval('t_id_seq', 2147483600)`,
    expected: {
      position: 2147483600,
      keys_left: 47,
      limited_by: 'type',
      used_percent: 99.99,
      remedy:
        'alter table public.t alter column id type bigint; alter sequence public.t_id_seq as bigint no maxvalue;',
    },
  },
  'an identity takes its sequence along': {
    make: `create table public.t (id integer generated always as identity primary key); select setval('t_id_seq', 100)`,
    expected: { keys_left: 2147483547, remedy: 'alter table public.t alter column id type bigint;' },
  },
  'a smallserial ends at 32,767': {
    make: `create table public.t (id smallserial primary key); select setval('t_id_seq', 32000)`,
    expected: { keys_left: 767, used_percent: 97.65 },
  },
  'nothing given out yet': {
    make: 'create table public.t (id smallserial primary key)',
    expected: { position: null, keys_left: 32767, used_percent: 0 },
  },
  'a column of bigint whose sequence is still one of integer': {
    make: `create table public.t (id serial primary key); alter table t alter id type bigint; select setval('t_id_seq', 2147483647)`,
    expected: {
      keys_left: 0,
      outcome: 'passed',
      limited_by: 'sequence',
      remedy: 'alter sequence public.t_id_seq as bigint no maxvalue;',
    },
  },
  'a sequence of bigint for a column of integer': {
    make: `create sequence public.s; create table public.t (id integer primary key default nextval('public.s')); select setval('s', 2147483640)`,
    expected: {
      keys_left: 7,
      limited_by: 'type',
      remedy: 'alter table public.t alter column id type bigint;',
    },
  },
  'in steps of ten, a tenth as many are left': {
    make: `create sequence public.s increment 10; create table public.t (id integer primary key default nextval('public.s')); select setval('s', 2147483600)`,
    expected: { keys_left: 4 },
  },
  downwards: {
    make: `create sequence public.s increment -2 minvalue -100; create table public.t (id bigint primary key default nextval('public.s')); select setval('s', -81)`,
    expected: {
      keys_left: 9,
      limited_by: 'sequence',
      remedy: 'alter sequence public.s as bigint no minvalue;',
    },
  },
  'of a key of two columns, that which a sequence gives': {
    make: `create table public.t (id serial, day date, primary key (id, day)) partition by range (day); select setval('t_id_seq', 5)`,
    expected: { position: 5 },
  },
  'without a sequence, the highest value': {
    make: 'create table public.t (id integer primary key); insert into t values (3), (2147483646)',
    expected: { position: 2147483646, keys_left: 1 },
  },
  'a default that makes something else of the sequence': {
    make: `create sequence public.s; create table public.t (id integer primary key default nextval('public.s') * 2); insert into t values (40)`,
    expected: { position: 40, remedy: 'alter table public.t alter column id type bigint;' },
  },
  'a bigint is no limit': { make: 'create table public.t (id bigserial primary key)', expected: null },
  'nor is a text': { make: 'create table public.t (id text primary key)', expected: null },
  'what is part of a key without a sequence says nothing': {
    make: 'create table public.t (a integer, b integer, primary key (a, b))',
    expected: null,
  },
}

for (const [what, { make, expected }] of Object.entries(limits)) {
  test(`a key: ${what}`, async (t) => {
    const { sql, reader } = await createTables(t, make)

    const key = await keyOf(reader, 't')

    if (expected === null) return t.is(key, null)
    t.like(key, expected)
    await sql.unsafe(key?.remedy ?? '')
    t.is(await keyOf(reader, 't'), null, 'mended')
  })
}

test('by the positions that runs have kept: between two days, though rows come and go', async (t) => {
  const { sql, reader } = await createTables(
    t,
    `create table public.queue (id serial primary key); select setval('queue_id_seq', 2147383647)`,
  )
  await keepPositions(sql, 'queue_id_seq', 30, (ago) => 2147383647 - 1000 * ago - (ago % 3) * 10)

  const key = await keyOf(reader, 'queue')

  t.like(key, {
    pace_of: 'positions',
    points_found: 32,
    keys_left: 100_000,
    outcome: 'between',
    is_pressing: true,
  })
  t.true(Math.abs((key?.per_day ?? 0) - 1000) < 5, String(key?.per_day))
  const hundredDays = await daysAgo(sql, -100)
  t.true((key?.earliest ?? '') <= hundredDays && hundredDays <= (key?.latest ?? ''), JSON.stringify(key))
})

test('with too few positions, the rows say by when at the latest', async (t) => {
  const { sql, reader } = await createTables(
    t,
    `create table public.orders (id serial primary key); select setval('orders_id_seq', 2147482647)`,
  )
  await writeRuns(
    sql,
    Array.from({ length: 20 }, (_, day) => ({ day, counts: { 'public.orders': 10 * day } })),
    await daysAgo(sql, 20),
  )
  await rebuildSnapshots(sql)
  await keepPositions(sql, 'orders_id_seq', 12, () => 1)

  const key = await keyOf(reader, 'orders')

  t.like(key, { pace_of: 'rows', points_needed: 15, outcome: 'not after', earliest: null })
  t.true((key?.latest ?? '') >= (await daysAgo(sql, -99)), JSON.stringify(key))
})

test('each business day, its first run keeps the positions; they go with their run', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders (id serial primary key)`
  await db.sql`insert into public.orders select from generate_series(1, 42)`
  await db.sql`create table public.large (id bigserial primary key)`
  const positions = () =>
    db.sql`select sequence_name, position::integer, run_id::integer from nms_private.key_positions`

  await collect(db.sql)
  await collect(db.sql)

  t.deepEqual([...(await positions())], [{ sequence_name: 'orders_id_seq', position: 42, run_id: 1 }])
  await db.sql`delete from nms.table_metrics_runs where run_id = 1`
  t.deepEqual([...(await positions())], [])
})

test('a run that cannot keep positions succeeds; a sequence that is being dropped is left out', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.a (id serial primary key)`
  await db.sql`create table public.b (id serial primary key)`
  const other = db.connect()
  await other.unsafe('begin; alter table public.a alter id drop default; drop sequence public.a_id_seq')
  await db.sql`update nms.table_metrics_settings set lock_timeout = '10 ms'`

  t.is((await collect(db.sql, { exclude: ['public.a'] })).status, 'SUCCEEDED')

  t.deepEqual(
    [...(await db.sql`select sequence_name from nms_private.key_positions`)],
    [{ sequence_name: 'b_id_seq' }],
  )
  await other`rollback`
  await db.sql`delete from nms_private.key_positions`
  await db.sql`alter table nms_private.key_positions add constraint nothing_fits check (false) not valid`
  t.is((await collect(db.sql)).status, 'SUCCEEDED')
})

test('a dropped, a locked and a foreign sequence do not keep others from being read, and one that is read keeps nobody from using it', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe('create sequence public.b; create sequence public.a; create sequence public.gone')
  await db.sql`select setval('public.b', 7)`
  const oids = await db.sql<
    { oid: number }[]
  >`select 'a'::regclass::oid union all select 'gone'::regclass::oid union all select 'b'::regclass::oid`
  await db.sql`drop sequence public.gone`
  const other = db.connect()
  await other.unsafe('begin; drop sequence public.a')

  const rows = await db.connect().unsafe(`
    begin;
    create temporary table found as
      select position::integer from nms_private.sequence_positions('{${oids.map(({ oid }) => oid)}}');
    select position, (select string_agg(mode, ', ') from pg_locks where relation = 'public.b'::regclass) as locks from found
  `)

  t.deepEqual([...(rows.at(-1) as unknown as object[])], [{ position: 7, locks: 'RowExclusiveLock' }])
})

test('the highest key of a table is not read where that could run code of its owner', async (t) => {
  const { db, sql } = await createTables(
    t,
    `
      create table public.t (id integer primary key, x integer);
      insert into public.t values (5, 1);
      create function public.spy(integer) returns integer language plpgsql immutable as $$
        begin
          if current_user = 'table_metrics_owner' then
            raise warning 'ran as the owner';
          end if;
          return $1;
        end
      $$;
    `,
  )
  const heard: string[] = []
  const ours = db.connect({ onnotice: ({ message = '' }) => void heard.push(message) })
  t.like(await keyOf(ours, 't'), { position: 5 })
  for (const index of [
    'create index hostile on public.t ((public.spy(1)))',
    'create index hostile on public.t (x) where public.spy(1) = 1',
    'create statistics public.hostile_statistics on (public.spy(x)), x from public.t',
  ]) {
    await sql.unsafe(index)
    t.is(await keyOf(ours, 't'), null, index)
    await sql.unsafe(
      'drop index if exists public.hostile; drop statistics if exists public.hostile_statistics',
    )
  }
  t.deepEqual(heard, [])
  t.like(await keyOf(ours, 't'), { position: 5 })
})
