import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Sql } from '../database.ts'
import { persistently } from '../patience.ts'
import type { CollectOptions } from './collect.ts'
import { ProgressTracker } from './progress.ts'
import { cancelOnAbort, grace, terminateCounting } from './termination.ts'
import { type CountingSession, watchedBy } from './watch.ts'

type Step = {
  tables_counted: string
  rows_counted: string
  pages_counted: string
  tables_left: string
  pages_left: string
  is_finished: boolean
}

/** Milliseconds for which a server may be away in the middle of a run. */
const outage = 90_000

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
  const running = new Set<{ cancel(): void }>()
  const tracker = new ProgressTracker(progress)
  const ended = new AbortController()
  const counted = new AbortController()
  const canceledAt = new Map<string, number>()
  let canceled = 0
  let yielding: Promise<unknown> = Promise.resolve()

  /** One message, one transaction; it ends with this process, and when the run is stopped. */
  const send = async <Row>(sql: Sql, statement: string): Promise<Row> => {
    const query = sql.unsafe(`
      set transaction isolation level read committed; -- what others count meanwhile has to be seen
      select nms_private.cancel_if_client_is_gone();
      ${statement};
    `)
    running.add(query)
    try {
      const [, , [row]] = (await query) as unknown as [unknown, unknown, [Row]]
      return row
    } finally {
      running.delete(query)
    }
  }

  const count = async (sql: Sql): Promise<void> => {
    for (let idle = 0; !ended.signal.aborted && !counted.signal.aborted; ) {
      try {
        await yielding // or the canceled session would take the same table again at once
        const result = await persistently(
          outage,
          () => send<Step>(sql, `select * from nms.measure_targets(run_id => ${BigInt(runId)})`),
          ended.signal,
        )
        tracker.add(result)
        if (result.is_finished) counted.abort()
        idle = result.tables_counted === '0' ? idle + 1 : 0
        // The first call of all only finds the tables.
        if (idle > 1) await sleep(100, undefined, { signal: counted.signal }).catch(() => undefined)
      } catch (error) {
        if (ended.signal.aborted) return
        if ((error as { code?: string }).code !== '57014' || canceled === 0) throw error
        canceled-- // yielded
      }
    }
  }

  const countAndClose = async (): Promise<void> => {
    await Promise.all(sessions.map(count))
    if (ended.signal.aborted) return
    const [sql] = sessions as [Sql]
    await persistently(
      outage,
      async () => {
        const [run] = await sql`select status from nms.table_metrics_runs where run_id = ${runId}`
        if (run?.status !== 'RUNNING') return // closed by an attempt whose answer was lost
        await send(sql, `select from nms.close_run(run_id => ${BigInt(runId)})`)
      },
      ended.signal,
    )
  }

  const look = (sql: Sql, counting: CountingSession[]): Promise<void> => {
    tracker.show(counting.flatMap(({ table, table_oid }) => (table_oid && table ? [table] : [])))
    const giving = yieldTarget(sql, counting)
    yielding = giving.catch(() => undefined)
    return giving
  }

  const yieldTarget = async (sql: Sql, counting: CountingSession[]): Promise<void> => {
    for (const { attempt, pid, table_oid, table, waiting_session } of counting) {
      if (!waiting_session || !table_oid || !table) continue
      const since = canceledAt.get(attempt) ?? Date.now()
      canceledAt.set(attempt, since)
      if (Date.now() > since + grace) await terminateCounting(sql, runId, pid)
      canceled++
      const [{ outcome }] = await sql<[{ outcome: 'put back' | 'given up' | null }]>`
        select
          pg_cancel_backend(${pid}),
          nms_private.yield_target(
            run_id => ${runId}, table_oid => ${table_oid}, waiting_session => ${waiting_session}
          ) as outcome
      `
      if (outcome) report?.({ event: 'yielded', run_id: runId, table, to: waiting_session, outcome })
    }
  }

  const stop = () => {
    ended.abort()
    for (const query of running) query.cancel()
  }
  const cancellation = cancelOnAbort(url, runId, signal, stop)
  try {
    await watchedBy(url, runId, 250, countAndClose(), look)
  } finally {
    stop()
    await Promise.all(sessions.map((sql) => sql.end({ timeout: 1 })))
    cancellation.over()
  }
}
