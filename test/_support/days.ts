import type { Sql } from './database.ts'

/** What one run of a history finds: `{'schema.table': rows}`; null where a table was not counted. */
export type Counts = Record<string, number | null>

/**
 * Writes a run of a past day, as the collector would have: SUCCEEDED when everything was counted.
 * Returns its run_id.
 */
export async function writeRun(sql: Sql, day: string, counts: Counts): Promise<string> {
  const tables = Object.entries(counts).map(([name, rows]) => {
    const [schema, table] = name.split('.')
    return { schema, table, rows }
  })
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    insert into nms.table_metrics_runs (snapshot_date, collected_at, target_count)
    values (${day}::date, ${day}::date + interval '12 h', ${tables.length})
    returning run_id
  `
  await sql`
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition,
      table_oid, error_sqlstate, error_message
    )
    select
      ${run_id}, "schema", "table", rows, rows, ${day}::date + interval '12 h', 'table', false, 16384,
      case when rows is null then '42501' end, case when rows is null then 'permission denied' end
    from jsonb_to_recordset(${sql.json(tables as never)}) as x ("schema" text, "table" text, rows bigint)
  `
  await sql`select nms.close_run(${run_id})`
  return run_id
}

/** A day of the business calendar, so many days ago: `2026-11-20`. */
export async function daysAgo(sql: Sql, days: number): Promise<string> {
  const [{ day }] = await sql<[{ day: string }]>`select (nms.business_date() - ${days}::integer)::text as day`
  return day
}
