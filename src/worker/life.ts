import { EventEmitter } from 'node:events'
import { Logger, type RunnerOptions, type WorkerEvents } from 'graphile-worker'
import { type Log, reasonOf } from '../log.ts'
import { within } from '../patience.ts'
import { preset } from '../preset.ts'
import { cronFailure } from '../private_parts/graphile_worker.ts'
import { createTasks } from '../tasks.ts'
import { openPool } from './pool.ts'

/** What a worker does for as long as its connections live. */
export interface Life {
  /** Aborts when the life ends. */
  signal: AbortSignal
  events: WorkerEvents
  /** For graphile-worker. */
  options: RunnerOptions
  /** Rejects when the schedule can neither be read nor written, five times in a row. */
  cronFailed: Promise<never>
  /** Called when the life ends, while there are still connections. */
  atEnd(finish: () => Promise<unknown>): void
}

export interface LifeOptions {
  databaseUrl: string
  /** The schema of graphile-worker. */
  schema: string
  log: Log
  signal: AbortSignal
}

/**
 * Lives until the work has ended, its connections are dead, or the signal aborts; and then takes
 * down what it has started, within seven seconds.
 *
 * @throws what the work throws, or why the connections are dead
 */
export async function inLife(
  { databaseUrl, schema, log, signal }: LifeOptions,
  work: (life: Life) => Promise<void>,
): Promise<void> {
  const { pool, dead, close } = openPool(databaseUrl)
  const end = new AbortController()
  const ending = AbortSignal.any([signal, end.signal])
  const finishers: (() => Promise<unknown>)[] = []
  const events: WorkerEvents = new EventEmitter()
  events.on('job:error', ({ job, error }) => {
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
  cronFailed.promise.catch(() => undefined) // the life may have ended
  const options: RunnerOptions = {
    preset,
    pgPool: pool,
    schema,
    events,
    taskList: createTasks({ databaseUrl, schema, log, signal: ending }),
    logger: new Logger(() => (_level, _message, meta) => {
      const failure = cronFailure(meta)
      if (failure) cronFailed.reject(failure) // rather than being tried again for ever
    }),
    noHandleSignals: true,
    noPreparedStatements: true, // a pooler may give each transaction another server connection
  }
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    const life = {
      signal: ending,
      events,
      options,
      cronFailed: cronFailed.promise,
      atEnd: (finish: () => Promise<unknown>) => finishers.push(finish),
    }
    await Promise.race([work(life), dead(end.signal), aborted])
  } finally {
    end.abort(new Error('the worker starts again'))
    const finished = Promise.allSettled(finishers.map((finish) => finish()))
    await within(6_000, finished, 'the worker').catch(() => undefined)
    await close()
  }
}
