import type { Sql } from '../connection/database.ts'
import type { Run } from '../run/run.ts'
import {
  describeLeftOut,
  formatChange,
  formatCount,
  formatTable,
  formatTime,
  isTimeZone,
} from '../terminal/terminal.ts'
import { visible, visibleLines } from '../terminal/visible.ts'

const shownTables = 40

/** A run as lines for a person: its tables, largest first, with the change since the run before. */
export async function reportRun(sql: Sql, run: Run, timeZone?: string): Promise<string> {
  const tables = await sql<
    {
      name: string
      kind: string
      row_count: string | null
      change: string | null
      error_sqlstate: string | null
    }[]
  >`
    select
      measurement.schema_name || '.' || measurement.table_name as name,
      case when measurement.is_partition then 'partition' else measurement.table_kind end as kind,
      measurement.row_count::text,
      (measurement.row_count - before.row_count)::text as change,
      measurement.error_sqlstate
    from nms.table_metrics_measurements as measurement
    left join nms.table_metrics_measurements as before
      on before.schema_name = measurement.schema_name
      and before.table_name = measurement.table_name
      and before.run_id = (
        select run_id
        from nms.table_metrics_runs
        where status = 'SUCCEEDED' and run_id < ${run.run_id}
        order by snapshot_date desc, is_imported, run_id desc
        limit 1
      )
    where measurement.run_id = ${run.run_id}
    order by measurement.row_count desc nulls first, name
    limit ${shownTables}
  `
  const lines = [
    formatTable(
      ['table', 'kind', 'rows', 'change'],
      tables.map(({ name, kind, row_count, change, error_sqlstate }) => [
        name,
        kind,
        row_count === null ? `not counted (${error_sqlstate})` : formatCount(row_count),
        formatChange(change),
      ]),
      [2, 3],
    ),
  ]
  const more = Number(run.target_count) - tables.length
  if (more > 0) lines.push(`… and ${formatCount(String(more))} more tables`)
  return [...(tables.length > 0 ? [...lines, ''] : []), await summarize(sql, run, timeZone)].join('\n')
}

async function summarize(sql: Sql, run: Run, timeZone?: string): Promise<string> {
  const [{ zone, rows, seconds, left_out }] = await sql<
    [{ zone: string; rows: string | null; seconds: string; left_out: string | null }]
  >`
    select
      settings.business_time_zone as zone,
      (
        select sum(own_row_count)::text
        from nms.table_metrics_measurements
        where run_id = ${run.run_id}
      ) as rows,
      extract(epoch from run.finished_at - run.collected_at)::numeric(12, 2)::text as seconds,
      run.left_out_count::text as left_out
    from nms.table_metrics_runs as run
    cross join nms.table_metrics_settings as settings
    where run.run_id = ${run.run_id}
  `
  const shown = timeZone ?? (isTimeZone(zone) ? zone : 'UTC')
  return [
    `run ${run.run_id}: ${run.status}`,
    ...(run.error_message ? [`reason: ${visibleLines(run.error_message)}`] : []),
    ...run.unmatched_entries.map(
      ({ argument, entry }) => `${argument} entry matches nothing: ${visible(entry)}`,
    ),
    `business day ${run.snapshot_date} (${zone}), started ${formatTime(run.collected_at, shown)} (${shown}), took ${seconds} s`,
    ...(run.status === 'SUCCEEDED'
      ? [
          `${formatCount(run.target_count ?? '0')} tables, ${formatCount(rows ?? '0')} rows, each counted once`,
          ...describeLeftOut(left_out),
        ]
      : []),
  ].join('\n')
}

/** A run as JSON, rendered by the server: no count passes through a JavaScript number. */
export async function reportRunAsJson(sql: Sql, run: Run): Promise<string> {
  const [{ json }] = await sql<[{ json: string }]>`
    select jsonb_build_object(
      'run', to_jsonb(run),
      'payload', snapshot.payload,
      'failures', (
        select coalesce(
          jsonb_agg(
            to_jsonb(failure) - 'run_id' - 'row_count' - 'own_row_count'
            order by failure.schema_name, failure.table_name
          ),
          '[]'
        )
        from nms.table_metrics_measurements as failure
        where failure.run_id = run.run_id and failure.error_sqlstate is not null
      )
    )::text as json
    from nms.table_metrics_runs as run
    left join nms.table_metrics_run_snapshot as snapshot using (run_id)
    where run.run_id = ${run.run_id}
  `
  return json
}
