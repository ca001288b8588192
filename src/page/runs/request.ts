import { type Html, html } from '../html.ts'
import { foreign } from '../names.ts'
import type { Clock } from '../times.ts'

/** What a run was asked for, as its header has it: of one that was refused for that, it may be any JSON. */
export interface Request {
  skip_schemas: unknown
  exclude_tables: unknown
  unmatched_entries: { argument: string; entry: string }[]
  requested_by: string
  scheduled_for: string | null
  is_online: boolean
}

/** What a run was asked for, and which entries of that match nothing. */
export function requestOf(run: Request, clock: Clock): Html {
  return html`<section class="part" aria-labelledby="request">
<h2 id="request">Request</h2>
<dl class="facts">
${fact('Requested by', foreign(run.requested_by))}
${run.scheduled_for && fact('Scheduled for', clock.minute(run.scheduled_for))}
${fact('Counted', run.is_online ? 'online, in many short transactions' : 'under one snapshot')}
${fact('Skipped schemas', entries(run.skip_schemas))}
${fact('Excluded tables', entries(run.exclude_tables))}
${run.unmatched_entries.length > 0 && fact('Matches nothing', entries(run.unmatched_entries.map(({ argument, entry }) => `${argument}: ${entry}`)))}
</dl>
</section>`
}

const fact = (name: string, value: Html | string): Html => html`<div><dt>${name}</dt><dd>${value}</dd></div>`

function entries(given: unknown): Html | string {
  const list = Array.isArray(given) ? given : [given]
  if (list.length === 0) return 'none'
  const text = (entry: unknown) => (typeof entry === 'string' ? entry : JSON.stringify(entry))
  return html`<ul class="plain">${list.map((entry) => html`<li><code>${foreign(text(entry))}</code></li>`)}</ul>`
}
