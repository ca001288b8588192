import type { Alert } from '../reading/open_alerts.ts'
import { formatCount, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { acknowledgement, alertList, inKind, isTaken } from './alert_list.ts'
import { headRow } from './cells.ts'
import { type Html, html } from './html.ts'
import { layout } from './layout.ts'
import { links } from './links.ts'
import { tableLink } from './names.ts'
import { counted } from './numbers.ts'
import { type Clock, clockOf } from './times.ts'
import { turn } from './turn.ts'

/** What nms.alerts_report says, each number as text. */
export interface AlertsReport {
  business_time_zone: string
  open: Alert[]
  /** Last opened first. */
  history: LoggedAlert[]
  /** Where older ones begin; null when there are none. */
  next: string | null
}

export interface LoggedAlert extends Omit<Alert, 'since'> {
  opened_at: string
  opened_by_run: string | null
  /** Null while it is open. */
  closed_at: string | null
  /** It is open, and a rule hides it. */
  is_silenced: boolean
}

/**
 * What is strange, and what was.
 *
 * @param before where the log begins, unless at its end
 */
export function alertsPage(
  { business_time_zone, open, history, next }: AlertsReport,
  before?: string,
): string {
  const clock = clockOf(business_time_zone)
  const taken = open.filter(isTaken).length
  return layout({
    title: 'Alerts',
    path: links.alerts(),
    heading: 'Alerts',
    status:
      open.length === 0
        ? 'None is open: nothing is strange.'
        : `${counted(open.length - taken, 'alert')} open${taken > 0 ? `, ${formatCount(String(taken))} acknowledged` : ''}.`,
    body: html`${!before && open.length > 0 && html`<section class="part" aria-labelledby="open"><h2 id="open">Open</h2>${alertList(open, clock)}</section>`}
<section class="part" aria-labelledby="log"><h2 id="log">Log</h2>
${history.length === 0 ? html`<p class="muted">No alert has been raised${before && ' before that'}.</p>` : logOf(history, clock)}
${turn(links.alerts, before, next)}
</section>`,
    zone: business_time_zone,
    json: '/v1/alerts',
  })
}

function logOf(history: readonly LoggedAlert[], clock: Clock): Html {
  return html`<div class="scroll" role="region" aria-label="Every alert, last opened first" tabindex="0"><table class="log"><caption class="visually-hidden">Every alert, last opened first</caption>
${headRow('Opened', 'Ended', 'Alert', 'Table', 'Detail')}
<tbody>${history.map((alert) => loggedRow(alert, clock))}</tbody></table></div>`
}

function loggedRow(alert: LoggedAlert, clock: Clock): Html {
  const { kind, schema_name, table_name, detail, opened_at, opened_by_run, closed_at, is_silenced } = alert
  const opened = clock.minute(opened_at)
  return html`<tr><td class="date">${opened_by_run === null ? opened : html`<a href="${links.run(opened_by_run)}" title="Run ${opened_by_run}">${opened}</a>`}</td>
<td class="date">${closed_at === null ? html`<span class="tag warn">${is_silenced ? 'silenced' : 'open'}</span>` : clock.minute(closed_at)}</td>
<td><span class="tag">${inKind(kind)}</span></td>
<td>${schema_name !== null && table_name !== null && tableLink({ schema_name, table_name })}</td>
<td>${visible(inWords(detail))}${acknowledgement(alert, clock)}</td></tr>`
}
