import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { type Html, html } from './html.ts'

/** The cell of a count; a dash where nothing was counted. */
export const countCell = (count: string | null) =>
  html`<td class="number">${count === null ? html`<span class="muted">–</span>` : formatCount(count)}</td>`

/** The cells of a change and of the same in per cent. */
export function changeCells(of: { change: string | null; change_percent: string | null }): Html {
  const style = directionOf(of.change)
  return html`<td class="number ${style}">${formatChange(of.change)}</td><td class="number ${style}">${formatPercent(of)}</td>`
}

/** A class for what grew or shrank; the sign says it as well. */
export function directionOf(change: string | null): '' | 'up' | 'down' {
  if (change === null || change === '0') return ''
  return change.startsWith('-') ? 'down' : 'up'
}
