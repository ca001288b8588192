import type { RunHeader } from '../../reading/status.ts'
import { formatCount, formatDuration, inWords } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { headRow } from '../cells.ts'
import { type Html, html } from '../html.ts'
import { layout } from '../layout.ts'
import { address, links } from '../links.ts'
import { statusTag } from '../status_tag.ts'
import { type Clock, clockOf } from '../times.ts'
import { turn } from '../turn.ts'

/** What nms.runs_report says, each number as text. */
export interface RunList {
  /** Newest first. */
  runs: RunHeader[]
  /** Given as `before`, it asks for those that follow. */
  next: string | null
}

/**
 * The page of all runs, some at a time.
 *
 * @param before the run after these, where they are not the newest
 */
export function runsPage({ runs, next }: RunList, zone: string, before: string | undefined): string {
  const clock = clockOf(zone)
  return layout({
    title: 'Runs',
    path: links.runs(),
    heading: 'Runs',
    status: before ? `Those before run ${before}, newest first` : 'Newest first',
    zone,
    json: address('/v1/runs', { limit: '50', before }),
    body: html`${
      runs.length === 0
        ? html`<p class="notice">No run${before && ' is older'} yet.</p>`
        : html`<div class="scroll"><table>
${headRow('Run', 'Status', 'Day', 'Started', '#Took', '#Tables', '#Rows', 'Reason')}
<tbody>${runs.map((run) => row(run, clock))}</tbody>
</table></div>`
    }
${turn(links.runs, before, next)}`,
  })
}

function row(run: RunHeader, clock: Clock): Html {
  const { run_id, status, error_message, snapshot_date, totals } = run
  return html`<tr><th scope="row"><a href="${links.run(run_id)}">${run_id}</a></th><td>${statusTag(status)}</td><td class="date"><a href="${links.today(snapshot_date)}">${snapshot_date}</a></td><td class="date">${clock.on(snapshot_date, run.collected_at)}</td><td class="number">${
    run.is_imported ? html`<span class="tag">imported</span>` : formatDuration(run.seconds)
  }</td><td class="number">${formatCount(totals.tables ?? '')}</td><td class="number">${formatCount(totals.rows ?? '')}</td><td>${
    error_message !== null && html`<span class="reason clipped">${visible(inWords(error_message))}</span>`
  }</td></tr>\n`
}
