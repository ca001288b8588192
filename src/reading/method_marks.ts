import type { Column } from '../terminal/table.ts'
import { formatCount, plural } from '../terminal/terminal.ts'
import { estimatedPart, estimateMark, isEstimate, type MarkedCount } from './marked_count.ts'

/** What stands in front of a count that this run did not count row by row; an imported run is told about elsewhere. */
const marks: Record<string, { mark: string; meaning: string }> = {
  carried: { mark: 'c', meaning: 'counted in an earlier run, unchanged since' },
  maintained: { mark: 'm', meaning: 'kept by triggers' },
  estimate: { mark: estimateMark, meaning: 'estimated from a sample, with 99 % confidence within its range' },
}

type Method = string | null | undefined

/** `1,234`, or `c 1,234`, `m 1,234`, `≈ 1,234`; nothing where there is no count. */
export function rowsCell({ row_count, method }: Pick<MarkedCount, 'row_count' | 'method'>): string {
  if (row_count === null) return ''
  const mark = marks[method ?? '']?.mark
  return mark ? `${mark} ${formatCount(row_count)}` : formatCount(row_count)
}

/** What the marks mean that these counts have, a line each. */
export function explainMarks(methods: Method[]): string[] {
  const used = new Set(methods)
  return Object.entries(marks)
    .filter(([method]) => used.has(method))
    .map(([, { mark, meaning }]) => `${mark}: ${meaning}`)
}

/** `1,200 to 1,300` of an estimate; nothing for what is none. */
export const rangeCell = (of: Omit<MarkedCount, 'row_count'>) =>
  isEstimate(of) && of.row_count_low && of.row_count_high
    ? `${formatCount(of.row_count_low)} to ${formatCount(of.row_count_high)}`
    : ''

/** A table with one more column at its right, unless that would be empty. */
export function withColumn(
  [columns, rows]: [Column[], string[][]],
  title: string,
  cells: string[],
): [Column[], string[][]] {
  if (cells.every((cell) => cell === '')) return [columns, rows]
  return [[...columns, { title, right: true }], rows.map((row, n) => [...row, cells[n] ?? ''])]
}

/** How many tables and rows there are in all, as a report tells it. */
export interface Totals {
  tables: string
  rows: string
  estimated_rows?: string
  carried_tables?: string
}

/** `5 tables, 1,464 rows, each counted once`, and what of that was carried or is estimated. */
export function describeTotals({ tables, rows, estimated_rows, carried_tables }: Totals): string {
  return [
    plural(tables, 'table'),
    ...(carried_tables ? [`${formatCount(carried_tables)} of them carried`] : []),
    `${estimated_rows ? `${estimateMark} ` : ''}${plural(rows, 'row')}`,
    'each counted once',
    ...(estimated_rows ? [estimatedPart(estimated_rows)] : []),
  ].join(', ')
}
