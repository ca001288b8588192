import { readFile } from 'node:fs/promises'
import { Html } from '../html.ts'

const folder = new URL('../../../assets/', import.meta.url)

/** The style of the pages and what a report has beside it, for a document that has nothing but itself. */
export async function inlineStyle(): Promise<Html> {
  const sheets = await Promise.all(
    ['page.css', 'chart.css', 'report.css'].map((name) => readFile(new URL(name, folder), 'utf8')),
  )
  return new Html(`<style>${condensed(sheets.join('\n'))}</style>`)
}

/** Without comments, and without the white space that means nothing. */
const condensed = (sheet: string) =>
  sheet
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .replaceAll(/;}/g, '}')
    .trim()
