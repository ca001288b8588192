import type { Acknowledged, Alert } from '../reading/open_alerts.ts'
import { inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { type Html, html } from './html.ts'
import { tableLink } from './names.ts'
import type { Clock } from './times.ts'

/** Alerts that are open, oldest first. */
export function alertList(alerts: readonly Alert[], clock: Clock): Html {
  return html`<ul class="alerts">${alerts.map(
    (alert) =>
      html`<li><span class="tag${!isTaken(alert) && ' warn'}">${inKind(alert.kind)}</span> ${alert.schema_name !== null && alert.table_name !== null && tableLink({ schema_name: alert.schema_name, table_name: alert.table_name })}
<p>${visible(inWords(alert.detail))}, <span class="muted">since ${clock.minute(alert.since)}</span></p>${acknowledgement(alert, clock)}</li>`,
  )}</ul>`
}

/** Whether somebody has taken an alert on. */
export const isTaken = ({ acknowledged_at }: Acknowledged) => Boolean(acknowledged_at)

/** Who has taken an alert on, and what they said. */
export function acknowledgement(alert: Acknowledged, clock: Clock): Html | null {
  const { acknowledged_at, acknowledged_by, acknowledgement: why } = alert
  if (!acknowledged_at || !why) return null
  return html`<p class="muted">acknowledged by ${visible(acknowledged_by ?? '')}, ${clock.minute(acknowledged_at)}: ${visible(inWords(why))}</p>`
}

/** A kind of alert in words: `dropped to zero`. */
export const inKind = (kind: string) => kind.replaceAll('_', ' ')
