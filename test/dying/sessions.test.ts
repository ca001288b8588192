import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { isGone } from '../_support/moments.ts'
import { expectToGoOn, places, startSite } from '../_support/site.ts'
import { modes, runs } from '../_support/worker.ts'

for (const { moment, mode, payload } of places) {
  test(`pg_terminate_backend, ${mode}, ${moment}: the worker stays up and goes on`, async (t) => {
    const site = await startSite(t, moment, payload)

    await site.db.sql`select pg_terminate_backend(${site.pid})`

    await expectToGoOn(t, site)
  })
}

for (const [mode, payload] of Object.entries(modes)) {
  test(`pg_cancel_backend, ${mode}, counting: the run has FAILED and says so, and the worker goes on`, async (t) => {
    const site = await startSite(t, 'counting', payload)

    await site.db.sql`select pg_cancel_backend(${site.pid})`

    await eventually(async () => (await runs(site.db))[0]?.status === 'FAILED', 'the run has FAILED')
    t.regex((await runs(site.db))[0]?.error_message ?? '', /57014/)
    await expectToGoOn(t, site)
  })

  test(`statement_timeout, ${mode}, counting: the run has FAILED and says so, and the worker goes on`, async (t) => {
    const site = await startSite(t, 'counting', payload, undefined, (db) =>
      set(db, 'statement_timeout', '3s'),
    )

    await eventually(async () => (await runs(site.db))[0]?.status === 'FAILED', 'the run has FAILED')

    t.regex((await runs(site.db))[0]?.error_message ?? '', /57014/)
    await expectToGoOn(t, site)
  })

  test(`idle_in_transaction_session_timeout, ${mode}, counting: a run is never idle in a transaction`, async (t) => {
    const site = await startSite(t, 'counting', payload, undefined, (db) =>
      set(db, 'idle_in_transaction_session_timeout', '500ms'),
    )

    await sleep(1500)

    await expectToGoOn(t, site)
    t.is((await runs(site.db))[0]?.status, 'SUCCEEDED')
  })

  test(`transaction_timeout, where the server has it, ${mode}, counting: the worker stays up and goes on`, async (t) => {
    let isKnown = false
    const site = await startSite(t, 'counting', payload, undefined, async (db) => {
      isKnown = (await db.sql`select from pg_settings where name = 'transaction_timeout'`).length > 0
      return isKnown ? set(db, 'transaction_timeout', '3s') : {}
    })

    if (isKnown) await eventually(() => isGone(site.db, site.pid), 'the server has ended the session')
    else t.log('the server has none: PostgreSQL before 17')

    await expectToGoOn(t, site)
  })
}

/** Sets what every session of a database to come starts with. */
async function set(db: TestDatabase, name: string, value: string) {
  await db.sql.unsafe(
    `do $$ begin execute format('alter database %I set ${name} = %L', current_database(), '${value}'); end $$`,
  )
  return {}
}
