import { estimateMark, isEstimate, rangeOf } from '../../reading/marked_count.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { breakable } from '../cells.ts'
import { figure } from '../figure.ts'
import { type Html, html } from '../html.ts'
import { changeOf, counted, percentOf } from '../numbers.ts'
import type { Summary, TableDay } from './report.ts'

/** The figures beneath a chart of these days. */
export function figuresOf(summary: Summary, days: readonly TableDay[]): Html {
  const on = (date: string | null) => days.find(({ snapshot_date }) => snapshot_date === date)
  const rows = (count: string | null, date: string | null) => {
    const day = on(date)
    if (!day || !isEstimate(day)) return breakable(count)
    return html`<span title="${rangeOf(day)}">${estimateMark} ${breakable(count)}</span>`
  }
  const dated = (date: string | null) => {
    const day = on(date)
    return html`${date}${day && isEstimate(day) && html` <span class="range">${rangeOf(day)}</span>`}`
  }
  const { days_found, days_left_out } = summary
  return html`<dl class="figures">
${figure('Last', rows(summary.last_rows, summary.last_date), dated(summary.last_date))}
${figure('First', rows(summary.first_rows, summary.first_date), dated(summary.first_date))}
${
  summary.first_date !== summary.last_date &&
  figure(
    'Change',
    changeOf(
      summary.change,
      { method: on(summary.first_date)?.method },
      { method: on(summary.last_date)?.method },
    ),
    percentOf(summary) || (summary.change === '0' && 'unchanged'),
  )
}
${figure('Lowest', rows(summary.lowest, summary.lowest_date), dated(summary.lowest_date))}
${figure('Highest', rows(summary.highest, summary.highest_date), dated(summary.highest_date))}
${figure('Days', formatCount(days_found), `with a result${days_left_out === '0' ? '' : `; ${counted(days_left_out, 'day')} left it out`}`)}
</dl>`
}
