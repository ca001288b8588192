import { type Html, html } from './html.ts'

const moods: Record<string, string> = { SUCCEEDED: 'good', FAILED: 'bad', RUNNING: 'warn' }

/** The status of a run, as the history has it. */
export function statusTag(status: string): Html {
  return html`<span class="tag ${moods[status] ?? ''}">${status}</span>`
}
