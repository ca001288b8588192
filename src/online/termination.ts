import type { Sql } from '../connection/database.ts'
import { withSession } from '../connection/with_database.ts'

/** How long a count may go on after it was canceled, in milliseconds: a function that it runs may catch that. */
export const grace = 10_000

/** The same when this process was told to end: whoever did that waits ten seconds as well. */
const shortGrace = 3_000

/**
 * Cancels the counting of a run when a signal aborts, and ends the sessions that do not react.
 *
 * @param cancel called once, when the signal aborts
 */
export function cancelOnAbort(
  url: string,
  runId: string,
  signal: AbortSignal | undefined,
  cancel: () => void,
) {
  const tables = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let isOver = false

  const terminate = async () => {
    // The next attempt may have more luck; without any, the counting ends when it likes.
    const found = await withSession((sql) => terminateCounting(sql, runId), url).catch(() => [])
    for (const table of found) tables.add(table)
    if (!isOver) timer = setTimeout(terminate, 1_000)
  }
  const abort = () => {
    cancel()
    const isLate = (signal?.reason as Error | undefined)?.name === 'TimeoutError'
    timer = setTimeout(terminate, isLate ? grace : shortGrace)
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  return {
    /** To be called when the counting has ended. @throws when that took more than a cancel */
    over(): void {
      isOver = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (tables.size === 0) return
      throw new Error(
        `counting ${[...tables].join(', ')} did not react to a cancel: its session was terminated; look at the functions in its indexes`,
      )
    },
  }
}

/**
 * Ends the sessions that count a run, or one of them. Resolves to the tables that they were counting.
 */
export async function terminateCounting(
  sql: Sql,
  runId: string,
  pid: number | null = null,
): Promise<string[]> {
  const rows = await sql<{ table_name: string }[]>`
    select table_name from nms_private.terminate_counting(run_id => ${runId}, pid => ${pid})
  `
  return rows.map(({ table_name }) => table_name)
}
