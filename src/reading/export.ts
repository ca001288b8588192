import type { TransactionSql } from 'postgres'
import type { KnownTable } from './known_table.ts'

export const formats = ['csv', 'ndjson'] as const
export type Format = (typeof formats)[number]

/** What of the history to export; by default all of it. */
export interface Selection {
  /** Business days from this one on. */
  since?: string | undefined
  table?: KnownTable | undefined
}

const batch = 2_000

/** The measurements of all runs that have ended, in pieces of many lines, oldest run first. */
export async function* exportHistory(
  sql: TransactionSql,
  format: Format,
  selection: Selection,
): AsyncGenerator<string> {
  if (format === 'ndjson') {
    const lines = sql<{ line: string }[]>`
      select row_to_json(measured)::text as line from (${history(sql, selection)}) as measured
    `
    for await (const rows of lines.cursor(batch)) yield rows.map(({ line }) => `${line}\n`).join('')
    return
  }
  const columns = (await sql`select * from (${history(sql, selection)}) as measured limit 0`).columns
  yield csvLine(columns.map(({ name }) => name))
  const lines = sql<Record<string, string | boolean | null>[]>`${history(sql, selection)}`
  for await (const rows of lines.cursor(batch)) {
    yield rows.map((row) => csvLine(columns.map(({ name }) => row[name] ?? null))).join('')
  }
}

// Days and instants as text, in UTC: a session's settings decide nothing.
const history = (sql: TransactionSql, { since, table }: Selection) => sql`
  select
    run_id,
    run.snapshot_date::text,
    to_char(run.collected_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as collected_at,
    run.status,
    measurement.schema_name,
    measurement.table_name,
    measurement.table_kind,
    measurement.is_partition,
    measurement.row_count,
    measurement.own_row_count,
    measurement.method,
    to_char(measurement.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as measured_at,
    measurement.error_sqlstate,
    measurement.error_message
  from nms.table_metrics_runs as run
  join nms.table_metrics_measurements as measurement using (run_id)
  where
    run.status <> 'RUNNING'
    and (${since ?? null}::text::date is null or run.snapshot_date >= ${since ?? null}::text::date)
    and (
      ${table?.schema_name ?? null}::text is null
      or (measurement.schema_name, measurement.table_name)
        = (${table?.schema_name ?? null}::text, ${table?.table_name ?? null}::text)
    )
  order by run_id, measurement.schema_name, measurement.table_name
`

/** Null is nothing, an empty text is "". */
function csvLine(fields: (string | boolean | null)[]): string {
  const cells = fields.map((field) => {
    const text = field === null ? '' : String(field)
    return text === ''
      ? field === null
        ? ''
        : '""'
      : /[",\r\n]/.test(text)
        ? `"${text.replaceAll('"', '""')}"`
        : text
  })
  return `${cells.join(',')}\n`
}
