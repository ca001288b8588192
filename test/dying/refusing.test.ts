// A server that is up and will not do what it is asked.
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { eventually } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { shopCounts } from '../_support/moments.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { expectToGoOn, places, startSite } from '../_support/site.ts'
import { knownTypes } from '../_support/types.ts'
import { addJob, prepareSite, runs, startWorker, stopWorker, untilSuccess } from '../_support/worker.ts'

let server: OwnServer
test.before(async () => {
  server = await startOwnServer({ max_connections: '40' })
})
test.after.always(() => server?.remove())

test.serial(
  'too many connections when a worker starts: it stays up until it gets one, and goes on',
  async (t) => {
    const db = await prepareSite(t, server.createDatabase)
    await Promise.all([1, 2, 3, 4].map(() => db.sql`select pg_sleep(0.1)`)) // connected before it is full
    const empty = await fill(t)
    const refused = await server.logged(tooMany)

    const worker = await startWorker(t, db)

    await eventually(async () => (await server.logged(tooMany)) > refused + 1, 'it was refused, twice')
    await empty()
    await addJob(db)
    await untilSuccess(db)
    await stopWorker(t, worker)
    await expectInvariants(t, db, shopCounts)
  },
)

test.serial('too many connections, counting or closing: a worker stays up and goes on', async (t) => {
  const sites = await Promise.all(
    places.map(({ moment, payload }) => startSite(t, moment, payload, server.createDatabase)),
  )

  const empty = await fill(t)

  for (const { db, pid, release } of sites) {
    await db.sql`select pg_terminate_backend(${pid})`
    await release()
  }
  await empty()
  await Promise.all(sites.map((site) => expectToGoOn(t, site)))
})

test.serial(
  'a server that is read-only when a job is due: a worker stays up and does it later',
  async (t) => {
    const db = await prepareSite(t, server.createDatabase)
    const worker = await startWorker(t, db)
    await addJob(db)
    await untilSuccess(db)
    await setReadOnly('on')
    const refused = await server.logged(readOnly)

    await addJob(db)

    await eventually(async () => (await server.logged(readOnly)) > refused, 'a write was refused')
    const last = (await runs(db)).at(-1)?.run_id
    await setReadOnly('off')
    await untilSuccess(db, last)
    await stopWorker(t, worker)
    await expectInvariants(t, db, shopCounts)
  },
)

test.serial(
  'a server that is read-only when a worker starts: it stays up, and works once it may write',
  async (t) => {
    const db = await prepareSite(t, server.createDatabase)
    const earlier = await startWorker(t, db)
    await addJob(db)
    await untilSuccess(db)
    await stopWorker(t, earlier)
    const last = (await runs(db)).at(-1)?.run_id
    const refused = await server.logged(noInsert)
    await setReadOnly('on')
    t.teardown(() => setReadOnly('off'))

    const worker = await startWorker(t, db)

    await eventually(
      async () => (await server.logged(noInsert)) > refused,
      'its first look for jobs was refused',
    )
    await setReadOnly('off')
    await addJob(db)
    await untilSuccess(db, last)
    await stopWorker(t, worker)
    await expectInvariants(t, db, shopCounts)
  },
)

test.serial(
  'a server that becomes read-only, counting or closing: a worker stays up and goes on',
  async (t) => {
    const sites = await Promise.all(
      places.map(({ moment, payload }) => startSite(t, moment, payload, server.createDatabase)),
    )
    const refused = await server.logged(readOnly)
    await setReadOnly('on')
    t.teardown(() => setReadOnly('off'))

    for (const { release } of sites) await release()

    await eventually(async () => (await server.logged(readOnly)) > refused, 'a write was refused')
    await setReadOnly('off')
    await Promise.all(sites.map((site) => expectToGoOn(t, site)))
  },
)

const tooMany = /too many clients|remaining connection slots/
const noInsert = /cannot execute INSERT in a read-only transaction/
const readOnly = /cannot execute .* in a read-only transaction/

/** Takes every connection that the server has left, those for superusers included. Returns how to give them back. */
async function fill(t: ExecutionContext): Promise<() => Promise<void>> {
  const taken: postgres.Sql[] = []
  const empty = async () => {
    await Promise.all(taken.splice(0).map((sql) => sql.end({ timeout: 1 })))
  }
  t.teardown(empty)
  for (;;) {
    const sql = postgres(server.url, {
      ...knownTypes,
      max: 1,
      backoff: false,
      connection: { application_name: 'test' },
    })
    try {
      await sql`select 1`
      taken.push(sql)
    } catch (error) {
      if ((error as { code?: string }).code === '53300') return empty
      throw error
    }
  }
}

async function setReadOnly(value: 'on' | 'off'): Promise<void> {
  const sql = postgres(server.url, { ...knownTypes, max: 1 })
  await sql.unsafe(`alter system set default_transaction_read_only = ${value}`)
  await sql`select pg_reload_conf()`
  await eventually(async () => {
    const [now] = await sql`select current_setting('default_transaction_read_only') as value`
    return now?.value === value
  }, 'the server has read its settings')
  await sql.end()
}
