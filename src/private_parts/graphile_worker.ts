import type { JobHelpers, Logger } from 'graphile-worker'
import pg from 'pg'

/** The version in which these parts of graphile-worker were read. */
export const readIn = '0.18.0'

type LogMeta = Parameters<Logger['error']>[1]

/**
 * Makes this attempt of a job its last. permanently_fail_jobs() passes over a job that is locked, as one is
 * while it runs.
 */
export async function makeAttemptTheLast({ job, query }: JobHelpers, schema: string): Promise<void> {
  job.max_attempts = job.attempts // what decides whether the job is said to have failed for good
  await query(
    // The worker may be somebody else's, and so may be the path of its session.
    `update ${pg.escapeIdentifier(schema)}._private_jobs set max_attempts = attempts
      where id operator(pg_catalog.=) $1::pg_catalog.int8`,
    [job.id],
  )
}

/**
 * Lets this attempt of a job, should it fail, be followed by another one after so many seconds and a pause, and no pause
 * be longer than 18 minutes. A pause grows with the attempts: after ten of them it would be six hours.
 */
export async function delayRetry({ job, query }: JobHelpers, schema: string, seconds: number): Promise<void> {
  await query(
    `update ${pg.escapeIdentifier(schema)}._private_jobs
      set
        attempts = least(attempts, 7),
        run_at = greatest(run_at, pg_catalog.now() operator(pg_catalog.+) pg_catalog.make_interval(secs => $2))
      where id operator(pg_catalog.=) $1::pg_catalog.int8`,
    [job.id, seconds],
  )
}

/** Why the schedule could neither be read nor written, five times in a row. There is no event for it. */
export function cronFailure(meta: LogMeta): unknown {
  return meta?.attempts === 5 ? meta.error : undefined
}
