import test from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { shopCounts } from '../_support/moments.ts'
import { prepareSite, runs, startWorker, stopWorker, untilSuccess } from '../_support/worker.ts'

const crontab = '* * * * * collect_table_metrics ?id=minutely'
const minute = 60_000
// Past by the clock of the server: a job is not taken before its time.
const slot = new Date((Math.floor(Date.now() / minute) - 20) * minute)
const tenMinutesLater = new Date(slot.getTime() + 10 * minute)

/** The clock of a host that has time to start before its schedule fires. */
const shortlyBefore = (time: Date) => new Date(time.getTime() - 15_000)

test('two workers, their clocks 10 minutes apart, serve a slot once', async (t) => {
  const db = await prepareSite(t)
  const workers = [
    await startWorker(t, db, { crontab, clock: shortlyBefore(slot) }),
    await startWorker(t, db, { crontab, clock: shortlyBefore(tenMinutesLater) }),
  ]

  await untilDone(db, 'graphile_worker', tenMinutesLater)

  for (const worker of workers) await stopWorker(t, worker)
  const served = await successes(db)
  t.true(served.length > 0 && served.every((time) => time !== null))
  t.deepEqual(served, [...new Set(served)])
  await expectInvariants(t, db, shopCounts)
})

test('of two workers with schedules of their own, their clocks 10 minutes apart, the later one finds its slot served', async (t) => {
  const db = await prepareSite(t)
  await db.sql`update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{other_worker}'::text[]`
  const ahead = await startWorker(t, db, { crontab, clock: shortlyBefore(slot) })
  await untilSuccess(db)

  const clock = shortlyBefore(slot)
  const behind = await startWorker(t, db, { crontab, clock, args: ['--schema', 'other_worker'] })

  await untilDone(db, 'other_worker', slot)
  for (const worker of [ahead, behind]) await stopWorker(t, worker)
  t.is((await successes(db)).length, 1)
  await expectInvariants(t, db, shopCounts)
})

/** Waits until a schedule has had its slot, and nothing is left to do. */
const untilDone = ({ sql }: TestDatabase, schema: string, time: Date) =>
  eventually(async () => {
    const [{ is_done }] = await sql<[{ is_done: boolean }]>`
        select
          exists (select from ${sql(schema)}._private_known_crontabs where last_execution >= ${time})
          and not exists (select from ${sql(schema)}._private_jobs) as is_done
      `
    return is_done
  }, 'the slot has come and gone')

const successes = async (db: TestDatabase) =>
  (await runs(db)).filter(({ status }) => status === 'SUCCEEDED').map((run) => run.slot)
