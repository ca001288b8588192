import type { Ask } from '../connection/database.ts'

/** The header of a run: a row of `nms.table_metrics_runs`. A bigint is a string. */
export interface Run {
  run_id: string
  collected_at: Date
  /** The business day, as `2026-11-20`. */
  snapshot_date: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED'
  error_message: string | null
  skip_schemas: unknown
  exclude_tables: unknown
  finished_at: Date | null
  requested_by: string
  scheduled_for: Date | null
  target_count: string | null
  unmatched_entries: { argument: string; entry: string }[]
  is_online: boolean
}

/** Reads the header of a run. */
export async function readRun(sql: Ask, runId: string): Promise<Run> {
  const [run] = await sql<[Run]>`
    select
      run_id::text, collected_at, snapshot_date::text, status, error_message, skip_schemas,
      exclude_tables, finished_at, requested_by, scheduled_for, target_count::text, unmatched_entries,
      is_online
    from nms.table_metrics_runs
    where run_id = ${runId}
  `
  return run
}
