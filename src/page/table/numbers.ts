import { formatCount } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { bytesCell, haveBytes } from '../bytes.ts'
import { changeCells, countCell, headRow } from '../cells.ts'
import { dateOf, dayNumber } from '../charts/days_axis.ts'
import { filterCell, filterNames } from '../filtered.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import type { ExpectedDay, TableDay, TableReport } from './report.ts'

/** What the chart shows, in numbers: newest first, each gap as one row. */
export function numbersOf({ days, expected }: TableReport): Html | null {
  if (days.length === 0) return null
  const isMeasured = haveBytes(days)
  const filters = filterNames(days)
  const counted = days.filter(({ row_count }) => row_count !== null)
  const before = new Map(counted.map((day, n) => [day, counted[n - 1]]))
  const expectedOn = new Map(expected.map((day) => [day.snapshot_date, day]))
  return html`<section class="part" aria-labelledby="numbers">
<h2 id="numbers">Numbers</h2>
<div class="scroll"><table>
${headRow('Day', '#Rows', '#Change', '#Per cent', '#Expected', ...filters.map((name) => `#${visible(name)}`), ...(isMeasured ? ['#Size'] : []), 'Run')}
<tbody>${days
    .toReversed()
    .map((day, n, newestFirst) => [
      gap(day, newestFirst[n - 1], 4 + filters.length + Number(isMeasured)),
      row(day, before.get(day), expectedOn.get(day.snapshot_date), filters, isMeasured),
    ])}</tbody>
</table></div>
</section>`
}

function row(
  day: TableDay,
  before: TableDay | undefined,
  expected: ExpectedDay | undefined,
  filters: readonly string[],
  isMeasured: boolean,
): Html {
  return html`<tr data-date="${day.snapshot_date}"><th class="date" scope="row">${day.snapshot_date}</th>${
    day.row_count === null ? html`<td class="number"><span class="tag">left out</span></td>` : countCell(day)
  }${changeCells(day, day, { method: before?.method })}<td class="number muted">${
    expected && `${formatCount(expected.expected_low)} to ${formatCount(expected.expected_high)}`
  }</td>${filters.map((name) => filterCell(day, name))}${isMeasured && bytesCell(day.total_bytes)}<td><a href="${links.run(day.run_id)}">${day.run_id}</a>${
    day.method && day.method !== 'exact' && html` <span class="tag">${day.method}</span>`
  }</td></tr>\n`
}

/** The days without a result between a day and the one that comes next. */
function gap(day: TableDay, next: TableDay | undefined, columns: number): Html | undefined {
  if (!next) return
  const [from, to] = [dayNumber(day.snapshot_date) + 1, dayNumber(next.snapshot_date) - 1]
  if (from > to) return
  return html`<tr class="muted"><th class="date" scope="row">${dateOf(to)}${from < to && html` back to ${dateOf(from)}`}</th><td class="number"><span class="tag">no result</span></td><td colspan="${columns}"></td></tr>\n`
}
