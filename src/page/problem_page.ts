import { visible } from '../terminal/visible.ts'
import { html } from './html.ts'
import { layout } from './layout.ts'

/** Why there is nothing to see, for a person. */
export function problemPage({
  title,
  detail,
  hint,
}: {
  title: string
  detail: string
  hint?: string
}): string {
  return layout({
    title,
    path: '',
    heading: title,
    body: html`<section class="part"><p>${visible(detail)}</p>${hint && html`<p>${visible(hint)}</p>`}<p><a href="/">Today</a></p></section>`,
  })
}
