import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { expectToGoOn, places, startSite } from '../_support/site.ts'

let server: OwnServer
test.before(async () => {
  server = await startOwnServer()
})
test.after.always(() => server?.remove())

test('a server that is gone for a minute, counting or closing: a worker stays up, reconnects and goes on', async (t) => {
  const sites = await Promise.all(
    places.map(({ moment, payload }) => startSite(t, moment, payload, server.createDatabase)),
  )

  await server.stop('fast')
  await sleep(60_000)
  await server.start()

  await Promise.all(sites.map((site) => expectToGoOn(t, site)))
})
