import type { AlertGroup, Period, PeriodAlerts } from '../../reading/period.ts'
import { formatCount, inWords } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { inKind } from '../alert_list.ts'
import { type Html, html } from '../html.ts'
import { tableName } from '../names.ts'
import { counted } from '../numbers.ts'
import type { Clock } from '../times.ts'

/** What was strange: what still is, and what was over by the end. */
export function alertsOf({ alerts, until, business_date }: Period, clock: Clock): Html | null {
  const { opened, closed, open } = alerts
  const isOver = until < business_date
  if ([opened, closed, open].every(({ alerts: count }) => count === '0')) return null
  return html`<section class="part" aria-labelledby="alerts"><h2 id="alerts">Alerts</h2>
<div class="beside">
${isOver && listOf('opened', 'Opened', opened, clock)}
${listOf('open', isOver ? 'Open to this day' : 'Open', open, clock)}
${listOf('closed', 'Closed', closed, clock)}
</div></section>`
}

function listOf(id: string, title: string, { alerts, groups }: PeriodAlerts, clock: Clock): Html | null {
  if (groups.length === 0) return null
  const more = groups.reduce((left, group) => left - BigInt(group.alerts), BigInt(alerts))
  return html`<section class="part" aria-labelledby="alerts-${id}">
<div class="part-head"><h3 id="alerts-${id}">${title}</h3><span class="muted">${counted(alerts, 'alert')}</span></div>
<ul class="alerts">${groups.map((group) => itemOf(group, clock))}</ul>
${more > 0n && html`<p class="muted">and ${formatCount(String(more))} more</p>`}
</section>`
}

function itemOf(
  { kind, schema_name, table_name, alerts, detail, opened_at, closed_at }: AlertGroup,
  clock: Clock,
): Html {
  const name =
    schema_name === null
      ? null
      : table_name === null
        ? html`<span class="name">${visible(schema_name)}</span>`
        : tableName({ schema_name, table_name })
  return html`<li><span class="tag ${closed_at === null && 'warn'}">${inKind(kind)}</span> <span>${name}${alerts !== '1' && html` <strong>${formatCount(alerts)}</strong>`}</span>
<p>${visible(inWords(detail))}, <span class="muted">since ${clock.minute(opened_at)}${closed_at !== null && `, over ${clock.minute(closed_at)}`}</span></p></li>\n`
}
