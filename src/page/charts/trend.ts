import { type Html, html } from '../html.ts'
import { dateOf, dateTicks, dayNumber } from './days_axis.ts'
import { legend } from './legend.ts'
import { band, line, spans } from './paths.ts'
import { rowsAxis } from './rows_axis.ts'

/** What a chart of one table shows. Counts are decimal digits, as many as there are. */
export interface Trend {
  /** Oldest first; row_count is null on a day whose run left the table out. No day: it has no result. */
  days: readonly { snapshot_date: string; row_count: string | null; method?: string | null }[]
  /** What was expected of some of these days. */
  expected?: readonly { snapshot_date: string; expected_low: string; expected_high: string }[]
  /** Numbered from the first one on. */
  alerts?: readonly { snapshot_date: string; number: number }[]
  /** The axis ends here, or at the last day when that is later. */
  until?: string
}

const plot = { top: 30, height: 260, bottom: 34 }
const strip = plot.height + 7 // beneath the plot: what is special about days

/**
 * How many rows a table had, day by day, as a figure. Each day is a point of the line, however many there are; a gap
 * parts it. The numbers have to stand beside it, in rows with `data-date`: a script reads them out from there.
 *
 * @param label what it shows, for those who do not see it
 */
export function trendChart({ days, expected = [], alerts = [], until }: Trend, label: string): Html {
  const [oldest] = days
  const newest = days.at(-1)
  if (!oldest || !newest || days.every(({ row_count }) => row_count === null)) return html``
  const first = dayNumber(oldest.snapshot_date)
  const last = Math.max(dayNumber(newest.snapshot_date), until ? dayNumber(until) : 0)
  const length = last - first + 1
  const axis = rowsAxis([
    ...days.flatMap(({ row_count }) => (row_count === null ? [] : [BigInt(row_count)])),
    ...expected.flatMap(({ expected_low, expected_high }) => [BigInt(expected_low), BigInt(expected_high)]),
  ])
  const x = (number: number) => `${((100 * (number - first + 0.5)) / length).toFixed(2)}%`
  const y = (rows: string) => tenths(plot.height * (1 - axis.place(BigInt(rows))))

  const heights = Array<number | null>(length).fill(null)
  const states = Array<string>(length).fill('none')
  for (const { snapshot_date, row_count, method } of days) {
    const place = dayNumber(snapshot_date) - first
    heights[place] = row_count === null ? null : y(row_count)
    states[place] = row_count === null ? 'left-out' : method === 'imported' ? 'imported' : 'counted'
  }
  const lows = Array<number | null>(length).fill(null)
  const highs = Array<number | null>(length).fill(null)
  for (const { snapshot_date, expected_low, expected_high } of expected) {
    const place = dayNumber(snapshot_date) - first
    lows[place] = y(expected_low)
    highs[place] = y(expected_high)
  }

  const widest = Math.max(...axis.ticks.map(({ text }) => text.length))
  const total = plot.top + plot.height + plot.bottom
  return html`<figure class="trend-figure" data-first="${dateOf(first)}" data-heights="${heights.join()}">
<output class="trend-readout" aria-live="polite"></output>
<svg class="trend-rows" width="${8 * widest + 8}" height="${total}" aria-hidden="true">${axis.ticks.map(
    ({ place, text }) =>
      html`<text x="${8 * widest}" y="${tenths(plot.top + plot.height * (1 - place))}" dy="4">${text}</text>`,
  )}</svg>
<div class="trend-plot"><svg width="100%" height="${total}" role="img" aria-label="${label}">
<svg y="${plot.top}" height="${plot.height + plot.bottom}" overflow="visible">
${axis.ticks.map(({ place }) => {
  const at = tenths(plot.height * (1 - place))
  return html`<line class="trend-tick" x2="100%" y1="${at}" y2="${at}"/>`
})}
<svg width="100%" height="${strip + 3}" viewBox="-0.5 0 ${length} ${strip + 3}" preserveAspectRatio="none">
<path class="trend-expected" d="${band(lows, highs)}"/>
<path class="trend-line" d="${line(heights)}"/>
${length <= 45 && html`<path class="trend-points" d="${heights.map((height, place) => (height === null ? '' : `M${place} ${height}h0`)).join('')}"/>`}
${['imported', 'left-out', 'none'].map(
  (state) =>
    html`<path class="trend-${state}" d="${spans(states, [state])
      .map(([from, to]) => `M${from - 0.5} ${strip}H${to + 0.5}`)
      .join('')}"/>`,
)}
</svg>
${dateTicks(first, last).map(({ number, text }, n) => {
  const place = (number - first + 0.5) / length
  return html`<text class="trend-date${n % 2 === 1 && ' trend-second'}" x="${x(number)}" y="${plot.height + 28}" text-anchor="${place < 0.04 ? 'start' : place > 0.96 ? 'end' : 'middle'}">${text}</text>`
})}
<svg class="trend-cursor" overflow="visible" visibility="hidden"><line y2="${plot.height}"/><circle r="4.5"/></svg>
</svg>
${flags(alerts, first, length).map(
  ({ place, raised, number }) => html`<svg x="${x(first + place)}" overflow="visible" class="trend-alert">
<line y1="${raised ? 14 : 26}" y2="${plot.top + plot.height}"/><path d="M0 ${plot.top + (heights[place] ?? plot.height) - 5}l5 5l-5 5l-5-5Z"/><text y="${raised ? 11 : 23}">${number}</text></svg>`,
)}
</svg></div>
${legend({
  expected: expected.length > 0,
  alerts: alerts.length > 0,
  states: new Set(states),
})}
</figure>`
}

const tenths = (number: number) => Math.round(number * 10) / 10

/** One flag for each day; where the one before is too near, it is raised. */
function flags(alerts: NonNullable<Trend['alerts']>, first: number, length: number) {
  const byPlace = new Map<number, number[]>()
  for (const { snapshot_date, number } of alerts) {
    const place = dayNumber(snapshot_date) - first
    if (place >= 0 && place < length) byPlace.set(place, [...(byPlace.get(place) ?? []), number])
  }
  let before = { place: Number.NEGATIVE_INFINITY, raised: false }
  return [...byPlace]
    .sort(([one], [other]) => one - other)
    .map(([place, numbers]) => {
      const isNear = (place - before.place) / length < 0.05
      before = { place, raised: isNear && !before.raised }
      return { ...before, number: numbers.join(',') }
    })
}
