import stringWidth from 'string-width'
import { paint, type Style } from './output.ts'

/** What a chart shows. */
export interface Chart {
  lines: Line[]
  /** How many lines of text high. */
  height: number
  /** What the highest and the lowest line of text stand for. */
  top: string
  bottom: string
  /** What the first and the last place stand for. */
  first: string
  last: string
  /** The places at which the axis has a tick. */
  ticks?: number[]
}

/** One line on a chart, from left to right. */
export interface Line {
  /** Null for a gap. */
  columns: (Column | null)[]
  /** The places that stand out. */
  marked?: Set<number>
  /** What it is drawn with, where another line is beside it. */
  pen?: Pen
}

/** A character and its colour. */
export interface Pen {
  character: string
  style?: Style
}

/** Where the counts of one place lie, 0 being the lowest level. */
export interface Column {
  first: number
  last: number
  low: number
  high: number
}

/** Stands on the axis below what is marked. */
export const alertMark = '●'

const widestStep = 4

/** Columns that the axis at the left takes. */
export const axisWidth = ({ top, bottom }: Pick<Chart, 'top' | 'bottom'>) =>
  Math.max(stringWidth(top), stringWidth(bottom)) + 2

/** Draws steps from left to right: each place is a stroke from its lowest to its highest level. */
export function drawChart(chart: Chart, width: number): string {
  const { lines, height, top, bottom, first, last } = chart
  const margin = axisWidth(chart)
  const places = lines[0]?.columns.length ?? 0
  const step = Math.max(1, Math.min(widestStep, Math.floor((width - margin) / places)))
  const grid = Array.from({ length: height }, () => Array<Pen>(places * step).fill({ character: ' ' }))
  const axis = Array<Pen>(places * step).fill({ character: '─' })
  for (const place of chart.ticks ?? []) axis[place * step] = { character: '┬' }
  // The first line lies above the others.
  for (const line of lines.toReversed()) {
    for (const { level, column, pen } of strokes(line, step)) {
      const row = grid[height - 1 - level]
      if (row) row[column] = pen
    }
    for (const place of line.marked ?? []) {
      axis[place * step + Math.floor(step / 2)] = { character: alertMark, style: 'red' }
    }
  }
  const label = (row: number) => (row === 0 ? top : row === height - 1 ? bottom : '').padStart(margin - 2)
  const rows = grid.map((row, n) => `${label(n)} ${label(n).trim() ? '┤' : '│'}${inColour(row)}`.trimEnd())
  const space = places * step - first.length - last.length
  const ends =
    space > 0 ? `${first}${' '.repeat(space)}${last}` : first === last ? first : `${first} … ${last}`
  return [...rows, `${' '.repeat(margin - 1)}└${inColour(axis)}`, ' '.repeat(margin) + ends].join('\n')
}

interface Stroke {
  level: number
  column: number
  pen: Pen
}

/** By the sides to which they go: 1 up, 2 down, 4 left, 8 right. */
const corners = '─╵╷│─╯╮┤─╰╭├─┴┬┼'

function strokes({ columns, marked, pen }: Line, step: number): Stroke[] {
  let before: number | null = null
  return columns.flatMap((found, place) => {
    if (found === null) {
      before = null
      return []
    }
    const style = marked?.has(place) ? 'red' : pen?.style
    const drawn = (level: number, column: number, sides: number): Stroke => ({
      level,
      column,
      pen: { character: pen?.character ?? corners[sides] ?? ' ', ...(style && { style }) },
    })
    const start = place * step
    const came: number = before ?? found.first
    const [low, high] = [Math.min(found.low, came), Math.max(found.high, came)]
    const upright = Array.from({ length: high - low + 1 }, (_, n) => low + n).map((level) =>
      drawn(
        level,
        start,
        (level < high ? 1 : 0) +
          (level > low ? 2 : 0) +
          (level === before ? 4 : 0) +
          (level === found.last ? 8 : 0),
      ),
    )
    before = found.last
    return [
      ...upright,
      ...Array.from({ length: step - 1 }, (_, n) => drawn(found.last, start + 1 + n, 4 + 8)),
    ]
  })
}

/** Characters beside each other that have one colour are painted together. */
function inColour(pens: Pen[]): string {
  const parts: { text: string; style: Style | undefined }[] = []
  for (const { character, style } of pens) {
    const part = parts.at(-1)
    if (part && part.style === style) part.text += character
    else parts.push({ text: character, style })
  }
  return parts.map(({ text, style }) => paint(style, text)).join('')
}
