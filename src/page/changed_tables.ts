import { isEstimate } from '../reading/marked_count.ts'
import type { Table } from '../reading/tables.ts'
import { countOf } from './count.ts'
import { type Html, html } from './html.ts'
import { changeOf, percentOf } from './numbers.ts'

/** A table of two runs, as nms.compare_runs says. */
export interface Changed extends Table {
  /** Null where there was nothing to compare with. */
  outcome: string | null
  rows_before: string | null
  rows_after: string | null
  rows_after_low?: string | null
  rows_after_high?: string | null
  method_before?: string | null
  method_after?: string | null
  change: string | null
  change_percent: string | null
}

/** How a list of them is shown. */
export interface ChangedList<T> {
  caption: string
  /** Over how many days the lines go. */
  days: number
  nameOf: (table: T) => Html
  historyOf: (table: T) => Html | null
  /** How many rows there were at the end, too. */
  withRows?: boolean
  /** True where all of them have the same outcome. */
  areAlike?: boolean
}

/** Tables with their last days as a line, and how they changed. */
export function changedTables<T extends Changed>(
  tables: readonly T[],
  { caption, days, nameOf, historyOf, withRows = false, areAlike = false }: ChangedList<T>,
): Html {
  return html`<table class="changes${withRows && ' with-rows'}"><caption class="visually-hidden">${caption}</caption>
<thead><tr><th scope="col">Table</th><th scope="col" class="spark">${days} days</th>${withRows && html`<th scope="col" class="number">Rows</th>`}<th scope="col" class="number">Change</th><th scope="col" class="number">Per cent</th></tr></thead>
<tbody>${tables.map(
    (table) =>
      html`<tr><th scope="row">${nameOf(table)}${!areAlike && tagOf(table)}</th><td class="spark">${historyOf(table)}</td>${withRows && html`<td class="number">${rowsOf(table)}</td>`}<td class="number">${changeOf(changeIn(table), { method: table.method_before }, { method: table.method_after })}</td><td class="number">${percentOf(table)}</td></tr>\n`,
  )}</tbody></table>`
}

const rowsOf = (of: Changed) =>
  countOf({
    row_count: of.rows_after,
    method: isEstimate({ method: of.method_after }) ? 'estimate' : 'exact',
    row_count_low: of.rows_after_low,
    row_count_high: of.rows_after_high,
  }) ?? html`<span class="muted">–</span>`

/** A table that appeared has all of its rows more, one that disappeared all fewer. */
function changeIn({ change, outcome, rows_before, rows_after }: Changed): string | null {
  if (outcome === 'appeared') return rows_after
  if (outcome === 'disappeared') return rows_before === null ? null : String(-BigInt(rows_before))
  return change
}

/** What became of it, unless its change says that. */
function tagOf({ outcome }: Changed): Html | null {
  return outcome === null || ['grew', 'shrank', 'unchanged'].includes(outcome)
    ? null
    : html` <span class="tag">${outcome}</span>`
}
