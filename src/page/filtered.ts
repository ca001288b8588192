import { visible } from '../terminal/visible.ts'
import { breakable, notCounted } from './cells.ts'
import { type Html, html } from './html.ts'

/** How many rows of a table matched each of its filters; null where they could not be counted, absent without filters. */
export interface Filtered {
  filtered?: Record<string, string | null> | null
}

/** Names of all filters that one of these has, in the order of the alphabet. */
export const filterNames = (of: readonly Filtered[]): string[] =>
  [...new Set(of.flatMap(({ filtered }) => Object.keys(filtered ?? {})))].sort()

/** The filters of a table with their counts, as a line beneath its name. */
export function filtersOf({ filtered }: Filtered): Html | null {
  const counts = Object.entries(filtered ?? {})
  if (counts.length === 0) return null
  return html` <span class="filters">${counts.map(
    ([name, rows]) =>
      html`<span><bdi>${visible(name)}</bdi> ${rows === null ? notCounted : breakable(rows)}</span> `,
  )}</span>`
}

/** The cell of one filter on one day; empty where there was none. */
export function filterCell({ filtered }: Filtered, name: string): Html {
  const rows = filtered?.[name]
  return html`<td class="number">${rows === null ? notCounted : rows !== undefined && breakable(rows)}</td>`
}
