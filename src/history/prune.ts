import type { Sql } from '../connection/database.ts'
import { unlessStopped, withTimeout } from '../connection/timeout.ts'
import { cancelUnheard } from '../private_parts/postgres.ts'

/** For how long to keep what, as Postgres intervals; what is missing is kept for ever. */
export interface Keep {
  keepRuns?: string
  keepDaily?: string
}

/** How many runs were deleted, and how many are still to be: unknown when it was stopped before it could tell. */
export interface Pruned {
  deleted: string
  left: string | null
}

/**
 * Deletes old runs in transactions of about a second each, until none is left or the signal aborts.
 *
 * @param tell told after each transaction
 * @throws 55P03 when somebody else has a run locked for longer than ten seconds
 */
export async function prune(
  sql: Sql,
  keep: Keep,
  signal: AbortSignal,
  tell: (pruned: Pruned) => void = () => undefined,
): Promise<Pruned> {
  let deleted = 0n
  let left: string | null = null
  while (left !== '0') {
    const step = await pruneABit(sql, keep, signal)
    if (!step) break
    deleted += BigInt(step.deleted)
    left = step.left
    tell({ deleted: String(deleted), left })
  }
  return { deleted: String(deleted), left }
}

/** How long the server may take for one of these transactions before its link counts as dead, in milliseconds. */
const timeout = 60_000

async function pruneABit(sql: Sql, { keepRuns, keepDaily }: Keep, signal: AbortSignal) {
  if (signal.aborted) return
  let cancel: () => void = () => undefined
  const stop = () => cancel()
  signal.addEventListener('abort', stop, { once: true })
  const step = sql.begin(async (transaction) => {
    await transaction`select set_config('idle_in_transaction_session_timeout', '30s', true)`
    signal.throwIfAborted()
    const pruning = transaction<[{ deleted: string; left: string }]>`
      select runs_deleted::text as deleted, runs_left::text as left
      from nms.prune_table_metrics(
        keep_runs => ${keepRuns ?? null}::interval,
        keep_daily => ${keepDaily ?? null}::interval
      )
    `
    cancel = () => cancelUnheard(pruning)
    return (await pruning)[0]
  })
  try {
    return await withTimeout(timeout, unlessStopped(signal, step), 'the database')
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** How many runs would be deleted. */
export async function countPrunable(sql: Sql, { keepRuns, keepDaily }: Keep): Promise<string> {
  const [row] = await sql<[{ count: string }]>`
    select count(*)::text as count
    from nms.prunable_runs(
      keep_runs => ${keepRuns ?? null}::interval,
      keep_daily => ${keepDaily ?? null}::interval
    )
  `
  return row.count
}
