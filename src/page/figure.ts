import { type Html, html } from './html.ts'

type Shown = Html | string | null | false | undefined

/** One number of a list of figures, and what there is to say of it. */
export const figure = (name: string, value: Shown, ...details: Shown[]): Html =>
  html`<div><dt>${name}</dt><dd class="figure">${value}</dd>${details.map((detail) => detail && html`<dd class="muted">${detail}</dd>`)}</div>`
