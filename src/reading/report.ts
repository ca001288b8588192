import type { Ask } from '../connection/database.ts'
import { describeLeftOut, formatTime, plural } from '../terminal/terminal.ts'
import { visible, visibleLines } from '../terminal/visible.ts'
import { type CountedTable, tabulateTables } from './counted_tables.ts'
import { describeTotals, explainMarks, type Totals } from './method_marks.ts'
import { firstOf, nameOf } from './tables.ts'
import { shownZone } from './time_zone.ts'

/** What the server reports of a run. */
export interface RunReport {
  run: {
    run_id: string
    status: string
    snapshot_date: string
    collected_at: string
    seconds: string
    error_message: string | null
    unmatched_entries: { argument: string; entry: string }[]
    left_out_count: string | null
  }
  business_time_zone: string
  totals: Totals
  /** The one that the changes are since; null when it is the first. */
  previous_run_id: string | null
  tables: (CountedTable & {
    /** Null where the rows that match could not be counted. */
    filtered?: Record<string, string | null>
  })[]
}

/** A run as JSON, rendered by the server. */
export async function readRunReport(sql: Ask, runId: string): Promise<string> {
  const [{ json }] = await sql<[{ json: string }]>`select nms.run_report(${runId})::text as json`
  return json
}

/** A run as lines for a person: its tables, largest first, with the change since the run before. */
export function describeRun(report: RunReport): string {
  const { previous_run_id } = report
  const [tables, more] = firstOf(report.tables, (count) => plural(count, 'more table'))
  return [
    ...(tables.length > 0
      ? [
          tabulateTables(tables, previous_run_id === null ? 'change' : `since run ${previous_run_id}`),
          ...more,
          ...explainMarks(tables.map(({ method }) => method)),
          '',
        ]
      : []),
    summarize(report),
  ].join('\n')
}

function summarize({ run, totals, tables, business_time_zone }: RunReport): string {
  const zone = shownZone(business_time_zone)
  return [
    `run ${run.run_id}: ${run.status}`,
    ...(run.error_message ? [`reason: ${visibleLines(run.error_message)}`] : []),
    ...run.unmatched_entries.map(
      ({ argument, entry }) => `${argument} entry matches nothing: ${visible(entry)}`,
    ),
    ...describeMissingFilters(tables),
    `business day ${run.snapshot_date} (${business_time_zone}), started ${formatTime(run.collected_at, zone)} (${zone}), took ${Number(run.seconds).toFixed(2)} s`,
    ...(run.status === 'SUCCEEDED' ? [describeTotals(totals), ...describeLeftOut(run.left_out_count)] : []),
  ].join('\n')
}

function describeMissingFilters(tables: RunReport['tables']): string[] {
  const missing = tables.flatMap((table) =>
    Object.entries(table.filtered ?? {}).flatMap(([name, rows]) =>
      rows === null && table.error_sqlstate === null
        ? [`filter not counted: ${visible(`${nameOf(table)} (${name})`)}`]
        : [],
    ),
  )
  if (missing.length === 0) return []
  const [shown, more] = firstOf(missing, (count) => plural(count, 'more filter'))
  return [...shown, ...more, 'why: table-metrics doctor']
}
