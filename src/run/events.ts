import type { Sql } from '../connection/database.ts'
import type { Run } from './run.ts'

/** Something that happened to a run, for logs and alerts. Counts are strings: they never become a number. */
export type RunEvent =
  | { event: 'run_started'; run_id: string; online: boolean }
  | { event: 'run_succeeded'; run_id: string; tables: string; rows: string; seconds: number }
  | { event: 'run_failed'; run_id: string; reason: string; seconds: number }
  | { event: 'run_abandoned'; run_id: string; reason: string }
  | { event: 'no_tables_found'; run_id: string }
  | { event: 'target_failed'; run_id: string; table: string; sqlstate: string; reason: string }
  | { event: 'alert_opened'; run_id: string; kind: string; table?: string; detail: string }
  | { event: 'yielded'; run_id: string; table: string; to: string; outcome: 'put back' | 'given up' }

/** What there is to tell about a run that has ended, in order. */
export async function endingEvents(sql: Sql, run: Run): Promise<RunEvent[]> {
  const { run_id } = run
  const failures = await sql<{ table: string; sqlstate: string; reason: string }[]>`
    select
      format('%I.%I', schema_name, table_name) as table,
      error_sqlstate as sqlstate,
      error_message as reason
    from nms.table_metrics_measurements
    where run_id = ${run_id} and error_sqlstate is not null
    order by schema_name, table_name
  `
  const [{ rows }] = await sql<[{ rows: string }]>`
    select coalesce(sum(own_row_count), 0)::text as rows
    from nms.table_metrics_measurements
    where run_id = ${run_id}
  `
  const seconds = ((run.finished_at?.getTime() ?? Date.now()) - run.collected_at.getTime()) / 1000
  return [
    ...failures.map((failure) => ({ event: 'target_failed', run_id, ...failure }) as const),
    ...(run.target_count === '0' ? [{ event: 'no_tables_found', run_id } as const] : []),
    run.status === 'SUCCEEDED'
      ? { event: 'run_succeeded', run_id, tables: run.target_count ?? '0', rows, seconds }
      : { event: 'run_failed', run_id, reason: run.error_message ?? run.status, seconds },
    ...(await openedAlerts(sql, run_id)),
  ]
}

/** What is strange about a run that has ended, and was not strange before. */
export async function openedAlerts(sql: Sql, run_id: string): Promise<RunEvent[]> {
  const alerts = await sql<{ kind: string; table: string | null; detail: string }[]>`
    select kind, case when table_name is not null then format('%I.%I', schema_name, table_name) end as table, detail
    from nms.table_metrics_alert_log
    where opened_by_run = ${run_id}
    order by alert_id
  `
  return alerts.map(({ kind, table, detail }) => ({
    event: 'alert_opened',
    run_id,
    kind,
    ...(table && { table }),
    detail,
  }))
}
