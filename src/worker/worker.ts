import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ParsedCronItem, type Runner, run, runOnce } from 'graphile-worker'
import { reasonOf } from '../log.ts'
import { isConnectionError } from '../patience.ts'
import { freeAbandonedJobs } from './abandoned_jobs.ts'
import { inLife, type Life, type LifeOptions } from './life.ts'
import { ask, reportAbandonedRuns, reportMissingRun } from './open_job.ts'
import { isHopeless, preflight } from './preflight.ts'
import { supervise } from './supervise.ts'

/** A worker. Its signal stops it, and with it the run that is under way. */
export interface WorkerOptions extends LifeOptions {
  cronItems: ParsedCronItem[]
}

/**
 * Runs what the schedule and `graphile_worker.add_job` ask for until the signal aborts, whatever
 * becomes of the database meanwhile.
 *
 * @throws when there is nothing installed, or nobody let in, before it has started once
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { schema, cronItems, log, signal } = options
  const dead: string[] = []
  let hasStarted = false

  const live = (ending: AbortSignal) =>
    inLife({ ...options, signal: ending }, async (life) => {
      await lookAround(options, life)
      life.events.on('pool:create', ({ workerPool }) => life.atEnd(async () => dead.push(workerPool.id)))
      const refused = refusedThreeTimes(life)
      const starting = run({ ...life.options, parsedCronItems: cronItems })
      life.atEnd(() => starting.then(stop))
      const runner = await starting
      hasStarted = true
      log.record({ event: 'worker_started', schema, schedule: cronItems.map(({ identifier }) => identifier) })
      await Promise.race([runner.promise, upkeep(options, life, dead), refused, life.cronFailed])
    })

  await supervise(live, {
    signal,
    isHopeless: (error) => !hasStarted && isHopeless(error),
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
  const { signal } = options
  let failed = 0
  await inLife(options, async (life) => {
    life.events.on('job:error', () => failed++)
    await lookAround(options, life)
    await queueMissedSlots(options, life)
    await tidy(options, life)
    const working = runOnce(life.options)
    life.atEnd(() => working)
    await working
  })
  signal.throwIfAborted()
  return failed === 0
}

function lookAround({ databaseUrl, schema, cronItems, log }: WorkerOptions, { signal }: Life): Promise<void> {
  return ask(databaseUrl, signal, (sql) => preflight(sql, schema, cronItems, log))
}

/** Only a running schedule queues what it has missed: this one has nobody who works on it. */
async function queueMissedSlots({ cronItems }: WorkerOptions, life: Life): Promise<void> {
  const queued = once(life.events, 'cron:started')
  const starting = run({ ...life.options, taskList: {}, parsedCronItems: cronItems })
  life.atEnd(() => starting.then(stop))
  const runner = await starting
  await Promise.race([queued, life.cronFailed])
  await stop(runner)
}

/** A worker whose very first look for jobs failed, as on a read-only server, would not look again by itself. */
function refusedThreeTimes({ events }: Life): Promise<never> {
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => undefined) // the life may have ended
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

async function upkeep(options: WorkerOptions, life: Life, dead: string[]): Promise<never> {
  for (let hasFailed = false; ; ) {
    const error = await tidy(options, life, dead).then(
      () => undefined,
      (error: Error) => error,
    )
    if (error && !hasFailed && !life.signal.aborted && !isConnectionError(error)) {
      options.log.record({ event: 'upkeep_failed', reason: reasonOf(error) })
    }
    hasFailed = error !== undefined
    await sleep(hasFailed ? 5_000 : 60_000, undefined, { signal: life.signal })
  }
}

function tidy(
  { databaseUrl, schema, log }: WorkerOptions,
  { signal }: Life,
  dead: string[] = [],
): Promise<void> {
  return ask(databaseUrl, signal, async (sql) => {
    await reportAbandonedRuns(sql, log)
    await reportMissingRun(sql, log)
    await freeAbandonedJobs(sql, schema, dead)
  })
}

async function stop(runner: Runner): Promise<void> {
  await runner.stop().catch(() => undefined) // it may have stopped by itself
  await runner.promise
}
