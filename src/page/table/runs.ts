import { inWords } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { headRow, notCounted } from '../cells.ts'
import { countOf } from '../count.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { changeOf } from '../numbers.ts'
import { statusTag } from '../status_tag.ts'
import type { Clock } from '../times.ts'
import type { TableReport, TableRun } from './report.ts'

/** What each run of its last day found for a table. */
export function runsOf({ snapshot_date, runs }: TableReport['last_runs'], clock: Clock): Html | null {
  if (snapshot_date === null) return null
  return html`<section class="part" aria-labelledby="runs">
<h2 id="runs">Runs on ${snapshot_date}</h2>
<div class="scroll"><table>
${headRow('Run', 'Counted', '#Rows', '#Change', 'Remarks')}
<tbody>${runs.map(
    (run) =>
      html`<tr><th scope="row"><a href="${links.run(run.run_id)}">${run.run_id}</a></th><td class="date">${clock.on(snapshot_date, run.measured_at)}</td><td class="number">${countOf(run) ?? notCounted}</td><td class="number">${changeOf(run.change, run, { method: run.previous_method })}</td><td>${remarks(run)}</td></tr>`,
  )}</tbody>
</table></div>
</section>`
}

const remarks = ({ is_result, status, method, error_message }: TableRun) => [
  is_result && html`<span class="tag good">result of the day</span> `,
  status === 'FAILED' && html`${statusTag(status)} `,
  method !== 'exact' && html`<span class="tag">${method}</span> `,
  error_message !== null && html`<span class="reason">${visible(inWords(error_message))}</span>`,
]
