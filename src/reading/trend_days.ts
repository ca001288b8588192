import type { Sql } from '../connection/database.ts'
import { visible } from '../terminal/visible.ts'
import type { KnownTable } from './known_table.ts'

/** What is asked about a table. */
export interface TrendRequest extends KnownTable {
  /** How many business days, today included. */
  days: number
}

/** What there is to say about these days; nothing when none has a result for the table. */
export async function summarizeTrend(sql: Sql, { schema_name, table_name, days }: TrendRequest) {
  const [row] = await sql<
    {
      first_date: string
      last_date: string
      last_rows: string
      lowest: string
      highest: string
      lowest_date: string
      highest_date: string
      change: string
      percent: string | null
      days_found: string
      days_left_out: string
      axis_first: string
      axis_last: string
    }[]
  >`
    with trend as materialized (
      select * from nms.table_trend(${schema_name}, ${table_name}, ${days}::integer)
    ),
    ends as (
      select
        count(row_count) as days_found,
        count(*) - count(row_count) as days_left_out,
        min(snapshot_date) filter (where row_count is not null) as first_date,
        max(snapshot_date) filter (where row_count is not null) as last_date,
        min(snapshot_date) as axis_first,
        max(snapshot_date) as axis_last,
        min(row_count) as lowest,
        max(row_count) as highest
      from trend
    )
    select
      ends.first_date::text,
      ends.last_date::text,
      last.row_count::text as last_rows,
      ends.lowest::text,
      ends.highest::text,
      (select max(snapshot_date)::text from trend where row_count = ends.lowest) as lowest_date,
      (select max(snapshot_date)::text from trend where row_count = ends.highest) as highest_date,
      (last.row_count - first.row_count)::text as change,
      to_char(
        100.0 * (last.row_count - first.row_count) / nullif(first.row_count, 0),
        'FMSG999,999,999,999,990.0'
      ) as percent,
      ends.days_found::text,
      ends.days_left_out::text,
      ends.axis_first::text,
      ends.axis_last::text
    from ends
    join trend as first on first.snapshot_date = ends.first_date
    join trend as last on last.snapshot_date = ends.last_date
  `
  return row
}

/** Where the days lie on a chart; of more days than places, each place has the last one that was counted. */
export async function levelsOf(
  sql: Sql,
  { schema_name, table_name, days }: TrendRequest,
  lines: number,
  places: number,
): Promise<(number | null)[]> {
  const rows = await sql<{ level: number | null }[]>`
    with trend as materialized (
      select * from nms.table_trend(${schema_name}, ${table_name}, ${days}::integer)
    ),
    axis as (
      select
        min(snapshot_date) as first_date,
        max(snapshot_date) - min(snapshot_date) + 1 as length,
        least(max(snapshot_date) - min(snapshot_date) + 1, ${places}::integer) as places,
        min(row_count) as lowest,
        max(row_count) as highest
      from trend
    ),
    placed as (
      select distinct on (place)
        (trend.snapshot_date - axis.first_date) * axis.places / axis.length as place,
        round(
          (trend.row_count - axis.lowest)::numeric / nullif(axis.highest - axis.lowest, 0) * (${lines}::integer - 1)
        )::integer as level
      from trend
      cross join axis
      where trend.row_count is not null
      order by place, trend.snapshot_date desc
    )
    select case when placed.place is not null then coalesce(placed.level, 0) end as level
    from axis
    cross join generate_series(0, axis.places - 1) as every (place)
    left join placed using (place)
    order by every.place
  `
  return rows.map(({ level }) => level)
}

/** Says which days to ask for instead of those that have no result for the table. */
export async function notOnTheseDays(
  sql: Sql,
  { schema_name, table_name, days }: TrendRequest,
): Promise<Error> {
  const name = visible(`${schema_name}.${table_name}`)
  const [last] = await sql<{ date: string; days: string }[]>`
    select
      day.snapshot_date::text as date,
      (nms.business_date() - day.snapshot_date + 1)::text as days
    from nms.table_metrics_daily_snapshot as day
    join nms.table_metrics_measurements as measurement on measurement.run_id = day.run_id
    where measurement.schema_name = ${schema_name} and measurement.table_name = ${table_name}
    order by day.snapshot_date desc
    limit 1
  `
  return new Error(
    last
      ? `${name} has no result with --days ${days}: the last one is of ${last.date}, type --days ${last.days}`
      : `${name} has no result on any day: type table-metrics status to see why`,
  )
}
