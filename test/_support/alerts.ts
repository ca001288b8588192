import type { Sql } from './database.ts'

export interface Alert {
  kind: string
  schema_name: string | null
  table_name: string | null
  row_count: string | null
  expected_low: string | null
  expected_high: string | null
  detail: string
  filter_name: string | null
}

export async function findAlerts(sql: Sql, runId: string): Promise<Alert[]> {
  return [...(await sql<Alert[]>`select * from nms.find_alerts(run_id => ${runId})`)]
}

/** What a run is alerted about, as `drop public.orders`. */
export async function kinds(sql: Sql, runId: string): Promise<string[]> {
  return named(await findAlerts(sql, runId))
}

/** What is open, as `drop public.orders`. */
export async function openAlerts(sql: Sql): Promise<string[]> {
  return named(
    await sql<Alert[]>`select * from nms.table_metrics_alerts order by schema_name, table_name, kind`,
  )
}

function named(alerts: Alert[]): string[] {
  return alerts.map(({ kind, schema_name, table_name }) =>
    table_name === null ? kind : `${kind} ${schema_name}.${table_name}`,
  )
}
