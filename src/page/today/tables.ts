import { isEstimate } from '../../reading/marked_count.ts'
import { nameOf } from '../../reading/tables.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { bytesCell, haveBytes } from '../bytes.ts'
import { notCounted } from '../cells.ts'
import { countOf, marksNote, sortKeyOf } from '../count.ts'
import { filterInput, isFound } from '../filter.ts'
import { filtersOf } from '../filtered.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { kindTag, tableLink } from '../names.ts'
import { changeOf, counted, percentOf } from '../numbers.ts'
import { historyOf, keyOf } from './history.ts'
import type { CountedTable, Failure, Overview } from './overview.ts'
import { ascends, inOrder, type SortKey, type View } from './view.ts'

/** At most so many rows stand in a page: the filter finds the others. */
const most = 5_000

type Column = [key: SortKey, title: string, isNumber: boolean]

const columns: Column[] = [
  ['name', 'Table', false],
  ['rows', 'Rows', true],
  ['change', 'Change', true],
  ['percent', 'Per cent', true],
]
const size: Column = ['bytes', 'Size', true]

/** A table, what the day found of it, and where its counts are in those of each day. */
export interface Row {
  table: CountedTable
  /** As it is shown: what the filter looks at. */
  name: string
  /** -1 for a table that the day's run has not met. */
  place: number
  /** Why the last run has not counted it. */
  failure: Failure | undefined
}

/** The table of all tables, those that the filter hides included: a script shows them without asking again. */
export function tables(overview: Overview, view: View): Html {
  const rows = inOrder(rowsOf(overview), view)
  const matches = ({ name }: Row) => isFound(name, view.filter)
  const matching = rows.filter(matches)
  const isWhole = rows.length <= most
  const shown = isWhole ? rows : matching.slice(0, most)
  const more = isWhole ? 0 : matching.length - shown.length
  const { days } = overview
  const isMeasured = haveBytes(overview.tables)
  return html`<section class="part" aria-labelledby="tables">
<div class="part-head"><div class="titled"><h2 id="tables">Tables</h2>
<p class="muted" id="found" role="status">${found(matching.length, rows.length)}${more > 0 && `, the first ${formatCount(String(most))} of them here: filter to see others`}</p></div>
<form class="line" id="filter" role="search">
${Object.entries({ date: view.date, sort: view.sort, dir: view.dir }).map(([name, value]) => value && html`<input type="hidden" name="${name}" value="${value}">`)}
${filterInput(view.filter)}
<button>Filter</button></form></div>
<table class="tables${overview.tables.some(isEstimate) && ' with-range'}${isMeasured && ' with-size'}" role="table"${isWhole && html` data-whole`}><caption class="visually-hidden">All tables with their rows, the change since the day before, and the last ${days.length} days as a line</caption>
<thead role="rowgroup"><tr role="row">${head(columns[0] as Column, view)}<th scope="col" role="columnheader" class="spark">${days.length} days</th>${[...columns.slice(1), ...(isMeasured ? [size] : [])].map((column) => head(column, view))}</tr></thead>
<tbody role="rowgroup">
${shown.map((row) => tableRow(row, overview, !matches(row), isMeasured))}</tbody></table>
${marksNote(shown.map(({ table }) => table))}
</section>`
}

function rowsOf({ tables, last_run, run }: Overview): Row[] {
  // What an older run has not counted was counted since.
  const failures = last_run && run && BigInt(last_run.run_id) >= BigInt(run.run_id) ? last_run.failures : []
  const missed = new Map(failures.map((failure) => [keyOf(failure), failure]))
  const rows = tables.map((table, place) => {
    const failure = missed.get(keyOf(table)) ?? (table.row_count === null ? table : undefined)
    missed.delete(keyOf(table))
    return { table, name: visible(nameOf(table)), place, failure }
  })
  const unknown = [...missed.values()].map((failure) => ({
    table: {
      ...failure,
      table_kind: 'table',
      is_partition: false,
      row_count: null,
      change: null,
      change_percent: null,
    },
    name: visible(nameOf(failure)),
    place: -1,
    failure,
  }))
  return [...unknown, ...rows]
}

function found(matching: number, all: number): string {
  return matching === all
    ? counted(all, 'table')
    : `${formatCount(String(matching))} of ${counted(all, 'table')}`
}

function head([key, title, isNumber]: Column, view: View): Html {
  const isSorted = view.sort === key
  const dir = isSorted ? (ascends(view) ? 'desc' : 'asc') : key === 'name' ? 'asc' : 'desc'
  const href = links.today(view.date, { filter: view.filter, sort: key, dir })
  return html`<th scope="col" role="columnheader"${isNumber && html` class="number"`}${isSorted && html` aria-sort="${ascends(view) ? 'ascending' : 'descending'}"`} data-key="${key}"><a href="${href}">${title}</a></th>`
}

function tableRow(
  { table, place, failure }: Row,
  { days, last_run }: Overview,
  isHidden: boolean,
  isMeasured: boolean,
): Html {
  const change = changeOf(table.change, table, { method: table.previous_method })
  const changeKey = table.change !== null && html` data-key="${table.change}"`
  return html`<tr role="row"${isHidden && html` hidden`}><th role="rowheader">${tableLink(table)}${kindTag(table)}${filtersOf(table)}${failure && reasonOf(failure, table, last_run?.run_id)}</th><td role="cell" class="spark">${historyOf(days, place)}</td><td role="cell" class="number"${sortKeyOf(table)}>${countOf(table) ?? notCounted}</td><td role="cell" class="number"${changeKey}>${change}</td><td role="cell" class="number" data-key="${table.change_percent}">${percentOf(table)}</td>${isMeasured && bytesCell(table.total_bytes, 'cell')}</tr>
`
}

/** A count beside it is that of the day; the last run has none. */
function reasonOf(failure: Failure, table: CountedTable, lastRun: string | undefined): Html {
  const by = table.row_count === null ? '' : ` by run ${lastRun}`
  return html`<span class="reason">not counted${by}: ${visible(failure.error_message ?? '')} (${failure.error_sqlstate})</span>`
}
