import { connect } from '../connection/database.ts'
import { cancelOnAbort } from '../online/termination.ts'
import { watchedBy } from '../online/watch.ts'
import { cancelUnheard } from '../private_parts/postgres.ts'
import { countElsewhere } from './elsewhere.ts'
import type { CollectOptions } from './options.ts'

/**
 * Counts all tables of an opened run as of one instant: one call, one transaction. Only what lies on other servers,
 * which have no instant in common, is read before that.
 *
 * Resolves when the call has ended; the header says how.
 */
export async function countAsOfOneInstant(
  url: string,
  runId: string,
  { signal }: CollectOptions,
): Promise<void> {
  if (signal?.aborted) return
  const sql = connect(url)
  let query: object | undefined
  const count = async () => {
    await countElsewhere(sql, runId, (asked) => {
      query = asked
    })
    if (signal?.aborted) return
    // One message, so that the transaction commits even if the way back is cut.
    const counting = sql.unsafe(`
      set transaction isolation level read committed; -- a table that changes is read again under a later snapshot
      select nms_private.cancel_if_client_is_gone();
      set local nms.raise_cancel = on;
      select from nms.collect_table_metrics(run_id => ${BigInt(runId)});
    `)
    query = counting
    await counting
  }
  const cancel = () => query && cancelUnheard(query)
  const cancellation = cancelOnAbort(url, runId, signal, cancel)
  try {
    await watchedBy(url, runId, 2_000, count())
  } catch (error) {
    cancel() // over a link of its own: the server may still be counting for nobody
    throw error
  } finally {
    await sql.end({ timeout: 1 })
    cancellation.over()
  }
}
