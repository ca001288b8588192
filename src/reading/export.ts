import type { TransactionSql } from 'postgres'
import type { Table } from './tables.ts'

export const formats = ['csv', 'ndjson'] as const
export type Format = (typeof formats)[number]

/** What of the history to export; by default all of it. */
export interface Selection {
  /** Business days from this one on, and up to this one. */
  since?: string | undefined
  until?: string | undefined
  table?: Table | undefined
  /** Tables of these schemas; of all when there are none. */
  schemas?: string[]
  /** Tables whose schema.table has this text in it, in upper or lower case. */
  like?: string | undefined
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
      select row_to_json(measured)::text as line from (${history(sql, selection, 'json')}) as measured
    `
    for await (const rows of lines.cursor(batch)) yield rows.map(({ line }) => `${line}\n`).join('')
    return
  }
  const columns = (await sql`select * from (${history(sql, selection, 'text')}) as measured limit 0`).columns
  yield csvLine(columns.map(({ name }) => name))
  const lines = sql<Record<string, string | boolean | null>[]>`${history(sql, selection, 'text')}`
  for await (const rows of lines.cursor(batch)) {
    yield rows.map((row) => csvLine(columns.map(({ name }) => row[name] ?? null))).join('')
  }
}

// Days and instants as text, in UTC: a session's settings decide nothing.
const history = (
  sql: TransactionSql,
  { since, until, table, schemas = [], like }: Selection,
  filtered: 'json' | 'text',
) => sql`
  select
    run_id,
    snapshot_date::text,
    to_char(collected_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as collected_at,
    status,
    schema_name,
    table_name,
    table_kind,
    is_partition,
    row_count,
    own_row_count,
    method,
    to_char(measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as measured_at,
    error_sqlstate,
    error_message,
    row_count_low,
    row_count_high,
    carried_from_run,
    total_bytes,
    table_bytes,
    index_bytes,
    own_total_bytes,
    dead_rows,
    frozen_age,
    to_char(last_vacuum at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_vacuum,
    to_char(last_analyze at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_analyze,
    (
      select json_object_agg(found.filter_name, found.row_count order by found.filter_name)::${sql.unsafe(filtered)}
      from nms.table_metrics_filtered_counts as found
      where
        found.run_id = history.run_id
        and found.schema_name = history.schema_name
        and found.table_name = history.table_name
    ) as filtered
  from nms.table_metrics_history as history
  where
    (${since ?? null}::text is null or history.snapshot_date >= ${since ?? null}::text::date)
    and (${until ?? null}::text is null or history.snapshot_date <= ${until ?? null}::text::date)
    and (
      ${table?.schema_name ?? null}::text is null
      or (schema_name, table_name) = (${table?.schema_name ?? null}::text, ${table?.table_name ?? null}::text)
    )
    and (${sql.json(schemas)}::jsonb = '[]' or ${sql.json(schemas)}::jsonb ? schema_name)
    and strpos(lower((schema_name || '.' || table_name) collate "default"), lower(${like ?? ''})) > 0
  order by run_id, schema_name, table_name
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
