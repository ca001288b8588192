import { EventEmitter, once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { type Runner, type RunnerOptions, run, type WorkerEvents } from 'graphile-worker'
import pg from 'pg'
import { cronItems } from '../../src/schedule/crontab.ts'
import { preset } from '../../src/worker/preset.ts'
import { createTasks, tasks } from '../../src/worker/tasks.ts'
import { createDatabase, rowCounts, type TestDatabase } from '../_support/database.ts'
import { daysAgo, writeRun } from '../_support/history.ts'
import { jobs, untilJobsAreDone } from '../_support/jobs.ts'
import { holdAt, prepareShop } from '../_support/moments.ts'
import { addJob, runs, untilSuccess } from '../_support/worker.ts'

/** Somebody's own worker. Resolves once its schedule has been read; stops when the test ends. */
async function host(t: ExecutionContext, { url }: TestDatabase, options: RunnerOptions): Promise<Runner> {
  const pgPool = new pg.Pool({ connectionString: url })
  pgPool.on('error', () => undefined)
  pgPool.on('connect', (client) => client.on('error', () => undefined))
  const events: WorkerEvents = new EventEmitter()
  const scheduled = once(events, 'cron:started')
  const runner = await run({ pgPool, events, noHandleSignals: true, ...options })
  t.teardown(async () => {
    await runner.stop().catch(() => undefined) // it may have been stopped
    await runner.promise
    await pgPool.end()
  })
  await scheduled
  return runner
}

const shop = async (t: ExecutionContext): Promise<TestDatabase> => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select generate_series(1, 3)`
  return db
}

const knownSchedules = async ({ sql }: TestDatabase) => [
  ...(await sql`select identifier from graphile_worker._private_known_crontabs`),
]

test('somebody else’s worker runs the task and the schedule beside its own', async (t) => {
  const db = await shop(t)
  let mails = 0
  await host(t, db, {
    taskList: { ...createTasks({ databaseUrl: db.url }), send_mail: () => void mails++ },
    parsedCronItems: cronItems,
  })

  await db.sql`select graphile_worker.add_job('send_mail')`
  await addJob(db, { exclude: ['public.nothing'] })

  await untilSuccess(db)
  await untilJobsAreDone(db)
  t.deepEqual(await rowCounts(db.sql, { run_id: '1' }), { 'public.orders': 3 })
  t.deepEqual(await knownSchedules(db), [{ identifier: 'daily' }])
  t.is(mails, 1)
})

test('in somebody else’s worker a malformed payload fails once', async (t) => {
  const db = await shop(t)
  await host(t, db, { taskList: createTasks({ databaseUrl: db.url }), parsedCronItems: [] })

  await addJob(db, { nope: 1 })

  await untilJobsAreDone(db)
  const [job] = await jobs(db)
  t.like(job, { attempts: 1, max_attempts: 1 })
  t.regex(job?.last_error ?? '', /"nope"/)
  t.deepEqual(
    (await runs(db)).map(({ status }) => status),
    ['FAILED'],
  )
})

test('in somebody else’s worker that stops, the run that is under way stops', async (t) => {
  const db = await createDatabase(t)
  await prepareShop(db)
  const { reached } = await holdAt(db, 'counting')
  const runner = await host(t, db, {
    taskList: createTasks({ databaseUrl: db.url }),
    parsedCronItems: [],
    gracefulShutdownAbortTimeout: 100,
  })
  await addJob(db)
  await reached()

  await runner.stop()

  await runner.promise
  const [only] = await runs(db)
  t.is(only?.status, 'FAILED')
  t.regex(only?.error_message ?? '', /^stopped/)
})

// The only tests here that read DATABASE_URL, one after the other.
test.serial('the task works on the database of DATABASE_URL unless told otherwise', async (t) => {
  const db = await shop(t)
  process.env.DATABASE_URL = db.url
  await host(t, db, { taskList: tasks, parsedCronItems: [] })

  await addJob(db)

  await untilSuccess(db)
  t.deepEqual(await rowCounts(db.sql, { run_id: '1' }), { 'public.orders': 3 })
})

for (const [what, options] of Object.entries({
  'its own list of tasks': { taskList: tasks, parsedCronItems: [] },
  'the preset': { preset },
})) {
  test.serial(`somebody else’s worker with ${what} prunes as well`, async (t) => {
    const db = await shop(t)
    for (const days of [100, 0]) await writeRun(db.sql, await daysAgo(db.sql, days), { 'public.orders': 3 })
    process.env.DATABASE_URL = db.url
    await host(t, db, options)

    await addJob(db, { keepRuns: '40 days', keepDaily: '40 days' }, 'prune_table_metrics')
    await addJob(db, { keepRuns: 90 }, 'prune_table_metrics')

    await untilJobsAreDone(db)
    t.deepEqual(
      (await runs(db)).map(({ run_id }) => run_id),
      ['2'],
    )
    const [job, ...others] = await jobs(db)
    t.deepEqual(others, [])
    t.like(job, { attempts: 1, max_attempts: 1 })
    t.regex(job?.last_error ?? '', /keepRuns: saw 90,/)
  })
}

test.serial('the preset brings the tasks and the schedule to a worker', async (t) => {
  const db = await shop(t)
  process.env.DATABASE_URL = db.url
  await host(t, db, { preset })

  await addJob(db)

  await untilSuccess(db)
  t.deepEqual(await rowCounts(db.sql, { run_id: '1' }), { 'public.orders': 3 })
  t.deepEqual(await knownSchedules(db), [{ identifier: 'daily' }])
})
