import { styleOfChange, styleOfOutcome } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { formatChange, formatPercent } from '../terminal/terminal.ts'
import { type MarkedCount, marked } from './marked_count.ts'
import { rangeCell, rowsCell, withColumn } from './method_marks.ts'
import { kindOf, nameOf, type Table } from './tables.ts'

/** A table of the report of a day or a run. */
export interface CountedTable extends Table, MarkedCount {
  table_kind: string
  is_partition: boolean
  /** As in a comparison; null where there is nothing to compare with. */
  outcome: string | null
  change: string | null
  change_percent: string | null
  previous_method?: string
  /** Of one that has disappeared. */
  rows_before?: string | null
  error_sqlstate?: string | null
}

/**
 * Tables with their rows, and how these have changed.
 *
 * @param since what the change is to, as the title of its column
 */
export function tabulateTables(tables: CountedTable[], since: string): string {
  const kinds = tables.map(kindOf).map((kind) => (kind === 'table' ? '' : kind))
  const columns = [
    { title: 'table', cut: 'middle' as const, cells: tables.map(nameOf) },
    { title: 'kind', drop: 2, cells: kinds },
    { title: 'rows', right: true, cells: tables.map(describeRows) },
    { title: since, right: true, style: styleOf, cells: tables.map(describeChange) },
    { title: '%', right: true, style: styleOf, drop: 1, cells: tables.map(formatPercent) },
  ].filter(({ cells }) => cells.some((cell) => cell !== ''))
  return layOut(
    ...withColumn(
      [columns, tables.map((_, n) => columns.map(({ cells }) => cells[n] ?? ''))],
      'range',
      tables.map(rangeCell),
    ),
  )
}

const styleOf = (cell: string) => styleOfOutcome(cell) ?? styleOfChange(cell)

function describeRows(table: CountedTable): string {
  if (table.outcome === 'disappeared')
    return `had ${rowsCell({ row_count: table.rows_before ?? null, method: table.previous_method })}`
  if (table.row_count === null) return `not counted (${table.error_sqlstate})`
  return rowsCell(table)
}

function describeChange(table: CountedTable): string {
  if (table.outcome === 'appeared' || table.outcome === 'disappeared') return table.outcome
  return marked(formatChange(table.change), table, { method: table.previous_method })
}
