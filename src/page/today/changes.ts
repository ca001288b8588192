import { type Changed, changedTables } from '../changed_tables.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { kindTag, tableLink } from '../names.ts'
import { shortened } from '../times.ts'
import { historyOf, keyOf } from './history.ts'
import type { Overview } from './overview.ts'

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
  const placeOf = (table: Changed) => places.get(keyOf(table)) ?? -1
  return changedTables(changed_most.slice(0, most), {
    caption: 'The tables that changed most',
    days: days.length,
    nameOf: (table) => {
      const found = tables[placeOf(table)]
      return html`${tableLink(table)}${found && kindTag(found)}`
    },
    historyOf: (table) => historyOf(days, placeOf(table)),
  })
}
