import { formatMinute, isTimeZone } from '../terminal/terminal.ts'

const longDay = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' })
const shortDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

/** A business day in words: `Friday, 20 November 2026`. */
export const dayInWords = (date: string) => longDay.format(new Date(date)).replace(/^(\w+) /, '$1, ')

/** A business day where the year is known: `20 Nov`. */
export const shortened = (date: string) => shortDay.format(new Date(date))

/** Instants of the server's on the clock of a zone; on that of UTC where the zone is known to the server only. */
export function clockOf(timeZone: string) {
  const zone = isTimeZone(timeZone) ? timeZone : 'UTC'
  const short = (instant: string) => {
    const [date, time] = formatMinute(instant, zone).split(' ')
    return `${shortened(date as string)} ${time}`.replaceAll(' ', '\u00a0')
  }
  return {
    /** `2026-11-20 05:15` */
    minute: (instant: string) => formatMinute(instant, zone),
    /** `20 Nov 05:15`, where the year is known. */
    short,
    /** `05:15` on that day, with its date on any other. */
    on: (day: string, instant: string) => {
      const [date, time] = formatMinute(instant, zone).split(' ')
      return date === day ? (time as string) : short(instant)
    },
    /** Which part of its day has passed then: 0 to 1. */
    partOfDay(instant: string): number {
      const [hours, minutes] = formatMinute(instant, zone).slice(-5).split(':').map(Number)
      return ((hours as number) * 60 + (minutes as number)) / 1440
    },
  }
}

export type Clock = ReturnType<typeof clockOf>
