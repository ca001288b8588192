import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { describeLeftOut, formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { parseExactly } from './exact_json.ts'
import { firstOf, kindOf, nameOf, type Table } from './tables.ts'

/** What the server reports of a business day. */
interface DayReport {
  run_id: string
  snapshot_date: string
  business_time_zone: string
  previous_date: string | null
  totals: { tables: string; rows: string }
  change: string | null
  left_out_count: string | null
  tables: (Table & {
    table_kind: string
    is_partition: boolean
    row_count: string
    change: string | null
    change_percent: string | null
  })[]
}

/** The JSON of a business day as the server renders it. */
export async function dailyPayload(sql: Sql, runId: string): Promise<string> {
  const [row] = await sql<[{ payload: string }]>`
    select payload::text from nms.table_metrics_daily_snapshot where run_id = ${runId}
  `
  return row.payload
}

/** A business day as lines for a person: its tables, largest first, with the change since the day before. */
export async function describeDay(sql: Sql, runId: string, all = false): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.day_report(snapshot_date)::text as json
    from nms.table_metrics_daily_snapshot
    where run_id = ${runId}
  `
  const day = parseExactly<DayReport>(row.json)
  const [tables, more] = firstOf(day.tables, (count) => `${count} more tables: --all shows them`, all)
  return [
    ...(tables.length > 0
      ? [
          layOut(
            [
              { title: 'table', cut: 'middle' },
              { title: 'kind' },
              { title: 'rows', right: true },
              { title: 'change', right: true, style: styleOfChange },
              { title: '%', right: true, style: styleOfChange },
            ],
            tables.map((table) => [
              nameOf(table),
              kindOf(table),
              formatCount(table.row_count),
              formatChange(table.change),
              formatPercent(table),
            ]),
          ),
        ]
      : []),
    ...more,
    ...(tables.length > 0 ? [''] : []),
    summarize(day),
  ].join('\n')
}

function summarize(day: DayReport): string {
  const since = day.previous_date === null ? '' : ` (${formatChange(day.change)} since ${day.previous_date})`
  return [
    paint(
      'bold',
      `business day ${day.snapshot_date} (${day.business_time_zone}), counted by run ${day.run_id}`,
    ),
    `${formatCount(day.totals.tables)} tables, ${formatCount(day.totals.rows)} rows, each counted once${since}`,
    ...describeLeftOut(day.left_out_count),
  ].join('\n')
}
