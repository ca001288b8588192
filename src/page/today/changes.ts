import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { tableLink } from '../names.ts'
import { changeOf, percentOf } from '../numbers.ts'
import { shortened } from '../times.ts'
import type { Changed, Overview } from './overview.ts'

const most = 6

/** The tables that changed most since the day before. */
export function changes({ changed_most, previous_date, snapshot_date }: Overview): Html | null {
  if (previous_date === null) return null
  const shown = changed_most.slice(0, most).map((table) => ({ table, change: changeIn(table) }))
  const largest = Math.max(...shown.map(({ change }) => Math.abs(Number(change))))
  return html`<section class="part" aria-labelledby="changes">
<div class="part-head"><h2 id="changes">Changed most since ${shortened(previous_date)}</h2><a href="${links.compare(previous_date, snapshot_date)}">Compare the two days</a></div>
${
  shown.length === 0
    ? html`<p class="muted">No table has changed.</p>`
    : html`<table class="changes"><caption class="visually-hidden">The tables that changed most</caption>
<thead><tr><th scope="col">Table</th><th scope="col" class="number">Change</th><th scope="col" class="number">Per cent</th><td></td></tr></thead>
<tbody>${shown.map(
        ({ table, change }) =>
          html`<tr><th scope="row">${tableLink(table)}${outcomeOf(table)}</th><td class="number">${changeOf(change)}</td><td class="number">${percentOf({ change, change_percent: percentIn(table) })}</td><td class="bar">${bar(Number(change), largest)}</td></tr>`,
      )}</tbody></table>`
}
</section>`
}

/** A table that appeared has all of its rows more, one that disappeared all fewer. */
function changeIn({ change, outcome, rows_before, rows_after }: Changed): string | null {
  if (outcome === 'appeared') return rows_after
  if (outcome === 'disappeared') return rows_before === null ? null : String(-BigInt(rows_before))
  return change
}

function percentIn({ change, rows_before }: Changed): string | null {
  if (change === null || rows_before === null || rows_before === '0') return null
  return String((Number(change) / Number(rows_before)) * 100)
}

function outcomeOf({ outcome }: Changed): Html | null {
  return outcome === 'grew' || outcome === 'shrank' ? null : html` <span class="tag">${outcome}</span>`
}

function bar(change: number, largest: number): Html | null {
  if (!largest) return null
  const part = (50 * Math.abs(change)) / largest
  const [x, kind] = change < 0 ? [50 - part, 'fewer'] : [50, 'more']
  return html`<svg class="change-bar" aria-hidden="true"><line x1="50%" x2="50%" y1="0" y2="100%"/><rect class="${kind}" x="${x.toFixed(1)}%" width="${part.toFixed(1)}%" y="3" height="8"/></svg>`
}
