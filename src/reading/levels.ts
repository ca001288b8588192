import type { MarkedCount } from './marked_count.ts'

/** A business day of a trend; without a count where the table was left out. */
export interface Day extends MarkedCount {
  snapshot_date: string
}

/** Where the days lie on a chart; of more days than places, each place has the last one that was counted. */
export function levelsOf(days: Day[], lines: number, most: number): (number | null)[] {
  const first = dayNumber(days[0])
  const length = dayNumber(days.at(-1)) - first + 1
  const places = Math.min(length, most)
  const levels = Array<number | null>(places).fill(null)
  const counted = days.flatMap((day) =>
    day.row_count === null ? [] : [{ day, rows: BigInt(day.row_count) }],
  )
  const all = counted.map(({ rows }) => rows)
  const lowest = all.reduce((one, other) => (other < one ? other : one))
  const range = all.reduce((one, other) => (other > one ? other : one)) - lowest
  for (const { day, rows } of counted) {
    const place = Math.floor(((dayNumber(day) - first) * places) / length)
    levels[place] = range === 0n ? 0 : roundedRatio((rows - lowest) * BigInt(lines - 1), range)
  }
  return levels
}

const dayNumber = (day?: Day) => Date.parse(`${day?.snapshot_date}T00:00Z`) / 86_400_000

const roundedRatio = (part: bigint, whole: bigint) => Number((2n * part + whole) / (2n * whole))
