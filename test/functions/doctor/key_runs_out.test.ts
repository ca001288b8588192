// Keys that run out are named before they do.

import test from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'

interface Problem {
  severity: string
  subject: string
  detail: string
  remedy: string
}

const problems = (sql: Sql) =>
  sql<Problem[]>`
    select severity, subject, detail, remedy from nms.find_problems() where problem = 'key_runs_out' order by subject
  `

/** As runs of the last 30 days would have kept them, when a sequence was used by so many a day. */
const keepPositions = (sql: Sql, sequence: string, perDay: number) => sql`
  insert into nms_private.key_positions (sequence_schema, sequence_name, run_id, read_at, position)
  select 'public', ${sequence}, -ago, now() - make_interval(days => ago), greatest(1, last_value - ago * ${perDay}::bigint)
  from generate_series(1, 30) as ago
  cross join ${sql('public')}.${sql(sequence)}
`

test('a key that is used by more than 80 per cent, or may be within a year, is named; the remedy mends it', async (t) => {
  const { sql } = await createDatabase(t)
  for (const [table, position, perDay] of [
    ['fine', 1_000_000, 1_000],
    ['used', 2_000_000_000, 0],
    ['Soon', 1_000_000_000, 4_000_000], // in 287 days
    ['later', 1_000_000_000, 2_000_000], // in 574
  ] as const) {
    await sql.unsafe(`create table public."${table}" (id serial primary key)`)
    await sql`select setval(${`public."${table}_id_seq"`}, ${position})`
    await keepPositions(sql, `${table}_id_seq`, perDay)
  }
  await collect(sql)

  const found = await problems(sql)

  t.deepEqual(
    found.map(({ severity, subject }) => [severity, subject]),
    [
      ['warning', 'public."Soon"'],
      ['warning', 'public.used'],
    ],
  )
  t.regex(
    found[0]?.detail ?? '',
    /at 1,000,000,000 of 2,147,483,647: it runs out between \d{4}-\d\d-\d\d and \d{4}-\d\d-\d\d$/,
  )
  t.regex(found[1]?.detail ?? '', /93 per cent are used/)
  t.regex(found[1]?.remedy ?? '', /rewrites the table/)
  for (const { remedy } of found) await sql.unsafe(remedy)
  t.deepEqual([...(await problems(sql))], [])
})

test('what no run has read is read: a key that has run out is an error, one that begins again a warning', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.a (id smallserial primary key);
    create table public.b (id smallserial primary key);
    create table public.c (id smallserial primary key);
    alter sequence public.b_id_seq cycle;
    select setval('a_id_seq', 32767), setval('b_id_seq', 32767);
  `)

  const found = await problems(sql)

  t.deepEqual(
    found.map(({ severity, subject }) => [severity, subject]),
    [
      ['error', 'public.a'],
      ['warning', 'public.b'],
    ],
  )
  t.regex(found[0]?.detail ?? '', /no row can be inserted any more/)
  t.regex(found[1]?.detail ?? '', /begins again/)
})

test('a table that no run counts is not named', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema playground;
    create table playground.a (id smallserial primary key);
    select setval('playground.a_id_seq', 32767);
  `)
  t.is((await problems(sql)).length, 1)

  await sql`update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{playground}'`

  t.is((await problems(sql)).length, 0)
})

test('a key is judged by where its sequence is now, not by what the run of this day has kept', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.reset (id bigint primary key generated always as identity (maxvalue 5));
    create table public.truncated (id bigint primary key generated always as identity (maxvalue 5));
    create table public.remade (id bigint primary key generated always as identity (maxvalue 5));
    create table public.exhausted (id bigint primary key generated always as identity (maxvalue 5));
    insert into public.reset select from generate_series(1, 5);
    insert into public.truncated select from generate_series(1, 5);
    insert into public.remade select from generate_series(1, 5);
    insert into public.exhausted default values;
  `)
  await collect(sql)
  t.is((await problems(sql)).length, 3)

  await sql.unsafe(`
    select setval('public.reset_id_seq', 1);
    truncate public.truncated restart identity;
    drop table public.remade;
    create table public.remade (id bigint primary key generated always as identity (maxvalue 5));
    insert into public.exhausted select from generate_series(1, 4);
  `)

  t.deepEqual(
    (await problems(sql)).map(({ severity, subject }) => [severity, subject]),
    [['error', 'public.exhausted']],
  )
})

test('of more sequences than are read, those of another schema and those nearest to their end are', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema other;
    create table other.t (id serial primary key);
    create table public.z (id serial primary key);
    do $$ begin
      for n in 1..600 loop
        execute format('create table public.a%s (id smallserial primary key)', n);
      end loop;
    end $$;
  `)
  await sql`
    insert into nms_private.key_positions (sequence_schema, sequence_name, run_id, read_at, position)
    values ('public', 'z_id_seq', -1, now() - interval '1 day', 2000000000)
  `
  await sql`select setval('other.t_id_seq', 2147483647), setval('public.z_id_seq', 2147483647)`

  t.deepEqual(
    (await problems(sql)).map(({ severity, subject }) => [severity, subject]),
    [
      ['error', 'other.t'],
      ['error', 'public.z'],
    ],
  )
})

test('a sequence that begins beyond the type of its column is an error, used or not', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create sequence public.s minvalue 2147483648;
    create table public.next (id integer primary key default nextval('public.s'));
    create sequence public.r minvalue 4000000000 cycle;
    create table public.beyond (id integer primary key default nextval('public.r'));
  `)
  const found = await problems(sql)
  await sql`select nextval('public.r')`
  const used = await problems(sql)

  t.deepEqual(
    found.map(({ severity, subject, detail }) => [severity, subject, detail]),
    [
      [
        'error',
        'public.beyond',
        'its key id (integer) begins at 4,000,000,000 of 2,147,483,647: no row can be inserted',
      ],
      [
        'error',
        'public.next',
        'its key id (integer) begins at 2,147,483,648 of 2,147,483,647: no row can be inserted',
      ],
    ],
  )
  t.is(used[0]?.detail, 'its key id (integer) is at 4,000,000,000 of 2,147,483,647: no row can be inserted')
})
