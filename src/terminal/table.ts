import stringWidth from 'string-width'
import { outputWidth, paint, type Style } from './output.ts'
import { visible } from './visible.ts'

/** A column of a table for a person. */
export interface Column {
  title: string
  /** At the right edge, as numbers are. */
  right?: boolean
  /** Where a text that is too long for the terminal loses characters. Never set for a number. */
  cut?: 'middle' | 'end'
  /** The colour of a cell. */
  style?: (cell: string, row: string[]) => Style | undefined
}

const narrowest = 12

/** Lines with aligned columns, as wide as the terminal at most, as far as there is something to cut. */
export function layOut(columns: Column[], rows: string[][], width = outputWidth()): string {
  const cells = rows.map((row) => row.map(visible))
  const widths = fitted(
    columns,
    columns.map(({ title }, n) =>
      cells.reduce((widest, row) => Math.max(widest, stringWidth(row[n] ?? '')), stringWidth(title)),
    ),
    width,
  )
  const line = (row: string[], style: (column: Column, n: number) => Style | undefined) =>
    columns
      .map((column, n) => {
        const cell = shorten(row[n] ?? '', widths[n] ?? 0, column.cut)
        const space = ' '.repeat(Math.max(0, (widths[n] ?? 0) - stringWidth(cell)))
        const painted = cell && paint(style(column, n), cell)
        if (column.right) return space + painted
        return n === columns.length - 1 ? painted : painted + space
      })
      .join('  ')
      .trimEnd()
  return [
    line(
      columns.map(({ title }) => title),
      () => 'bold',
    ),
    widths.map((columnWidth) => '─'.repeat(columnWidth)).join('  '),
    ...cells.map((row) => line(row, (column, n) => column.style?.(row[n] ?? '', row))),
  ].join('\n')
}

/** A text that takes that many columns at most, with … for what is missing. */
export function shorten(text: string, width: number, where: Column['cut'] = 'end'): string {
  if (stringWidth(text) <= width) return text
  const characters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment)
  const tail = where === 'end' ? 0 : Math.floor((width - 1) / 2)
  return `${take(characters, width - 1 - tail)}…${[...take(characters.reverse(), tail)].reverse().join('')}`
}

/** Widths that fit: columns that are cut at their end give way first, then the widest name. */
function fitted(columns: Column[], wanted: number[], width: number): number[] {
  const widths = [...wanted]
  const gaps = 2 * (columns.length - 1)
  for (const where of ['end', 'middle'] as const) {
    const cuttable = columns.flatMap(({ cut }, n) => (cut === where ? [n] : []))
    for (;;) {
      const excess = widths.reduce((sum, next) => sum + next, gaps) - width
      const [widest = -1] = cuttable.toSorted((one, other) => (widths[other] ?? 0) - (widths[one] ?? 0))
      if (excess <= 0 || (widths[widest] ?? 0) <= narrowest) break
      widths[widest] = (widths[widest] ?? 0) - 1
    }
  }
  return widths
}

function take(characters: string[], width: number): string {
  let text = ''
  for (const character of characters) {
    if (stringWidth(text + character) > width) break
    text += character
  }
  return text
}
