import type { Sql } from '../connection/database.ts'
import { paint, tableWidth } from '../terminal/output.ts'
import { styleOfOutcome } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { formatCount, formatDuration, formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { wrapLine } from '../terminal/wrap.ts'
import { type Carrying, describeCarrying } from './carrying.ts'
import type { Choice } from './choice.ts'
import { estimateMark } from './marked_count.ts'
import { withColumn } from './method_marks.ts'
import { type Alert, countOpen, describeGrouping, tabulateAlerts } from './open_alerts.ts'
import { shownZone } from './time_zone.ts'

/** What the server reports of how table metrics is doing. */
export interface StatusReport {
  business_date: string
  business_time_zone: string
  today: { run_id: string } | null
  last_day: { snapshot_date: string } | null
  runs: RunHeader[]
  alerts: Alert[]
  /** The same, many of one kind as one. */
  alert_groups: Alert[]
  /** Only where counts are carried, or were. */
  carrying?: Carrying
}

/** A run in a line: its header, how long it took so far, and what it found. */
export interface RunHeader {
  run_id: string
  status: string
  snapshot_date: string
  collected_at: string
  seconds: string
  is_imported: boolean
  error_message: string | null
  totals: { tables: string | null; rows: string | null; estimated_rows?: string; carried_tables?: string }
}

/** The last runs, today and the open alerts as JSON, rendered by the server. */
export async function readStatus(sql: Sql, runs: number, choice: Choice = {}): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.status_report(runs => ${runs}, choice => ${sql.json({ ...choice })})::text as json
  `
  return row.json
}

/** The last runs, today and the open alerts as lines for a person. */
export function describeStatus(report: StatusReport): string {
  const zone = shownZone(report.business_time_zone)
  const [newest, ...older] = report.runs
  if (!newest) return 'no run yet: type table-metrics collect'
  return [
    describeToday(report),
    `last run: ${newest.run_id}, ${paint(styleOfOutcome(newest.status), newest.status)}, started ${formatMinute(newest.collected_at, zone)} (${zone}), ${howLong(newest)}`,
    ...(newest.error_message
      ? [wrapLine(`reason: ${visible(inWords(newest.error_message))}`, tableWidth())]
      : []),
    ...(report.carrying ? describeCarrying(report.carrying, zone) : []),
    ...describeAlerts(report, zone),
    '',
    layOut(
      ...withColumn(
        withColumn(
          [
            [
              { title: 'run', right: true },
              { title: 'status', style: styleOfOutcome },
              { title: 'day', drop: 2 },
              { title: 'started' },
              { title: 'took', right: true },
              { title: 'tables', right: true, drop: 1 },
              { title: 'rows', right: true },
            ],
            report.runs.map((run) => [
              run.run_id,
              run.status,
              run.snapshot_date,
              formatMinute(run.collected_at, zone).slice('2026-'.length),
              run.is_imported ? 'imported' : formatDuration(run.seconds),
              formatCount(run.totals.tables ?? ''),
              estimated(run.totals, formatCount(run.totals.rows ?? '')),
            ]),
          ],
          'of which estimated',
          report.runs.map(({ totals }) => estimated(totals, formatCount(totals.estimated_rows ?? ''))),
        ),
        'tables carried',
        report.runs.map(({ totals }) => formatCount(totals.carried_tables ?? '')),
      ),
    ),
    ...describeFailures(older),
  ].join('\n')
}

const estimated = ({ estimated_rows }: RunHeader['totals'], text: string) =>
  estimated_rows ? `${estimateMark} ${text}` : text

function howLong({ is_imported, status, seconds }: RunHeader): string {
  if (is_imported) return 'imported'
  return `${status === 'RUNNING' ? 'so far' : 'took'} ${formatDuration(seconds)}`
}

function describeFailures(runs: RunHeader[]): string[] {
  const lines = runs.flatMap(({ run_id, error_message }) =>
    error_message
      ? [wrapLine(visible(`run ${run_id} FAILED: ${inWords(error_message)}`), tableWidth(), 3)]
      : [],
  )
  return lines.length > 0 ? ['', ...lines] : []
}

function describeAlerts({ alerts, alert_groups }: StatusReport, zone: string): string[] {
  if (alerts.length === 0) return ['open alerts: none']
  const isNew = alerts.some(({ acknowledged_at }) => acknowledged_at === null)
  return [
    paint(isNew ? 'yellow' : 'dim', `open alerts: ${countOpen(alerts)}`),
    '',
    tabulateAlerts(alert_groups, zone),
    ...describeGrouping(alerts, alert_groups),
  ]
}

function describeToday({ business_date, business_time_zone, today, last_day }: StatusReport): string {
  const day = `today, ${business_date} (${business_time_zone})`
  if (today) return `${day}: counted by run ${today.run_id}`
  const found = last_day ? `the last day with one is ${last_day.snapshot_date}` : 'nor has any other day'
  return paint('yellow', `${day}: no result yet, ${found}`)
}
