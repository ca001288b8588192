import type { Alert } from '../../reading/open_alerts.ts'
import type { RunHeader } from '../../reading/status.ts'
import { kindOf, type Table } from '../../reading/tables.ts'
import { formatCount, formatDuration, inWords } from '../../terminal/terminal.ts'
import { visible, visibleLines } from '../../terminal/visible.ts'
import { alertList } from '../alert_list.ts'
import { bytesCell, haveBytes } from '../bytes.ts'
import { breakable, changeCells, countCell, headRow, notCounted } from '../cells.ts'
import { estimatedOf, marksNote, type ShownCount, type Totals, tablesNote, totalOf } from '../count.ts'
import { type Filtered, filtersOf } from '../filtered.ts'
import { type Html, html } from '../html.ts'
import { layout } from '../layout.ts'
import { links } from '../links.ts'
import { tableLink } from '../names.ts'
import { changeOf, counted } from '../numbers.ts'
import { statusTag } from '../status_tag.ts'
import { type Clock, clockOf } from '../times.ts'
import { type Request, requestOf } from './request.ts'

/** What nms.run_report says, each number as text, without the payload. */
export interface RunOfPage {
  business_time_zone: string
  run: Omit<RunHeader, 'totals'> & Request & { left_out_count: string | null }
  totals: Totals
  previous_run_id: string | null
  previous_date: string | null
  change: string | null
  is_change_estimated?: boolean | null
  /** Largest first, those that could not be counted in front. */
  tables: (Table &
    ShownCount &
    Filtered & {
      table_kind: string
      is_partition: boolean
      change: string | null
      change_percent: string | null
      previous_method?: string | null
      total_bytes?: string | null
    })[]
  failures: (Table & { error_sqlstate: string; error_message: string; remedy: string })[]
  alerts: Alert[]
}

/** At most so many rows stand in a page. */
const most = 1_000

/** The page of one run: what it was asked for, what failed and why, what it found. */
export function runPage(report: RunOfPage): string {
  const { run, alerts, business_time_zone } = report
  const clock = clockOf(business_time_zone)
  return layout({
    title: `Run ${run.run_id}`,
    path: `${links.runs()}/${run.run_id}`,
    heading: `Run ${run.run_id}`,
    status: describe(report, clock),
    zone: business_time_zone,
    json: `/v1/runs/${run.run_id}`,
    body: html`
${figures(report)}
${failures(report)}
${
  alerts.length > 0 &&
  html`<section class="part" aria-labelledby="alerts"><h2 id="alerts">Open alerts that it raised</h2>${alertList(alerts, clock)}</section>`
}
${requestOf(run, clock)}
${tables(report)}`,
  })
}

function describe({ run }: RunOfPage, clock: Clock): Html {
  const took = `${run.status === 'RUNNING' ? 'so far' : 'took'} ${formatDuration(run.seconds)}`
  return html`${statusTag(run.status)} <a href="${links.today(run.snapshot_date)}">${run.snapshot_date}</a>, ${
    run.is_imported
      ? `imported ${clock.minute(run.collected_at)}`
      : `started ${clock.on(run.snapshot_date, run.collected_at)}, ${took}`
  }`
}

function figures(report: RunOfPage): Html {
  const { run, totals, change, previous_run_id, previous_date, failures } = report
  const changed = { method: report.is_change_estimated ? 'estimate' : 'exact' }
  const leftOut = run.left_out_count ?? '0'
  return html`<dl class="figures">
<div><dt>Tables</dt><dd class="figure">${formatCount(totals.tables)}</dd>${tablesNote(totals)}${leftOut !== '0' && html`<dd class="muted">${counted(leftOut, 'table')} left out by request</dd>`}</div>
${run.status === 'SUCCEEDED' && html`<div><dt>Rows</dt><dd class="figure">${totalOf(breakable(totals.rows), totals)}</dd><dd class="muted">each counted once</dd>${estimatedOf(totals)}</div>`}
${
  run.status === 'SUCCEEDED' &&
  previous_run_id &&
  html`<div><dt>Change</dt><dd class="figure">${changeOf(change, changed)}</dd><dd class="muted">since <a href="${links.compare(previous_run_id, run.run_id)}">run ${previous_run_id}</a> of ${previous_date}</dd></div>`
}
<div><dt>Not counted</dt><dd class="figure">${formatCount(String(failures.length))}</dd></div>
</dl>`
}

function failures({ run, failures }: RunOfPage): Html | null {
  if (run.error_message === null && failures.length === 0) return null
  return html`<section class="part" aria-labelledby="failures">
<h2 id="failures">What failed, and why</h2>
${run.error_message !== null && html`<pre class="reason">${visibleLines(run.error_message)}</pre>`}
${
  failures.length > 0 &&
  html`<ul class="alerts">${failures.slice(0, most).map(
    (failure) =>
      html`<li><span class="tag bad">${failure.error_sqlstate}</span> ${tableLink(failure)}
<p>${visible(inWords(failure.error_message))}. <span class="muted">What to do: ${visible(failure.remedy)}.</span></p></li>`,
  )}</ul>`
}
</section>`
}

function tables({ tables }: RunOfPage): Html | null {
  if (tables.length === 0) return null
  const isMeasured = haveBytes(tables)
  return html`<section class="part" aria-labelledby="tables">
<h2 id="tables">Tables</h2>
${tables.length > most && html`<p class="muted">The largest ${formatCount(String(most))} of ${counted(tables.length, 'table')}.</p>`}
<div class="scroll"><table>
${headRow('Table', 'Kind', '#Rows', '#Change', '#Per cent', ...(isMeasured ? ['#Size'] : []))}
<tbody>${tables
    .slice(0, most)
    .map(
      (table) =>
        html`<tr><th scope="row">${tableLink(table)}${filtersOf(table)}</th><td>${kindOf(table)}</td>${table.row_count === null ? html`<td class="number">${notCounted}</td>` : countCell(table)}${changeCells(table, table, { method: table.previous_method })}${isMeasured && bytesCell(table.total_bytes)}</tr>\n`,
    )}</tbody>
</table></div>
${marksNote(tables.slice(0, most))}
</section>`
}
