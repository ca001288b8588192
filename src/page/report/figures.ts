import { estimatedPart } from '../../reading/marked_count.ts'
import type { Period } from '../../reading/period.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { totalOf } from '../count.ts'
import { figure } from '../figure.ts'
import { type Html, html } from '../html.ts'
import { changeOf, percentOf } from '../numbers.ts'
import { shortened } from '../times.ts'
import { spansOf } from './spans.ts'

/** How the period ended, one number each. */
export function figuresOf(period: Period): Html {
  return html`<dl class="figures">
${rows(period)}
${tables(period)}
${alerts(period)}
${runs(period)}
${days(period)}
</dl>`
}

function rows({ after, before, change, change_percent, is_change_estimated }: Period): Html | null {
  if (!after) return null
  const percent = percentOf({ change, change_percent })
  return figure(
    'Rows',
    totalOf(formatCount(after.rows), after),
    estimatedPart(after.estimated_rows),
    before &&
      html`${changeOf(change, { method: is_change_estimated ? 'estimate' : 'exact' })} ${percent && `(${percent})`} since ${shortened(before.snapshot_date)}`,
  )
}

function tables({ after, outcomes }: Period): Html | null {
  if (!after) return null
  const said = ['appeared', 'disappeared', 'grew', 'shrank', 'unclear', 'left out'].flatMap((outcome) =>
    outcomes[outcome] ? [`${formatCount(outcomes[outcome])} ${outcome}`] : [],
  )
  return figure('Tables', formatCount(after.tables), said.join(', '))
}

function alerts({ alerts: { opened, closed, open }, until, business_date }: Period): Html {
  const [were, are] = [`${formatCount(opened.alerts)} opened`, `${formatCount(open.alerts)} open`]
  const ended = `${formatCount(closed.alerts)} closed`
  return until < business_date
    ? figure('Alerts', were, ended, open.alerts !== '0' && `${are} to this day`)
    : figure('Alerts', are, open.alerts === '0' && 'nothing is strange', `${were}, ${ended}`)
}

function runs({ runs: { succeeded, failed, running, imported } }: Period): Html {
  return figure(
    'Runs',
    failed === '0'
      ? `${formatCount(succeeded)} succeeded`
      : html`<span class="down">${formatCount(failed)} failed</span>`,
    failed === '0' ? 'none failed' : `${formatCount(succeeded)} succeeded`,
    imported !== '0' && `${formatCount(imported)} imported`,
    running !== '0' && `${formatCount(running)} still running`,
  )
}

function days({ days: { expected, with_result, without_result } }: Period): Html {
  return figure(
    'Days with a result',
    `${formatCount(with_result)} of ${formatCount(expected)}`,
    without_result.length > 0 && spansOf(without_result).join(', '),
  )
}
