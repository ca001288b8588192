import type { JobHelpers } from 'graphile-worker'
import pg from 'pg'
import { databaseUrl } from '../environment.ts'
import { forwardTo, type Log } from '../log.ts'
import { visible, visibleLines } from '../terminal/visible.ts'

export interface TaskOptions {
  /** The database to work on. Unless given, DATABASE_URL when a job runs. */
  databaseUrl?: string
  /** Where events go. Unless given, to the worker's logger. */
  log?: Log
  /** The schema of graphile-worker. */
  schema?: string
  /** Stops the jobs that run, beside the signal that graphile-worker has for that. */
  signal?: AbortSignal
}

/** What a job works with. */
export function jobContext(
  helpers: JobHelpers,
  options: TaskOptions,
): { url: string; log: Log; signal: AbortSignal } {
  return {
    url: options.databaseUrl ?? databaseUrl(),
    log: options.log ?? forwardTo(helpers.logger),
    signal: AbortSignal.any([helpers.abortSignal, ...(options.signal ? [options.signal] : [])]),
  }
}

/** Graphile-worker logs an error as it is, with its stack, wherever that log goes. */
export async function withVisibleErrors(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (error instanceof Error) {
      error.stack = visibleLines(error.stack ?? '')
      error.message = visibleLines(error.message)
    }
    throw error
  }
}

/** Makes this attempt of a job its last. */
export async function tryNoMore(
  { job, query, logger }: JobHelpers,
  schema = process.env.GRAPHILE_WORKER_SCHEMA || 'graphile_worker',
): Promise<void> {
  job.max_attempts = job.attempts
  try {
    // permanently_fail_jobs() passes over a job that is locked, as this one is while it runs.
    await query(
      // The worker may be somebody else's, and so may be the path of its session.
      `update ${pg.escapeIdentifier(schema)}._private_jobs set max_attempts = attempts
        where id operator(pg_catalog.=) $1::pg_catalog.int8`,
      [job.id],
    )
  } catch (error) {
    logger.warn(visible(`job ${job.id} will be tried again, in vain: ${(error as Error).message}`))
  }
}
