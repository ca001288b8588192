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
}

interface Summary {
  days_found: string
  days_left_out: string
  first_date: string
  last_date: string
  last_rows: string
  lowest: string
  highest: string
  lowest_date: string
  highest_date: string
  change: string
  change_percent: string | null
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
 * The days of a table as a chart, and in words.
 *
 * @throws when none of these days has a result for it
 */
export function describeTrend(report: TrendReport, asked: number, unit: 'rows' | 'bytes' = 'rows'): string {
  const { days, summary } = report
  const name = visible(nameOf(report) + (report.filter_name === null ? '' : ` (${report.filter_name})`))
  if (!hasResult(summary)) {
    throw new Error(
      summary.last_date_with_result
        ? `${name} has no result with --days ${asked}: the last one is of ${summary.last_date_with_result}, type --days ${summary.days_needed}`
        : `${name} has no result on any day: type table-metrics status to see why`,
    )
  }
  const [top, bottom] = [formatCount(summary.highest), formatCount(summary.lowest)]
  const width = outputWidth()
  const lines = top === bottom ? 1 : height
  const levels = levelsOf(days, lines, Math.max(1, width - axisWidth({ top, bottom })))
  const [firstDate, lastDate] = [days[0]?.snapshot_date ?? '', days.at(-1)?.snapshot_date ?? '']
  const percent = formatPercent(summary)
  const counted = days.filter(({ row_count }) => row_count !== null)
  const [earliest = {}, last = {}] = [counted[0], counted.at(-1)]
  const change =
    summary.change === '0' ? 'unchanged' : `${formatChange(summary.change)}${percent ? ` (${percent})` : ''}`
  return [
    paint('bold', name),
    '',
    drawChart({ levels, height: lines, top, bottom, first: firstDate, last: lastDate }, width),
    '',
    `${formatMarkedCount({ ...last, row_count: summary.last_rows })} ${unit} on ${summary.last_date}`,
    ...(summary.first_date === summary.last_date
      ? []
      : [`${paint(styleOfChange(change), marked(change, earliest, last))} since ${summary.first_date}`]),
    ...(top === bottom
      ? []
      : [`lowest ${bottom} on ${summary.lowest_date}`, `highest ${top} on ${summary.highest_date}`]),
    `${summary.days_found} of the last ${asked} days have a result${summary.days_left_out === '0' ? '' : `, ${summary.days_left_out} left the table out`}`,
  ].join('\n')
}

const hasResult = (summary: Summary | NoResult): summary is Summary => summary.days_found !== '0'
