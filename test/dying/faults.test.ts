// The faults of this folder do what they say.
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { holdAt, isGone, moments, prepareShop } from '../_support/moments.ts'
import { startPgbouncer } from '../_support/pgbouncer.ts'
import { startProxy } from '../_support/proxy.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { knownTypes } from '../_support/types.ts'

let server: OwnServer
test.before(async () => {
  server = await startOwnServer()
})
test.after.always(() => server?.remove())

for (const how of ['fast', 'immediate'] as const) {
  test.serial(
    `a server that was stopped (${how}) refuses, and comes back on the same port with its data`,
    async (t) => {
      const db = await server.createDatabase(t)
      await db.sql`create table public.orders as select 1`
      const waiting = t.throwsAsync(db.connect()`select pg_sleep(60)`)
      await untilItSleeps(db)

      await server.stop(how)

      await waiting
      await t.throwsAsync(async () => db.connect()`select 1`, { code: 'ECONNREFUSED' })
      await server.start()
      await eventually(async () => (await db.sql`select from public.orders`).length === 1, 'it is back')
    },
  )
}

test.serial(
  'a killed backend takes every session of its server with it, and the server recovers',
  async (t) => {
    const db = await server.createDatabase(t)
    const waiting = t.throwsAsync(db.connect()`select pg_sleep(60)`)
    await untilItSleeps(db)
    const [{ pid }] = await db.connect()<[{ pid: number }]>`select pg_backend_pid() as pid`

    process.kill(pid, 'SIGKILL')

    await waiting
    await eventually(async () => (await db.sql`select 1`).length === 1, 'it is back')
  },
)

test('a silent link forwards nothing and closes nothing, until it heals', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)
  const sql = client(t, link.url)
  const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`

  link.silence()

  const answer = sql`select 1 as one`.execute()
  t.is(await Promise.race([answer, quarterOfASecond()]), 'nothing')
  t.is((await client(t, link.url)`select 1`).length, 1, 'a new connection works')
  t.is((await db.sql`select from pg_stat_activity where pid = ${pid}`).length, 1)
  await link.heal()
  t.is((await answer)[0]?.one, 1)
})

test('the server does not hear of a client that has gone behind a silent link', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)
  const sql = client(t, link.url)
  const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
  link.silence()

  await sql.end({ timeout: 0 })

  await quarterOfASecond()
  t.is((await db.sql`select from pg_stat_activity where pid = ${pid}`).length, 1)
  await link.heal()
  await eventually(
    async () => (await db.sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
    'it hears',
  )
})

test('a link that is silent to newcomers lets nobody in', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)

  link.silenceNew(true)

  await t.throwsAsync(async () => client(t, link.url, 1)`select 1`, { code: 'CONNECT_TIMEOUT' })
  await link.heal()
  t.is((await client(t, link.url)`select 1`).length, 1)
})

test('a link that was cut is open again for the next connection', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)
  const sql = client(t, link.url)
  const waiting = t.throwsAsync(sql`select pg_sleep(60)`)
  await untilItSleeps(db)

  link.cut()

  await waiting
  t.is((await sql`select 1`).length, 1)
})

test('a link that forgets what is silent leaves the others alone', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)
  const silent = client(t, link.url)
  const [{ pid }] = await silent<[{ pid: number }]>`select pg_backend_pid() as pid`
  link.silence()
  const other = client(t, link.url)
  const [{ pid: otherPid }] = await other<[{ pid: number }]>`select pg_backend_pid() as pid`

  link.forget()

  await eventually(() => isGone(db, pid), 'the server hears')
  t.like((await other`select pg_backend_pid() as pid`)[0], { pid: otherPid })
})

test('a link that refuses comes back on the same port', async (t) => {
  const db = await createDatabase(t)
  const link = await startProxy(t, db.url)
  const sql = client(t, link.url)
  await sql`select 1`

  await link.refuse()

  await t.throwsAsync(async () => client(t, link.url)`select 1`, { code: 'ECONNREFUSED' })
  await link.heal()
  t.is((await client(t, link.url)`select 1`).length, 1)
})

test('pgbouncer gives many clients a few sessions, one transaction at a time', async (t) => {
  const db = await createDatabase(t)
  const { url } = await startPgbouncer(t, db.url, 2)
  const sql = postgres(url, { ...knownTypes, max: 10, prepare: false })
  t.teardown(() => sql.end())

  const answers = await Promise.all(
    Array.from({ length: 30 }, () => sql<[{ pid: number }]>`select pg_backend_pid() as pid, pg_sleep(0.01)`),
  )

  t.is(new Set(answers.map(([{ pid }]) => pid)).size, 2)
  const settings = postgres(url, { ...knownTypes, max: 1, connection: { statement_timeout: 1000 } })
  t.teardown(() => settings.end())
  await t.throwsAsync(async () => settings`select 1`, { message: /unsupported startup parameter/ })
})

for (const moment of moments) {
  test(`a run can be held and let go: ${moment}`, async (t) => {
    const db = await createDatabase(t)
    await prepareShop(db)
    const session = db.connect()
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
    const hold = await holdAt(db, moment)

    const run = session`select status from nms.collect_table_metrics()`.execute()

    t.is(await hold.reached(), pid)
    await hold.release()
    t.is((await run)[0]?.status, 'SUCCEEDED')
  })
}

const client = (t: ExecutionContext, url: string, connect_timeout = 30) => {
  const sql = postgres(url, {
    ...knownTypes,
    max: 1,
    connect_timeout,
    connection: { application_name: 'test' },
  })
  t.teardown(() => sql.end({ timeout: 0 }))
  return sql
}

const quarterOfASecond = () => new Promise((resolve) => setTimeout(resolve, 250, 'nothing'))

const untilItSleeps = ({ sql }: TestDatabase) =>
  eventually(
    async () =>
      (await sql`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`)
        .length > 0,
    'a session sleeps',
  )
