// A pooler that gives each transaction another session, of which it has three: fewer than anyone asks for.
import test from 'ava'
import postgres from 'postgres'
import { inTime } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { holdAt, shopCounts } from '../_support/moments.ts'
import { startPgbouncer } from '../_support/pgbouncer.ts'
import { tableMetrics } from '../_support/process.ts'
import { knownTypes } from '../_support/types.ts'
import {
  addJob,
  modes,
  prepareSite,
  runs,
  startWorker,
  stopWorker,
  untilSuccess,
} from '../_support/worker.ts'

const poolSize = 3

for (const args of [[], ['--online', '--jobs', '2']]) {
  test(`collect ${args.join(' ')} works behind pgbouncer in transaction mode`, async (t) => {
    const db = await prepareSite(t)
    const pool = await startPgbouncer(t, db.url, poolSize)

    const { status, stderr } = await tableMetrics(t, pool.url, ['collect', ...args])

    t.is(status, 0, stderr)
    t.deepEqual(
      (await runs(db)).map((run) => run.status),
      ['SUCCEEDED'],
    )
    await pool.stop()
    await expectInvariants(t, db, shopCounts)
  })
}

for (const [mode, payload] of Object.entries(modes)) {
  test(`a run among others behind pgbouncer, ${mode}: whose session it gets does not matter`, async (t) => {
    const db = await prepareSite(t)
    const pool = await startPgbouncer(t, db.url, poolSize)
    const worker = await startWorker(t, db, { url: pool.url })
    const hold = await holdAt(db, 'counting')
    await addJob(db, payload)
    await hold.reached()

    await jostle(pool.url, 5000)

    await hold.release()
    await untilSuccess(db)
    await stopWorker(t, worker)
    t.deepEqual(
      (await runs(db)).map((run) => run.status),
      ['SUCCEEDED'],
    )
    await pool.stop()
    await expectInvariants(t, db, shopCounts)
  })
}

test('a worker works behind pgbouncer in transaction mode', async (t) => {
  const db = await prepareSite(t)
  const pool = await startPgbouncer(t, db.url, poolSize)
  const worker = await startWorker(t, db, { url: pool.url })

  for (const payload of Object.values(modes)) {
    const last = (await runs(db)).at(-1)?.run_id
    await addJob(db, payload)
    await untilSuccess(db, last)
  }

  await stopWorker(t, worker)
  t.deepEqual(
    (await runs(db)).map((run) => run.status),
    ['SUCCEEDED', 'SUCCEEDED'],
  )
  await pool.stop()
  await expectInvariants(t, db, shopCounts)
})

for (const [mode, payload] of Object.entries(modes)) {
  test(`SIGTERM to a worker behind pgbouncer, ${mode}: it stops within 10 s, and the run has FAILED, "stopped"`, async (t) => {
    const db = await prepareSite(t)
    const pool = await startPgbouncer(t, db.url, poolSize)
    const worker = await startWorker(t, db, { url: pool.url })
    const hold = await holdAt(db, 'counting')
    await addJob(db, payload)
    await hold.reached()

    worker.kill('SIGTERM')

    await inTime(10, worker.finished, 'it has stopped')
    const [run] = await runs(db)
    t.is(run?.status, 'FAILED')
    t.regex(run?.error_message ?? '', /^stopped/)
    await hold.release()
    await pool.stop()
    await expectInvariants(t, db, shopCounts)
  })
}

/** For a while, takes and gives back the sessions of a pool all the time. */
async function jostle(url: string, milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds
  const sql = postgres(url, {
    ...knownTypes,
    max: 4,
    prepare: false,
    connection: { application_name: 'test' },
  })
  const neighbour = async () => {
    while (Date.now() < end) {
      await sql`select pg_sleep(random() * 0.05)`
    }
  }
  await Promise.all([1, 2, 3, 4].map(neighbour))
  await sql.end()
}
