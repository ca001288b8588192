import { dateOf, dayNumber } from '../charts/days_axis.ts'

/** Days, oldest first, those that follow one another together: `2026-11-03`, `2026-11-07 to 2026-11-09`. */
export function spansOf(dates: readonly string[]): string[] {
  const spans: [number, number][] = []
  for (const number of dates.map(dayNumber)) {
    const last = spans.at(-1)
    if (last?.[1] === number - 1) last[1] = number
    else spans.push([number, number])
  }
  return spans.map(([from, to]) => (from === to ? dateOf(from) : `${dateOf(from)} to ${dateOf(to)}`))
}
