import type { Period } from '../../reading/period.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { type Html, html } from '../html.ts'
import { counted } from '../numbers.ts'
import { listOf } from './changes.ts'

/** Every table, or those that changed most. */
export function allTables(period: Period): Html | null {
  const { tables, more_tables, before } = period
  if (tables.length === 0) return null
  return html`<section class="part" aria-labelledby="tables">
<div class="part-head"><h2 id="tables">Tables</h2><span class="muted">${said(period)}</span></div>
${listOf(tables, period, { caption: before ? 'Tables, those that changed most first' : 'Tables, the largest first', withRows: true })}
${more_tables !== '0' && html`<p class="muted">${counted(more_tables, 'other table', 'other tables')}, which changed less, ${more_tables === '1' ? 'is' : 'are'} not shown: table-metrics report --all has them.</p>`}
</section>`
}

const said = ({ tables, more_tables, before }: Period) =>
  `${more_tables === '0' ? `All ${formatCount(String(tables.length))}` : `${formatCount(String(tables.length))} of ${formatCount(String(BigInt(more_tables) + BigInt(tables.length)))}`}, ${before ? 'most changed' : 'largest'} first`
