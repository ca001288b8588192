import { connect, type Sql } from '../connection/database.ts'
import { unlessStopped, withTimeout } from '../connection/timeout.ts'
import type { Log } from '../log.ts'
import { inBoundTransaction } from '../run/bound_transaction.ts'
import { alertChanges, type RunEvent } from '../run/events.ts'
import { payloadAsText } from './payload.ts'

/** What is to be done about a job: a row of `nms_private.open_job`. */
export interface OpenedJob {
  /** Count the run; or nothing but fail, end well, or look again soon. */
  action: 'collect' | 'reject' | 'served' | 'wait'
  run_id: string
  message: string
  online: boolean | null
  jobs: number | null
  deadline: string | null
  slot: Date | null
  /** When to look again, by the clock of the server. */
  soon: Date
}

/**
 * Validates the payload of a job, decides what is to be done about it, and opens its run.
 *
 * @param requestedAt of a job that is tried again, when it was added
 */
export function openJob(sql: Sql, payload: unknown, requestedAt?: Date): Promise<OpenedJob> {
  return inBoundTransaction(sql, async (transaction) => {
    const [job] = await transaction<[OpenedJob]>`
      select
        action, run_id::text, message, is_online as online, jobs, deadline::text, slot,
        now() + interval '5 seconds' as soon
      from nms_private.open_job(
        payload => nms_private.job_payload(${payloadAsText(payload)}),
        requested_at => ${requestedAt ?? null}
      )
    `
    return job
  })
}

/** Whether a FAILED run may end better when it is tried again. */
export async function retryHelps(sql: Sql, runId: string): Promise<boolean> {
  const [row] = await sql<
    [{ helps: boolean | null }]
  >`select nms_private.is_retryable(run_id => ${runId}) as helps`
  return row.helps !== false
}

/** Ends the runs that nobody works on any more. */
export async function reportAbandonedRuns(sql: Sql, log: { record(event: RunEvent): void }): Promise<void> {
  const runs = await sql<{ run_id: string; reason: string }[]>`
    select run_id::text, error_message as reason from nms.abandon_silent_runs()
  `
  for (const run of runs) {
    log.record({ event: 'run_abandoned', ...run })
    for (const event of await alertChanges(sql, run.run_id)) log.record(event)
  }
}

/** Tells once when a business day has no result in time. */
export async function reportMissingRun(sql: Sql, log: Log): Promise<void> {
  const [{ is_new }] = await sql<[{ is_new: boolean }]>`select nms_private.record_missing_run() as is_new`
  if (!is_new) return
  const [alert] = await sql<[{ detail: string }?]>`
    select detail from nms.table_metrics_alerts where kind = 'run_late'
  `
  if (alert) log.record({ event: 'run_late', ...alert })
}

/**
 * Asks the database something over a connection of its own, which is cut when the answer is not
 * waited for any longer: for 30 seconds, and for two when the signal aborts.
 *
 * @throws what the server or the connection reports
 */
export async function ask<T>(
  url: string,
  signal: AbortSignal,
  question: (sql: Sql) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const sql = connect(url)
  try {
    return await withTimeout(30_000, unlessStopped(signal, question(sql)), 'the database')
  } finally {
    await sql.end({ timeout: 0 })
  }
}
