import type { Sql } from './database.ts'

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

/** Deletes old runs in transactions of about a second each, until none is left or the signal aborts. */
export async function prune(sql: Sql, keep: Keep, signal: AbortSignal): Promise<Pruned> {
  const show = process.stderr.isTTY
  let deleted = 0n
  let left: string | null = null
  try {
    while (left !== '0') {
      const step = await pruneABit(sql, keep, signal)
      if (!step) break
      deleted += BigInt(step.deleted)
      left = step.left
      if (show) process.stderr.write(`\r\u001b[K${deleted} runs deleted, ${left} left`)
    }
  } finally {
    if (show) process.stderr.write('\r\u001b[K')
  }
  return { deleted: String(deleted), left }
}

async function pruneABit(sql: Sql, { keepRuns, keepDaily }: Keep, signal: AbortSignal) {
  if (signal.aborted) return
  const pruning = sql<[{ deleted: string; left: string }]>`
    select runs_deleted::text as deleted, runs_left::text as left
    from nms.prune_table_metrics(
      keep_runs => ${keepRuns ?? null}::interval,
      keep_daily => ${keepDaily ?? null}::interval
    )
  `
  const cancel = () => pruning.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return (await pruning)[0]
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** How many runs would be deleted: one of them is, and comes back. */
export async function countPrunable(sql: Sql, { keepRuns, keepDaily }: Keep): Promise<string> {
  const back = new Error('rolled back')
  let count = ''
  await sql
    .begin(async (transaction) => {
      const [row] = await transaction<[{ count: string }]>`
        select (runs_deleted + runs_left)::text as count
        from nms.prune_table_metrics(
          keep_runs => ${keepRuns ?? null}::interval,
          keep_daily => ${keepDaily ?? null}::interval,
          budget => '0'
        )
      `
      count = row.count
      throw back
    })
    .catch((error) => {
      if (error !== back) throw error
    })
  return count
}
