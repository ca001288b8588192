/** A count with its digits grouped: `1,234,567`. Exact beyond 2^53: it never becomes a number. */
export function formatCount(count: string): string {
  return count.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 table`, `1,234 tables`. */
export const plural = (count: string, noun: string) =>
  `${formatCount(count)} ${noun}${count === '1' ? '' : 's'}`

/** A change of a count: `+12`, `-3`, `=` for none, nothing where there is no earlier count. */
export function formatChange(change: string | null): string {
  if (change === null) return ''
  if (change === '0') return '='
  return change.startsWith('-') ? `-${formatCount(change.slice(1))}` : `+${formatCount(change)}`
}

const percentFormat = new Intl.NumberFormat('en', {
  signDisplay: 'always',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
})

/** A change in per cent of what was there: `+12.5 %`; nothing where nothing changed, or nothing was there. */
export function formatPercent(of: { change: string | null; change_percent: string | null }): string {
  if (of.change === '0' || of.change_percent === null) return ''
  return `${percentFormat.format(of.change_percent as `${number}`)} %`
}

/** What the request of a run has left out, as a line where there is anything. */
export function describeLeftOut(tables: string | null): string[] {
  if (tables === null || tables === '0') return []
  return [`${plural(tables, 'table')} left out by request`]
}

/** True for a time zone in which times can be shown here; the server knows a few more. */
export function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

/** An instant of the server's in a time zone: `2026-11-20 05:15:00`. */
export function formatTime(instant: string, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(
    new Date(instant),
  )
}

/** The same without its seconds. */
export const formatMinute = (instant: string, timeZone: string) =>
  formatTime(instant, timeZone).slice(0, -':00'.length)

/** How long something took: `1.25 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(text: string): string {
  const seconds = Number(text)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1) return `${seconds.toFixed(2)} s`
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A message in one line, with a space for whatever separates its words. */
export const inWords = (message: string) => message.replaceAll(/\s+/g, ' ')
