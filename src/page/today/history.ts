import type { Table } from '../../reading/tables.ts'
import { sparkline } from '../charts/sparkline.ts'
import type { Html } from '../html.ts'
import type { Day } from './overview.ts'

/** What tells one table from another. */
export const keyOf = ({ schema_name, table_name }: Table) => JSON.stringify([schema_name, table_name])

/** The counts of one of the tables as a line; nothing for a table that is not among them. */
export function historyOf(days: readonly Day[], place: number): Html | null {
  if (place < 0) return null
  return sparkline(days.map(({ counts }) => counts?.[place] ?? null))
}
