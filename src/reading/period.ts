import type { Sql } from '../connection/database.ts'
import type { Table } from './tables.ts'

/** What nms.period_report says, each number as text. */
export interface Period {
  database: string
  business_time_zone: string
  business_date: string
  since: string
  until: string
  /** The last day on or before since that has a result, or the first of the period; null when there is none. */
  before: PeriodEnd | null
  /** The last day of the period that has a result; null when there is none. */
  after: PeriodEnd | null
  change: string | null
  change_percent: string | null
  tables_left_out: string | null
  is_change_estimated: boolean
  /** How many tables have which outcome. */
  outcomes: Record<string, string>
  /** The ten that changed most. */
  grew: PeriodTable[]
  shrank: PeriodTable[]
  appeared: PeriodTable[]
  disappeared: PeriodTable[]
  /** Those that changed most first. */
  tables: PeriodTable[]
  /** How many others there are. */
  more_tables: string
  /** Every day from before on; all but its date are null when it has no result. */
  daily: PeriodDay[]
  days: { calendar: string; expected: string; with_result: string; without_result: string[] }
  runs: PeriodRuns
  alerts: Record<'opened' | 'closed' | 'open', PeriodAlerts>
}

interface PeriodEnd {
  run_id: string
  snapshot_date: string
  rows: string
  tables: string
  estimated_rows?: string | null
  total_bytes?: string | null
}

export interface PeriodTable extends Table {
  table_kind: string
  /** Null where there was nothing to compare with. */
  outcome: string | null
  rows_before: string | null
  rows_after: string | null
  rows_after_low?: string | null
  rows_after_high?: string | null
  method_before: string | null
  method_after: string | null
  change: string | null
  change_percent: string | null
  /** Its rows on each day of daily, null where it was not counted. */
  days: (string | null)[]
}

interface PeriodDay {
  snapshot_date: string
  rows: string | null
  tables: string | null
  estimated_rows?: string | null
  left_out_count?: string | null
}

export interface PeriodRuns {
  succeeded: string
  imported: string
  failed: string
  running: string
  /** Why they failed, the last one first. */
  reasons: FailureReason[]
  more_reasons: string
}

export interface FailureReason {
  error_message: string
  runs: string
  last_run: string
  first_date: string
  last_date: string
}

export interface PeriodAlerts {
  alerts: string
  /** Oldest first. */
  groups: AlertGroup[]
}

export interface AlertGroup {
  kind: string
  /** Null for what concerns a whole run, and for alerts of several schemas. */
  schema_name: string | null
  /** Null for several tables. */
  table_name: string | null
  filter_name: string | null
  /** How many it stands for. */
  alerts: string
  detail: string
  opened_at: string
  closed_at: string | null
}

/** Which period, and whether all tables are told about. */
export interface PeriodRequest {
  since?: string | undefined
  until?: string | undefined
  all?: boolean | undefined
}

/** What became of all tables in a period, as JSON rendered by the server. */
export async function readPeriod(sql: Sql, { since, until, all = false }: PeriodRequest): Promise<string> {
  const [row] = all
    ? await sql<[{ json: string }]>`
        select nms.period_report(since => ${since ?? null}, until => ${until ?? null}, at_most => null)::text as json
      `
    : await sql<[{ json: string }]>`
        select nms.period_report(since => ${since ?? null}, until => ${until ?? null})::text as json
      `
  return row.json
}
