import type { Sql } from './_connect.ts'
import { timed } from './_measure.ts'
import type { Counter } from './_sessions.ts'

export const collector: Counter = {
  name: 'collector',
  async count(session) {
    const { milliseconds, result } = await timed(
      () => session<[{ run_id: string; status: string; error_message: string | null }]>`
        select * from nms.collect_table_metrics()
      `,
    )
    const [run] = result
    if (run.status !== 'SUCCEEDED') throw new Error(`run ${run.run_id}: ${run.error_message}`)
    return { milliseconds, rows: await payloadRows(session, run.run_id) }
  },
}

/** The same, while the measure_storage setting is true: bytes, dead rows and ages of each table as well. */
export const collectorWithStorage: Counter = {
  name: 'with bytes',
  async count(session) {
    await session`update nms.table_metrics_settings set measure_storage = true`
    try {
      return await collector.count(session)
    } finally {
      await session`update nms.table_metrics_settings set measure_storage = false`
    }
  },
}

/**
 * What the usual script does: one query per table, one after the other. In its favour, it is given the
 * names, and each query is sent unprepared, which takes one round trip and leaves nothing behind.
 *
 * @param tables quoted names
 */
export function clientLoop(tables: string[]): Counter {
  return {
    name: 'client loop',
    async count(session) {
      const { milliseconds, result } = await timed(() => countEach(session, tables.values()))
      return { milliseconds, rows: result }
    },
  }
}

/** Counts what an iterator still has; several sessions may share one. */
export async function countEach(session: Sql, tables: Iterator<string>): Promise<bigint> {
  let rows = 0n
  for (let next = tables.next(); !next.done; next = tables.next()) {
    const [row] = await session.unsafe<[{ count: string }]>(`select count(*) from ${next.value}`)
    rows += BigInt(row.count)
  }
  return rows
}

/** Sum of all counts of a run. */
export async function payloadRows(session: Sql, runId: string): Promise<bigint> {
  const [payload] = await session<[{ rows: string }]>`
    select sum(tables.row_count::bigint) as rows
    from nms.table_metrics_run_snapshot as snapshot
    cross join jsonb_each(snapshot.payload) as schemas (schema_name, tables)
    cross join jsonb_each_text(schemas.tables) as tables (table_name, row_count)
    where snapshot.run_id = ${runId}
  `
  return BigInt(payload.rows)
}
