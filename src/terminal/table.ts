import stringWidth from 'string-width'
import { paint, type Style, tableWidth } from './output.ts'
import { visible } from './visible.ts'
import { wrap } from './wrap.ts'

/** A column of a table for a person. */
export interface Column {
  title: string
  /** At the right edge, as numbers are. */
  right?: boolean
  /** A name, which may lose its middle. Never set for a number. */
  cut?: 'middle'
  /** A text of many words, which may go on in the lines below. */
  wrap?: true
  /** It may be left out where there is no room for all: the lowest first. */
  drop?: number
  /** The colour of a cell. */
  style?: (cell: string, row: string[]) => Style | undefined
}

/** As far as names and texts give way before a column is left out, and after that. */
const [readable, narrowest] = [24, 12]

/** Lines with aligned columns, as wide as the terminal at most, as far as there is something that can give way. */
export function layOut(columns: Column[], rows: string[][], width = tableWidth()): string {
  const cells = rows.map((row) => row.map(visible))
  const shown = fitted(
    columns.map((column, n) => ({
      column,
      n,
      width: cells.reduce(
        (widest, row) => Math.max(widest, stringWidth(row[n] ?? '')),
        stringWidth(column.title),
      ),
    })),
    width,
  )
  return [
    line(
      shown,
      shown.map(({ column }) => column.title),
      shown.map(() => 'bold'),
    ),
    shown.map(({ width }) => '─'.repeat(width)).join('  '),
    ...cells.flatMap((row) => {
      const parts = shown.map(({ column, n, width }) =>
        column.wrap ? wrap(row[n] ?? '', width) : [shorten(row[n] ?? '', width)],
      )
      const styles = shown.map(({ column, n }) => column.style?.(row[n] ?? '', row))
      return Array.from({ length: Math.max(...parts.map((part) => part.length)) }, (_, depth) =>
        line(
          shown,
          parts.map((part) => part[depth] ?? ''),
          styles,
        ),
      )
    }),
  ].join('\n')
}

interface Shown {
  column: Column
  /** Its place among all columns. */
  n: number
  width: number
}

function line(shown: Shown[], cells: string[], styles: (Style | undefined)[]): string {
  return shown
    .map(({ column, width }, n) => {
      const cell = cells[n] ?? ''
      const space = ' '.repeat(Math.max(0, width - stringWidth(cell)))
      const painted = cell && paint(styles[n], cell)
      if (column.right) return space + painted
      return n === shown.length - 1 ? painted : painted + space
    })
    .join('  ')
    .trimEnd()
}

/** A text that takes that many columns at most, with … for what its middle had. */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  const characters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment)
  const tail = Math.floor((width - 1) / 2)
  return `${take(characters, width - 1 - tail)}…${[...take(characters.reverse(), tail)].reverse().join('')}`
}

/** Columns that fit: texts wrap, then names give way, then columns are left out, then both give way further. */
function fitted(columns: Shown[], width: number): Shown[] {
  const texts = columns.filter(({ column }) => column.wrap)
  const names = columns.filter(({ column }) => column.cut)
  const readably = shrunk(shrunk(columns, texts, width, readable), names, width, readable)
  if (excessOf(readably, width) <= 0) return readably
  const [least] = columns
    .filter(({ column }) => column.drop !== undefined)
    .toSorted((one, other) => (one.column.drop ?? 0) - (other.column.drop ?? 0))
  if (!least) return shrunk(readably, [...texts, ...names], width, narrowest)
  return fitted(
    columns.filter((column) => column !== least),
    width,
  )
}

/** The same columns, where those that give way lose what is too much, the widest first. */
function shrunk(columns: Shown[], giving: Shown[], width: number, least: number): Shown[] {
  const kept = columns.map((column) => ({ ...column }))
  const those = kept.filter(({ n }) => giving.some((column) => column.n === n))
  for (;;) {
    const [widest] = those.toSorted((one, other) => other.width - one.width)
    if (!widest || widest.width <= least || excessOf(kept, width) <= 0) return kept
    widest.width -= 1
  }
}

const excessOf = (columns: Shown[], width: number) =>
  columns.reduce((sum, column) => sum + column.width, 2 * (columns.length - 1)) - width

function take(characters: string[], width: number): string {
  let text = ''
  for (const character of characters) {
    if (stringWidth(text + character) > width) break
    text += character
  }
  return text
}
