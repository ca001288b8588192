import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { layOut } from '../terminal/table.ts'
import { formatCount } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { nameOf, type Table } from './tables.ts'

/** What is asked about a table. */
export interface ForecastRequest extends Table {
  /** When does it have as many? */
  rows?: string | undefined
  /** How many business days are looked at, today included. */
  days: number
}

/** What the server foresees of a table. */
export interface ForecastReport extends Table {
  days: string
  days_found: string
  days_needed: string
  last_date: string | null
  last_rows: string | null
  /** By how many days each method was used. */
  methods: Record<string, string> | null
  /** Null: too few days. */
  trend: (Pace & { level: string; is_last_off_line: boolean; ahead: Ahead[] }) | null
  /** Null unless asked for. */
  reaches: (Dates & { rows: string }) | null
  /** Null: it has no primary key that can run out. */
  key: Key | null
}

interface Pace {
  per_day: string
  per_day_low: string
  per_day_high: string
}

interface Ahead {
  days: string
  date: string
  rows: string
  rows_low: string
  rows_high: string
}

interface Dates {
  outcome: 'passed' | 'between' | 'not before' | 'not after' | 'never' | 'not within 100 years' | null
  earliest: string | null
  latest: string | null
}

interface Key extends Dates, Record<keyof Pace, string | null> {
  column_name: string
  data_type: string
  position: string | null
  last_key: string
  used_percent: string
  points_found: string
  points_needed: string
  pace_of: 'positions' | 'rows' | null
  sequence: string | null
  is_cyclic: boolean
  is_pressing: boolean
  remedy: string
}

/** The forecast of a table as JSON, rendered by the server. */
export async function readForecast(
  sql: Sql,
  { schema_name, table_name, rows, days }: ForecastRequest,
): Promise<string> {
  const [row] = await sql<[{ json: string }]>`
    select nms.forecast_report(
      ${schema_name}, ${table_name}, rows => ${rows ?? null}::bigint, days => ${days}::integer
    )::text as json
  `
  return row.json
}

/** How a table grows, and when it and its key are full, in words; nothing without its range. */
export function describeForecast(report: ForecastReport): string {
  return [
    [paint('bold', visible(nameOf(report)))],
    describeTrend(report),
    report.reaches ? [`${formatCount(report.reaches.rows)} rows: ${describeDates(report.reaches)}`] : [],
    report.key ? describeKey(report.key) : [],
    report.trend ? describeSource(report) : [],
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function describeTrend({
  trend,
  last_date,
  last_rows,
  days,
  days_found,
  days_needed,
}: ForecastReport): string[] {
  if (!trend) {
    const found = `no forecast of its rows: ${days_found} of the last ${days} days have a count`
    return Number(days_found) < Number(days_needed)
      ? [`${found}, ${days_needed} are needed`]
      : [`${found}, and they lie in too few weeks`]
  }
  return [
    `${formatCount(last_rows ?? '')} rows on ${last_date}, by the line ${formatCount(trend.level)}`,
    ...(trend.is_last_off_line
      ? ['the last day is off the line: at least and at most hold it,', 'pace and dates go by the line']
      : []),
    `${describePace(trend, 'rows')}`,
    '',
    layOut(
      [
        { title: 'in' },
        { title: 'on' },
        { title: 'rows', right: true },
        { title: 'at least', right: true },
        { title: 'at most', right: true },
      ],
      trend.ahead.map(({ days, date, rows, rows_low, rows_high }) => [
        `${days} days`,
        date,
        formatCount(rows),
        formatCount(rows_low),
        formatCount(rows_high),
      ]),
    ),
  ]
}

function describeKey(key: Key): string[] {
  const { column_name, data_type, position, last_key, used_percent, sequence, is_pressing, remedy } = key
  const title = `key ${visible(column_name)} (${data_type}): at ${formatCount(position ?? '0')} of ${formatCount(last_key)}, ${used_percent.replace(/\.00$/, '')} % used`
  const from = sequence === null ? 'its highest value' : `its sequence ${visible(sequence)}`
  return [
    is_pressing ? paint('yellow', title) : title,
    `by ${from}`,
    ...describeEnd(key),
    ...(is_pressing ? [`mend it with: ${visible(remedy)}`] : []),
  ]
}

function describeEnd(key: Key): string[] {
  const { outcome, latest, pace_of, points_found, points_needed, sequence, is_cyclic } = key
  const out = is_cyclic ? 'begins again' : 'runs out'
  if (outcome === 'passed') {
    return [
      is_cyclic
        ? 'it begins again, with keys that there may be already'
        : 'it has run out: no row can be inserted',
    ]
  }
  if (pace_of === 'positions') {
    return [`it ${out} ${describeDates(key)}`, describePace(key as Pace, 'keys')]
  }
  return [
    ...(outcome === 'not after'
      ? [`it ${out} by ${latest}, and sooner where rows are deleted: by its rows`]
      : ['when it runs out is not known']),
    sequence === null
      ? 'no sequence gives its numbers: nothing is known of its pace'
      : `its position is known on ${points_found} ${points_found === '1' ? 'day' : 'days'}, ${points_needed} are needed`,
  ]
}

const describePace = ({ per_day, per_day_low, per_day_high }: Pace, unit: string) =>
  `${formatPace(per_day)} ${unit} a day (${formatPace(per_day_low)} to ${formatPace(per_day_high)})`

function describeDates({ outcome, earliest, latest }: Dates): string {
  switch (outcome) {
    case 'passed':
      return 'it has as many already'
    case 'between':
      return `between ${earliest} and ${latest}`
    case 'not before':
      return `not before ${earliest}, perhaps never`
    case 'not within 100 years':
      return outcome
    default:
      return 'never at this pace'
  }
}

function describeSource({ days, days_found, methods }: ForecastReport): string[] {
  const others = Object.entries(methods ?? {}).filter(([method]) => method !== 'exact')
  const named = others.map(([method, count]) => `${count} ${method}`).join(', ')
  return [
    `from ${days_found} of the last ${days} days${named && ` (${named})`}; ranges hold in 95 of 100 cases`,
  ]
}

/** `+1,001`, `-0.25`, `0`. */
function formatPace(perDay: string): string {
  const [whole = '', rest = ''] = perDay.replace('-', '').split('.')
  const digits = rest.replace(/0+$/, '')
  const amount = formatCount(whole) + (digits && `.${digits}`)
  return amount === '0' ? amount : `${perDay.startsWith('-') ? '-' : '+'}${amount}`
}
