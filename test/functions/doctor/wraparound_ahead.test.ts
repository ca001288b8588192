// A server with the lowest limits there are, on which transactions are used up in seconds.

import ava from 'ava'
import type { Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { startOwnServer } from '../../_support/server.ts'

const test = ava.serial

interface Problem {
  severity: string
  subject: string
  detail: string
  remedy: string
}

const freezeAt = 100_000
const multixactsAt = 10_000

const startWorn = () =>
  startOwnServer({
    autovacuum: 'off',
    autovacuum_freeze_max_age: String(freezeAt),
    autovacuum_multixact_freeze_max_age: String(multixactsAt),
    max_prepared_transactions: '2',
    max_replication_slots: '2',
    wal_level: 'logical',
  })

const problems = (sql: Sql) =>
  sql<Problem[]>`
    select severity, subject, detail, remedy from nms.find_problems() where problem = 'wraparound_ahead'
  `

const burnTransactions = (sql: Sql, count: number) =>
  sql.unsafe(`do $$ begin for n in 1..${count} loop perform pg_current_xact_id(); commit; end loop; end $$`)

/** Each time, a row is locked by a transaction and by a part of it. */
const burnMultixacts = async (sql: Sql, count: number) => {
  await sql`create table public.locked as select 1 as id`
  await sql.unsafe(`
    do $$
    begin
      for n in 1..${count} loop
        perform from public.locked for key share;
        begin
          perform from public.locked for no key update;
        exception when division_by_zero then null;
        end;
        commit;
      end loop;
    end
    $$
  `)
}

const holders: Record<string, { hold: (sql: Sql, connect: () => Sql) => Promise<unknown>; named: RegExp }> = {
  'a prepared transaction': {
    hold: (_sql, connect) =>
      connect().unsafe(`begin; create table public.half (id int); prepare transaction 'it''s old'`),
    named: /the prepared transaction 'it''s old' in database/,
  },
  'a replication slot': {
    hold: (sql) => sql`select pg_create_logical_replication_slot('forgotten', 'pgoutput')`,
    named: /the replication slot 'forgotten'/,
  },
  'a session': {
    hold: (_sql, connect) => connect().unsafe('begin; select pg_current_xact_id()'),
    named: /session \d+ of postgres \(idle in transaction\)/,
  },
}

for (const [what, { hold, named }] of Object.entries(holders)) {
  test(`${what} that keeps vacuum from freezing is named, and the remedy ends it`, async (t) => {
    const server = await startWorn()
    t.teardown(server.remove)
    const { sql, connect } = await server.createDatabase(t)
    await sql`create table public.orders as select generate_series(1, 3) as id`
    await sql.unsafe('vacuum (freeze)')
    await hold(sql, connect)
    await burnTransactions(sql, freezeAt + 1_000)
    t.deepEqual([...(await problems(sql))], [])
    await burnTransactions(sql, freezeAt / 2)

    const [found, ...others] = await problems(sql)

    t.deepEqual(others, [])
    t.is(found?.severity, 'warning')
    t.regex(found?.detail ?? '', /due at 100,000\b/)
    t.regex(found?.detail ?? '', named)
    await sql.unsafe(found?.remedy ?? '')
    await eventually(async () => {
      await sql.unsafe('vacuum (freeze)')
      return (await problems(sql)).length === 0
    }, 'vacuum has frozen everything')
  })
}

test('where nothing is in the way, the oldest table is named; from the age of the failsafe on it is an error', async (t) => {
  const server = await startWorn()
  t.teardown(server.remove)
  const { sql, connect } = await server.createDatabase(t)
  await sql.unsafe('create schema "Old Shop"; create table "Old Shop"."or""ders" as select 1 as id')
  // Keeps autovacuum away, and no transaction.
  const session = connect()
  await session.unsafe('begin; lock table "Old Shop"."or""ders" in share update exclusive mode')
  await burnTransactions(sql, freezeAt * 1.5 + 1_000)
  await sql.unsafe('vacuum (freeze, skip_locked)')

  const [found, ...others] = await problems(sql)

  t.deepEqual(others, [])
  t.is(found?.severity, 'warning')
  t.is(found?.subject, '"Old Shop"."or""ders"')
  await sql`alter system set vacuum_failsafe_age = 0`
  await sql`select pg_reload_conf()`
  await eventually(async () => (await problems(sql))[0]?.severity === 'error', 'the failsafe is met')
  await session`commit`
  await sql.unsafe(found?.remedy ?? '')
  t.deepEqual([...(await problems(sql))], [])
})

test('multixacts are used up as well', async (t) => {
  const server = await startWorn()
  t.teardown(server.remove)
  const { sql, connect } = await server.createDatabase(t)
  await sql`create table public.orders as select 1 as id`
  const session = connect()
  await session.unsafe('begin; lock table public.orders in share update exclusive mode')
  await burnMultixacts(sql, multixactsAt * 1.5 + 1_000)
  await sql.unsafe('vacuum (freeze, skip_locked)')

  const [found, ...others] = await problems(sql)

  t.deepEqual(others, [])
  t.like(found, { severity: 'warning', subject: 'public.orders' })
  t.regex(found?.detail ?? '', /multixacts old.* due at 10,000\b/)
})
