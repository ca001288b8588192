import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../connection/database.ts'
import { isConnectionError, withTimeout } from '../connection/timeout.ts'
import { withSession } from '../connection/with_database.ts'
import { codeOf } from '../errors.ts'

/** A session that measures targets at this moment. */
export interface CountingSession {
  pid: number
  /** Another one for each time that it begins to count something. */
  attempt: string
  /** Null between two tables. */
  table_oid: number | null
  /** Its name, quoted where it has to be. */
  table: string | null
  /** Who has been kept waiting for too long by this count, if anyone. */
  waiting_session: string | null
}

/** How long the server may leave a question unanswered before its link counts as dead, in milliseconds. */
const silence = 15_000

/** How long the answer to a counting session may lag behind the end of its run, in milliseconds. */
const lag = 5_000

/**
 * Runs work on the database and looks at the run meanwhile, over a connection of its own.
 *
 * @param interval milliseconds between two looks
 * @param look given the sessions that count the run
 * @throws what the work throws; and ETIMEDOUT when its link must be dead: the server is silent, or the run has
 *   ended and the work has not
 */
export async function watchedBy<T>(
  url: string,
  runId: string,
  interval: number,
  work: Promise<T>,
  look: (sql: Sql, sessions: CountingSession[]) => Promise<void> = async () => undefined,
): Promise<T> {
  const ended = new AbortController()
  const watch = async (sql: Sql) => {
    for (let endedAt = 0; !ended.signal.aborted; await sleep(interval, undefined, { signal: ended.signal })) {
      try {
        const sessions = await withTimeout(silence, lookAt(sql, runId), 'the server')
        if (sessions) await withTimeout(silence, look(sql, sessions), 'the server')
        else if (endedAt && Date.now() > endedAt + lag) throw silentLink(runId)
        else endedAt ||= Date.now()
      } catch (error) {
        if (codeOf(error) === 'ETIMEDOUT' || !isConnectionError(error)) throw error
      }
    }
    return new Promise<never>(() => undefined)
  }
  return withSession((sql) => Promise.race([work, watch(sql)]).finally(() => ended.abort()), url)
}

/** The sessions that count a run; undefined when it is RUNNING no longer. */
async function lookAt(sql: Sql, runId: string): Promise<CountingSession[] | undefined> {
  const rows = await sql<(CountingSession & { status: string })[]>`
    select
      run.status,
      session.pid,
      format('%s %s %s', session.pid, activity.xact_start, session.table_oid) as attempt,
      session.table_oid,
      quote_ident(session.schema_name) || '.' || quote_ident(session.table_name) as table,
      session.waiting_session
    from nms.table_metrics_runs as run
    left join nms_private.counting_sessions(run.run_id) as session on true
    left join pg_stat_activity as activity on activity.pid = session.pid
    where run.run_id = ${runId}
  `
  if (rows[0]?.status !== 'RUNNING') return undefined
  return rows.filter(({ pid }) => pid !== null)
}

function silentLink(runId: string): Error {
  const message = `run ${runId} has ended, and the session that counted it does not answer`
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' })
}
