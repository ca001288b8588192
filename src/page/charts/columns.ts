/** A day's place on a chart, and what was counted: null for a gap. */
export interface Point {
  x: number
  value: number | null
}

/**
 * The points a line goes through, in pieces that a gap parts. Of the days that share a place it goes through the
 * lowest and the highest, in the order in which they came: no day is so short that it is not seen.
 */
export function linesThrough(points: readonly Point[]): { x: number; value: number }[][] {
  const lines: { x: number; value: number }[][] = []
  let line: { x: number; value: number }[] = []
  for (const { x, values } of columnsOf(points)) {
    const counted = values.filter((value) => value !== null)
    if (counted.length === 0) {
      line = []
      continue
    }
    if (line.length === 0) lines.push(line)
    const lowest = Math.min(...counted)
    const highest = Math.max(...counted)
    const inOrder =
      counted.indexOf(lowest) <= counted.indexOf(highest) ? [lowest, highest] : [highest, lowest]
    for (const value of lowest === highest ? [lowest] : inOrder) line.push({ x, value })
  }
  return lines
}

function columnsOf(points: readonly Point[]): { x: number; values: (number | null)[] }[] {
  const columns: { x: number; values: (number | null)[] }[] = []
  for (const { x, value } of points) {
    const last = columns.at(-1)
    if (last?.x === x) last.values.push(value)
    else columns.push({ x, values: [value] })
  }
  return columns
}
