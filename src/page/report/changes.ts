import type { Period, PeriodTable } from '../../reading/period.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { changedTables } from '../changed_tables.ts'
import { sparkline } from '../charts/sparkline.ts'
import { type Html, html } from '../html.ts'
import { tableName } from '../names.ts'
import { counted } from '../numbers.ts'

const lists = [
  ['grew', 'Grew', 'No table has grown.'],
  ['shrank', 'Shrank', 'No table has shrunk.'],
  ['appeared', 'Appeared', null],
  ['disappeared', 'Disappeared', null],
] as const

/** What grew, what shrank, what came and what went. */
export function changesOf(period: Period): Html | null {
  if (!period.before || !period.after) return null
  return html`<div class="beside">${lists.map(([outcome, title, none]) => {
    const tables = period[outcome]
    const count = period.outcomes[outcome] ?? '0'
    if (tables.length === 0 && none === null) return null
    const more = Number(count) - tables.length
    return html`<section class="part" aria-labelledby="${outcome}">
<div class="part-head"><h2 id="${outcome}">${title}</h2>${tables.length > 0 && html`<span class="muted">${counted(count, 'table')}${more > 0 && `, the ${formatCount(String(tables.length))} that changed most here`}</span>`}</div>
${tables.length === 0 ? html`<p class="muted">${none}</p>` : listOf(tables, period, { caption: `Tables that ${outcome}`, areAlike: true })}
</section>`
  })}</div>`
}

/** Tables with their days in the period. */
export function listOf(
  tables: readonly PeriodTable[],
  { daily }: Period,
  shown: { caption: string; withRows?: boolean; areAlike?: boolean },
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${shown.caption}">${changedTables(
    tables,
    {
      ...shown,
      days: daily.length,
      nameOf: (table) =>
        html`${tableName(table)}${table.table_kind === 'partitioned table' && html` <span class="tag">partitioned</span>`}`,
      historyOf: ({ days }) => sparkline(days.map((rows) => (rows === null ? null : Number(rows)))),
    },
  )}</div>`
}
