const day = 86_400_000

/** A date as a number that grows by one each day. */
export const dayNumber = (date: string) => Date.parse(`${date}T00:00Z`) / day

/** The date of such a number: `2026-11-20`. */
export const dateOf = (number: number) =>
  new Date(number * day).toISOString().slice(0, -'T00:00:00.000Z'.length)

/** A date on an axis. */
export interface DateTick {
  number: number
  text: string
}

const show = (options: Intl.DateTimeFormatOptions) => {
  const format = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' })
  return (number: number) => format.format(new Date(number * day))
}
const dayText = show({ month: 'short', day: 'numeric' })
const monthText = show({ month: 'short' })
const yearText = show({ year: 'numeric' })

/** Round dates from one day to another: days, Mondays, first days of months or of years, eight or so. */
export function dateTicks(first: number, last: number): DateTick[] {
  const length = last - first + 1
  const numbers = Array.from({ length }, (_, n) => first + n)
  if (length <= 8) return numbers.map((number) => ({ number, text: dayText(number) }))
  if (length <= 112) {
    const weeks = length <= 56 ? 1 : 2
    return numbers
      .filter((number) => (number - 4) % (7 * weeks) === 0) // day 4 was a Monday
      .map((number) => ({ number, text: dayText(number) }))
  }
  const months = [1, 2, 3, 6, 12, 24, 60].find((step) => length / (30.4 * step) <= 8) ?? 120
  return numbers
    .map((number) => ({ number, date: new Date(number * day) }))
    .filter(
      ({ date }) =>
        date.getUTCDate() === 1 && (date.getUTCFullYear() * 12 + date.getUTCMonth()) % months === 0,
    )
    .map(({ number, date }) => ({
      number,
      text: date.getUTCMonth() === 0 ? yearText(number) : monthText(number),
    }))
}
