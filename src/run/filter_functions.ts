import { isConnectionError, untilAborted } from '../connection/timeout.ts'
import { withSession } from '../connection/with_database.ts'

/** How long each function may take. */
const timeout = '30 s'

/**
 * Calls the functions that count rows for filters of an opened run. Each is a statement of its own: no timeout begins
 * inside of one. What a function meets is stored as its outcome; when the server is away, the counting will tell.
 *
 * @throws what the server reports, such as a missing right
 */
export async function callFilterFunctions(url: string, runId: string, signal: AbortSignal): Promise<void> {
  const calls = withSession(async (sql) => {
    const functions = await sql<{ table_oid: number; filter_name: string }[]>`
      select table_oid, filter_name from nms_private.filter_functions(run_id => ${runId})
    `
    for (const { table_oid, filter_name } of functions) {
      if (signal.aborted) return
      await sql.begin(async (transaction) => {
        await transaction`select set_config('statement_timeout', ${timeout}, true)`
        await transaction`
          select nms_private.call_filter_function(
            run_id => ${runId}, table_oid => ${table_oid}, filter_name => ${filter_name}
          )
        `
      })
    }
  }, url)
  await Promise.race([calls.catch(unlessAway), untilAborted(signal)])
}

function unlessAway(error: unknown): void {
  if (!isConnectionError(error)) throw error
}
