// A program that calls the library does not end because of a link: a rejection that nobody can catch would end it.
import test from 'ava'
import { collectTableMetrics } from '../src/run/collect.ts'
import { createDatabase } from './_support/database.ts'
import { eventually } from './_support/eventually.ts'
import { startProxy } from './_support/proxy.ts'

for (const online of [false, true]) {
  const mode = online ? 'online' : 'one snapshot'
  test(`a link that is reset while it asks to cancel a count: the run ends, and nothing else does, ${mode}`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`
      create table public.slow as select 1 as id;
      create function public.wait() returns boolean language plpgsql immutable as $$
      begin
        perform pg_sleep(600) where current_setting('application_name') = 'table-metrics';
        return true;
      end $$;
      create index on public.slow (id) where public.wait();
    `)
    const link = await startProxy(t, db.url)
    const stop = new AbortController()
    const running = collectTableMetrics(link.url, {}, { online, signal: stop.signal })
    const sleeping = () =>
      db.sql`select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`
    await eventually(async () => (await sleeping()).length === 1, 'it counts')
    link.silence()
    link.silenceNew(true)
    const open = link.open()

    stop.abort(new Error('enough'))

    await eventually(async () => link.open() > open, 'it asks to cancel')
    link.forget()
    await link.heal()
    const run = await running
    t.is(run.status, 'FAILED')
    t.deepEqual([...(await sleeping())], [])
  })
}
