import type { JobHelpers } from 'graphile-worker'
import type { Webhook } from '../deliver/webhook.ts'
import { databaseUrl } from '../environment.ts'
import { forwardTo, type Log } from '../log.ts'
import { makeAttemptTheLast } from '../private_parts/graphile_worker.ts'
import { visible, visibleLines } from '../terminal/visible.ts'

export interface TaskOptions {
  /** The database to work on. Unless given, DATABASE_URL when a job runs. */
  databaseUrl?: string
  /** Where events go. Unless given, to the worker's logger. */
  log?: Log
  /** The schema of graphile-worker. */
  schema?: string
  /** Where alerts are sent. Unless given, as ALERT_WEBHOOK_URL and its kin say when a job runs. */
  webhook?: Webhook
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
      // That of an error of the database cannot be assigned to.
      Object.defineProperty(error, 'stack', { value: visibleLines(error.stack ?? '') })
      error.message = visibleLines(error.message)
    }
    throw error
  }
}

/** Makes this attempt of a job its last. */
export async function tryNoMore(helpers: JobHelpers, schema?: string): Promise<void> {
  const { job, logger } = helpers
  await makeAttemptTheLast(helpers, workerSchema(schema)).catch((error: Error) =>
    logger.warn(visible(`job ${job.id} will be tried again, in vain: ${error.message}`)),
  )
}

/** The schema of graphile-worker, as given or as it says itself. */
export function workerSchema(given?: string): string {
  return given ?? (process.env.GRAPHILE_WORKER_SCHEMA || 'graphile_worker')
}
