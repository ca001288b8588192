import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import type { Pen } from '../terminal/chart.ts'
import { outputWidth, paint } from '../terminal/output.ts'
import type { TrendReport } from './trend.ts'
import { drawTrends } from './trend_chart.ts'
import { latest, summaryOf, titleOf } from './trend_words.ts'

/** What each line is drawn with: none is told apart by its colour alone. */
const pens: Pen[] = [
  { character: 'o', style: 'cyan' },
  { character: 'x', style: 'yellow' },
  { character: '+', style: 'green' },
  { character: '*', style: 'magenta' },
  { character: '#', style: 'blue' },
  { character: '%' },
]

/** As many trends can be told apart on one chart. */
export const mostTrends = pens.length

/**
 * Several trends on one chart, and in words what each line is.
 *
 * @throws when one of them has no result on any of these days
 */
export function describeTrends(reports: TrendReport[], asked: number): string {
  const legend = reports.map((report, n) => {
    const { last_rows, ...bounds } = summaryOf(report, asked)
    const { character, style } = pens[n] as Pen
    const words = latest(report, { ...bounds, last: last_rows }, 'rows')
    const length = stringWidth(stripVTControlCharacters(`${titleOf(report)}: ${words.join(', ')}`)) + 2
    return `${paint(style, character)} ${titleOf(report)}: ${words.join(length > outputWidth() ? ',\n  ' : ', ')}`
  })
  return [drawTrends(reports, ({ row_count }) => row_count, pens), '', ...legend].join('\n')
}
