import test from 'ava'
import { createDatabase } from '../_support/database.ts'
import { stopwatch } from '../_support/eventually.ts'
import { eventsOf, jobs, untilEvent, untilJobsAreDone } from '../_support/jobs.ts'
import { holdAt, prepareShop } from '../_support/moments.ts'
import { isAlive } from '../_support/process.ts'
import { startProxy } from '../_support/proxy.ts'
import { startOwnServer } from '../_support/server.ts'
import { addJob, runs, startWorker, untilSuccess } from '../_support/worker.ts'

for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${name} ends the run that is under way, and then the worker, within 10 s`, async (t) => {
    const db = await createDatabase(t)
    await prepareShop(db)
    const { reached } = await holdAt(db, 'counting')
    const worker = await startWorker(t, db)
    await addJob(db)
    await reached()
    const took = stopwatch()

    worker.kill(name)

    const { status, stderr } = await worker.finished
    t.is(status, 0, stderr)
    t.true(took() < 10)
    const [run] = await runs(db)
    t.is(run?.status, 'FAILED')
    t.regex(run?.error_message ?? '', /^stopped/)
    const [job] = await jobs(db)
    t.false(job?.is_locked, 'the job is free for the next worker')
    t.like(eventsOf(worker).at(-1), { event: 'worker_stopped', reason: `stopped by ${name}` })
  })
}

test('a second signal ends the worker at once', async (t) => {
  const db = await createDatabase(t)
  await prepareShop(db)
  const { reached } = await holdAt(db, 'counting')
  const worker = await startWorker(t, db)
  await addJob(db)
  await reached()
  worker.kill('SIGTERM')

  worker.kill('SIGINT')

  const { status } = await worker.finished
  t.true(status === 128 + 2 || status === 128 + 15, `${status}`)
})

test('a worker whose link is silent stops within 10 s', async (t) => {
  const db = await createDatabase(t)
  await prepareShop(db)
  const { reached } = await holdAt(db, 'counting')
  const proxy = await startProxy(t, db.url)
  const worker = await startWorker(t, db, { url: proxy.url })
  await addJob(db)
  await reached()
  proxy.silence()
  const took = stopwatch()

  worker.kill('SIGTERM')

  const { status, stderr } = await worker.finished
  t.is(status, 0, stderr)
  t.true(took() < 10)
})

test('a run that nobody works on is closed, and said to be abandoned, when a worker starts', async (t) => {
  const db = await createDatabase(t)
  await db.sql`select nms.open_run()`
  await db.sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour'`

  const worker = await startWorker(t, db)

  await untilEvent(worker, 'run_abandoned')
  t.like(
    eventsOf(worker).find(({ event }) => event === 'run_abandoned'),
    { run_id: 1 },
  )
  t.is((await runs(db))[0]?.status, 'FAILED')
})

test.serial('a worker outlives its server, starts again by itself, and does what it was asked', async (t) => {
  const server = await startOwnServer()
  t.teardown(() => server.remove())
  const db = await server.createDatabase(t)
  await prepareShop(db)
  const worker = await startWorker(t, db)
  const { reached } = await holdAt(db, 'counting')
  await addJob(db)
  await reached()

  await server.stop('fast')

  await untilEvent(worker, 'worker_restarting', 2)
  t.true(isAlive(worker.pid))
  await server.start()
  await untilEvent(worker, 'worker_started', 2)
  await db.sql`update nms.table_metrics_settings set abandon_after = '1 s'`
  await untilSuccess(db)
  await untilJobsAreDone(db)
  for (const event of eventsOf(worker)) {
    if (event.event !== 'worker_restarting') continue
    t.regex(event.reason, /./)
    t.true([1, 2, 4, 8, 16, 30].includes(event.delay_seconds))
  }
  worker.kill('SIGTERM')
  t.is((await worker.finished).status, 0)
})

test.serial('a worker starts before its server does, and stops while it is away', async (t) => {
  const server = await startOwnServer()
  t.teardown(() => server.remove())
  const db = await server.createDatabase(t)
  await server.stop('fast')
  const worker = await startWorker(t, db)
  await untilEvent(worker, 'worker_restarting')

  await server.start()
  await untilEvent(worker, 'worker_started')

  await server.stop('fast')
  const count = eventsOf(worker).filter(({ event }) => event === 'worker_restarting').length
  await untilEvent(worker, 'worker_restarting', count + 1)
  const took = stopwatch()
  worker.kill('SIGTERM')
  const { status } = await worker.finished
  t.is(status, 0)
  t.true(took() < 10)
  await server.start()
})
