import type { FailureReason, Period } from '../../reading/period.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { visibleLines } from '../../terminal/visible.ts'
import { type Html, html } from '../html.ts'
import { counted } from '../numbers.ts'
import { spansOf } from './spans.ts'

/** Which runs failed, and why; which days have no result. */
export function runsOf({ runs, days }: Period): Html | null {
  const { without_result } = days
  if (runs.failed === '0' && without_result.length === 0) return null
  return html`<section class="part" aria-labelledby="runs"><h2 id="runs">Runs</h2>
${without_result.length > 0 && html`<div class="notice bad"><p><strong>${counted(without_result.length, 'day')} without a result:</strong> ${spansOf(without_result).join(', ')}</p></div>`}
${runs.reasons.map(reasonOf)}
${runs.more_reasons !== '0' && html`<p class="muted">and ${formatCount(runs.more_reasons)} more reasons</p>`}
</section>`
}

function reasonOf({ error_message, runs, last_run, first_date, last_date }: FailureReason): Html {
  const said =
    runs === '1'
      ? `Run ${last_run} of ${last_date} failed`
      : `${formatCount(runs)} runs failed, ${first_date === last_date ? `on ${last_date}` : `${first_date} to ${last_date}`}, the last one was run ${last_run}`
  return html`<div class="notice bad"><h3>${said}</h3><pre class="reason">${visibleLines(error_message, '')}</pre></div>`
}
