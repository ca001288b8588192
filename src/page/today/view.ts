import type { Row } from './tables.ts'

export type SortKey = 'name' | 'rows' | 'change' | 'percent' | 'bytes'

/** How the table of tables is shown: all of it is in the address. */
export interface View {
  /** The day, as the address has it; undefined for the last with a result. */
  date: string | undefined
  /** Shown are the tables whose name has this in it, in upper or lower case. */
  filter: string
  sort: SortKey
  dir: 'asc' | 'desc'
}

export const ascends = ({ dir }: View) => dir === 'asc'

/** Sorted as the view says; what has no such number comes last, in either direction. */
export function inOrder(rows: readonly Row[], view: View): Row[] {
  const sign = ascends(view) ? 1 : -1
  const { sort } = view
  if (sort === 'name') return rows.toSorted((one, other) => sign * compare(one.name, other.name))
  const valued = rows.map((row) => ({ row, value: sortedBy(row, sort) }))
  return valued
    .toSorted((one, other) => {
      if (one.value === null || other.value === null) {
        return (
          Number(one.value === null) - Number(other.value === null) || compare(one.row.name, other.row.name)
        )
      }
      return sign * compare(one.value, other.value) || compare(one.row.name, other.row.name)
    })
    .map(({ row }) => row)
}

function sortedBy({ table }: Row, key: Exclude<SortKey, 'name'>): bigint | number | null {
  if (key === 'percent') return table.change_percent === null ? null : Number(table.change_percent)
  const count = { rows: table.row_count, change: table.change, bytes: table.total_bytes ?? null }[key]
  return count === null ? null : BigInt(count)
}

const compare = <T extends string | bigint | number>(one: T, other: T) =>
  one < other ? -1 : one > other ? 1 : 0
