import type { Sql } from '../connection/database.ts'
import { axisWidth, drawChart } from '../terminal/chart.ts'
import { outputWidth, paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { formatChange, formatCount } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { levelsOf, notOnTheseDays, summarizeTrend, type TrendRequest } from './trend_days.ts'

const height = 10

/** The days of a table as JSON, rendered by the server. */
export async function trendAsJson(
  sql: Sql,
  { schema_name, table_name, days }: TrendRequest,
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select jsonb_build_object(
      'schema_name', ${schema_name}::text,
      'table_name', ${table_name}::text,
      'days', coalesce(jsonb_agg(to_jsonb(trend) order by trend.snapshot_date), '[]')
    )::text as json
    from nms.table_trend(${schema_name}, ${table_name}, ${days}::integer) as trend
  `
  return row.json
}

/**
 * The days of a table as a chart, and in words.
 *
 * @throws when none of these days has a result for it
 */
export async function describeTrend(sql: Sql, request: TrendRequest): Promise<string> {
  const found = await summarizeTrend(sql, request)
  if (!found) throw await notOnTheseDays(sql, request)
  const [top, bottom] = [formatCount(found.highest), formatCount(found.lowest)]
  const width = outputWidth()
  const lines = top === bottom ? 1 : height
  const levels = await levelsOf(sql, request, lines, Math.max(1, width - axisWidth({ top, bottom })))
  const chart = drawChart(
    { levels, height: lines, top, bottom, first: found.axis_first, last: found.axis_last },
    width,
  )
  const change =
    found.change === '0'
      ? 'unchanged'
      : `${formatChange(found.change)}${found.percent ? ` (${found.percent} %)` : ''}`
  return [
    paint('bold', visible(`${request.schema_name}.${request.table_name}`)),
    '',
    chart,
    '',
    `${formatCount(found.last_rows)} rows on ${found.last_date}`,
    ...(found.first_date === found.last_date
      ? []
      : [`${paint(styleOfChange(change), change)} since ${found.first_date}`]),
    ...(top === bottom
      ? []
      : [`lowest ${bottom} on ${found.lowest_date}`, `highest ${top} on ${found.highest_date}`]),
    `${found.days_found} of the last ${request.days} days have a result${found.days_left_out === '0' ? '' : `, ${found.days_left_out} left the table out`}`,
  ].join('\n')
}
