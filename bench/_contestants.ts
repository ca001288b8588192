import { type Contestant, timed } from './_measure.ts'

export const collector: Contestant = {
  name: 'collector',
  async count(session) {
    const { milliseconds, result } = await timed(
      () => session<[{ run_id: string; status: string; error_message: string | null }]>`
        select * from nms.collect_table_metrics()
      `,
    )
    const [run] = result
    if (run.status !== 'SUCCEEDED') throw new Error(`run ${run.run_id}: ${run.error_message}`)
    const [payload] = await session<[{ rows: string }]>`
      select sum(tables.row_count::bigint) as rows
      from nms.table_metrics_run_snapshot as snapshot
      cross join jsonb_each(snapshot.payload) as schemas (schema_name, tables)
      cross join jsonb_each_text(schemas.tables) as tables (table_name, row_count)
      where snapshot.run_id = ${run.run_id}
    `
    return { milliseconds, rows: BigInt(payload.rows) }
  },
}

/**
 * What the usual script does: one query per table, one after the other. In its favour, it is given the
 * names, and each query is sent unprepared, which takes one round trip and leaves nothing behind.
 *
 * @param tables quoted names
 */
export function clientLoop(tables: string[]): Contestant {
  return {
    name: 'client loop',
    async count(session) {
      const { milliseconds, result } = await timed(async () => {
        const counts: string[] = []
        for (const table of tables) {
          const [row] = await session.unsafe<[{ count: string }]>(`select count(*) from ${table}`)
          counts.push(row.count)
        }
        return counts
      })
      return { milliseconds, rows: result.reduce((sum, count) => sum + BigInt(count), 0n) }
    },
  }
}
