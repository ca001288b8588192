import type { Sql } from '../connection/database.ts'
import { visible } from '../terminal/visible.ts'
import type { LoggedAlert } from './alert_history.ts'
import { titleOf } from './open_alerts.ts'
import { unlessRefused } from './refusal.ts'

/**
 * Notes that somebody has taken an alert on. Its row as JSON rendered by the server.
 *
 * @param id null for run_late, which may have none
 */
export async function acknowledge(sql: Sql, id: string | null, why: string): Promise<string> {
  const [row] = await unlessRefused(
    sql<[{ json: string }]>`select nms.acknowledge_alert(${id}::bigint, ${why})::text as json`,
    'type table-metrics alerts to see the open ones',
  )
  return row.json
}

/** The same in a line. */
export const describeAcknowledged = (alert: LoggedAlert): string =>
  `${titleOf(alert)}: acknowledged by ${visible(alert.acknowledged_by ?? '')}`
