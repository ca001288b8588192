import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Sql } from '../connection/database.ts'
import { retryConnection } from '../connection/timeout.ts'
import type { CollectOptions } from '../run/options.ts'
import { Messages } from './messages.ts'
import { ProgressTracker, type Step } from './progress.ts'
import { cancelOnAbort } from './termination.ts'
import { watchedBy } from './watch.ts'
import { Yielding } from './yielding.ts'

/** Milliseconds for which a server may be away in the middle of a run. */
const outage = 90_000

/** What the sessions that count a run have in common. */
interface Counting {
  runId: string
  messages: Messages
  yielding: Yielding
  tracker: ProgressTracker
  /** Aborts when the run is stopped. */
  stopped: AbortSignal
}

/**
 * Counts an opened run table by table, from several sessions at once.
 *
 * Resolves when everything has been counted, or the signal has stopped it.
 */
export async function countOnline(
  url: string,
  runId: string,
  { jobs = 1, signal, report, progress }: CollectOptions,
): Promise<void> {
  const sessions = Array.from({ length: jobs }, () => connect(url))
  const ended = new AbortController()
  const run: Counting = {
    runId,
    messages: new Messages(),
    yielding: new Yielding(runId, report),
    tracker: new ProgressTracker(progress),
    stopped: ended.signal,
  }
  const stop = () => {
    ended.abort()
    run.messages.cancel()
  }
  const cancellation = cancelOnAbort(url, runId, signal, stop)
  try {
    await watchedBy(url, runId, 250, countAndClose(sessions, run), (sql, counting) => {
      run.tracker.show(counting.flatMap(({ table, table_oid }) => (table_oid && table ? [table] : [])))
      return run.yielding.look(sql, counting)
    })
  } finally {
    stop()
    await Promise.all(sessions.map((sql) => sql.end({ timeout: 1 })))
    cancellation.over()
  }
}

async function countAndClose(sessions: Sql[], run: Counting): Promise<void> {
  const finished = new AbortController()
  await Promise.all(sessions.map((sql) => count(sql, run, finished)))
  const { runId, messages, stopped } = run
  if (stopped.aborted) return
  const [sql] = sessions as [Sql]
  const close = async () => {
    const [header] = await sql`select status from nms.table_metrics_runs where run_id = ${runId}`
    if (header?.status !== 'RUNNING') return // closed by an attempt whose answer was lost
    await messages.send(sql, `select from nms.close_run(run_id => ${BigInt(runId)})`)
  }
  await retryConnection(outage, close, stopped)
}

/** Counts with one session until nothing is left, for any of them. */
async function count(sql: Sql, run: Counting, finished: AbortController): Promise<void> {
  const { runId, messages, yielding, tracker, stopped } = run
  const measure = () =>
    messages.send<Step & { is_finished: boolean }>(
      sql,
      `select * from nms.measure_targets(run_id => ${BigInt(runId)})`,
    )
  for (let idle = 0; !stopped.aborted && !finished.signal.aborted; ) {
    try {
      await yielding.settled()
      const step = await retryConnection(outage, measure, stopped)
      tracker.add(step)
      if (step.is_finished) finished.abort()
      idle = step.tables_counted === '0' ? idle + 1 : 0
      // The first call of all only finds the tables.
      if (idle > 1) await sleep(100, undefined, { signal: finished.signal }).catch(() => undefined)
    } catch (error) {
      if (stopped.aborted) return
      if (!yielding.hasCaused(error)) throw error
    }
  }
}
