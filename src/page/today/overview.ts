import type { Alert } from '../../reading/open_alerts.ts'
import type { Table } from '../../reading/tables.ts'
import type { Changed } from '../changed_tables.ts'
import type { ShownCount, Totals } from '../count.ts'
import type { Filtered } from '../filtered.ts'

/** What the server reports of a business day and of how things stand: numbers as they are written, but for `days`. */
export interface Overview {
  database: string
  business_date: string
  business_time_zone: string
  snapshot_date: string
  has_result: boolean
  /** The run that owns the day; without a result the last that failed on it; null when there is neither. */
  run: Run | null
  previous_date: string | null
  earlier_date: string | null
  later_date: string | null
  totals: Totals
  change: string | null
  is_change_estimated?: boolean | null
  change_percent: string | null
  changed_most: Changed[]
  tables: CountedTable[]
  days: Day[]
  /** Those of the day, newest first. */
  runs: Run[]
  last_run: LastRun | null
  /** How many runs of the current business day. */
  today: { succeeded: string; failed: string; running: string }
  next_due: { next_date: string; due_at: string } | null
  alerts: Alert[]
}

export interface Run {
  run_id: string
  snapshot_date: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED'
  collected_at: string
  seconds: string
  is_imported: boolean
  target_count: string | null
  left_out_count: string | null
  error_message: string | null
}

export interface LastRun extends Run {
  /** How many of its targets it has counted, as far as others can see. */
  counted: string
  failures: Failure[]
}

export interface Failure extends Table {
  error_sqlstate: string | null
  error_message: string | null
}

export interface CountedTable extends Failure, Omit<ShownCount, 'row_count'>, Filtered {
  table_kind: string
  is_partition: boolean
  /** Null where it could not be counted. */
  row_count: string | null
  change: string | null
  change_percent: string | null
  /** Only where the change is since a count of another method. */
  previous_method?: string | null
  total_bytes?: string | null
}

/** For charts, which are too coarse to tell 2^53 from its neighbours. */
export interface Day {
  snapshot_date: string
  rows: number | null
  /** One for each of the tables; null on a day without a result. */
  counts: (number | null)[] | null
}
