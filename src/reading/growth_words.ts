import stringWidth from 'string-width'
import { outputWidth, paint } from '../terminal/output.ts'
import { sparkline } from '../terminal/sparkline.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { type Column, layOut } from '../terminal/table.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import type { By, GrownSchema, GrownTable, GrowthReport, Period } from './growth.ts'
import { estimateMark, marked } from './marked_count.ts'
import { rowsCell } from './method_marks.ts'
import { nameOfScope } from './scope.ts'
import { nameOf } from './tables.ts'

const mostSchemas = 20
/** Of a sparkline beside other columns: the last ones are shown. */
const mostBars = 30

const change: Column = { title: 'change', right: true, style: styleOfChange }

/**
 * The periods of a table, a schema or the whole database, and what of it grew most.
 *
 * @throws when none of the periods has a result
 */
export function describeGrowth(report: GrowthReport, asked: number): string {
  const { periods, fastest, schemas, by } = report
  const name = report.schema_name === null ? 'all tables' : visible(nameOfScope(report))
  if (periods.every(({ rows }) => rows === null)) {
    const { last_date_with_result: date } = report.summary
    const times = asked === 1 ? by : `${asked} ${by}s`
    throw new Error(
      date
        ? `${name} has no result in the last ${times}: the last one is of ${date}, ask for more with --periods`
        : `${name} has no result: type table-metrics status to see why`,
    )
  }
  const room = outputWidth() - stringWidth(name) - 2
  const others = periods.filter(
    ({ rows, tables_left_out }) => rows !== null && tables_left_out !== '0',
  ).length
  return [
    `${paint('bold', name)}  ${sparkline(periods.slice(-Math.max(1, room)).map(({ rows }) => rows))}`,
    '',
    tabulatePeriods(periods, by),
    '',
    ...total(report),
    ...(others > 0
      ? [
          `changes are of what both days counted: ${others} ${others === 1 ? 'has' : 'have'} tables left out by request`,
        ]
      : []),
    ...(by !== 'day' && periods.length === 1
      ? [`only one ${by} has a result: type table-metrics growth --by day to see the days`]
      : []),
    ...(schemas && schemas.length > 1 ? ['', ...tabulateSchemas(schemas, by)] : []),
    ...(fastest && fastest.rows.length > 0 ? ['', 'grew most:', '', tabulateFastest(fastest.rows, by)] : []),
  ].join('\n')
}

function tabulatePeriods(periods: Period[], by: By): string {
  return layOut(
    [
      { title: by },
      ...(by === 'day' ? [] : [{ title: 'until' }]),
      { title: 'rows', right: true },
      change,
      { title: '%', right: true },
      { title: 'per day', right: true },
    ],
    periods.map((period, n) => {
      const among = [period, periods[n - 1]].map((of) => ({
        method: (of?.estimated_rows ?? null) && 'estimate',
      }))
      const { period_start, snapshot_date, rows, per_day } = period
      return [
        by === 'month' ? period_start.slice(0, -'-01'.length) : period_start,
        ...(by === 'day' ? [] : [snapshot_date]),
        rows === null ? 'left out' : estimated(formatCount(rows), period.estimated_rows !== null),
        marked(formatChange(period.change), ...among),
        marked(formatPercent(period), ...among),
        marked(formatPerDay(per_day), ...among),
      ]
    }),
  )
}

function tabulateSchemas(schemas: GrownSchema[], by: By): string[] {
  const shown = schemas.slice(0, mostSchemas)
  const more = schemas.length - shown.length
  return [
    layOut(
      [
        { title: 'schema', cut: 'middle' },
        { title: 'rows', right: true },
        change,
        { title: '%', right: true },
        { title: `${by}s` },
      ],
      shown.map((schema) => [
        schema.schema_name,
        estimated(formatCount(schema.rows.at(-1) ?? ''), schema.is_estimated),
        estimated(formatChange(schema.change), schema.is_estimated),
        estimated(formatPercent(schema), schema.is_estimated),
        sparkline(schema.rows.slice(-mostBars)),
      ]),
    ),
    ...(more > 0 ? [`… and ${formatCount(String(more))} with fewer rows: --json has all`] : []),
  ]
}

function tabulateFastest(tables: GrownTable[], by: By): string {
  return layOut(
    [
      { title: 'table', cut: 'middle' },
      { title: 'rows', right: true },
      change,
      { title: '%', right: true },
      { title: `${by}s` },
    ],
    tables.map((table) => [
      nameOf(table),
      rowsCell({ row_count: table.after, method: table.method }),
      marked(formatChange(table.change), table),
      marked(formatPercent(table), table),
      sparkline(table.rows.slice(-mostBars)),
    ]),
  )
}

/** `+8,333 (+20.8 %) since 2026-09-06, 108.2 a day`, of the first and the last day that have a result. */
function total({ summary, periods }: GrowthReport): string[] {
  if (summary.first_date === summary.last_date) return []
  const isEstimated = periods.some(({ estimated_rows }) => estimated_rows !== null)
  const percent = formatPercent(summary)
  const text =
    summary.change === null
      ? 'no table in common'
      : summary.change === '0'
        ? 'unchanged'
        : `${formatChange(summary.change)}${percent ? ` (${percent})` : ''}`
  const perDay = formatPerDay(summary.per_day)
  const leftOut = summary.tables_left_out ?? '0'
  return [
    `${paint(styleOfChange(text), estimated(text, isEstimated))} since ${summary.first_date}${perDay && perDay !== '=' ? `, ${perDay} a day` : ''}${
      leftOut === '0' ? '' : `, without ${formatCount(leftOut)} that one of both leaves out`
    }`,
  ]
}

const estimated = (text: string, isEstimated: boolean) =>
  text && isEstimated ? `${estimateMark} ${text}` : text

/** `+1,234.5` rows a day, `=` for none: with one decimal below a hundred. */
function formatPerDay(perDay: string | null): string {
  if (perDay === null) return ''
  const digits = Math.abs(Number(perDay)) < 100 ? 1 : 0
  const text = new Intl.NumberFormat('en', {
    signDisplay: 'exceptZero',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(perDay as `${number}`)
  return Number(perDay) === 0 ? '=' : text
}
