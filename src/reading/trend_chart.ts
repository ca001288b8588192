import { alertMark, axisWidth, drawChart, type Pen } from '../terminal/chart.ts'
import { outputWidth } from '../terminal/output.ts'
import { formatCount, formatMinute } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { boundsOf, columnsOf, placeOf } from './columns.ts'
import { nameOfScope } from './scope.ts'
import { shownZone } from './time_zone.ts'
import type { TrendAlert, TrendPoint, TrendReport } from './trend.ts'

const height = 10
const mostAlerts = 5

/** Of each point of a trend what is drawn. */
export type Value = (point: TrendPoint) => string | null

/** Some trends on one chart, and the alerts of these days. Each has a count at least. */
export function drawTrends(reports: TrendReport[], value: Value, pens: Pen[] = []): string {
  const { positions, length, first, last, dayStarts = [] } = timeOf(reports)
  const series = reports.map((report) =>
    pointsOf(report).map((point) => {
      const found = value(point)
      return { at: positions(point), value: found === null ? null : BigInt(found) }
    }),
  )
  const { lowest, highest } = boundsOf(series)
  const [top, bottom] = [formatCount(String(highest)), formatCount(String(lowest))]
  const width = outputWidth()
  const lines = top === bottom ? 1 : height
  const most = Math.max(1, width - axisWidth({ top, bottom }))
  const columns = columnsOf(series, { length, height: lines, most })
  const chart = drawChart(
    {
      lines: reports.map((report, n) => ({
        columns: columns[n] ?? [],
        marked: new Set(
          report.alerts
            .map((alert) => positions({ snapshot_date: alert.snapshot_date, run_id: alert.opened_by_run }))
            .filter((at) => at >= 0 && at < length)
            .map((at) => placeOf(at, length, Math.min(length, most))),
        ),
        ...(pens[n] && { pen: pens[n] }),
      })),
      height: lines,
      top,
      bottom,
      first,
      last,
      ticks: dayStarts.map((at) => placeOf(at, length, Math.min(length, most))),
    },
    width,
  )
  return [chart, ...alertLines(reports, width)].join('\n')
}

/** The days or the runs of a trend. */
export const pointsOf = ({ days = [], runs = days }: TrendReport): TrendPoint[] => runs

/** Where a day or a run lies: days by the calendar, runs one after the other. */
function timeOf(reports: TrendReport[]) {
  const points = reports.flatMap(pointsOf)
  const zone = shownZone(reports[0]?.business_time_zone ?? 'UTC')
  if (reports.every(({ runs }) => runs)) {
    const inOrder = [...new Map(points.map((point) => [point.run_id, point])).values()].sort(
      (one, other) =>
        one.snapshot_date.localeCompare(other.snapshot_date) ||
        (BigInt(one.run_id) < BigInt(other.run_id) ? -1 : 1),
    )
    const places = new Map(inOrder.map(({ run_id }, n) => [run_id, n]))
    const minute = (point?: TrendPoint) =>
      point?.collected_at ? formatMinute(point.collected_at, zone) : (point?.snapshot_date ?? '')
    return {
      positions: ({ run_id }: { run_id: string | null }) => places.get(run_id ?? '') ?? -1,
      length: inOrder.length,
      first: minute(inOrder[0]),
      last: minute(inOrder.at(-1)),
      dayStarts: inOrder.flatMap(({ snapshot_date }, n) =>
        n > 0 && snapshot_date !== inOrder[n - 1]?.snapshot_date ? [n] : [],
      ),
    }
  }
  const dates = points.map(({ snapshot_date }) => snapshot_date).sort()
  const [first = '', last = ''] = [dates[0], dates.at(-1)]
  return {
    positions: ({ snapshot_date }: { snapshot_date: string }) => dayNumber(snapshot_date) - dayNumber(first),
    length: dayNumber(last) - dayNumber(first) + 1,
    first,
    last,
  }
}

const dayNumber = (date: string) => Date.parse(`${date}T00:00Z`) / 86_400_000

/** `● alerts: 2026-03-04 dropped_to_zero`, the last ones, in as many lines as they take. */
function alertLines(reports: TrendReport[], width: number): string[] {
  const named = (report: TrendReport, { snapshot_date, kind, filter_name }: TrendAlert) =>
    [
      snapshot_date,
      ...(reports.length > 1 ? [visible(nameOfScope(report))] : []),
      kind,
      ...(filter_name === null || report.filter_name !== null ? [] : [`(${visible(filter_name)})`]),
    ].join(' ')
  const all = reports
    .flatMap((report) => report.alerts.map((alert) => named(report, alert)))
    .sort((one, other) => one.slice(0, 10).localeCompare(other.slice(0, 10)))
  if (all.length === 0) return []
  const earlier = all.length - mostAlerts
  const words = [
    ...(earlier > 0 ? [`${earlier} earlier ${earlier === 1 ? 'one' : 'ones'}`] : []),
    ...all.slice(-mostAlerts),
  ]
  const lines: string[] = []
  let line = `${alertMark} alerts:`
  for (const [n, word] of words.entries()) {
    const text = n < words.length - 1 ? `${word},` : word
    if (n > 0 && line.length + 1 + text.length > width) {
      lines.push(line)
      line = `  ${text}`
    } else line += ` ${text}`
  }
  return ['', ...lines, line]
}
