import type { Sql } from '../connection/database.ts'
import type { Scope } from './scope.ts'
import type { Table } from './tables.ts'

/** By what growth can be told: weeks begin on Monday. */
export const periodsOfGrowth = ['day', 'week', 'month'] as const
export type By = (typeof periodsOfGrowth)[number]

/** What the server reports of a table, a schema or the whole database. */
export interface GrowthReport extends Scope {
  by: By
  /** Oldest first; without those that have no result. */
  periods: Period[]
  summary: {
    first_date: string | null
    last_date: string | null
    first_rows: string | null
    change: string | null
    change_percent: string | null
    per_day: string | null
    /** Tables that the first or the last day leaves out, and that are no part of the change. */
    tables_left_out: string | null
    /** Only where no period has a result. */
    last_date_with_result?: string | null
  }
  /** Null for a table. */
  fastest: { rows: GrownTable[] } | null
  /** Null unless of the whole database. */
  schemas: GrownSchema[] | null
}

/** A day, a week or a month; rows are null where it was left out. */
export interface Period {
  period_start: string
  snapshot_date: string
  rows: string | null
  change: string | null
  change_percent: string | null
  per_day: string | null
  tables_left_out: string
  method: string | null
  estimated_rows: string | null
}

export interface GrownTable extends Table {
  after: string
  change: string
  change_percent: string | null
  method: string
  /** In each period. */
  rows: (string | null)[]
}

export interface GrownSchema {
  schema_name: string
  rows: (string | null)[]
  change: string | null
  change_percent: string | null
  is_estimated: boolean
}

/** How a table, a schema or the whole database grew, as JSON rendered by the server. */
export async function readGrowth(
  sql: Sql,
  { schema_name, table_name }: Scope,
  { by, periods }: { by: By; periods: number },
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.growth_report(
      by => ${by}, schema_name => ${schema_name}, table_name => ${table_name}, periods => ${periods}::integer
    )::text as json
  `
  return row.json
}
