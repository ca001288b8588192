import { formatCount } from '../../terminal/terminal.ts'
import { breakable } from '../cells.ts'
import { type Html, html } from '../html.ts'
import { changeOf, counted, percentOf } from '../numbers.ts'
import type { Summary } from './report.ts'

/** The figures beneath a chart. */
export function figuresOf(summary: Summary): Html {
  const { days_found, days_left_out } = summary
  return html`<dl class="figures">
${figure('Last', breakable(summary.last_rows), summary.last_date)}
${figure('First', breakable(summary.first_rows), summary.first_date)}
${
  summary.first_date !== summary.last_date &&
  figure('Change', changeOf(summary.change), percentOf(summary) || (summary.change === '0' && 'unchanged'))
}
${figure('Lowest', breakable(summary.lowest), summary.lowest_date)}
${figure('Highest', breakable(summary.highest), summary.highest_date)}
${figure('Days', formatCount(days_found), `with a result${days_left_out === '0' ? '' : `; ${counted(days_left_out, 'day')} left it out`}`)}
</dl>`
}

const figure = (name: string, value: Html | string | null, detail: string | null | false): Html =>
  html`<div><dt>${name}</dt><dd class="figure">${value}</dd><dd class="muted">${detail}</dd></div>`
