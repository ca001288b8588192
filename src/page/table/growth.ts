import { changeCells, countCell, headRow } from '../cells.ts'
import { type Html, html } from '../html.ts'
import type { Growth } from './report.ts'

/** How a table grew, a list for each length of period, newest first. */
export function growthOf(lists: readonly Growth[]): Html | null {
  const filled = lists.filter(({ periods }) => periods.length > 1)
  if (filled.length === 0) return null
  return html`<section class="part" aria-labelledby="growth">
<h2 id="growth">Growth</h2>
<div class="beside">${filled.map(
    ({
      by,
      periods,
    }) => html`<div class="scroll" tabindex="0" role="region" aria-label="Growth by ${by}"><table>
<caption>By ${by}: rows on the last day of each that has a result</caption>
${headRow(by === 'week' ? 'Week of' : 'Month', '#Rows', '#Change', '#Per cent')}
<tbody>${periods
      .map((period, n) => ({ ...period, before: periods[n - 1] }))
      .toReversed()
      .map(
        ({ before, ...period }) =>
          html`<tr><th class="date" scope="row">${by === 'month' ? period.period_start.slice(0, 7) : period.period_start}</th>${countCell({ row_count: period.rows, method: period.method })}${changeCells(period, period, { method: before?.method })}</tr>`,
      )}</tbody>
</table></div>`,
  )}</div>
</section>`
}
