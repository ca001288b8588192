import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import type { Choice } from './choice.ts'
import { type Acknowledged, describeAcknowledgement, type StrangeTable, titleOf } from './open_alerts.ts'

/** An alert of the log. */
export interface LoggedAlert extends StrangeTable, Acknowledged {
  alert_id: string
  detail: string
  opened_at: string
  /** Null for what no run has found. */
  opened_by_run: string | null
  /** Null while it is open. */
  closed_at: string | null
  closed_by_run: string | null
  /** It is open, and a rule hides it. */
  is_silenced: boolean
  /** Null: such alerts are off. */
  silenced_until: string | null
}

/** The last alerts as JSON rendered by the server, last opened first. */
export async function readHistory(
  sql: Sql,
  limit: number,
  choice: Choice = {},
): Promise<{ json: string; zone: string }> {
  const [row] = await sql<[{ json: string; zone: string }]>`
    select
      (report -> 'history')::text as json,
      report ->> 'business_time_zone' as zone
    from nms.alerts_report(
      history => true,
      "limit" => ${limit}::integer,
      choice => ${sql.json({ ...choice })}
    ) as report
  `
  return row
}

/** What became of each alert. */
export function describeHistory(alerts: LoggedAlert[], limit: number, zone: string): string {
  if (alerts.length === 0) return 'no alert so far'
  return [
    ...alerts.map((alert) =>
      [
        `${titleOf(alert)}, ${whenOf(alert, zone)}`,
        `  ${visible(inWords(alert.detail))}`,
        ...describeAcknowledgement(alert, zone),
      ].join('\n'),
    ),
    ...(alerts.length === limit ? [`… for older ones type --limit ${Math.min(4 * limit, 1000)}`] : []),
  ].join('\n')
}

function whenOf(alert: LoggedAlert, zone: string): string {
  const runs = [alert.opened_by_run, alert.closed_by_run].filter((run) => run !== null)
  const opened = formatMinute(alert.opened_at, zone)
  const until =
    alert.closed_at === null ? ` ${stateOf(alert)}` : ` until ${formatMinute(alert.closed_at, zone)}`
  return `${opened}${until}${runs.length > 0 ? ` (run ${runs.join(' to ')})` : ''}`
}

function stateOf({ is_silenced, silenced_until }: LoggedAlert): string {
  if (!is_silenced) return paint('yellow', 'still open')
  return silenced_until === null ? 'switched off by a rule' : `silenced until ${silenced_until}`
}
