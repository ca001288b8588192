import { visible } from '../terminal/visible.ts'
import { nameOf } from './tables.ts'
import type { TrendReport } from './trend.ts'

/**
 * The same report, with the bytes of a table where its rows were.
 *
 * @throws when none of its days has any
 */
export function trendOfBytes(report: TrendReport): TrendReport {
  const days = report.days.map(({ snapshot_date, total_bytes }) => ({
    snapshot_date,
    row_count: total_bytes,
    total_bytes,
  }))
  const measured = days.flatMap(({ snapshot_date, total_bytes }) =>
    total_bytes === null ? [] : [{ date: snapshot_date, bytes: BigInt(total_bytes) }],
  )
  const [first, last] = [measured[0], measured.at(-1)]
  if (!first || !last) {
    throw new Error(
      `no run of these days has measured the bytes of ${visible(nameOf(report))}: runs do while the setting measure_storage is true`,
    )
  }
  // Of equals the later one.
  const lowest = measured.reduce((found, day) => (day.bytes <= found.bytes ? day : found))
  const highest = measured.reduce((found, day) => (day.bytes >= found.bytes ? day : found))
  const change = last.bytes - first.bytes
  return {
    ...report,
    days,
    summary: {
      days_found: String(measured.length),
      days_left_out: '0',
      first_date: first.date,
      last_date: last.date,
      last_rows: String(last.bytes),
      lowest: String(lowest.bytes),
      highest: String(highest.bytes),
      lowest_date: lowest.date,
      highest_date: highest.date,
      change: String(change),
      change_percent: first.bytes === 0n ? null : String((100 * Number(change)) / Number(first.bytes)),
    },
  }
}
