import { formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { type Html, html } from './html.ts'
import type { TableAlert } from './table.ts'

/** The alerts of a table, by the numbers that its chart has. */
export function tableAlerts(alerts: (TableAlert & { number: number })[], zone: string): Html {
  if (alerts.length === 0) return html``
  return html`<section class="part" aria-labelledby="alerts">
<h2 id="alerts">Alerts</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="alerts"><table>
<thead><tr><th class="number" scope="col">No.</th><th scope="col">Day</th><th scope="col">Alert</th><th scope="col">What was found</th><th scope="col">State</th></tr></thead>
<tbody>${alerts.map(
    ({ number, snapshot_date, kind, detail, closed_at }) =>
      html`<tr><td class="number">${number}</td><th scope="row">${snapshot_date}</th><td><span class="tag warn">${kind}</span></td><td>${visible(inWords(detail))}</td><td>${closed_at ? `closed ${formatMinute(closed_at, zone)}` : html`<span class="tag bad">open</span>`}</td></tr>`,
  )}</tbody>
</table></div>
</section>`
}
