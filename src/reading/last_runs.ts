import type { Sql } from '../connection/database.ts'

/** A run as a line of an overview. */
export interface LastRun {
  run_id: string
  status: string
  day: string
  started: string
  short_started: string
  took: string
  lasted: string
  tables: string | null
  rows: string | null
  reason: string | null
}

/** The last runs, newest first, with times in a time zone. */
export function lastRuns(sql: Sql, runs: number, zone: string): Promise<LastRun[]> {
  return sql<LastRun[]>`
    select
      run.run_id::text,
      run.status,
      run.snapshot_date::text as day,
      to_char(run.collected_at at time zone ${zone}, 'YYYY-MM-DD HH24:MI') as started,
      to_char(run.collected_at at time zone ${zone}, 'MM-DD HH24:MI') as short_started,
      case when run.is_imported then 'imported' else lasted.words end as took,
      case
        when run.is_imported then 'imported'
        when run.status = 'RUNNING' then 'so far ' || lasted.words
        else 'took ' || lasted.words
      end as lasted,
      run.target_count::text as tables,
      case
        when run.status = 'SUCCEEDED' then (
          select coalesce(sum(own_row_count), 0)::text
          from nms.table_metrics_measurements as measurement
          where measurement.run_id = run.run_id
        )
      end as rows,
      regexp_replace(run.error_message, '\\s+', ' ', 'g') as reason
    from nms.table_metrics_runs as run
    cross join lateral (
      select extract(epoch from coalesce(run.finished_at, clock_timestamp()) - run.collected_at)::numeric
    ) as elapsed (seconds)
    cross join lateral (
      select
        case
          when seconds < 60 then format('%s s', seconds::numeric(12, 2))
          when seconds < 3600 then format('%s min %s s', div(seconds, 60), trunc(mod(seconds, 60)))
          else format('%s h %s min', div(seconds, 3600), div(mod(seconds, 3600), 60))
        end
    ) as lasted (words)
    order by run.run_id desc
    limit ${runs}
  `
}
