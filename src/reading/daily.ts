import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { describeLeftOut, formatChange, formatPercent } from '../terminal/terminal.ts'
import { parseExactly } from './exact_json.ts'
import { estimateMark, type MarkedCount, marked } from './marked_count.ts'
import { describeTotals, explainMarks, rangeCell, rowsCell, type Totals, withColumn } from './method_marks.ts'
import { insteadOf, type Point } from './point.ts'
import { firstOf, kindOf, nameOf, type Table } from './tables.ts'

/** What the server reports of a business day. */
interface DayReport {
  run_id: string
  snapshot_date: string
  business_time_zone: string
  previous_date: string | null
  totals: Totals
  change: string | null
  is_change_estimated: boolean | null
  left_out_count: string | null
  tables: (Table &
    MarkedCount & {
      table_kind: string
      is_partition: boolean
      change: string | null
      change_percent: string | null
      previous_method?: string
    })[]
}

/** The JSON of a business day, in version 1 or 2 of the payload, as the server renders it. */
export async function dailyPayload(sql: Sql, runId: string, version: string): Promise<string> {
  const [row] = await sql<[{ payload: string }]>`
    select (nms.run_snapshot(run_id => ${runId}, version => ${version}) -> 'payload')::text as payload
  `
  return row.payload
}

/** What of a business day is to be shown. */
export interface DayRequest {
  shown: Point
  /** The day since which the change is; the server knows which one that is unless it is named. */
  since?: Point | undefined
  all?: boolean | undefined
}

/** A business day as lines for a person: its tables, largest first, with the change since an earlier day. */
export async function describeDay(sql: Sql, { shown, since, all }: DayRequest): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.day_report(
      snapshot_date => ${shown.snapshot_date},
      since => ${since?.snapshot_date ?? null}
    )::text as json
  `
  const day = parseExactly<DayReport>(row.json)
  const [tables, more] = firstOf(day.tables, (count) => `${count} more tables: --all shows them`, all)
  return [
    ...(tables.length > 0
      ? [
          layOut(
            ...withColumn(
              [
                [
                  { title: 'table', cut: 'middle' },
                  { title: 'kind' },
                  { title: 'rows', right: true },
                  {
                    title: since ? `since ${since.snapshot_date}` : 'change',
                    right: true,
                    style: styleOfChange,
                  },
                  { title: '%', right: true, style: styleOfChange },
                ],
                tables.map((table) => [
                  nameOf(table),
                  kindOf(table),
                  rowsCell(table),
                  marked(formatChange(table.change), table, { method: table.previous_method }),
                  formatPercent(table),
                ]),
              ],
              'range',
              tables.map(rangeCell),
            ),
          ),
        ]
      : []),
    ...more,
    ...explainMarks(tables.map(({ method }) => method)),
    ...(tables.length > 0 ? [''] : []),
    summarize(day, shown, since),
  ].join('\n')
}

function summarize(day: DayReport, shown: Point, earlier: Point | undefined): string {
  const since =
    day.previous_date === null
      ? ''
      : ` (${day.is_change_estimated ? `${estimateMark} ` : ''}${formatChange(day.change)} since ${day.previous_date}${insteadOf(earlier?.asked)})`
  return [
    paint(
      'bold',
      `business day ${day.snapshot_date}${insteadOf(shown.asked)} (${day.business_time_zone}), counted by run ${day.run_id}`,
    ),
    `${describeTotals(day.totals)}${since}`,
    ...describeLeftOut(day.left_out_count),
  ].join('\n')
}
