import { type Html, html } from '../html.ts'

/** What is on a chart, each sign with its meaning; only those that are there. */
export function legend(shown: {
  expected: boolean
  estimated: boolean
  alerts: boolean
  states: ReadonlySet<string>
}): Html {
  const { expected, estimated, alerts, states } = shown
  return html`<figcaption class="trend-legend">${[
    entry('rows', html`<path class="trend-line" d="M1 7H21"/>`),
    expected && entry('expected by the alert rules', html`<path class="trend-expected" d="M1 1H21V13H1Z"/>`),
    estimated && entry('range of an estimate, 99 %', html`<path class="trend-estimated" d="M1 1H21V13H1Z"/>`),
    alerts &&
      entry(
        'alert, numbered as in the list',
        html`<g class="trend-alert"><path d="M11 2l5 5l-5 5l-5-5Z"/></g>`,
      ),
    states.has('imported') && entry('imported', html`<path class="trend-imported" d="M1 7H21"/>`),
    states.has('left-out') && entry('left out by request', html`<path class="trend-left-out" d="M1 7H21"/>`),
    states.has('none') && entry('no result', html`<path class="trend-none" d="M1 7H21"/>`),
  ]}</figcaption>`
}

const entry = (text: string, sign: Html) =>
  html`<span><svg width="22" height="14" aria-hidden="true">${sign}</svg>${text}</span>`
