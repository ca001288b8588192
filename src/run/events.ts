import type { Sql } from '../connection/database.ts'
import type { Run } from './run.ts'

/**
 * Something that happened to a run, for logs and alerts. Ids are strings, as in its header, and so is the number of
 * rows, which may pass what a number can hold.
 */
export type RunEvent =
  | { event: 'run_started'; run_id: string; online: boolean }
  | { event: 'run_succeeded'; run_id: string; tables: number; rows: string; seconds: number }
  | { event: 'run_failed'; run_id: string; reason: string; seconds: number }
  | { event: 'run_abandoned'; run_id: string; reason: string }
  | { event: 'no_tables_found'; run_id: string }
  | { event: 'target_failed'; run_id: string; table: string; sqlstate: string; reason: string }
  | ({ event: 'alert_opened' } & AlertChange)
  | ({ event: 'alert_closed'; since: string; opened_by_run?: string } & AlertChange)
  | { event: 'yielded'; run_id: string; table: string; to: string; outcome: 'put back' | 'given up' }

/** One alert that a run has opened or closed, or several of one kind. */
type AlertChange = {
  run_id: string
  kind: string
  /** Unless it is of a whole run, or of several tables. */
  table?: string
  filter?: string
  /** How many alerts it tells of, where it is several; the detail names some of their tables. */
  alerts?: number
  /** The schema of several, unless they are in more than one. */
  schema?: string
  detail: string
}

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
      ? { event: 'run_succeeded', run_id, tables: Number(run.target_count ?? 0), rows, seconds }
      : { event: 'run_failed', run_id, reason: run.error_message ?? run.status, seconds },
    ...(await alertChanges(sql, run_id)),
  ]
}

/** Which alerts a run that has ended has opened and closed, those together that are many of one kind. */
export async function alertChanges(sql: Sql, run_id: string): Promise<RunEvent[]> {
  const changes = await sql<Change[]>`
    select
      event, kind, schema_name, case when table_name is not null then format('%I.%I', schema_name, table_name) end as table,
      filter_name, alerts, detail, opened_at, opened_by_run::text
    from nms_private.alert_changes(run_id => ${run_id})
  `
  return changes.map(
    ({ event, kind, schema_name, table, filter_name, alerts, detail, opened_at, opened_by_run }) => {
      const change = {
        run_id,
        kind,
        ...(table && { table }),
        ...(filter_name && { filter: filter_name }),
        ...(alerts !== '1' && { alerts: Number(alerts), ...(schema_name && { schema: schema_name }) }),
        detail,
      }
      if (event === 'alert_opened') return { event, ...change }
      return { event, ...change, since: opened_at.toISOString(), ...(opened_by_run && { opened_by_run }) }
    },
  )
}

interface Change {
  event: 'alert_opened' | 'alert_closed'
  kind: string
  schema_name: string | null
  table: string | null
  filter_name: string | null
  alerts: string
  detail: string
  opened_at: Date
  opened_by_run: string | null
}
