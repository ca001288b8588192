import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { kindTag, tableLink } from '../names.ts'
import { changeOf, percentOf } from '../numbers.ts'
import { shortened } from '../times.ts'
import { historyOf, keyOf } from './history.ts'
import type { Changed, Overview } from './overview.ts'

const most = 6

/** The tables that changed most since the day before. */
export function changes(overview: Overview): Html | null {
  const { changed_most, previous_date, snapshot_date } = overview
  if (previous_date === null) return null
  return html`<section class="part" aria-labelledby="changes">
<div class="part-head"><h2 id="changes">Changed most since ${shortened(previous_date)}</h2><a href="${links.compare(previous_date, snapshot_date)}">Compare the two days</a></div>
${changed_most.length === 0 ? html`<p class="muted">No table has changed.</p>` : listOf(overview)}
</section>`
}

function listOf({ changed_most, tables, days }: Overview): Html {
  const places = new Map(tables.map((table, place) => [keyOf(table), place]))
  const rows = changed_most.slice(0, most).map((table) => {
    const place = places.get(keyOf(table)) ?? -1
    return html`<tr><th scope="row">${tableLink(table)}${tables[place] && kindTag(tables[place])}${outcomeOf(table)}</th><td class="spark">${historyOf(days, place)}</td><td class="number">${changeOf(changeIn(table), { method: table.method_before }, { method: table.method_after })}</td><td class="number">${percentOf(table)}</td></tr>`
  })
  return html`<table class="changes"><caption class="visually-hidden">The tables that changed most</caption>
<thead><tr><th scope="col">Table</th><th scope="col" class="spark">${days.length} days</th><th scope="col" class="number">Change</th><th scope="col" class="number">Per cent</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

/** A table that appeared has all of its rows more, one that disappeared all fewer. */
function changeIn({ change, outcome, rows_before, rows_after }: Changed): string | null {
  if (outcome === 'appeared') return rows_after
  if (outcome === 'disappeared') return rows_before === null ? null : String(-BigInt(rows_before))
  return change
}

function outcomeOf({ outcome }: Changed): Html | null {
  return outcome === 'grew' || outcome === 'shrank' ? null : html` <span class="tag">${outcome}</span>`
}
