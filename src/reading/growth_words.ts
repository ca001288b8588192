import stringWidth from 'string-width'
import { outputWidth, paint } from '../terminal/output.ts'
import { sparkline } from '../terminal/sparkline.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import type { GrowthReport } from './growth.ts'
import {
  estimated,
  formatPerDay,
  tabulateFastest,
  tabulatePeriods,
  tabulateSchemas,
} from './growth_tables.ts'
import { nameOfScope } from './scope.ts'

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
