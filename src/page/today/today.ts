import { formatDuration } from '../../terminal/terminal.ts'
import { alertList } from '../alert_list.ts'
import { type Html, html } from '../html.ts'
import { layout } from '../layout.ts'
import { links } from '../links.ts'
import { foreign } from '../names.ts'
import { type Clock, clockOf, dayInWords, shortened } from '../times.ts'
import { changes } from './changes.ts'
import { figures } from './figures.ts'
import type { Overview } from './overview.ts'
import { situation } from './situation.ts'
import { tables } from './tables.ts'
import type { View } from './view.ts'

/** What a business day found, and how things stand: what is opened every morning. */
export function todayPage(overview: Overview, view: View): string {
  if (!overview.last_run) return firstSteps(overview)
  const clock = clockOf(overview.business_time_zone)
  return layout({
    title: `${overview.snapshot_date} · ${overview.database}`,
    path: '/',
    heading: dayInWords(overview.snapshot_date),
    status: html`${foreign(overview.database)}${counted(overview, clock)}`,
    tools: dayPicker(overview),
    body: html`${situation(overview, clock)}
${figures(overview, clock)}
<div class="beside">${overview.has_result && changes(overview)}${openAlerts(overview, clock)}</div>
${overview.tables.length > 0 && tables(overview, view)}`,
    zone: overview.business_time_zone,
    json: overview.has_result ? `/v1/days/${overview.snapshot_date}` : undefined,
  })
}

function counted({ run, has_result, snapshot_date }: Overview, clock: Clock): Html | null {
  if (!run || !has_result) return null
  if (run.is_imported) return html`, imported as <a href="${links.run(run.run_id)}">run ${run.run_id}</a>`
  return html`, counted at ${clock.on(snapshot_date, run.collected_at)} in ${formatDuration(run.seconds)} by <a href="${links.run(run.run_id)}">run ${run.run_id}</a>`
}

function dayPicker({ snapshot_date, earlier_date, later_date, business_date }: Overview): Html {
  return html`<form class="line" action="/">
${earlier_date && html`<a class="button" rel="prev" href="${links.today(earlier_date)}">← ${shortened(earlier_date)}</a>`}
<label><span class="visually-hidden">Day</span><input type="date" name="date" value="${snapshot_date}" max="${business_date}" required></label><button>Show</button>
${later_date && html`<a class="button" rel="next" href="${links.today(later_date)}">${shortened(later_date)} →</a>`}
</form>`
}

function openAlerts({ alerts }: Overview, clock: Clock): Html | null {
  if (alerts.length === 0) return null
  const shown = alerts.slice(0, 4)
  return html`<section class="part" aria-labelledby="alerts">
<div class="part-head"><h2 id="alerts">Open alerts</h2><a href="${links.alerts()}">${alerts.length > shown.length ? `All ${alerts.length}, and the log` : 'The log of alerts'}</a></div>
${alertList(shown, clock)}</section>`
}

function firstSteps({ database, business_time_zone }: Overview): string {
  return layout({
    title: database,
    path: '/',
    heading: 'Nothing has been counted yet',
    status: foreign(database),
    body: html`<section class="part"><p>Count every table now:</p>
<pre tabindex="0"><code>table-metrics collect</code></pre>
<p>or, from any SQL client,</p>
<pre tabindex="0"><code>select * from nms.collect_table_metrics();</code></pre>
<p>and every day by itself, as its schedule says, while this runs:</p>
<pre tabindex="0"><code>table-metrics worker</code></pre>
<p>Then <a href="/">look again</a>.</p></section>`,
    zone: business_time_zone,
  })
}
