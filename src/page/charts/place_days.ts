import { dayNumber } from './days_axis.ts'
import { type RowsAxis, rowsAxis } from './rows_axis.ts'

/** What a chart of one table shows. Counts are decimal digits, as many as there are. */
export interface Trend {
  /** Oldest first; row_count is null on a day whose run left the table out. No day: it has no result. */
  days: readonly Day[]
  /** What was expected of some of these days. */
  expected?: readonly { snapshot_date: string; expected_low: string; expected_high: string }[]
  /** Numbered from the first one on. */
  alerts?: readonly { snapshot_date: string; number: number }[]
  /** The axis ends here, or at the last day when that is later. */
  until?: string
}

interface Day {
  snapshot_date: string
  row_count: string | null
  method?: string | null | undefined
  /** Of estimates. */
  row_count_low?: string | null | undefined
  row_count_high?: string | null | undefined
}

/** Where everything lies on a chart: one entry for each day from the first one on, heights in pixels from the top. */
export interface PlacedDays {
  first: number
  length: number
  axis: RowsAxis
  /** Null for a gap. */
  heights: (number | null)[]
  /** The expected range. */
  expected: Band
  /** The range of estimates. */
  estimated: Band
  states: ('counted' | 'imported' | 'left-out' | 'none')[]
}

/** Where a range ends on each day, in pixels from the top; null where there is none. */
export interface Band {
  lows: (number | null)[]
  highs: (number | null)[]
}

/** Places days, of which one has a count at least, on a chart of this height. */
export function placeDays({ days, expected = [], until }: Trend, height: number): PlacedDays {
  const numbers = days.map(({ snapshot_date }) => dayNumber(snapshot_date))
  const first = Math.min(...numbers)
  const length = Math.max(...numbers, until ? dayNumber(until) : first) - first + 1
  const counts = days.flatMap(({ row_count }) => (row_count === null ? [] : [BigInt(row_count)]))
  const ranges = days.flatMap(({ snapshot_date, row_count_low: low, row_count_high: high }) =>
    low && high ? [{ snapshot_date, low, high }] : [],
  )
  const usual = expected.map(({ snapshot_date, expected_low: low, expected_high: high }) => ({
    snapshot_date,
    low,
    high,
  }))
  const axis = rowsAxis([...counts, ...near(counts, [...usual, ...ranges])])
  const y = (rows: string) => tenths(height * (1 - Math.min(1, Math.max(0, axis.place(BigInt(rows))))))
  const band = (of: typeof ranges): Band => {
    const placed: Band = { lows: Array(length).fill(null), highs: Array(length).fill(null) }
    for (const { snapshot_date, low, high } of of) {
      const place = dayNumber(snapshot_date) - first
      placed.lows[place] = y(low)
      placed.highs[place] = y(high)
    }
    return placed
  }
  const placed: PlacedDays = {
    first,
    length,
    axis,
    heights: Array(length).fill(null),
    expected: band(usual),
    estimated: band(ranges),
    states: Array(length).fill('none'),
  }
  for (const { snapshot_date, row_count, method } of days) {
    const place = dayNumber(snapshot_date) - first
    placed.heights[place] = row_count === null ? null : y(row_count)
    placed.states[place] = row_count === null ? 'left-out' : method === 'imported' ? 'imported' : 'counted'
  }
  return placed
}

/** Of a table that is never the same, much is expected: as much of that as leaves room for its counts. */
function near(counts: readonly bigint[], ranges: readonly { low: string; high: string }[]): bigint[] {
  const lowest = counts.reduce((one, other) => (other < one ? other : one))
  const highest = counts.reduce((one, other) => (other > one ? other : one))
  return ranges.flatMap(({ low, high }) => [
    BigInt(low) < lowest / 2n ? lowest / 2n : BigInt(low),
    BigInt(high) > highest * 2n ? highest * 2n : BigInt(high),
  ])
}

export const tenths = (number: number) => Math.round(number * 10) / 10
