// The command ends with its run: whatever happens to it, it never leaves with 0 unless the run has succeeded.
import test, { type ExecutionContext } from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { eventually, hang, inTime } from '../_support/eventually.ts'
import { expectInvariants } from '../_support/invariants.ts'
import { holdAt, isBusy, isGone, type Moment, moments, shopCounts } from '../_support/moments.ts'
import { startTableMetrics } from '../_support/process.ts'
import { startProxy } from '../_support/proxy.ts'
import { prepareSite, runs } from '../_support/worker.ts'

const commands = {
  collect: [],
  'collect --online --jobs 2 --deadline 1h': ['--online', '--jobs', '2', '--deadline', '1h'],
}

for (const [name, args] of Object.entries(commands)) {
  for (const moment of moments) {
    test(`SIGTERM to ${name}, ${moment}: it stops within 10 s, and the run has FAILED, "stopped"`, async (t) => {
      const { db, command, hold, pid } = await startCommand(t, moment, args)

      command.kill('SIGTERM')

      const { status, signal } = await inTime(10, command.finished, 'it has stopped')
      t.true(status === 1 || signal === 'SIGTERM')
      await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
      const left = await runs(db)
      t.deepEqual(
        left.map((run) => run.status),
        moment === 'before the header' ? [] : ['FAILED'],
      )
      for (const run of left) t.regex(run.error_message ?? '', /^stopped/)
      await hold.release()
      await expectInvariants(t, db, shopCounts)
    })

    test(`SIGKILL to ${name}, ${moment}: its backend stops, and the next run closes what it left`, async (t) => {
      const { db, command, hold, pid } = await startCommand(t, moment, args)

      command.kill('SIGKILL')

      await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
      const left = (await runs(db)).map(({ status }) => status)
      t.deepEqual(left, moment === 'before the header' ? [] : ['RUNNING'])
      await hold.release()
      await expectInvariants(t, db, shopCounts)
      if (left.length > 0) t.regex((await runs(db))[0]?.error_message ?? '', /^abandoned/)
    })

    if (moment !== 'counting') continue

    test(`pg_terminate_backend, ${name}, ${moment}: it does not leave with 0 unless its run has succeeded`, async (t) => {
      const { db, command, hold, pid } = await startCommand(t, moment, args)

      await db.sql`select pg_terminate_backend(${pid})`

      await hold.release()
      const { status } = await inTime(hang, command.finished, 'it ends')
      const [run] = await runs(db)
      t.is(status, run?.status === 'SUCCEEDED' ? 0 : 1)
      t.not(run?.status, 'RUNNING')
      await expectInvariants(t, db, shopCounts)
    })

    test(`a link that goes silent, ${name}, ${moment}: it is noticed within a minute`, async (t) => {
      const db = await prepareSite(t)
      const link = await startProxy(t, db.url)
      const { command, hold, pid } = await startCommand(t, moment, args, db, link.url)

      link.silence()

      const { status } = await inTime(60, command.finished, 'it has noticed')
      t.is(status, 1)
      await eventually(async () => !(await isBusy(db, pid)), 'its backend has stopped', 30)
      t.is((await runs(db))[0]?.status, 'FAILED')
      link.forget()
      await hold.release()
      await expectInvariants(t, db, shopCounts)
    })
  }
}

async function startCommand(
  t: ExecutionContext,
  moment: Moment,
  args: string[],
  site?: TestDatabase,
  url?: string,
) {
  const db = site ?? (await prepareSite(t))
  const hold = await holdAt(db, moment)
  const command = startTableMetrics(t, url ?? db.url, ['collect', ...args])
  command.finished.then(({ stderr }) => t.log(stderr)).catch(() => undefined)
  return { db, command, hold, pid: await hold.reached() }
}
