import { type Html, html } from './html.ts'

/**
 * What leads through a list that is shown some at a time, newest first.
 *
 * @param link to those before an entry, or to the newest
 * @param before where the shown ones begin, unless they are the newest
 * @param next where older ones begin, where there are any
 */
export function turn(
  link: (before?: string) => string,
  before: string | undefined,
  next: string | null,
): Html | null {
  if (!before && !next) return null
  return html`<p class="turn">${before && html`<a class="button" href="${link()}">Newest</a>`} ${next && html`<a class="button" rel="next" href="${link(next)}">Older →</a>`}</p>`
}
