import type { MarkedCount } from '../reading/marked_count.ts'
import { formatCount } from '../terminal/terminal.ts'
import { countOf, type ShownCount } from './count.ts'
import { type Html, html } from './html.ts'
import { changeOf, percentOf } from './numbers.ts'

/** The cell of a count; a dash where there is none. */
export const countCell = (count: string | null | ShownCount): Html =>
  html`<td class="number">${
    countOf(typeof count === 'object' && count !== null ? count : { row_count: count }) ??
    html`<span class="muted">–</span>`
  }</td>`

/** Stands where a run has failed to count a table. */
export const notCounted = html`<span class="tag bad">not counted</span>`

/** The cells of a change, marked where one of the counts is an estimate, and of the same in per cent. */
export const changeCells = (
  of: { change: string | null; change_percent: string | null },
  ...among: Pick<MarkedCount, 'method'>[]
): Html =>
  html`<td class="number">${changeOf(of.change, ...among)}</td><td class="number">${percentOf(of)}</td>`

/** Headings of columns, in the order of their cells; those of numbers with `#` in front. */
export const headRow = (...titles: string[]): Html =>
  html`<thead><tr>${titles.map((title) =>
    title.startsWith('#')
      ? html`<th class="number" scope="col">${title.slice(1)}</th>`
      : html`<th scope="col">${title}</th>`,
  )}</tr></thead>`

/** A long count goes on in the next line after a comma. */
export const breakable = (count: string | null): Html =>
  html`${formatCount(count ?? '')
    .split(',')
    .map((digits, n) => (n === 0 ? digits : html`,<wbr>${digits}`))}`
