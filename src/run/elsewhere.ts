import type { Sql } from '../connection/database.ts'
import { codeOf } from '../errors.ts'

/**
 * Reads what a run has to count on other servers, each time in a transaction of its own: a server that goes away takes
 * nothing else along, and what reads as empty all of a sudden is looked at again under another snapshot over there.
 * Whatever is left is read with everything else.
 *
 * @param starts given each query, so that it can be canceled
 * @throws what the server or the connection reports
 */
export async function countElsewhere(
  sql: Sql,
  runId: string,
  starts: (query: object) => void,
): Promise<void> {
  const count = (isOneServer: boolean, failure: string | null) =>
    sql.begin(async (transaction) => {
      await transaction`set transaction isolation level read committed`
      await transaction`select nms_private.cancel_if_client_is_gone()`
      const query = transaction<{ left: number }[]>`
        select nms_private.count_elsewhere(
          run_id => ${runId}, is_one_server => ${isOneServer}, failure => ${failure}
        )::integer as left
      `
      starts(query)
      const [row] = await query
      return row?.left ?? 0
    })

  let isOneServer = false
  let failure: string | null = null
  for (let before = Number.POSITIVE_INFINITY; before > 0; ) {
    try {
      const left: number = await count(isOneServer, failure)
      if (left >= before) return
      before = left
      failure = null
    } catch (error) {
      if (!isLostServer(error) || failure !== null) throw error
      if (isOneServer) failure = error.message
      isOneServer = true
    }
  }
}

/** True when it is another server that went away, and not this one: that could not say so. */
function isLostServer(error: unknown): error is Error {
  return codeOf(error) === '08006' && error instanceof Error && 'severity' in error
}
