import { Html } from '../html.ts'
import { linesThrough } from './columns.ts'

/** Its shape is 5 to 1, in whatever size the style sheet gives it. */
const size = { width: 100, height: 20 }

const margin = 2
const [right, bottom] = [size.width - 2 * margin, size.height - 2 * margin]

/**
 * One count for each day, oldest first, as a line without axes; null is a day without a count, and parts it. The numbers
 * have to stand beside it: a screen reader does not hear of it.
 */
export function sparkline(counts: readonly (number | null)[]): Html {
  const known = counts.filter((count) => count !== null)
  const lowest = Math.min(...known)
  const range = Math.max(...known) - lowest
  const y = (count: number) =>
    range === 0 ? bottom / 2 : Math.round(bottom * (1 - (count - lowest) / range))
  const lines = linesThrough(counts.map((value, day) => ({ x: placeOf(day, counts.length), value })))
  const path = lines.map((line) => draw(line.map(({ x, value }) => [margin + x, margin + y(value)]))).join('')
  return new Html(
    `<svg class=sparkline viewBox="0 0 ${size.width} ${size.height}" aria-hidden=true><path d="${path}"/></svg>`,
  )
}

/** The last day is at the right; more days than pixels share them. */
function placeOf(day: number, days: number): number {
  if (days === 1) return right
  return days > right + 1 ? Math.floor((day * (right + 1)) / days) : Math.round((day * right) / (days - 1))
}

/** A point alone is a line of no length: its round ends make it a dot. */
function draw([start, ...rest]: [number, number][]): string {
  if (!start) return ''
  const steps: [number, number][] = []
  let [x, y] = start
  for (const [nextX, nextY] of rest) {
    const last = steps.at(-1)
    if (last && last[1] === 0 && nextY === y) last[0] += nextX - x
    else steps.push([nextX - x, nextY - y])
    ;[x, y] = [nextX, nextY]
  }
  return `M${pair(start)}${steps.length > 0 ? `l${steps.map(pair).join(' ').replaceAll(' -', '-')}` : 'h0'}`
}

const pair = ([x, y]: [number, number]) => `${x}${y < 0 ? '' : ' '}${y}`
