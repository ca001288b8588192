import type { Sql } from '../connection/database.ts'
import type { MarkedCount } from './marked_count.ts'
import type { Scope } from './scope.ts'

/** What is asked about a table, a schema or the whole database. */
export interface TrendRequest {
  /** How many business days, today included. */
  days: number
  /** Only the rows of a table that match this filter. */
  filter?: string | undefined
  /** Each run that succeeded rather than each day. */
  runs?: boolean | undefined
}

/** What the server reports of it. */
export interface TrendReport extends Scope {
  /** Null: all rows are counted. */
  filter_name: string | null
  /** Either of both. */
  days?: TrendPoint[]
  runs?: TrendPoint[]
  /** In which the times of runs are shown. */
  business_time_zone?: string
  summary: Summary | NoResult
  /** Null unless a run of these days has measured bytes. */
  summary_of_bytes: (Bounds & { last_bytes: string }) | null
  /** Of a table those that are open or were opened on these days, newest first. */
  alerts: TrendAlert[]
}

/** A business day or a run; without a count where its request left the table out. */
export interface TrendPoint extends MarkedCount {
  snapshot_date: string
  run_id: string
  /** Of a run; null where its counts were imported. */
  collected_at?: string | null
  total_bytes: string | null
  estimated_rows?: string | null
  tables_left_out?: string
}

export interface TrendAlert {
  kind: string
  filter_name: string | null
  /** The business day on which it was opened. */
  snapshot_date: string
  /** Null for a run that is late. */
  opened_by_run: string | null
}

/** The first and the last, the lowest and the highest count: on which days, or in which runs. */
export interface Bounds {
  days_found?: string
  runs_found?: string
  first_date: string
  last_date: string
  lowest_date: string
  highest_date: string
  first_at?: string | null
  last_at?: string | null
  lowest_at?: string | null
  highest_at?: string | null
  lowest: string
  highest: string
  /** Null where the two have counted none of the same tables. */
  change: string | null
  change_percent: string | null
  /** Of a total: tables that one of both leaves out, and that are no part of the change. */
  tables_left_out?: string | null
}

export interface Summary extends Bounds {
  days_left_out?: string
  runs_left_out?: string
  last_rows: string
}

export interface NoResult {
  last_date_with_result: string | null
  days_needed: string | null
}

/** The days of a table, a schema or the whole database as JSON, rendered by the server. */
export async function readTrend(
  sql: Sql,
  { schema_name, table_name }: Scope,
  { days, filter, runs = false }: TrendRequest,
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.trend_report(
      ${schema_name}, ${table_name}, ${days}::integer, filter_name => ${filter ?? null}, each_run => ${runs}
    )::text as json
  `
  return row.json
}
