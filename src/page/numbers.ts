import { type MarkedCount, marked } from '../reading/marked_count.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { type Html, html } from './html.ts'

/** A change of a count, with its sign, and marked where one of the counts is an estimate; nothing where there is no earlier count. */
export function changeOf(change: string | null, ...among: Pick<MarkedCount, 'method'>[]): Html | null {
  if (change === null) return null
  if (change === '0') return html`<span class="muted">${marked('0', ...among)}</span>`
  const text = marked(typeset(formatChange(change)), ...among)
  return html`<span class="${change.startsWith('-') ? 'down' : 'up'}">${text}</span>`
}

/** The same in per cent; nothing where nothing changed, or nothing was there. */
export function percentOf(of: { change: string | null; change_percent: string | null }): string {
  return typeset(formatPercent(of)).replace(/\d+/, formatCount)
}

/** `1 table`, `1,234 tables`. */
export const counted = (count: string | number, one: string, many = `${one}s`) =>
  `${formatCount(String(count))} ${String(count) === '1' ? one : many}`

/** A minus as wide as a plus, and no line ends before a per cent sign. */
const typeset = (number: string) => number.replace('-', '−').replace(' ', '\u00a0')
