import type { Sql } from '../connection/database.ts'
import { axisWidth, drawChart } from '../terminal/chart.ts'
import { outputWidth, paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { type Day, levelsOf } from './levels.ts'
import { formatMarkedCount, marked } from './marked_count.ts'
import { nameOf, type Table } from './tables.ts'

const height = 10

/** What is asked about a table. */
export interface TrendRequest extends Table {
  /** How many business days, today included. */
  days: number
  /** Only the rows that match this filter. */
  filter?: string | undefined
}

/** What the server reports of a table. */
export interface TrendReport extends Table {
  /** Null: all rows are counted. */
  filter_name: string | null
  days: (Day & { total_bytes: string | null })[]
  summary: Summary | NoResult
  /** Null unless a run of these days has measured bytes. */
  summary_of_bytes: (Bounds & { last_bytes: string }) | null
}

interface Bounds {
  days_found: string
  first_date: string
  last_date: string
  lowest: string
  highest: string
  lowest_date: string
  highest_date: string
  change: string
  change_percent: string | null
}

interface Summary extends Bounds {
  days_left_out: string
  last_rows: string
}

interface NoResult {
  days_found: '0'
  last_date_with_result: string | null
  days_needed: string | null
}

/** The days of a table as JSON, rendered by the server. */
export async function readTrend(
  sql: Sql,
  { schema_name, table_name, days, filter }: TrendRequest,
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.trend_report(
      ${schema_name}, ${table_name}, ${days}::integer, filter_name => ${filter ?? null}
    )::text as json
  `
  return row.json
}

/**
 * The rows of a table on each day as a chart, and in words.
 *
 * @throws when none of these days has a result for it
 */
export function describeTrend(report: TrendReport, asked: number): string {
  const { days, summary } = report
  const name = titleOf(report)
  if (!hasResult(summary)) {
    const { last_date_with_result: date, days_needed } = summary
    throw new Error(
      date
        ? `${name} has no result with --days ${asked}: the last one is of ${date}, type --days ${days_needed}`
        : `${name} has no result on any day: type table-metrics status to see why`,
    )
  }
  const { last_rows, days_left_out, ...bounds } = summary
  const leftOut = days_left_out === '0' ? '' : `, ${days_left_out} left the table out`
  return [
    ...drawn(name, days, { ...bounds, last: last_rows }, 'rows'),
    `${bounds.days_found} of the last ${asked} days have a result${leftOut}`,
  ].join('\n')
}

/**
 * The same of its bytes on disk, on the days that have measured them.
 *
 * @throws when none of these days has
 */
export function describeBytes(report: TrendReport, asked: number): string {
  const name = titleOf(report)
  if (report.summary_of_bytes === null) {
    throw new Error(
      `no run of these days has measured the bytes of ${name}: runs do while the setting measure_storage is true`,
    )
  }
  const { last_bytes, ...bounds } = report.summary_of_bytes
  const days = report.days.map(({ snapshot_date, total_bytes }) => ({
    snapshot_date,
    row_count: total_bytes,
  }))
  return [
    ...drawn(name, days, { ...bounds, last: last_bytes }, 'bytes'),
    `${bounds.days_found} of the last ${asked} days have measured them`,
  ].join('\n')
}

const hasResult = (summary: Summary | NoResult): summary is Summary => summary.days_found !== '0'

const titleOf = (report: TrendReport) =>
  visible(nameOf(report) + (report.filter_name === null ? '' : ` (${report.filter_name})`))

function drawn(
  name: string,
  days: Day[],
  bounds: Bounds & { last: string },
  unit: 'rows' | 'bytes',
): string[] {
  const [top, bottom] = [formatCount(bounds.highest), formatCount(bounds.lowest)]
  const width = outputWidth()
  const lines = top === bottom ? 1 : height
  const levels = levelsOf(days, lines, Math.max(1, width - axisWidth({ top, bottom })))
  const [firstDate, lastDate] = [days[0]?.snapshot_date ?? '', days.at(-1)?.snapshot_date ?? '']
  const percent = formatPercent(bounds)
  const counted = days.filter(({ row_count }) => row_count !== null)
  const [earliest = {}, last = {}] = [counted[0], counted.at(-1)]
  const change =
    bounds.change === '0' ? 'unchanged' : `${formatChange(bounds.change)}${percent ? ` (${percent})` : ''}`
  return [
    paint('bold', name),
    '',
    drawChart({ levels, height: lines, top, bottom, first: firstDate, last: lastDate }, width),
    '',
    `${formatMarkedCount({ ...last, row_count: bounds.last })} ${unit} on ${bounds.last_date}`,
    ...(bounds.first_date === bounds.last_date
      ? []
      : [`${paint(styleOfChange(change), marked(change, earliest, last))} since ${bounds.first_date}`]),
    ...(top === bottom
      ? []
      : [`lowest ${bottom} on ${bounds.lowest_date}`, `highest ${top} on ${bounds.highest_date}`]),
  ]
}
