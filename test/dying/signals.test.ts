import test from 'ava'
import { eventually, inTime } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { holdAt, isGone, moments, shopCounts } from '../_support/moments.ts'
import {
  addJob,
  modes,
  prepareSite,
  runs,
  startWorker,
  stopWorker,
  untilAbandoned,
  untilSuccess,
} from '../_support/worker.ts'

for (const [mode, payload] of Object.entries(modes)) {
  for (const moment of moments) {
    test(`SIGTERM to a worker, ${mode}, ${moment}: it stops within 10 s, and the run has FAILED, "stopped"`, async (t) => {
      const db = await prepareSite(t)
      const worker = await startWorker(t, db)
      const hold = await holdAt(db, moment)
      await addJob(db, payload)
      const pid = await hold.reached()

      worker.kill('SIGTERM')

      await inTime(10, worker.finished, 'it has stopped')
      await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
      const left = await runs(db)
      t.deepEqual(
        left.map(({ status }) => status),
        moment === 'before the header' ? [] : ['FAILED'],
      )
      for (const run of left) t.regex(run.error_message ?? '', /^stopped/)
      await hold.release()
      await expectInvariants(t, db, shopCounts)
    })

    test(`SIGKILL to a worker, ${mode}, ${moment}: the backend stops, and the next scheduled run closes what it left`, async (t) => {
      const db = await prepareSite(t)
      const hold = await holdAt(db, moment)
      const worker = await startWorker(t, db)
      await addJob(db, { ...payload, _cron: { ts: '2024-11-19T05:15:00Z', backfilled: false } })
      const pid = await hold.reached()

      worker.kill('SIGKILL')

      await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
      const [killed] = await runs(db)
      await hold.release()
      const next = await startWorker(t, db)
      await addJob(db, { ...payload, _cron: { ts: '2024-11-20T05:15:00Z', backfilled: false } })
      await untilSuccess(db)
      t.is(killed?.status, moment === 'before the header' ? undefined : 'RUNNING')
      if (killed) await untilAbandoned(db, killed.run_id)
      await stopWorker(t, next)
      await expectInvariants(t, db, shopCounts)
    })
  }
}
