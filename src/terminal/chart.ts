import stringWidth from 'string-width'

/** What a chart shows. */
export interface Chart {
  /** For each place on the time axis the line on which it lies, 0 being the lowest; null for a gap. */
  levels: (number | null)[]
  /** How many lines high. */
  height: number
  /** What the highest and the lowest line stand for. */
  top: string
  bottom: string
  /** What the first and the last place stand for. */
  first: string
  last: string
}

const widestStep = 4

/** Columns that the axis at the left takes. */
export const axisWidth = ({ top, bottom }: Pick<Chart, 'top' | 'bottom'>) =>
  Math.max(stringWidth(top), stringWidth(bottom)) + 2

/** Draws steps from left to right: each place is a piece of a line as high as its level. */
export function drawChart(chart: Chart, width: number): string {
  const { levels, height, top, bottom, first, last } = chart
  const margin = axisWidth(chart)
  const step = Math.max(1, Math.min(widestStep, Math.floor((width - margin) / levels.length)))
  const grid = Array.from({ length: height }, () => Array<string>(levels.length * step).fill(' '))
  const put = (level: number, column: number, character: string) => {
    const line = grid[height - 1 - level]
    if (line) line[column] = character
  }
  levels.forEach((level, place) => {
    if (level === null) return
    const start = place * step
    for (let column = start; column < start + step; column++) put(level, column, '─')
    const before = levels[place - 1] ?? level
    if (before === level) return
    const [low, high] = before < level ? [before, level] : [level, before]
    for (let between = low + 1; between < high; between++) put(between, start, '│')
    put(before, start, before < level ? '╯' : '╮')
    put(level, start, before < level ? '╭' : '╰')
  })
  const label = (line: number) => (line === 0 ? top : line === height - 1 ? bottom : '').padStart(margin - 2)
  const lines = grid.map((line, n) => `${label(n)} ${label(n).trim() ? '┤' : '│'}${line.join('')}`.trimEnd())
  const space = levels.length * step - first.length - last.length
  const dates =
    space > 0 ? `${first}${' '.repeat(space)}${last}` : first === last ? first : `${first} … ${last}`
  return [
    ...lines,
    `${' '.repeat(margin - 1)}└${'─'.repeat(levels.length * step)}`,
    ' '.repeat(margin) + dates,
  ].join('\n')
}
