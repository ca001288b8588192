import test from 'ava'
import { collect, createDatabase, majorOf, type Sql } from '../../_support/database.ts'
import { runAsOwner } from '../../_support/owner.ts'
import { startOwnServer } from '../../_support/server.ts'

interface Problem {
  severity: string
  problem: string
  subject: string
  detail: string
  remedy: string
}

const named = (sql: Sql, ...names: string[]) =>
  sql<
    Problem[]
  >`select * from nms.find_problems() where problem in ${sql(names)} order by subject collate "C"`

const subjects = (problems: readonly Problem[]) => problems.map(({ subject }) => subject)

const carryAll = (sql: Sql) => sql`insert into nms.table_metrics_count_rules (method) values ('carried')`

/** Counters are trusted from PostgreSQL 15 on. */
const canCarry = async (sql: Sql) => (await majorOf(sql)) >= 15

test('before PostgreSQL 15 nothing is carried, and only where a rule wants it that is a problem', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual([...(await named(sql, 'carries_nothing'))], [])

  await carryAll(sql)

  const problems = await named(sql, 'carries_nothing')
  if (await canCarry(sql)) {
    t.deepEqual([...problems], [])
  } else {
    t.deepEqual(
      problems.map(({ severity }) => severity),
      ['warning'],
    )
    t.regex(problems[0]?.subject ?? '', /^PostgreSQL 14/)
    await sql.unsafe(problems[0]?.remedy ?? '')
    t.deepEqual([...(await named(sql, 'carries_nothing'))], [])
  }
})

test('an owner who does not see what sessions do carries nothing until it is granted to', async (t) => {
  const { sql, createRole } = await createDatabase(t)
  const owner = await createRole('bypassrls')
  await runAsOwner(sql, owner.name)
  await sql`grant pg_read_all_data to ${sql(owner.name)}`
  await carryAll(sql)

  const mine = async () =>
    (await named(sql, 'carries_nothing')).filter(({ subject }) => subject === owner.name)
  const [problem, ...others] = await mine()

  t.is(others.length, 0)
  await sql.unsafe(problem?.remedy ?? '')
  t.deepEqual(await mine(), [])
})

test('whoever may stop counting changes is named, and each remedy ends it', async (t) => {
  const server = await startOwnServer()
  t.teardown(() => server.remove())
  const { sql, name } = await server.createDatabase(t)
  await sql.unsafe(`
    create role "Loader";
    create role job in role "Loader";
    create role elsewhere;
    create function public.load() returns void language sql set track_counts = off as '';
    alter role "Loader" set track_counts = off;
    alter role job in database ${name} set track_counts = off;
    alter role elsewhere in database postgres set track_counts = off;
    alter role elsewhere set track_counts = on;
    alter database ${name} set track_counts = 'false';
  `)
  if (await canCarry(sql)) await sql`grant set on parameter track_counts to "Loader", public`
  const changes = () => named(sql, 'changes_not_counted')
  t.deepEqual([...(await changes())], [])
  await carryAll(sql)

  const problems = await changes()

  t.deepEqual(subjects(problems), [
    '"Loader"',
    ...((await canCarry(sql)) ? ['"Loader"'] : []),
    `job in ${name}`,
    ...((await canCarry(sql)) ? ['public'] : []),
    'public.load()',
    name,
  ])
  for (const { remedy } of problems) await sql.unsafe(remedy)
  t.deepEqual([...(await changes())], [])
})

test('a server that does not count changes at all is a problem', async (t) => {
  const server = await startOwnServer({ track_counts: 'off', autovacuum: 'off' })
  t.teardown(() => server.remove())
  const { sql } = await server.createDatabase(t)
  await carryAll(sql)

  t.deepEqual(subjects(await named(sql, 'changes_not_counted')), ['track_counts'])
})

test('a session that switches it off for itself says nothing about the server', async (t) => {
  const { connect } = await createDatabase(t)
  const session = connect()
  await carryAll(session)
  await session`set track_counts = off`

  t.deepEqual([...(await named(session, 'changes_not_counted'))], [])
})

test('transactions that began after tables were counted are in the way of carrying', async (t) => {
  const { sql, connect } = await createDatabase(t)
  const [before, after] = [connect(), connect({ connection: { application_name: 'reports' } })]
  const begin = async (session: Sql) => {
    await session`begin`
    const [row] = await session<[{ pid: number }]>`select pg_backend_pid() as pid, now()`
    return row.pid
  }
  await begin(before)
  await sql`create table public.orders ()`
  if (!(await canCarry(sql))) return t.pass()
  await carryAll(sql)
  await collect(sql)
  const pid = await begin(after)

  const found = await sql<{ pid: number; name: string; state: string; tables: string }[]>`
    select pid, name, state, tables from nms_private.transactions_in_the_way(open_for => '0')
  `

  const [{ role }] = await sql<[{ role: string }]>`select quote_ident(current_user) as role`
  t.deepEqual([...found], [{ pid, name: `${role}, reports`, state: 'idle in transaction', tables: '1' }])
  t.deepEqual([...(await named(sql, 'carrying_is_kept_waiting'))], []) // not yet for 5 minutes
})

test('a rule for what does not exist is named', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders ();
    create table public.events (id int) partition by list (id);
    create view public.shown as select 1;
    create schema empty;
    insert into nms.table_metrics_count_rules (schema_name, table_name, method) values
      ('*', '*', 'carried'), ('public', '*', 'carried'), ('empty', '*', 'exact'), ('public', 'orders', 'exact'),
      ('public', 'events', 'estimate'),
      ('public', 'Orders', 'exact'), ('public', 'shown', 'carried'), ('gone', '*', 'carried'), ('gone', 'it''s', 'exact');
  `)

  const problems = await named(sql, 'count_rule_names_nothing')

  t.deepEqual(subjects(problems), ['gone', 'gone."it\'s"', 'public."Orders"', 'public.shown'])
  for (const { remedy } of problems) await sql.unsafe(remedy)
  t.deepEqual([...(await named(sql, 'count_rule_names_nothing'))], [])
})

test('an open difference is a problem, once for each table that is still there', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders ();
    create table public.looked_at ();
    insert into nms.table_metrics_differences (
      run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, detail, resumed_at
    )
    values
      (1, 'public', 'orders', 'public.orders'::regclass, 'carried', 1000, 1001, 'first', null),
      (2, 'public', 'orders', 'public.orders'::regclass, 'carried', 1000, 1002, 'then', null),
      (2, 'public', 'looked_at', 'public.looked_at'::regclass, 'carried', 1, 2, 'then', now()),
      (2, 'public', 'gone', 1, 'carried', 1, 2, 'then', null);
  `)

  const problems = await named(sql, 'count_differs')

  t.deepEqual(subjects(problems), ['public.orders'])
  t.like(problems[0], {
    severity: 'warning',
    detail:
      'run 2 counted 1,002 rows, where 1,000 were known: every run counts it until somebody has looked. then',
  })
  t.regex(problems[0]?.remedy ?? '', /^select nms\.resume_carrying\('public', 'orders'\);/)
})
