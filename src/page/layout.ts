import { type Html, html } from './html.ts'
import { links } from './links.ts'

/** What stands around and in a page. */
export interface Layout {
  /** What a tab or a bookmark says. */
  title: string
  /** Path of the page, such as `/runs`: the navigation marks the entry that it belongs to. */
  path: string
  heading: Html | string
  /** One line beneath the heading. */
  status?: Html | string
  /** What leads to the neighbours of the page, beside the heading. */
  tools?: Html
  body: Html
  /** The business time zone, in which all times of the page are. */
  zone?: string
  /** Where a program finds the same. */
  json?: string | undefined
}

const entries = [
  ['Today', links.today()],
  ['Compare', links.compare()],
  ['Runs', links.runs()],
  ['Alerts', links.alerts()],
] as const

/** A whole document, as it is served. */
export function layout({ path, zone, json, ...page }: Layout): string {
  return documentOf({
    ...page,
    head: html`<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/page.css">
<script type="module" src="/assets/page.js"></script>`,
    top: html`<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="20" height="20">Table metrics</a>
<nav aria-label="Pages"><ul>${entries.map(
      ([name, href]) =>
        html`<li><a href="${href}"${isIn(path, href) && html` aria-current="page"`}>${name}</a></li>`,
    )}</ul></nav>
</header>`,
    foot:
      (zone || json) &&
      html`${zone && clockNote(zone)}
${json && html`<a href="${json}">The same as JSON</a>`}`,
  })
}

/** What stands in any document of ours, wherever its style comes from. */
export interface Document extends Pick<Layout, 'title' | 'heading' | 'status' | 'tools' | 'body'> {
  /** Beside what every document needs. */
  head: Html
  /** Above the heading. */
  top?: Html
  foot?: Html | '' | undefined
}

/** A whole document. */
export function documentOf({ title, head, top, heading, status, tools, body, foot }: Document): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · Table metrics</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${head}
</head>
<body>
${top}
<main id="content">
<div class="head"><div><h1>${heading}</h1>${status && html`<p class="status">${status}</p>`}</div>${tools}</div>
${body}
</main>
${foot && html`<footer class="foot">\n${foot}\n</footer>`}
</body>
</html>
`.markup
}

/** Whose days and times they are. */
export const clockNote = (zone: string): Html =>
  html`<span>Days and times are those of ${zone}, the business time zone.</span>`

const isIn = (path: string, entry: string) =>
  path === entry || (entry !== '/' && path.startsWith(`${entry}/`))
