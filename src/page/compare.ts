import type { ComparedRun, ComparedTable, ComparisonReport } from '../reading/diff.ts'
import { nameOf } from '../reading/tables.ts'
import { formatCount } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { changeCells, countCell, headRow } from './cells.ts'
import { filterInput, isFound } from './filter.ts'
import { type Html, html } from './html.ts'
import { layout } from './layout.ts'
import { address, links } from './links.ts'
import { tableLink } from './names.ts'
import { changeOf, counted } from './numbers.ts'
import { statusTag } from './status_tag.ts'

/** What the page shows of nms.compare_report. */
export type ShownComparison = Omit<ComparisonReport, 'failing' | 'verdict'>

/** What the address asks for: two days or runs, and which tables. */
export interface ComparisonView {
  before: string | undefined
  after: string | undefined
  filter: string
  /** All that differ unless given. */
  outcome: string | undefined
}

/** What may have become of a table, the gravest first. */
export const outcomes = [
  'disappeared',
  'not counted',
  'shrank',
  'grew',
  'appeared',
  'unclear',
  'left out',
  'unchanged',
] as const

const moods: Record<string, string> = {
  disappeared: 'bad',
  'not counted': 'bad',
  shrank: 'warn',
  grew: 'good',
  appeared: 'good',
}

/** At most so many rows stand in a page. */
const most = 1_000

/** The page of two runs beside each other. */
export function comparePage(report: ShownComparison, view: ComparisonView): string {
  const { before, after, change, tables } = report
  const wanted = tables.filter(({ outcome }) =>
    view.outcome === undefined ? outcome !== 'unchanged' : view.outcome === 'all' || outcome === view.outcome,
  )
  const found = wanted.filter((table) => isFound(visible(nameOf(table)), view.filter))
  return layout({
    title: `Compare ${before.snapshot_date} and ${after.snapshot_date}`,
    path: links.compare(),
    heading: 'Compare',
    status: html`${describeRun(before)} → ${describeRun(after)}`,
    json: address('/v1/compare', { before: before.run_id, after: after.run_id }),
    body: html`
${form(report, view)}
<section class="part" aria-labelledby="changes">
<div class="part-head"><h2 id="changes">What changed</h2>${outcomeLinks(report, view)}</div>
<p class="muted" role="status">${change === '0' ? 'As many rows as before' : html`${changeOf(change, { method: report.is_change_estimated ? 'estimate' : 'exact' })} rows`} in all, each counted once; ${counted(found.length, 'table')} here, most changed first${found.length > most && `: these are the first ${formatCount(String(most))}, filter to see others`}.</p>
${found.length > 0 ? tableOf(found.slice(0, most)) : html`<p class="notice">No table is like that.</p>`}
</section>`,
  })
}

const describeRun = ({ run_id, snapshot_date, status }: ComparedRun): Html =>
  html`<a href="${links.run(run_id)}">run ${run_id}</a> of ${snapshot_date}${status !== 'SUCCEEDED' && html` ${statusTag(status)}`}`

function form({ before, after }: ShownComparison, view: ComparisonView): Html {
  return html`<form class="line" action="/compare">
${view.outcome && html`<input type="hidden" name="outcome" value="${view.outcome}">`}
${pointInput('before', 'Before', view.before ?? before.snapshot_date)}
${pointInput('after', 'After', view.after ?? after.snapshot_date)}
${filterInput(view.filter)}
<button>Compare</button>
<span class="muted">A day such as ${after.snapshot_date} or yesterday, or the number of a run.</span>
</form>`
}

const pointInput = (name: string, label: string, value: string): Html =>
  html`<label>${label} <input name="${name}" value="${value}" size="12" autocomplete="off" spellcheck="false" pattern="\\d{4}-\\d\\d(-\\d\\d)?|today|yesterday|\\d{1,4}[dwmy]|[1-9]\\d*" title="a day such as 2026-11-20, yesterday, 7d or 2026-11, or the number of a run"></label>`

function outcomeLinks({ outcomes: found, tables }: ShownComparison, view: ComparisonView): Html {
  const differing = tables.length - Number(found.unchanged ?? 0)
  const link = (text: string, count: number | string, outcome?: string) =>
    html`<a href="${address('/compare', { before: view.before, after: view.after, filter: view.filter, outcome })}"${view.outcome === outcome && html` aria-current="true"`}>${formatCount(String(count))} ${text}</a>`
  return html`<nav class="ranges" aria-label="Outcomes">${[
    link('different', differing),
    ...outcomes.map((outcome) => found[outcome] && link(outcome, found[outcome], outcome)),
    link('in all', tables.length, 'all'),
  ]}</nav>`
}

function tableOf(tables: readonly ComparedTable[]): Html {
  return html`<div class="scroll"><table>
${headRow('Table', 'Outcome', '#Change', '#Per cent', '#Before', '#After')}
<tbody>${tables.map(
    (table) =>
      html`<tr><th scope="row">${tableLink(table)}${table.is_partition && html` <span class="tag">partition</span>`}</th><td><span class="tag ${moods[table.outcome] ?? ''}">${table.outcome}</span></td>${changeCells(table, { method: table.method_before }, { method: table.method_after })}${countCell(before(table))}${countCell(after(table))}</tr>\n`,
  )}</tbody>
</table></div>`
}

const before = (table: ComparedTable) => ({
  row_count: table.rows_before,
  method: table.method_before,
  row_count_low: table.rows_before_low,
  row_count_high: table.rows_before_high,
})

const after = (table: ComparedTable) => ({
  row_count: table.rows_after,
  method: table.method_after,
  row_count_low: table.rows_after_low,
  row_count_high: table.rows_after_high,
})
