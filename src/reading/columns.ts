import type { Column } from '../terminal/chart.ts'

/** A count on a time axis that begins with 0; null where there is none. */
export interface Point {
  at: number
  value: bigint | null
}

/**
 * Where the counts of some tables lie on one chart. Of more points than places, each place has all of those that
 * fall on it: none is left out.
 */
export function columnsOf(
  series: Point[][],
  { length, height, most }: { length: number; height: number; most: number },
): (Column | null)[][] {
  const { lowest, highest } = boundsOf(series)
  const levelOf = (value: bigint) =>
    highest === lowest ? 0 : roundedRatio((value - lowest) * BigInt(height - 1), highest - lowest)
  const places = Math.min(length, most)
  return series.map((points) => {
    const columns = Array<Column | null>(places).fill(null)
    for (const { at, value } of points) {
      if (value === null) continue
      const [place, level] = [placeOf(at, length, places), levelOf(value)]
      const { first = level, low = level, high = level } = columns[place] ?? {}
      columns[place] = { first, last: level, low: Math.min(low, level), high: Math.max(high, level) }
    }
    return columns
  })
}

/** On which of so many places a point lies. */
export const placeOf = (at: number, length: number, places: number) => Math.floor((at * places) / length)

/** The lowest and the highest of all counts. */
export function boundsOf(series: Point[][]): { lowest: bigint; highest: bigint } {
  const all = series.flat().flatMap(({ value }) => (value === null ? [] : [value]))
  return {
    lowest: all.reduce((one, other) => (other < one ? other : one)),
    highest: all.reduce((one, other) => (other > one ? other : one)),
  }
}

const roundedRatio = (part: bigint, whole: bigint) => Number((2n * part + whole) / (2n * whole))
