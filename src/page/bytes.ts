import { type Html, html } from './html.ts'

const units = ['kB', 'MB', 'GB', 'TB', 'PB']

/** A number of bytes as PostgreSQL says it, in units of 1024: `512 B`, `1.4 GB`. */
export function formatBytes(bytes: string): string {
  let rest = Number(bytes)
  if (rest < 1024) return `${rest}\u00a0B`
  let unit = -1
  while (rest >= 1023.95 && unit < units.length - 1) {
    rest /= 1024
    unit++
  }
  return `${rest >= 100 ? Math.round(rest) : rest.toFixed(1)}\u00a0${units[unit]}`
}

/** The cell of a size, with what it is sorted by; empty where it was not measured. */
export const bytesCell = (bytes: string | null | undefined, role?: string): Html =>
  html`<td${role && html` role="${role}"`} class="number"${bytes && html` data-key="${bytes}" title="${bytes} bytes"`}>${bytes && formatBytes(bytes)}</td>`

/** True where one of them was measured: then there is a column for it. */
export const haveBytes = (tables: readonly { total_bytes?: string | null | undefined }[]) =>
  tables.some(({ total_bytes }) => total_bytes !== null && total_bytes !== undefined)
