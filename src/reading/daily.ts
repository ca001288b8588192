import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { describeLeftOut, formatChange, formatCount } from '../terminal/terminal.ts'
import { type Asked, type Chosen, describeChosen, readable } from './choice.ts'
import { type CountedTable, tabulateTables } from './counted_tables.ts'
import { parseExactly } from './exact_json.ts'
import { estimateMark } from './marked_count.ts'
import { describeTotals, explainMarks, type Totals } from './method_marks.ts'
import { insteadOf, type Point } from './point.ts'

/** What the server reports of a business day. */
interface DayReport extends Chosen {
  run_id: string
  snapshot_date: string
  business_time_zone: string
  previous_date: string | null
  totals: Totals
  change: string | null
  is_change_estimated: boolean | null
  left_out_count: string | null
  outcomes: Record<string, string>
  tables: CountedTable[]
}

/** What of a business day is to be shown. */
export interface DayRequest extends Asked {
  shown: Point
  /** The day since which the change is; the server knows which one that is unless it is named. */
  since?: Point | undefined
}

/** The JSON of a business day, in version 1 or 2 of the payload, as the server renders it. */
export async function dailyPayload(sql: Sql, runId: string, version: string): Promise<string> {
  const [row] = await sql<[{ payload: string }]>`
    select (nms.run_snapshot(run_id => ${runId}, version => ${version}) -> 'payload')::text as payload
  `
  return row.payload
}

/** Of the JSON of a business day, in version 1, the tables that are chosen. */
export async function chosenPayload(sql: Sql, request: DayRequest): Promise<string> {
  const [row] = await sql<[{ payload: string }]>`
    select (${report(sql, request)} -> 'payload')::text as payload
  `
  return row.payload
}

/** A business day as lines for a person: its tables, largest first, with the change since an earlier day. */
export async function describeDay(sql: Sql, request: DayRequest): Promise<string> {
  const [row] = await sql<
    [{ json: string }]
  >`select ${report(sql, { ...request, choice: readable(request) })}::text as json`
  const day = parseExactly<DayReport>(row.json)
  const { tables } = day
  return [
    ...(tables.length > 0 ? [tabulateTables(tables, `since ${day.previous_date}`)] : []),
    ...describeChosen(day, request),
    ...explainMarks(tables.map(({ method }) => method)),
    ...(tables.length > 0 ? [''] : []),
    summarize(day, request),
  ].join('\n')
}

const report = (sql: Sql, { shown, since, choice = {} }: DayRequest) => sql`
  nms.day_report(
    snapshot_date => ${shown.snapshot_date},
    since => ${since?.snapshot_date ?? null},
    choice => ${sql.json({ ...choice })}
  )
`

function summarize(day: DayReport, { shown, since: earlier }: DayRequest): string {
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
    ...describeComings(day),
    ...describeLeftOut(day.left_out_count),
  ].join('\n')
}

function describeComings({ outcomes }: DayReport): string[] {
  const comings = ['appeared', 'disappeared'].flatMap((outcome) =>
    outcomes[outcome] ? [`${formatCount(outcomes[outcome])} ${outcome}`] : [],
  )
  return comings.length > 0 ? [comings.join(', ')] : []
}
