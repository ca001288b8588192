import type { Sql } from '../connection/database.ts'

/** What is to be compared, and what of it is a failure. */
export interface Comparison {
  before: string
  after: string
  failOn?: FailOn
}

/** A table that has no count any more; that, or fewer rows; any difference. Not what a request leaves out. */
export const failures = ['missing', 'drop', 'any'] as const
export type FailOn = (typeof failures)[number]

/**
 * The runs to compare, when no more than the first one is named: that of the last day, and of the day before it.
 *
 * @throws when there are not that many days
 */
export async function lastRuns(sql: Sql): Promise<{ before: string; after: string }> {
  const [after, before] = await sql<{ run_id: string; date: string }[]>`
    select run_id::text, snapshot_date::text as date
    from nms.table_metrics_daily_snapshot
    order by snapshot_date desc
    limit 2
  `
  if (before && after) return { before: before.run_id, after: after.run_id }
  throw new Error(
    after
      ? `only ${after.date} has a result so far: name two runs of that day, type table-metrics status to see them`
      : 'no day has a result yet: type table-metrics collect',
  )
}

/** Tables that fail the comparison; none unless there is something to fail on. */
export async function failingTables(sql: Sql, { before, after, failOn }: Comparison): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select schema_name || '.' || table_name as name
    from nms.compare_runs(before => ${before}, after => ${after})
    where
      outcome <> 'left out'
      and case ${failOn ?? null}::text
        when 'missing' then outcome = 'disappeared' or (rows_before is not null and rows_after is null)
        when 'drop' then outcome in ('disappeared', 'shrank') or (rows_before is not null and rows_after is null)
        when 'any' then outcome <> 'unchanged'
      end
  `
  return rows.map(({ name }) => name)
}

/** Two runs beside each other, as JSON rendered by the server: every table, also unchanged ones. */
export async function comparisonAsJson(
  sql: Sql,
  { before, after }: Comparison,
  failing: string[],
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    with compared as materialized (
      select * from nms.compare_runs(before => ${before}, after => ${after})
    )
    select jsonb_build_object(
      'before', (select to_jsonb(run) from nms.table_metrics_runs as run where run.run_id = ${before}),
      'after', (select to_jsonb(run) from nms.table_metrics_runs as run where run.run_id = ${after}),
      'change', (select coalesce(sum(own_change), 0) from compared),
      'outcomes', (
        select coalesce(jsonb_object_agg(grouped.outcome, grouped.tables), '{}')
        from (select outcome, count(*) as tables from compared group by outcome) as grouped
      ),
      'failing', ${sql.json(failing)}::jsonb,
      'tables', (
        select coalesce(jsonb_agg(to_jsonb(compared) order by schema_name, table_name), '[]') from compared
      )
    )::text as json
  `
  return row.json
}
