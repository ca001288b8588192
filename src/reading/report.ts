import type { Ask } from '../connection/database.ts'
import { layOut } from '../terminal/table.ts'
import { describeLeftOut, formatChange, formatTime } from '../terminal/terminal.ts'
import { visible, visibleLines } from '../terminal/visible.ts'
import { type MarkedCount, marked } from './marked_count.ts'
import { describeTotals, explainMarks, rangeCell, rowsCell, type Totals, withColumn } from './method_marks.ts'
import { firstOf, kindOf, nameOf, type Table } from './tables.ts'
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
  tables: (Table &
    MarkedCount & {
      table_kind: string
      is_partition: boolean
      change: string | null
      previous_method?: string
      error_sqlstate: string | null
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
  const [tables, more] = firstOf(report.tables, (count) => `${count} more tables`)
  return [
    ...(tables.length > 0
      ? [
          layOut(
            ...withColumn(
              [
                [
                  { title: 'table' },
                  { title: 'kind' },
                  { title: 'rows', right: true },
                  { title: 'change', right: true },
                ],
                tables.map((table) => [
                  nameOf(table),
                  kindOf(table),
                  table.row_count === null ? `not counted (${table.error_sqlstate})` : rowsCell(table),
                  marked(formatChange(table.change), table, { method: table.previous_method }),
                ]),
              ],
              'range',
              tables.map(rangeCell),
            ),
          ),
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
  const [shown, more] = firstOf(missing, (count) => `${count} more filters`)
  return [...shown, ...more, 'why: table-metrics doctor']
}
