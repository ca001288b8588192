import { formatCount, formatDuration, plural } from '../../terminal/terminal.ts'
import { visibleLines } from '../../terminal/visible.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { tableLink } from '../names.ts'
import { type Clock, dayInWords } from '../times.ts'
import type { LastRun, Overview } from './overview.ts'

/** What somebody has to know before the numbers: a day without a result, a run that failed, one that works. */
export function situation(overview: Overview, clock: Clock): Html[] {
  return [noResult(overview, clock), failedRun(overview, clock), runningRun(overview)].filter(
    (notice) => notice !== null,
  )
}

function noResult(overview: Overview, clock: Clock): Html | null {
  const { has_result, snapshot_date, business_date, next_due } = overview
  if (has_result && snapshot_date >= business_date) return null
  if (has_result) {
    if (overview.later_date !== null) return null
    const due = next_due && ` It is due by ${clock.minute(next_due.due_at)}.`
    return html`<div class="notice"><p>Today, ${dayInWords(business_date)}, has no result yet.${due} This is the last day that has one.</p></div>`
  }
  const nearest = [overview.earlier_date, overview.later_date].filter((date) => date !== null)
  return html`<div class="notice warn"><h2>No result for this day</h2>
<p>${why(overview)} ${nearest.length > 0 && html`The nearest with a result: ${nearest.map((date, n) => [n > 0 && ' and ', html`<a href="${links.today(date)}">${dayInWords(date)}</a>`])}.`}</p></div>`
}

function why({ runs, snapshot_date, business_date }: Overview): string {
  if (runs.some(({ status }) => status === 'RUNNING')) return 'A run is still counting.'
  if (runs.length > 0) return 'No run of it has succeeded.'
  return snapshot_date > business_date ? 'It has not come yet.' : 'No run has counted on it.'
}

function failedRun(overview: Overview, clock: Clock): Html | null {
  const { last_run, run, has_result } = overview
  const isShown = !has_result && run?.status === 'FAILED'
  const failed = isShown ? run : last_run?.status === 'FAILED' ? last_run : null
  if (!failed) return null
  const failures = failed.run_id === last_run?.run_id ? last_run.failures : failuresOf(overview)
  return html`<div class="notice bad"><h2><a href="${links.run(failed.run_id)}">Run ${failed.run_id}</a> failed, ${clock.minute(failed.collected_at)}</h2>
${failed.error_message && html`<pre class="reason">${visibleLines(failed.error_message, '')}</pre>`}
${failures.length > 0 && html`<details${failures.length <= 10 && html` open`}><summary>${formatCount(String(failures.length))} not counted</summary><ul class="plain">${failures.slice(0, 50).map((failure) => html`<li>${tableLink(failure)}: ${visibleLines(failure.error_message ?? '', '')} <span class="muted">(${failure.error_sqlstate})</span></li>`)}</ul></details>`}</div>`
}

const failuresOf = ({ tables }: Overview) => tables.filter(({ row_count }) => row_count === null)

function runningRun({ last_run }: Overview): Html | null {
  if (last_run?.status !== 'RUNNING') return null
  return html`<div class="notice"><p><a href="${links.run(last_run.run_id)}">Run ${last_run.run_id}</a> is counting, for ${formatDuration(last_run.seconds)} so far${progressOf(last_run)}.</p></div>`
}

function progressOf({ counted, target_count }: LastRun): string {
  if (target_count === null || counted === '0') return ''
  return `: ${formatCount(counted)} of ${plural(target_count, 'table')}`
}
