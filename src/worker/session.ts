import { EventEmitter } from 'node:events'
import { Logger, type RunnerOptions, type TaskList, type WorkerEvents } from 'graphile-worker'
import { untilAborted, withTimeout } from '../connection/timeout.ts'
import { DeliveryError } from '../deliver/post.ts'
import type { Webhook } from '../deliver/webhook.ts'
import { type Log, reasonOf } from '../log.ts'
import { cronFailure } from '../private_parts/graphile_worker.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { openPool } from './pool.ts'
import { preset } from './preset.ts'
import { createTasks } from './tasks.ts'

/** A worker with its connections. When they are dead, another session takes its place. */
export interface WorkerSession {
  /** Aborts when the session ends. */
  signal: AbortSignal
  events: WorkerEvents
  /** For graphile-worker, with all tasks but the one that sends. */
  options: RunnerOptions & { taskList: TaskList }
  /** The task that sends. */
  sending: TaskList
  /** Rejects when the schedule can neither be read nor written, five times in a row. */
  cronFailed: Promise<never>
  /** Called when the session ends, while there are still connections. */
  atEnd(finish: () => Promise<unknown>): void
}

export interface WorkerSessionOptions {
  databaseUrl: string
  /** The schema of graphile-worker. */
  schema: string
  log: Log
  /** Where alerts are sent; nowhere unless given. */
  webhook?: Webhook | undefined
  signal: AbortSignal
}

/**
 * Opens a session for some work, until that has ended, the connections are dead, or the signal aborts. What
 * was started in it is then taken down, within seven seconds.
 *
 * @throws what the work throws, or why the connections are dead
 */
export async function withWorkerSession(
  { databaseUrl, schema, log, webhook, signal }: WorkerSessionOptions,
  work: (session: WorkerSession) => Promise<void>,
): Promise<void> {
  const { pool, dead, close } = openPool(databaseUrl)
  const end = new AbortController()
  const ending = AbortSignal.any([signal, end.signal])
  const finishers: (() => Promise<unknown>)[] = []
  const events: WorkerEvents = new EventEmitter()
  events.on('job:error', ({ job, error }) => {
    if (error instanceof DeliveryError) return // it was said as message_failed
    const { id: job_id, attempts: attempt, max_attempts } = job
    log.record({
      event: 'job_failed',
      job_id,
      attempt,
      is_final: attempt >= max_attempts,
      reason: reasonOf(error),
    })
  })
  const cronFailed = Promise.withResolvers<never>()
  cronFailed.promise.catch(() => undefined) // the session may have ended
  const { [sendTaskName]: send, ...taskList } = createTasks({
    databaseUrl,
    schema,
    log,
    ...(webhook && { webhook }),
    signal: ending,
  })
  const options = {
    preset,
    pgPool: pool,
    schema,
    events,
    taskList,
    logger: new Logger(() => (_level, _message, meta) => {
      const failure = cronFailure(meta)
      if (failure) cronFailed.reject(failure) // rather than being tried again for ever
    }),
    noHandleSignals: true,
    noPreparedStatements: true, // a pooler may give each transaction another server connection
  }
  const session: WorkerSession = {
    signal: ending,
    events,
    options,
    sending: { [sendTaskName]: send },
    cronFailed: cronFailed.promise,
    atEnd: (finish) => finishers.push(finish),
  }
  try {
    await Promise.race([work(session), dead(end.signal), untilAborted(signal)])
  } finally {
    end.abort(new Error('the worker starts again'))
    const finished = Promise.allSettled(finishers.map((finish) => finish()))
    await withTimeout(6_000, finished, 'the worker').catch(() => undefined)
    await close()
  }
}
