import { formatChange, formatCount, formatMinute, inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { type Html, html } from './html.ts'
import { links } from './links.ts'
import { directionOf } from './cells.ts'

/** The runs of the last day that met a table, newest first. */
export interface LastRuns {
  snapshot_date: string | null
  runs: {
    run_id: string
    status: string
    collected_at: string
    measured_at: string
    row_count: string | null
    change: string | null
    method: string
    error_message: string | null
    is_result: boolean
  }[]
}

/** What each run of its last day found for a table. */
export function tableRuns({ snapshot_date, runs }: LastRuns, zone: string): Html {
  if (runs.length === 0) return html``
  return html`<section class="part" aria-labelledby="runs">
<h2 id="runs">Runs on ${snapshot_date}</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="runs"><table>
<thead><tr><th scope="col">Run</th><th scope="col">Counted</th><th class="number" scope="col">Rows</th><th class="number" scope="col">Change</th><th scope="col"><span class="visually-hidden">Remarks</span></th></tr></thead>
<tbody>${runs.map(
    (run) =>
      html`<tr><th scope="row"><a href="${links.run(run.run_id)}">${run.run_id}</a></th><td>${formatMinute(run.measured_at, zone)}</td><td class="number">${run.row_count === null ? html`<span class="tag bad">not counted</span>` : formatCount(run.row_count)}</td><td class="number ${directionOf(run.change)}">${formatChange(run.change)}</td><td>${remarks(run)}</td></tr>`,
  )}</tbody>
</table></div>
</section>`
}

const remarks = ({ is_result, status, method, error_message }: LastRuns['runs'][number]) => [
  is_result && html`<span class="tag good">result of the day</span> `,
  status === 'FAILED' && html`<span class="tag bad">FAILED</span> `,
  method !== 'exact' && html`<span class="tag">${method}</span> `,
  error_message !== null && visible(inWords(error_message)),
]
