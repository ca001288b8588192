import type { TransactionSql } from 'postgres'
import type { Sql } from '../connection/database.ts'

/** A transaction that ends with this process or its link: no run is opened for nobody. */
export function inBoundTransaction<T>(
  sql: Sql,
  work: (transaction: TransactionSql) => Promise<T>,
): Promise<T> {
  return sql.begin(async (transaction) => {
    await transaction`
      select nms_private.cancel_if_client_is_gone(), set_config('idle_in_transaction_session_timeout', '30s', true)
    `
    return work(transaction)
  })
}
