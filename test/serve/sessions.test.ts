import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { openSessions, type Sessions } from '../../src/serve/sessions.ts'
import { createDatabase as createDatabaseOn, type Sql, type TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { createHistory as createHistoryOn } from '../_support/history.ts'
import { hasSprung, paths, plantTraps } from '../_support/hostile_path.ts'
import { startPgbouncer } from '../_support/pgbouncer.ts'
import { startProxy } from '../_support/proxy.ts'
import { startOwnServer } from '../_support/server.ts'
import { startTestService } from '../_support/service.ts'

const { signal } = new AbortController()

// Roles belong to the whole server: this one has those of the collector.
const server = await startOwnServer()
await server.addRoles()
test.after.always(server.remove)

const createDatabase = (t: ExecutionContext, template = 'nms_template') =>
  createDatabaseOn(t, template, server.url)
const createHistory = (t: ExecutionContext, days: Parameters<typeof createHistoryOn>[1]) =>
  createHistoryOn(t, days, createDatabase)

function open(
  t: ExecutionContext,
  url: string,
  options: Partial<Parameters<typeof openSessions>[1]> = {},
): Sessions {
  const sessions = openSessions(url, { role: 'table_metrics_reader', size: 2, readOnly: true, ...options })
  t.teardown(sessions.end)
  return sessions
}

async function whoAsks(sessions: Sessions): Promise<string> {
  const [row] = await sessions.ask(signal)<[{ name: string }]>`select current_user::text as name`
  return row.name
}

/** Sessions of the service that there are, and what they do. */
async function sessionsOf({ sql, name }: TestDatabase): Promise<{ state: string; query: string }[]> {
  return sql`
    select state, query from pg_stat_activity
    where datname = ${name} and application_name = 'table-metrics serve'
  `
}

test('a superuser asks as the reader, and has its own rights again only in another transaction', async (t) => {
  const { url } = await createDatabase(t)
  const sessions = open(t, url, { size: 1 })

  for (let n = 0; n < 3; n++) t.is(await whoAsks(sessions), 'table_metrics_reader')
  await t.throwsAsync(sessions.ask(signal)`select from pg_catalog.pg_authid`, { code: '42501' } as never)
})

for (const [attributes, what] of [
  ['inherit', 'inherits its rights'],
  ['noinherit', 'does not inherit its rights'],
] as const) {
  test(`a member of the reader that ${what} asks as the reader`, async (t) => {
    const db = await createHistory(t, { 0: { s: { t: 1 } } })
    const login = await db.createRole(attributes)
    await db.sql.unsafe(`grant table_metrics_reader to ${login.name}`)

    t.is(await whoAsks(open(t, login.url)), 'table_metrics_reader')
    const { get } = await startTestService(t, login.url)
    t.is((await get('/v1/today')).status, 200)
  })
}

test('a member that may not become the reader asks as itself, with the rights that it inherits', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const login = await db.createRole()
  const [{ major }] = await db.sql<[{ major: number }]>`
    select current_setting('server_version_num')::integer / 10000 as major
  `
  await db.sql.unsafe(
    `grant table_metrics_reader to ${login.name} ${major >= 16 ? 'with inherit true, set false' : ''}`,
  )

  t.is(await whoAsks(open(t, login.url)), major >= 16 ? login.name : 'table_metrics_reader')
  const { get } = await startTestService(t, login.url)
  t.is((await get('/v1/today')).status, 200)
})

test('a login without any right is told to nobody but the log, and the service is not ready', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const login = await db.createRole()
  const { get, events } = await startTestService(t, login.url)

  for (const path of ['/v1/today', '/ready', '/v1/runs/1']) {
    const response = await get(path)
    t.is(response.status, 503, path)
    t.truthy(response.headers.get('retry-after'))
    t.notRegex(await response.text(), new RegExp(login.name))
  }
  t.is((await get('/live')).status, 200)
  t.true(
    events.some((event) => event.event === 'request_failed' && event.reason.includes('permission denied')),
  )
})

test('a database without the collector is not ready, until it is installed', async (t) => {
  const { url } = await createDatabase(t, 'template1')
  const { get } = await startTestService(t, url)

  t.is((await get('/ready')).status, 503)
  t.is((await get('/v1/today')).status, 503)
})

test('an install of an earlier version is told, and logged, with the command that updates it', async (t) => {
  const { url, sql } = await createDatabase(t)
  await sql`drop function nms.day_snapshot(date, integer)`
  const { get, events } = await startTestService(t, url)

  const answer = await get('/v1/today')

  t.is(answer.status, 503)
  t.regex((await answer.json()).detail, /table-metrics migrate$/)
  t.like(events, [{ event: 'request_failed' }])
  t.regex((events[0] as { reason: string }).reason, /day_snapshot.*; hint: .*table-metrics migrate$/)
})

test('nothing can be written, whatever the question, and not even by taking that back', async (t) => {
  const { url, sql } = await createDatabase(t)
  await sql`create table public.things as select 1 as id`
  await sql`grant all on public.things to public`
  await sql`
    create function public.sneak() returns void language plpgsql as $$
    begin
      perform set_config('transaction_read_only', 'off', true);
      insert into public.things values (2);
    end
    $$
  `
  const { ask } = open(t, url)

  await t.throwsAsync(ask(signal)`insert into public.things values (2)`, { code: '25006' } as never)
  await t.throwsAsync(ask(signal)`select public.sneak()`)
  await t.throwsAsync(ask(signal)`set transaction read write; insert into public.things values (2)`)
  await t.throwsAsync(ask(signal)`select nextval('nms.table_metrics_runs_run_id_seq')`)
  t.is((await sql`select from public.things`).length, 1)
})

test('a value stays a value', async (t) => {
  const { url } = await createDatabase(t)
  const { ask } = open(t, url)

  for (const value of ["'; drop table x; --", '\\', "\\'", '$1', '\u{1F600}', '%s', '"', '\n']) {
    const [row] = await ask(signal)<[{ value: string }]>`select ${value}::text as value`
    t.is(row.value, value)
  }
})

for (const [what, { path, planting }] of Object.entries(paths)) {
  test(`nobody's objects are used, whatever the role's path is: ${what}`, async (t) => {
    const db = await createHistory(t, { 0: { s: { orders: 1 } }, 1: { s: { orders: 1 } } })
    const login = await db.createRole()
    await db.sql.unsafe(`grant table_metrics_reader to ${login.name}`)
    await db.sql.unsafe(`alter role ${login.name} set search_path = ${path}`)
    await db.sql.unsafe(`alter role table_metrics_reader in database ${db.name} set search_path = ${path}`)
    t.teardown(() =>
      db.sql.unsafe(`alter role table_metrics_reader in database ${db.name} reset search_path`),
    )
    await plantTraps(db.sql, planting)
    const { get } = await startTestService(t, login.url)

    for (const question of [
      'today',
      'days/yesterday',
      'latest',
      'runs/1',
      'days',
      'runs',
      'trend?schema=s&table=orders',
      'growth?by=month',
      'growth?schema=s&table=orders',
      'compare?before=1&after=today&fail_on=any',
      'alerts?history=true',
      'tables?like=ord',
      'openapi.json',
    ]) {
      const response = await get(`/v1/${question}`)
      t.is(response.status, 200, `${question}: ${await response.text()}`)
    }
    t.is((await get('/ready')).status, 200)
    t.false(await hasSprung(db.sql))
  })
}

test('a client that leaves cancels its question on the server, and its session is not used again', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { url, get } = await startTestService(t, db.url)
  t.is((await get('/v1/alerts')).status, 200)
  const lock = db.connect()
  const [shut, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = lock.begin(async (transaction) => {
    await transaction`lock table nms.table_metrics_settings in access exclusive mode`
    shut.resolve()
    await held.promise
  })
  await shut.promise
  const waits = async () =>
    await db.sql`select pid from pg_locks where not granted and relation = 'nms.table_metrics_settings'::regclass`
  const leaving = new AbortController()
  const asked = fetch(`${url}/v1/alerts`, { signal: leaving.signal })
  await eventually(async () => (await waits()).length === 1, 'the question waits')
  const [{ pid }] = (await waits()) as never as [{ pid: number }]

  leaving.abort()

  await t.throwsAsync(asked)
  const backend = () => db.sql`select from pg_stat_activity where pid = ${pid}`
  await eventually(async () => (await backend()).length === 0, 'its session has ended')
  t.is(await server.logged(new RegExp(`\\[${pid}\\] ERROR: +canceling statement due to user request`)), 1)
  held.resolve()
  await holding
  t.is((await get('/v1/alerts')).status, 200)
})

test('as many as wait at a time wait, the rest is told to come again; those who leave make room', async (t) => {
  const { url, sql, connect, name } = await createDatabase(t)
  const sessions = open(t, url)
  await sql`create table public.door as select 1 as id`
  await sql`grant select on public.door to public`
  const held = Promise.withResolvers<void>()
  const holding = connect().begin(async (transaction) => {
    await transaction`lock table public.door in access exclusive mode`
    await held.promise
  })
  const waiting = () =>
    sql`select from pg_locks join pg_database as d on d.oid = database where not granted and datname = ${name}`
  await eventually(
    async () =>
      (await sql`select from pg_locks where relation = 'public.door'::regclass and granted`).length === 1,
    'the door is shut',
  )
  const leaving = new AbortController()
  const outcomes = Array.from({ length: 210 }, (_, n) =>
    sessions.ask(n >= 2 && n < 12 ? leaving.signal : signal)`select from public.door`.then(
      () => 'answered',
      (error) => (error as { status?: number }).status ?? (error as Error).message,
    ),
  )
  await eventually(async () => (await waiting()).length === 2, 'two sessions ask')
  // Two ask, two hundred wait: the others are told at once.
  t.deepEqual(await Promise.all(outcomes.slice(202)), Array(8).fill(503))
  leaving.abort(new Error('left'))
  t.deepEqual(await Promise.all(outcomes.slice(2, 12)), Array(10).fill('left'))
  const instead = sessions.ask(signal)`select 1`
  held.resolve()
  await holding

  await t.notThrowsAsync(instead)
  // On a busy machine some may have waited for too long.
  for (const outcome of await Promise.all(outcomes.slice(12, 202)))
    t.true(['answered', 503].includes(outcome))
})

test('sessions that were cut while nobody asked cost nobody an answer', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const link = await startProxy(t, db.url)
  const { get } = await startTestService(t, link.url)
  const four = async () =>
    (await Promise.all([1, 2, 3, 4].map(() => get('/v1/today')))).map(({ status }) => status)
  t.deepEqual(await four(), [200, 200, 200, 200])

  link.cut()
  t.deepEqual(await four(), [200, 200, 200, 200])
  await db.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${db.name} and application_name = 'table-metrics serve'`
  t.deepEqual(await four(), [200, 200, 200, 200])
})

test('a database that is away is told as such, at the start and later, and back by itself', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const link = await startProxy(t, db.url)
  await link.refuse()
  const { get } = await startTestService(t, link.url)
  const away = async () => {
    for (const path of ['/v1/today', '/ready']) {
      const response = await get(path)
      t.is(response.status, 503)
      t.is(response.headers.get('retry-after'), '5')
      t.deepEqual(await response.json(), {
        title: 'Service Unavailable',
        status: 503,
        detail: 'the database cannot be reached',
      })
    }
    t.is((await get('/live')).status, 200)
  }

  await away()
  await link.heal()
  t.is((await get('/v1/today')).status, 200)
  await link.refuse()
  await away()
  await link.heal()
  t.is((await get('/v1/today')).status, 200)
  t.is((await get('/ready')).status, 200)
})

test('a client that leaves while the database is away harms nobody', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const link = await startProxy(t, db.url)
  const { url, get } = await startTestService(t, link.url)
  t.is((await get('/v1/today')).status, 200)
  link.silence()
  link.silenceNew(true)
  const leaving = new AbortController()
  const asked = Array.from({ length: 4 }, () => fetch(`${url}/v1/today`, { signal: leaving.signal }))
  await sleep(200)
  leaving.abort()
  await Promise.allSettled(asked)
  link.forget()
  await link.refuse()
  await link.heal()

  await eventually(async () => (await get('/v1/today')).status === 200, 'it answers again', 12)
})

test('behind pgbouncer in transaction mode each question has its role, its path and nothing left of others', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const pool = await startPgbouncer(t, db.url, 2)
  const sessions = open(t, pool.url, { size: 4 })

  const names = await Promise.all(Array.from({ length: 20 }, () => whoAsks(sessions)))
  t.deepEqual([...new Set(names)], ['table_metrics_reader'])
  const left = await settingsOf(pool.url)
  t.deepEqual(left, { role: 'none', read_only: 'off', statement_timeout: '0' })
  const { get } = await startTestService(t, pool.url)
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/v1/today')))
  t.true(answers.every(({ status }) => status === 200))
  await sessions.end()
  await pool.stop()
})

async function settingsOf(url: string): Promise<object> {
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false }) as never as Sql
  const [row] = await sql`
    select
      current_setting('role') as role,
      current_setting('transaction_read_only') as read_only,
      current_setting('statement_timeout') as statement_timeout
  `
  await sql.end()
  return { ...row }
}

test('no more sessions than there may be, however many ask', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { get } = await startTestService(t, db.url)

  await Promise.all(Array.from({ length: 50 }, () => get('/v1/today')))

  t.is((await sessionsOf(db)).length, 4)
})
