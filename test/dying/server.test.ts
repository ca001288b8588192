// What befalls a whole server befalls four workers at once, each of them at another moment of its run.
import test from 'ava'
import { connect } from '../../src/connection/database.ts'
import { eventually } from '../_support/eventually.ts'
import { isBusy } from '../_support/moments.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { expectToGoOn, places, startSite } from '../_support/site.ts'

let server: OwnServer
test.before(async () => {
  server = await startOwnServer()
})
test.after.always(() => server?.remove())

const faults: Record<string, (pid: number) => Promise<void>> = {
  'SIGKILL of a backend': async (pid) => {
    const before = await server.logged(/ready to accept connections/)
    process.kill(pid, 'SIGKILL')
    await eventually(
      async () => (await server.logged(/ready to accept connections/)) > before,
      'the server has recovered',
    )
  },
  'a fast restart': () => restart('fast'),
  'an immediate restart': () => restart('immediate'),
}

for (const [fault, befall] of Object.entries(faults)) {
  test.serial(`${fault}, counting or closing: a worker stays up, reconnects and goes on`, async (t) => {
    const sites = await Promise.all(
      places.map(({ moment, payload }) => startSite(t, moment, payload, server.createDatabase)),
    )

    await befall(sites[0]?.pid as number)

    await Promise.all(sites.map((site) => expectToGoOn(t, site)))
  })
}

// The driver throws where nobody can catch it when it is let to roll back (porsager/postgres#1208).
test.serial('SIGKILL of a backend in a transaction: it rejects, and the next one works', async (t) => {
  const db = await server.createDatabase(t)
  const sql = connect(db.url)
  t.teardown(() => sql.end())

  const lost = sql.begin(async (transaction) => {
    const [{ pid }] = await transaction<[{ pid: number }]>`select pg_backend_pid() as pid`
    const waiting = transaction`select pg_sleep(60)`.execute()
    await eventually(() => isBusy(db, pid), 'it sleeps')
    process.kill(pid, 'SIGKILL')
    return waiting
  })

  await t.throwsAsync(lost, { code: 'CONNECTION_CLOSED' })
  const again = () => sql.begin((transaction) => transaction`select 1 as one`)
  await eventually(async () => (await again())[0]?.one === 1, 'the server has recovered')
})

async function restart(how: 'fast' | 'immediate'): Promise<void> {
  await server.stop(how)
  await server.start()
}
