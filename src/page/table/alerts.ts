import { inWords } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { inKind } from '../alert_list.ts'
import { type Html, html } from '../html.ts'
import type { Clock } from '../times.ts'
import type { TableAlert } from './report.ts'

/** The alerts of a table, by the numbers that its chart has. */
export function alertsOf(alerts: readonly (TableAlert & { number: number })[], clock: Clock): Html | null {
  if (alerts.length === 0) return null
  return html`<section class="part" aria-labelledby="alerts">
<h2 id="alerts">Alerts</h2>
<ul class="alerts">${alerts.map(
    ({ number, snapshot_date, kind, detail, closed_at }) =>
      html`<li><span class="tag warn">${number}</span> <span>${snapshot_date} <strong>${inKind(kind)}</strong></span>
<p>${visible(inWords(detail))} <span class="muted">${closed_at === null ? 'It is open.' : `Closed ${clock.minute(closed_at)}.`}</span></p></li>`,
  )}</ul>
</section>`
}
