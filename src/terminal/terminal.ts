import stringWidth from 'string-width'
import { visible } from './visible.ts'

/** A count with its digits grouped: `1,234,567`. Exact beyond 2^53: it never becomes a number. */
export function formatCount(count: string): string {
  return count.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** A change of a count: `+12`, `-3`, `=` for none, nothing where there is no earlier count. */
export function formatChange(change: string | null): string {
  if (change === null) return ''
  if (change === '0') return '='
  return change.startsWith('-') ? `-${formatCount(change.slice(1))}` : `+${formatCount(change)}`
}

/** What the request of a run has left out, as a line where there is anything. */
export function describeLeftOut(tables: string | null): string[] {
  if (tables === null || tables === '0') return []
  return [`${formatCount(tables)} ${tables === '1' ? 'table' : 'tables'} left out by request`]
}

/** True for a time zone in which times can be shown here; the server knows a few more. */
export function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

/** An instant in a time zone: `2026-11-20 05:15:00`. */
export function formatTime(instant: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(
    instant,
  )
}

/** Lines with aligned columns; those listed in `right` are aligned at their right edge. */
export function formatTable(header: string[], rows: string[][], right: number[] = []): string {
  const cells = rows.map((row) => row.map(visible))
  const all = [header, ...cells]
  const widths = header.map((_, column) => Math.max(...all.map((row) => stringWidth(row[column] ?? ''))))
  const line = (row: string[]) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - stringWidth(cell))
        return right.includes(column) ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n')
}
