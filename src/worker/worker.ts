import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ParsedCronItem, type Runner, type RunnerOptions, run, runOnce } from 'graphile-worker'
import type { Sql } from '../connection/database.ts'
import { isConnectionError } from '../connection/timeout.ts'
import { addJobBySql, queueMessages } from '../deliver/queue.ts'
import { type Log, reasonOf } from '../log.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { nextSlot } from '../schedule/next_slot.ts'
import { ask, reportAbandonedRuns, reportMissingRun } from '../schedule/open_job.ts'
import { readStrangeJobs } from '../schedule/strange_jobs.ts'
import { freeAbandonedJobs } from './abandoned_jobs.ts'
import { isFatal, preflight } from './preflight.ts'
import { admitRequesters } from './requesters.ts'
import { type WorkerSession, type WorkerSessionOptions, withWorkerSession } from './session.ts'
import { supervise } from './supervise.ts'

/** A worker. Its signal stops it, and with it the run that is under way. */
export interface WorkerOptions extends WorkerSessionOptions {
  cronItems: ParsedCronItem[]
}

/**
 * Runs what the schedule and `graphile_worker.add_job` ask for until the signal aborts, whatever
 * becomes of the database meanwhile.
 *
 * @throws when there is nothing installed, or nobody let in, before it has started once
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { schema, cronItems, log, webhook, signal } = options
  const deadWorkers: string[] = []
  let hasStarted = false

  const runSession = (ending: AbortSignal) =>
    withWorkerSession({ ...options, signal: ending }, async (session) => {
      await lookAround(options, session)
      session.events.on('pool:create', ({ workerPool }) =>
        session.atEnd(async () => deadWorkers.push(workerPool.id)),
      )
      const refused = refusedThreeTimes(session)
      const start = (options: RunnerOptions) => {
        const starting = run(options)
        session.atEnd(() => starting.then(stop))
        return starting
      }
      const runners = [await start({ ...session.options, parsedCronItems: cronItems })]
      // Beside the other jobs: neither waits for a run that takes long, nor a run for a receiver that does.
      if (webhook)
        runners.push(await start({ ...session.options, taskList: session.sending, parsedCronItems: [] }))
      hasStarted = true
      log.record({ event: 'worker_started', schema, schedule: cronItems.map(({ identifier }) => identifier) })
      await Promise.race([
        ...runners.map(({ promise }) => promise),
        upkeep(options, session, deadWorkers),
        refused,
        session.cronFailed,
      ])
    })

  await supervise(runSession, {
    signal,
    isFatal: (error) => !hasStarted && isFatal(error),
    onRestart: (error, delay_seconds) =>
      log.record({ event: 'worker_restarting', reason: reasonOf(error), delay_seconds }),
  })
  log.record({ event: 'worker_stopped', reason: reasonOf(signal.reason) })
}

/**
 * Runs what is due, also what the schedule has missed, and stops.
 *
 * Resolves to whether every job ended well.
 */
export async function runWorkerOnce(options: WorkerOptions): Promise<boolean> {
  const { databaseUrl, cronItems, log, webhook, signal } = options
  let failed = 0
  let told = 0
  const counted: Log = {
    record(event) {
      told++
      log.record(event)
    },
  }
  await withWorkerSession({ ...options, log: counted }, async (session) => {
    session.events.on('job:error', ({ job }) => {
      if (job.task_identifier !== sendTaskName) failed++ // what could not be told is tried again
    })
    await lookAround(options, session)
    await queueMissedSlots(options, session)
    await tidy(options, session)
    const working = runOnce({
      ...session.options,
      taskList: { ...session.options.taskList, ...(webhook && session.sending) },
    })
    session.atEnd(() => working)
    await working
    if (told > 0) return
    const next = await ask(databaseUrl, session.signal, (sql) => nextSlot(sql, cronItems))
    log.record({ event: 'nothing_due', ...next })
  })
  signal.throwIfAborted()
  return failed === 0
}

function lookAround(
  { databaseUrl, schema, cronItems, log, webhook }: WorkerOptions,
  { signal }: WorkerSession,
): Promise<void> {
  return ask(databaseUrl, signal, (sql) => preflight(sql, schema, cronItems, log, webhook))
}

/**
 * Queues the jobs of the slots that were missed. Only graphile-worker's schedule does that, when it starts: it is
 * started without any task, so that nobody works on the jobs yet, and stopped again.
 */
async function queueMissedSlots({ cronItems }: WorkerOptions, session: WorkerSession): Promise<void> {
  const queued = once(session.events, 'cron:started')
  const starting = run({ ...session.options, taskList: {}, parsedCronItems: cronItems })
  session.atEnd(() => starting.then(stop))
  const runner = await starting
  await Promise.race([queued, session.cronFailed])
  await stop(runner)
}

/**
 * Rejects when three looks for jobs in a row have failed, as on a read-only server. After a failure of the very
 * first one, graphile-worker would not look again.
 */
function refusedThreeTimes({ events }: WorkerSession): Promise<never> {
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => undefined) // the session may have ended
  let times = 0
  const reset = () => {
    times = 0
  }
  events.on('worker:getJob:empty', reset)
  events.on('job:start', reset)
  events.on('worker:getJob:error', ({ error }) => {
    times++
    if (times === 3) refused.reject(error)
  })
  return refused.promise
}

async function upkeep(options: WorkerOptions, session: WorkerSession, dead: string[]): Promise<never> {
  const strange = new Set<string>()
  for (let hasFailed = false; ; ) {
    const error = await tidy(options, session, { dead, strange }).then(
      () => undefined,
      (error: Error) => error,
    )
    if (error && !hasFailed && !session.signal.aborted && !isConnectionError(error)) {
      options.log.record({ event: 'upkeep_failed', reason: reasonOf(error) })
    }
    hasFailed = error !== undefined
    await sleep(hasFailed ? 5_000 : 60_000, undefined, { signal: session.signal })
  }
}

function tidy(
  { databaseUrl, schema, webhook, log }: WorkerOptions,
  { signal }: WorkerSession,
  { dead, strange }: { dead: string[]; strange: Set<string> } = { dead: [], strange: new Set() },
): Promise<void> {
  return ask(databaseUrl, signal, async (sql) => {
    await reportAbandonedRuns(sql, log)
    await reportMissingRun(sql, log)
    await reportStrangeJobs(sql, schema, log, strange)
    await freeAbandonedJobs(sql, schema, dead)
    await admitRequesters(sql, schema)
    await sql`select nms.fold_counts(count_rows => false)`
    if (webhook) await queueMessages(sql, addJobBySql(sql, schema))
  })
}

/** @param known tasks that were named before, and still have jobs */
async function reportStrangeJobs(sql: Sql, schema: string, log: Log, known: Set<string>): Promise<void> {
  const found = await readStrangeJobs(sql, schema)
  for (const jobs of found) if (!known.has(jobs.task)) log.record({ event: 'misspelt_task', ...jobs })
  known.clear()
  for (const { task } of found) known.add(task)
}

async function stop(runner: Runner): Promise<void> {
  await runner.stop().catch(() => undefined) // it may have stopped by itself
  await runner.promise
}
