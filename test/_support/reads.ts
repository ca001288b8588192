import type { Sql } from './database.ts'

/** How many rows of a table a call has read, by index or by scan. */
export function rowsRead(sql: Sql, table: string, call: string): Promise<number> {
  return sql.begin(async (transaction) => {
    const soFar = async () => {
      const [{ rows }] = await transaction<[{ rows: number }]>`
        select (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as rows
        from pg_stat_xact_all_tables
        where relid = ${table}::regclass
      `
      return rows
    }
    const before = await soFar()
    await transaction.unsafe(call)
    return (await soFar()) - before
  }) as Promise<number>
}
