import type { Table } from '../../reading/tables.ts'
import type { ShownCount } from '../count.ts'
import type { Filtered } from '../filtered.ts'

/** What nms.table_report says, each number as text. */
export interface TableReport extends Table {
  business_date: string
  business_time_zone: string
  /** Null for a table that is known of a run that is not over yet. */
  table_kind: string | null
  is_partition: boolean | null
  partition_of: Table | null
  /** Oldest first; row_count is null on a day whose run left the table out. */
  days: TableDay[]
  expected: ExpectedDay[]
  /** Newest first. */
  alerts: TableAlert[]
  /** The runs of the last day that met it, newest first. */
  last_runs: { snapshot_date: string | null; runs: TableRun[] }
  summary: Summary
}

export interface TableDay extends ShownCount, Filtered {
  snapshot_date: string
  change: string | null
  change_percent: string | null
  run_id: string
  method: string | null
  total_bytes?: string | null
}

export interface ExpectedDay {
  snapshot_date: string
  expected_low: string
  expected_high: string
}

export interface TableAlert {
  kind: string
  detail: string
  snapshot_date: string
  closed_at: string | null
}

export interface TableRun extends ShownCount {
  run_id: string
  status: string
  measured_at: string
  change: string | null
  method: string
  error_message: string | null
  is_result: boolean
  /** Only where it is another one. */
  previous_method?: string | null
}

/** What the days come to; all but their counts are null when none has a result. */
export interface Summary {
  days_found: string
  days_left_out: string
  first_date: string | null
  first_rows: string | null
  last_date: string | null
  last_rows: string | null
  lowest: string | null
  lowest_date: string | null
  highest: string | null
  highest_date: string | null
  change: string | null
  change_percent: string | null
  /** Only where none has a result. */
  last_date_with_result?: string | null
  days_needed?: string | null
}

/** What nms.growth_report says of one table. */
export interface Growth {
  by: string
  /** Oldest first. */
  periods: {
    period_start: string
    snapshot_date: string
    rows: string | null
    change: string | null
    change_percent: string | null
    method?: string | null
  }[]
}
