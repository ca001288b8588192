import {
  estimatedPart,
  estimateMark,
  isEstimate,
  type MarkedCount,
  rangeOf,
} from '../reading/marked_count.ts'
import { explainMarks } from '../reading/method_marks.ts'
import { formatCount } from '../terminal/terminal.ts'
import { formatBytes } from './bytes.ts'
import { type Html, html } from './html.ts'

/** A count of a report, with what a page shows of how it was found. */
export interface ShownCount extends MarkedCount {
  /** The run that has counted it; absent unless carried. */
  carried_from_run?: string | null | undefined
}

/** A count: of an estimate with its mark and its range, otherwise with a quiet mark unless it was read now. Nothing without one. */
export function countOf(of: ShownCount): Html | null {
  if (of.row_count === null) return null
  const count = formatCount(of.row_count)
  if (isEstimate(of)) {
    const range = rangeOf(of)
    return html`<span title="estimated from a sample of its pages">${estimateMark} ${count}${range && html` <span class="range">${range}</span>`}</span>`
  }
  const remark = remarkOn(of)
  return remark
    ? html`<abbr class="mark" title="${remark}">${of.method?.[0]}</abbr> ${count}`
    : html`${count}`
}

/** What a number that the script of the page sorts by is; nothing where the text of its cell is just that number. */
export const sortKeyOf = (of: ShownCount): Html | false =>
  of.row_count !== null && (isEstimate(of) || remarkOn(of) !== null) && html` data-key="${of.row_count}"`

/** A total; marked when some of its rows are estimates. */
export const totalOf = (rows: Html | string, { estimated_rows }: Totals): Html =>
  estimated_rows && estimated_rows !== '0' ? html`${estimateMark} ${rows}` : html`${rows}`

/** How much of a total is estimated, where anything is. */
export function estimatedOf({ estimated_rows }: Totals): Html | null {
  const part = estimatedPart(estimated_rows)
  return part ? html`<dd class="muted">${part}</dd>` : null
}

/** Which of the tables were not read, and what they take on disk, where that is known. */
export const tablesNote = ({ carried_tables: carried, total_bytes }: Totals): Html =>
  html`${
    carried &&
    carried !== '0' &&
    html`<dd class="muted">${formatCount(carried)} of them unchanged since counted</dd>`
  }${total_bytes && html`<dd class="muted">${formatBytes(total_bytes)} on disk</dd>`}`

/** What the marks of these counts mean, beneath their table; nothing where each was counted. */
export function marksNote(counts: readonly ShownCount[]): Html | null {
  const meanings = explainMarks(counts.map(({ method }) => method))
  return meanings.length === 0 ? null : html`<p class="muted">${meanings.join('; ')}</p>`
}

export interface Totals {
  tables: string
  rows: string
  estimated_rows?: string | null
  carried_tables?: string | null
  total_bytes?: string | null
}

function remarkOn({ method, carried_from_run: run }: ShownCount): string | null {
  if (method === 'carried')
    return run ? `counted in run ${run}, unchanged since` : 'unchanged since it was counted'
  return method === 'maintained' ? 'kept by triggers' : null
}
