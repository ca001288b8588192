import { type Html, html } from './html.ts'
import { changeCells, countCell } from './cells.ts'

/** How a table grew by week or by month. */
export interface Growth {
  by: string
  periods: { last_date: string; rows: string | null; change: string | null; change_percent: string | null }[]
}

/** How a table grew, a list for each length of period. */
export function tableGrowth(lists: Growth[]): Html {
  const filled = lists.filter(({ periods }) => periods.length > 1)
  if (filled.length === 0) return html``
  return html`<section class="part" aria-labelledby="growth">
<h2 id="growth">Growth</h2>
<div class="columns">${filled.map(
    ({
      by,
      periods,
    }) => html`<div class="scroll" tabindex="0" role="region" aria-label="Growth by ${by}"><table>
<caption>By ${by}, from the last day of one to that of the next</caption>
<thead><tr><th scope="col">Until</th><th class="number" scope="col">Rows</th><th class="number" scope="col">Change</th><th class="number" scope="col">%</th></tr></thead>
<tbody>${periods.map(
      (period) =>
        html`<tr><th scope="row">${period.last_date}</th>${countCell(period.rows)}${changeCells(period)}</tr>`,
    )}</tbody>
</table></div>`,
  )}</div>
</section>`
}
