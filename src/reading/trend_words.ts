import { paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { formatChange, formatCount, formatMinute, formatPercent } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { formatMarkedCount, marked } from './marked_count.ts'
import { nameOfScope } from './scope.ts'
import { shownZone } from './time_zone.ts'
import type { Bounds, NoResult, Summary, TrendReport } from './trend.ts'
import { drawTrends, pointsOf, type Value } from './trend_chart.ts'

/**
 * The rows of a table, a schema or everything on each day, or in each run, as a chart and in words.
 *
 * @throws when none of these days has a result for it
 */
export function describeTrend(report: TrendReport, asked: number): string {
  const { last_rows, ...bounds } = summaryOf(report, asked)
  const left = bounds.days_left_out ?? bounds.runs_left_out ?? '0'
  const leftOut = left === '0' ? '' : `, ${left} left ${report.table_name === null ? 'it' : 'the table'} out`
  const others = pointsOf(report).filter(
    ({ row_count, tables_left_out = '0' }) => row_count !== null && tables_left_out !== '0',
  ).length
  return [
    ...drawn(report, { ...bounds, last: last_rows }, 'rows'),
    ...(others > 0
      ? [`${others} ${unitOf(report, others)} counted other tables than the one before, by request`]
      : []),
    `${found(report, bounds, asked)} ${report.runs ? 'counted it' : 'a result'}${leftOut}`,
  ].join('\n')
}

/**
 * The same of its bytes on disk, on the days that have measured them.
 *
 * @throws when none of these days has
 */
export function describeBytes(report: TrendReport, asked: number): string {
  if (report.summary_of_bytes === null) {
    throw new Error(
      `no run of these days has measured the bytes of ${titleOf(report)}: runs do while the setting measure_storage is true`,
    )
  }
  const { last_bytes, ...bounds } = report.summary_of_bytes
  return [
    ...drawn(report, { ...bounds, last: last_bytes }, 'bytes'),
    `${found(report, bounds, asked)} measured them`,
  ].join('\n')
}

/**
 * What a report says of the days that have a result.
 *
 * @throws when none has
 */
export function summaryOf(report: TrendReport, asked: number): Summary {
  const { summary } = report
  if (hasResult(summary)) return summary
  const { last_date_with_result: date, days_needed } = summary
  const name = titleOf(report)
  throw new Error(
    date
      ? `${name} has no result with --days ${asked}: the last one is of ${date}, type --days ${days_needed}`
      : `${name} has no result on any day: type table-metrics status to see why`,
  )
}

/** The table, schema or database, and the filter of it. */
export const titleOf = (report: TrendReport) =>
  visible(
    (report.schema_name === null ? 'all tables' : nameOfScope(report)) +
      (report.filter_name === null ? '' : ` (${report.filter_name})`),
  )

/** `1,200 rows on 2026-11-22`, and how many more or fewer since the first day, where it is another one. */
export function latest(
  report: TrendReport,
  bounds: Bounds & { last: string },
  unit: 'rows' | 'bytes',
): string[] {
  const counted = pointsOf(report).filter(({ row_count }) => row_count !== null)
  const [earliest, last] = [counted[0], counted.at(-1)]
  const count =
    unit === 'rows' && last
      ? formatMarkedCount({ ...last, row_count: bounds.last })
      : formatCount(bounds.last)
  const text = `${count.trimEnd()} ${unit} ${when(report, bounds, 'last')}`
  if (counted.length < 2) return [text]
  const percent = formatPercent(bounds)
  const change =
    bounds.change === null
      ? 'no table in common'
      : bounds.change === '0'
        ? 'unchanged'
        : `${formatChange(bounds.change)}${percent ? ` (${percent})` : ''}`
  const { tables_left_out: others } = bounds
  return [
    text,
    `${paint(styleOfChange(change), marked(change, earliest ?? {}, last ?? {}))} since ${when(report, bounds, 'first').slice(3)}${
      others && others !== '0' ? `, without ${formatCount(others)} that one of both leaves out` : ''
    }`,
  ]
}

function drawn(report: TrendReport, bounds: Bounds & { last: string }, unit: 'rows' | 'bytes'): string[] {
  const value: Value = unit === 'rows' ? ({ row_count }) => row_count : ({ total_bytes }) => total_bytes
  return [
    paint('bold', titleOf(report)),
    '',
    drawTrends([report], value),
    '',
    ...latest(report, bounds, unit),
    ...(bounds.highest === bounds.lowest
      ? []
      : [
          `lowest ${formatCount(bounds.lowest)} ${when(report, bounds, 'lowest')}`,
          `highest ${formatCount(bounds.highest)} ${when(report, bounds, 'highest')}`,
        ]),
  ]
}

/** `on 2026-11-22`, or of a run `at 2026-11-22 05:15`. */
function when(report: TrendReport, bounds: Bounds, which: 'first' | 'last' | 'lowest' | 'highest'): string {
  const at = bounds[`${which}_at`]
  return at
    ? `at ${formatMinute(at, shownZone(report.business_time_zone ?? 'UTC'))}`
    : `on ${bounds[`${which}_date`]}`
}

const found = (report: TrendReport, { days_found, runs_found }: Bounds, asked: number) =>
  report.runs
    ? `${runs_found} ${unitOf(report, Number(runs_found))} of the last ${asked === 1 ? 'day' : `${asked} days`} have`
    : `${days_found} of the last ${asked} days have`

const unitOf = (report: TrendReport, count: number) =>
  `${report.runs ? 'run' : 'day'}${count === 1 ? '' : 's'}`

const hasResult = (summary: Summary | NoResult): summary is Summary =>
  'last_rows' in summary && summary.last_rows !== null
