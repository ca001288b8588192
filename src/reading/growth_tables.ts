import { sparkline } from '../terminal/sparkline.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { type Column, layOut } from '../terminal/table.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import type { By, GrownSchema, GrownTable, Period } from './growth.ts'
import { estimateMark, marked } from './marked_count.ts'
import { rowsCell } from './method_marks.ts'
import { nameOf } from './tables.ts'

const mostSchemas = 20
/** Of a sparkline beside other columns: the last ones are shown. */
const mostBars = 30

const change: Column = { title: 'change', right: true, style: styleOfChange }

/** A line for each period. */
export function tabulatePeriods(periods: Period[], by: By): string {
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

/** A line for each of the largest schemas, with its rows over the periods as bars. */
export function tabulateSchemas(schemas: GrownSchema[], by: By): string[] {
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

/** The same of the tables that grew most. */
export function tabulateFastest(tables: GrownTable[], by: By): string {
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

/** A number with the mark of an estimate where it is one. */
export const estimated = (text: string, isEstimated: boolean) =>
  text && isEstimated ? `${estimateMark} ${text}` : text

/** `+1,234.5` rows a day, `=` for none: with one decimal below a hundred. */
export function formatPerDay(perDay: string | null): string {
  if (perDay === null) return ''
  const digits = Math.abs(Number(perDay)) < 100 ? 1 : 0
  const text = new Intl.NumberFormat('en', {
    signDisplay: 'exceptZero',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(perDay as `${number}`)
  return Number(perDay) === 0 ? '=' : text
}
