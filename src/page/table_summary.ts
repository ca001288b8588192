import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { type Html, html } from './html.ts'
import { directionOf } from './cells.ts'

/** What the days of a table come to; all but the counts of days are null when none has a result. */
export interface Summary {
  days_found: string
  days_left_out: string
  first_date: string | null
  first_rows: string | null
  last_date: string | null
  last_rows: string | null
  lowest: string | null
  lowest_date: string | null
  highest: string | null
  highest_date: string | null
  change: string | null
  change_percent: string | null
  /** Of a table that none of these days has. */
  last_date_with_result?: string | null
  days_needed?: string | null
}

/** The figures beneath a chart. */
export function tableSummary(summary: Summary): Html {
  if (summary.days_found === '0') return html``
  const left = summary.days_left_out === '0' ? '' : `, ${formatCount(summary.days_left_out)} left it out`
  return html`<dl class="figures">
${figure('Last', formatCount(summary.last_rows ?? ''), summary.last_date)}
${figure('First', formatCount(summary.first_rows ?? ''), summary.first_date)}
${figure('Change', formatChange(summary.change), formatPercent(summary) || 'unchanged', directionOf(summary.change))}
${figure('Lowest', formatCount(summary.lowest ?? ''), summary.lowest_date)}
${figure('Highest', formatCount(summary.highest ?? ''), summary.highest_date)}
${figure('Days', formatCount(summary.days_found), `with a result${left}`)}
</dl>`
}

const figure = (name: string, value: string, detail: string | null, style = '') =>
  html`<div><dt>${name}</dt><dd class="figure ${style}">${value}</dd><dd class="muted">${detail}</dd></div>`
