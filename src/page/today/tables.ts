import { nameOf } from '../../reading/tables.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { sparkline } from '../charts/sparkline.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { tableLink } from '../names.ts'
import { changeOf, counted, percentOf } from '../numbers.ts'
import type { CountedTable, Failure, Overview } from './overview.ts'
import { ascends, inOrder, type SortKey, type View } from './view.ts'

/** At most so many rows stand in a page: the filter finds the others. */
const most = 5_000

const columns: [key: SortKey, title: string, isNumber: boolean][] = [
  ['name', 'Table', false],
  ['rows', 'Rows', true],
  ['change', 'Change', true],
  ['percent', 'Per cent', true],
]

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
  const matches = ({ name }: Row) => name.toLowerCase().includes(view.filter.toLowerCase())
  const matching = rows.filter(matches)
  const isWhole = rows.length <= most
  const shown = isWhole ? rows : matching.slice(0, most)
  const more = isWhole ? 0 : matching.length - shown.length
  const { days } = overview
  return html`<section class="part" aria-labelledby="tables">
<div class="part-head"><h2 id="tables">Tables</h2>
<form class="line" id="filter" role="search">
${Object.entries({ date: view.date, sort: view.sort, dir: view.dir }).map(([name, value]) => value && html`<input type="hidden" name="${name}" value="${value}">`)}
<label>Filter by name <input type="search" name="filter" value="${view.filter}" autocomplete="off" spellcheck="false"></label>
<button>Filter</button></form></div>
<p class="muted" id="found" role="status">${found(matching.length, rows.length)}${more > 0 && `, the first ${formatCount(String(most))} of them here: filter to see others`}</p>
<table class="tables"${isWhole && html` data-whole`}><caption class="visually-hidden">All tables with their rows, the change since the day before, and the last ${days.length} days as a line</caption>
<thead><tr>${head(columns[0] as (typeof columns)[0], view)}<th scope="col" class="trend">${days.length} days</th>${columns.slice(1).map((column) => head(column, view))}</tr></thead>
<tbody>
${shown.map((row) => tableRow(row, overview, !matches(row)))}</tbody></table>
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

const keyOf = ({ schema_name, table_name }: Failure) => JSON.stringify([schema_name, table_name])

function found(matching: number, all: number): string {
  return matching === all
    ? counted(all, 'table')
    : `${formatCount(String(matching))} of ${counted(all, 'table')}`
}

function head([key, title, isNumber]: (typeof columns)[0], view: View): Html {
  const isSorted = view.sort === key
  const dir = isSorted ? (ascends(view) ? 'desc' : 'asc') : key === 'name' ? 'asc' : 'desc'
  const href = links.today(view.date, { filter: view.filter, sort: key, dir })
  return html`<th scope="col"${isNumber && html` class="number"`}${isSorted && html` aria-sort="${ascends(view) ? 'ascending' : 'descending'}"`} data-key="${key}"><a href="${href}">${title}</a></th>`
}

function tableRow({ table, place, failure }: Row, { days, last_run }: Overview, isHidden: boolean): Html {
  const counts = days
    .map((day) => day.counts?.[place] ?? null)
    .map((count) => (count === null ? null : Number(count)))
  return html`<tr${isHidden && html` hidden`}><th scope="row">${tableLink(table)}${kindTag(table)}${failure && html`<span class="reason">not counted${table.row_count !== null && ` by run ${last_run?.run_id}`}: ${visible(failure.error_message ?? '')} (${failure.error_sqlstate})</span>`}</th><td class="trend">${sparkline(counts)}</td><td class="number">${table.row_count === null ? html`<span class="tag bad">not counted</span>` : formatCount(table.row_count)}</td><td class="number">${changeOf(table.change)}</td><td class="number">${percentOf(table)}</td></tr>
`
}

function kindTag({ table_kind, is_partition }: CountedTable): Html | null {
  if (is_partition) return html` <span class="tag">partition</span>`
  return table_kind === 'partitioned table' ? html` <span class="tag">partitioned</span>` : null
}
