import type { Sql } from '../_support/database.ts'
import type { Day, RecordedRun } from './checker.ts'

/** Lets `readEnded` tell what it has read. The headers must be watched. */
export async function watchEnds(sql: Sql): Promise<void> {
  await sql`alter table watch.ended add column is_read boolean not null default false`
}

/** Runs that have ended and have not been read before, oldest first, at most a hundred. */
export async function readEnded(sql: Sql): Promise<RecordedRun[]> {
  const runs = await sql<RecordedRun[]>`
    with ended as (
      update watch.ended set is_read = true
      where run_id in (select run_id from watch.ended where not is_read order by run_id limit 100)
      returning run_id
    )
    select
      run_id::text, status, error_message, is_online,
      skip_schemas as skip, exclude_tables as exclude, payload,
      array(
        select jsonb_build_object(
          'table', schema_name || '.' || table_name,
          'oid', table_oid,
          'row_count', row_count,
          'own_row_count', own_row_count
        )
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = run.run_id
      ) as measurements
    from ended
    join nms.table_metrics_runs as run using (run_id)
    left join nms.table_metrics_run_snapshot as snapshot using (run_id)
    order by run_id
  `
  return [...runs]
}

export async function readDays(sql: Sql): Promise<Day[]> {
  const days = await sql<Day[]>`
    select snapshot_date::text, day.run_id::text, day.payload, last.run_id::text as last_run_id, last.payload as last_payload
    from nms.table_metrics_daily_snapshot as day
    full join (
      select distinct on (snapshot_date) snapshot_date, run_id, snapshot.payload
      from nms.table_metrics_runs
      left join nms.table_metrics_run_snapshot as snapshot using (run_id)
      where status = 'SUCCEEDED'
      order by snapshot_date, run_id desc
    ) as last using (snapshot_date)
  `
  return [...days]
}

/** How many runs of each kind ended how; the kind stands in the request. */
export async function tally(
  sql: Sql,
): Promise<{ kind: string; succeeded: number; failed: number; running: number }[]> {
  const rows = await sql<{ kind: string; succeeded: number; failed: number; running: number }[]>`
    select
      skip_schemas ->> 0 as kind,
      (count(*) filter (where status = 'SUCCEEDED'))::integer as succeeded,
      (count(*) filter (where status = 'FAILED'))::integer as failed,
      (count(*) filter (where status = 'RUNNING'))::integer as running
    from nms.table_metrics_runs
    group by 1
    order by 1
  `
  return [...rows]
}

/** Why runs failed, numbers and names left out, most often first. */
export async function reasons(sql: Sql): Promise<{ reason: string; times: number }[]> {
  const rows = await sql<{ reason: string; times: number }[]>`
    select left(regexp_replace(split_part(error_message, E'\n', 1), '[0-9]+', 'N', 'g'), 100) as reason, count(*)::integer as times
    from nms.table_metrics_runs
    where status = 'FAILED'
    group by 1
    order by 2 desc
    limit 12
  `
  return [...rows]
}

/** Headers that are not any more what they were when their runs ended. */
export async function changedHeaders(
  sql: Sql,
): Promise<{ run_id: string; seen: string; expected: string }[]> {
  const rows = await sql<{ run_id: string; seen: string; expected: string }[]>`
    select ended.run_id::text, coalesce(to_jsonb(run)::text, 'none') as seen, ended.header::text as expected
    from watch.ended
    left join nms.table_metrics_runs as run on run.run_id = ended.run_id
    where ended.header is distinct from to_jsonb(run)
  `
  return [...rows]
}
