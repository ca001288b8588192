import { formatCount } from '../terminal/terminal.ts'

/** A table of a report. */
export interface Table {
  schema_name: string
  table_name: string
}

/** How a table is shown: schema and table, spelled as the catalogue does. */
export const nameOf = ({ schema_name, table_name }: Table) => `${schema_name}.${table_name}`

/** What kind of table it is, in one word. */
export const kindOf = ({ table_kind, is_partition }: { table_kind: string; is_partition: boolean }) =>
  is_partition ? 'partition' : table_kind

/** So many lines of a list a person reads at a time. */
export const screenful = 40

/** As much of a list as a person reads, and a line that says how many more there are. */
export function firstOf<T>(rows: T[], more: (count: string) => string, all = false): [T[], string[]] {
  const shown = all ? rows : rows.slice(0, screenful)
  const left = rows.length - shown.length
  return [shown, left > 0 ? [`… and ${more(formatCount(String(left)))}`] : []]
}
