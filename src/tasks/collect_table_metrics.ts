import type { JobHelpers, Task, TaskList } from 'graphile-worker'
import pg from 'pg'
import { collectRun } from '../collect.ts'
import { databaseUrl } from '../environment.ts'
import { forwardTo, type Log } from '../log.ts'
import { ask, openJob, reportAbandonedRuns, retryHelps } from '../open_job.ts'
import { taskName } from '../schedule.ts'

export interface TaskOptions {
  /** The database to collect from. Unless given, DATABASE_URL when a job runs. */
  databaseUrl?: string
  /** Where events go. Unless given, to the worker's logger. */
  log?: Log
  /** The schema of graphile-worker. */
  schema?: string
  /** Stops the jobs that run, beside the signal that graphile-worker has for that. */
  signal?: AbortSignal
}

/** The task `collect_table_metrics`, for any graphile-worker. */
export function createTasks(options: TaskOptions = {}): TaskList {
  return { [taskName]: (payload, helpers) => collect(payload, helpers, options) }
}

/** The task on the database of DATABASE_URL. */
export const tasks: TaskList = createTasks()

export default tasks[taskName] as Task

async function collect(payload: unknown, helpers: JobHelpers, options: TaskOptions): Promise<void> {
  const url = options.databaseUrl ?? databaseUrl()
  const log = options.log ?? forwardTo(helpers.logger)
  const signal = AbortSignal.any([helpers.abortSignal, ...(options.signal ? [options.signal] : [])])

  const job = await ask(url, signal, async (sql) => {
    await reportAbandonedRuns(sql, log)
    return openJob(sql, payload)
  })
  const { run_id, message } = job

  if (job.action === 'served') {
    helpers.logger.info(message)
  } else if (job.action === 'wait') {
    helpers.logger.info(message)
    await helpers.addJob(taskName, payload, {
      runAt: job.in_a_minute,
      jobKey: `${taskName} ${job.slot?.toISOString()}`,
      maxAttempts: helpers.job.max_attempts,
    })
  } else if (job.action === 'reject') {
    log.record({ event: 'run_failed', run_id, reason: message, seconds: 0 })
    await tryNoMore(helpers, options.schema)
    throw new Error(message)
  } else {
    const { online, jobs, deadline } = job
    const run = await collectRun(url, run_id, {
      ...(online && { online }),
      ...(jobs && { jobs }),
      ...(deadline && { deadline }),
      signal,
      report: log.record,
    })
    if (run.status === 'SUCCEEDED') return
    const helps = await ask(url, signal, (sql) => retryHelps(sql, run_id)).catch(() => true)
    if (!helps) await tryNoMore(helpers, options.schema)
    throw new Error(run.error_message ?? `run ${run_id} is ${run.status}`)
  }
}

/** Makes this attempt of a job its last. */
async function tryNoMore(
  { job, query, logger }: JobHelpers,
  schema = process.env.GRAPHILE_WORKER_SCHEMA || 'graphile_worker',
): Promise<void> {
  job.max_attempts = job.attempts
  try {
    // permanently_fail_jobs() passes over a job that is locked, as this one is while it runs.
    await query(
      `update ${pg.escapeIdentifier(schema)}._private_jobs set max_attempts = attempts where id = $1`,
      [job.id],
    )
  } catch (error) {
    logger.warn(`job ${job.id} will be tried again, in vain: ${(error as Error).message}`)
  }
}
