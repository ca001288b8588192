import { type Html, html } from '../html.ts'
import { dateOf, dateTicks, dayNumber } from './days_axis.ts'
import { legend } from './legend.ts'
import { band, line, spans } from './paths.ts'
import { placeDays, type Trend, tenths } from './place_days.ts'

const plot = { top: 30, height: 260, bottom: 34 }
const strip = plot.height + 7 // beneath the plot: what is special about days

/**
 * How many rows a table had, day by day, as a figure. Each day is a point of the line, however many there are; a gap
 * parts it. The numbers have to stand beside it, in rows with `data-date`: a script reads them out from there.
 *
 * @param label what it shows, for those who do not see it
 * @param isRead false where no script reads it out
 */
export function trendChart(trend: Trend, label: string, isRead = true): Html {
  if (trend.days.every(({ row_count }) => row_count === null)) return html``
  const { first, length, axis, heights, expected, estimated, states } = placeDays(trend, plot.height)
  const alerts = trend.alerts ?? []
  const x = (place: number) => `${((100 * (place + 0.5)) / length).toFixed(2)}%`
  const widest = Math.max(...axis.ticks.map(({ text }) => text.length))
  const total = plot.top + plot.height + plot.bottom
  return html`<figure class="trend-figure" data-first="${dateOf(first)}" data-heights="${heights.join()}">
${isRead && html`<output class="trend-readout" aria-live="polite"></output>`}
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
<svg width="100%" height="${strip + 3}" viewBox="-0.5 0 ${length} ${strip + 3}" preserveAspectRatio="none" overflow="visible">
<path class="trend-expected" d="${band(expected.lows, expected.highs)}"/>
<path class="trend-estimated" d="${band(estimated.lows, estimated.highs)}"/>
<path class="trend-line" d="${line(heights)}"/>
${length <= 45 && html`<path class="trend-points" d="${heights.map((height, place) => (height === null ? '' : `M${place} ${height}h0`)).join('')}"/>`}
${['imported', 'left-out', 'none'].map(
  (state) =>
    html`<path class="trend-${state}" d="${spans(states, [state])
      .map(([from, to]) => `M${from - 0.5} ${strip}H${to + 0.5}`)
      .join('')}"/>`,
)}
</svg>
${dateTicks(first, first + length - 1).map(({ number, text }, n) => {
  const place = (number - first + 0.5) / length
  return html`<text class="trend-date${n % 2 === 1 && ' trend-second'}" x="${x(number - first)}" y="${plot.height + 28}" text-anchor="${place < 0.04 ? 'start' : place > 0.96 ? 'end' : 'middle'}">${text}</text>`
})}
${isRead && html`<svg class="trend-cursor" overflow="visible" visibility="hidden"><line y2="${plot.height}"/><circle r="4.5"/></svg>`}
</svg>
${flags(alerts, first, length).map(
  ({ place, raised, number }) => html`<svg x="${x(place)}" overflow="visible" class="trend-alert">
<line y1="${raised ? 14 : 26}" y2="${plot.top + plot.height}"/><path d="M0 ${plot.top + (heights[place] ?? plot.height) - 5}l5 5l-5 5l-5-5Z"/><text y="${raised ? 11 : 23}">${number}</text></svg>`,
)}
</svg></div>
${legend({
  expected: expected.lows.some((low) => low !== null),
  estimated: estimated.lows.some((low) => low !== null),
  alerts: alerts.length > 0,
  states: new Set(states),
})}
</figure>`
}

/** One flag for each day; where the one before is too near, it is raised. */
function flags(alerts: Trend['alerts'] & object, first: number, length: number) {
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
