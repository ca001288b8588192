import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../_support/eventually.ts'
import { isBusy, type Moment } from '../_support/moments.ts'
import { type Link, startProxy } from '../_support/proxy.ts'
import { expectToGoOn, places, startSite } from '../_support/site.ts'
import { modes } from '../_support/worker.ts'

for (const { moment, mode, payload } of places) {
  test(`a link that goes silent, ${mode}, ${moment}: noticed within a minute, and the worker goes on over another`, async (t) => {
    const { site, link } = await startSiteBehindLink(t, moment, payload)

    link.silence()

    await eventually(async () => !(await isBusy(site.db, site.pid)), 'its backend has stopped', 60)
    link.forget() // or else the server would never hear of it
    await expectToGoOn(t, site)
  })
}

for (const [mode, payload] of Object.entries(modes)) {
  test(`a network that is silent for 40 seconds, ${mode}, counting: the worker goes on when it is back`, async (t) => {
    const { site, link } = await startSiteBehindLink(t, 'counting', payload)

    link.silence()
    link.silenceNew(true)
    await sleep(40_000)
    await link.heal()

    await expectToGoOn(t, site)
  })
}

async function startSiteBehindLink(t: ExecutionContext, moment: Moment, payload: object) {
  let link: Link | undefined
  const site = await startSite(t, moment, payload, undefined, async (db) => {
    link = await startProxy(t, db.url)
    return { url: link.url }
  })
  return { site, link: link as Link }
}
