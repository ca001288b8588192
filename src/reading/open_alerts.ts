import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { layOut } from '../terminal/table.ts'
import { formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'

/** An alert that is open. */
export interface Alert {
  kind: string
  /** Null for what concerns a whole run. */
  schema_name: string | null
  table_name: string | null
  since: string
  detail: string
}

/** The alerts that are open as JSON rendered by the server, oldest first. */
export async function readAlerts(sql: Sql): Promise<{ json: string; zone: string }> {
  const [row] = await sql<[{ json: string; zone: string }]>`
    select
      (report -> 'open')::text as json,
      report ->> 'business_time_zone' as zone
    from nms.alerts_report() as report
  `
  return row
}

/** One line for each alert, as far as it fits. */
export function tabulateAlerts(alerts: Alert[], zone: string): string {
  return layOut(
    [
      { title: 'since', drop: 1 },
      { title: 'alert', style: () => 'yellow' },
      { title: 'table', cut: 'middle' },
      { title: 'detail', wrap: true },
    ],
    alerts.map((alert) => [
      formatMinute(alert.since, zone),
      alert.kind,
      nameOf(alert),
      inWords(alert.detail),
    ]),
  )
}

/** All that is known of each alert. */
export function describeAlerts(alerts: Alert[], zone: string): string {
  if (alerts.length === 0) return 'no open alerts'
  return alerts
    .map((alert) => {
      const what = [paint('yellow', alert.kind), ...(nameOf(alert) ? [visible(nameOf(alert))] : [])]
      return `${what.join(' ')}, since ${formatMinute(alert.since, zone)}\n  ${visible(inWords(alert.detail))}`
    })
    .join('\n\n')
}

const nameOf = ({ schema_name, table_name }: Alert) =>
  table_name === null ? '' : `${schema_name}.${table_name}`
