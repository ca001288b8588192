import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { layOut } from '../terminal/table.ts'
import { formatCount, formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import type { Choice } from './choice.ts'

/** What an alert is about. */
export interface StrangeTable {
  alert_id: string | null
  kind: string
  /** Null for what concerns a whole run. */
  schema_name: string | null
  table_name: string | null
}

/** Who took an alert on; null while nobody has. */
export interface Acknowledged {
  acknowledged_at: string | null
  acknowledged_by: string | null
  acknowledgement: string | null
}

/** An alert that is open, or several in one. */
export interface Alert extends StrangeTable, Acknowledged {
  since: string
  detail: string
}

/**
 * The alerts that are open as JSON rendered by the server: oldest first, then those that are acknowledged; and the
 * same with many of one kind as one, for a person. That one has the schema, unless there are several, and no table.
 */
export async function readAlerts(
  sql: Sql,
  choice: Choice = {},
): Promise<{ json: string; groups: string; zone: string }> {
  const [row] = await sql<[{ json: string; groups: string; zone: string }]>`
    select
      (report -> 'open')::text as json,
      (report -> 'groups')::text as groups,
      report ->> 'business_time_zone' as zone
    from nms.alerts_report(choice => ${sql.json({ ...choice })}) as report
  `
  return row
}

/** One line for each alert or group of them, as far as it fits. */
export function tabulateAlerts(alerts: Alert[], zone: string): string {
  return layOut(
    [
      { title: 'since', drop: 1 },
      { title: 'alert', style: (kind) => (kind.endsWith(taken) ? 'dim' : 'yellow') },
      { title: 'table', cut: 'middle' },
      { title: 'detail', wrap: true },
    ],
    alerts.map((alert) => [
      formatMinute(alert.since, zone),
      alert.kind + (isTaken(alert) ? taken : ''),
      nameOf(alert),
      inWords(alert.detail),
    ]),
  )
}

/** All that is known of the open alerts, each or in groups; those that somebody has taken on are pale. */
export function describeOpen(alerts: Alert[], groups: Alert[], zone: string): string {
  if (alerts.length === 0) return 'no open alerts'
  const blocks = groups.map((alert) =>
    [
      `${titleOf(alert)}, since ${formatMinute(alert.since, zone)}`,
      `  ${visible(inWords(alert.detail))}`,
      ...describeAcknowledgement(alert, zone),
    ].join('\n'),
  )
  return [blocks.join('\n\n'), ...describeGrouping(alerts, groups)].join('\n')
}

/** The number of an alert, its kind and its table. */
export function titleOf(alert: StrangeTable & Acknowledged): string {
  const what = [
    alert.alert_id ?? '',
    paint(isTaken(alert) ? 'dim' : 'yellow', alert.kind),
    visible(nameOf(alert)),
  ]
  return what.filter((part) => part !== '').join(' ')
}

/** Who took an alert on, when, and what they said, as a line where somebody has. */
export function describeAcknowledgement(alert: Acknowledged, zone: string): string[] {
  const { acknowledged_at, acknowledged_by, acknowledgement } = alert
  if (acknowledged_at === null) return []
  if (acknowledgement === null) return [`  ${paint('dim', 'acknowledged')}`] // of several
  const by = `acknowledged by ${acknowledged_by}, ${formatMinute(acknowledged_at, zone)}`
  return [`  ${paint('dim', visible(`${by}: ${inWords(acknowledgement)}`))}`]
}

/** How many are open, and how many of all are acknowledged: `2, 1 acknowledged`. */
export function countOpen(alerts: Alert[]): string {
  const acknowledged = alerts.filter(({ acknowledged_at }) => acknowledged_at !== null).length
  const open = alerts.length - acknowledged
  return [
    open === 0 ? 'none' : formatCount(String(open)),
    ...(acknowledged > 0 ? [`${formatCount(String(acknowledged))} acknowledged`] : []),
  ].join(', ')
}

/** A line where many were put together. */
export function describeGrouping(alerts: Alert[], groups: Alert[]): string[] {
  return alerts.length > groups.length ? ['', 'each of them: table-metrics alerts --all'] : []
}

const isTaken = ({ acknowledged_at }: Acknowledged) => acknowledged_at !== null

const taken = ', acknowledged'

const nameOf = ({ schema_name, table_name }: StrangeTable) =>
  schema_name === null ? '' : `${schema_name}.${table_name ?? '*'}`
