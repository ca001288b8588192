import { type Html, html } from '../html.ts'
import type { Clock } from '../times.ts'
import type { Run } from './overview.ts'

/** The runs of a day on a line of 24 hours. */
export function stripOfDay(runs: readonly Run[], clock: Clock): Html {
  const percent = (part: number) => `${(100 * part).toFixed(1)}%`
  const started = runs.map(({ status, collected_at }) => ({
    status,
    at: clock.minute(collected_at).slice(-5),
    part: clock.partOfDay(collected_at),
  }))
  const said = started.toReversed().map(({ status, at }) => `${at} ${status}`)
  return html`<svg class="strip" role="img" aria-label="Runs of the day: ${said.join(', ')}"><line x1="0" x2="100%" y1="9" y2="9"/>${[
    0, 0.25, 0.5, 0.75, 1,
  ].map(
    (part) => html`<line x1="${percent(part)}" x2="${percent(part)}" y1="6" y2="12"/>`,
  )}${started.map(({ status, part }) => html`<circle class="${status}" cx="${percent(part)}" cy="9" r="4"/>`)}</svg>`
}
