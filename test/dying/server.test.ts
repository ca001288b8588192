// What befalls a whole server befalls four workers at once, each of them at another moment of its run.
import test from 'ava'
import { hang, type OwnServer, startOwnServer, within } from '../_faults.ts'
import { expectToGoOn, places, startSite } from '../_site.ts'

let server: OwnServer
test.before(async () => {
  server = await startOwnServer()
})
test.after.always(() => server?.remove())

const faults: Record<string, (pid: number) => Promise<void>> = {
  'SIGKILL of a backend': async (pid) => {
    const before = await server.logged(/ready to accept connections/)
    process.kill(pid, 'SIGKILL')
    await within(
      hang,
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

async function restart(how: 'fast' | 'immediate'): Promise<void> {
  await server.stop(how)
  await server.start()
}
