import type { Table } from '../reading/tables.ts'
import { visible } from '../terminal/visible.ts'
import { type Html, html } from './html.ts'
import { links } from './links.ts'

/** A name of somebody's own: what is invisible in it is spelled out, and it reorders nothing beside it. */
export function foreign(text: string): Html {
  return html`<bdi>${visible(text)}</bdi>`
}

/** Schema and table, as a link to the table's page. */
export function tableLink(table: Table): Html {
  return html`<a class="name" href="${links.table(table.schema_name, table.table_name)}">${parted(table)}</a>`
}

/** Schema and table, where nothing can be opened. */
export function tableName(table: Table): Html {
  return html`<span class="name">${parted(table)}</span>`
}

const parted = ({ schema_name, table_name }: Table): Html =>
  html`<span class="schema">${foreign(schema_name)}.</span>${foreign(table_name)}`

/** What a table is, unless it is a plain one. */
export function kindTag({
  table_kind,
  is_partition,
}: {
  table_kind: string
  is_partition: boolean
}): Html | null {
  if (is_partition) return html` <span class="tag">partition</span>`
  return table_kind === 'partitioned table' ? html` <span class="tag">partitioned</span>` : null
}
