/** From where to where it is one of these, both places included. */
export function spans(states: readonly string[], wanted: readonly string[]): [number, number][] {
  const found: [number, number][] = []
  states.forEach((state, place) => {
    if (!wanted.includes(state)) return
    const last = found.at(-1)
    if (last && last[1] === place - 1) last[1] = place
    else found.push([place, place])
  })
  return found
}

/** A day alone is a line of no length: its round ends make it a dot. */
export function line(heights: readonly (number | null)[]): string {
  return runsOf(heights)
    .map(([from, to]) =>
      from === to
        ? `M${from} ${heights[from]}h0`
        : heights
            .slice(from, to + 1)
            .map((height, n) => `${n === 0 ? 'M' : 'L'}${from + n} ${height}`)
            .join(''),
    )
    .join('')
}

/** A range of a single day is as wide as that day. */
export function band(lows: readonly (number | null)[], highs: readonly (number | null)[]): string {
  return runsOf(lows)
    .map(([from, to]) => {
      const places = Array.from({ length: to - from + 1 }, (_, n) => from + n)
      const there = places.map((place) => `${place} ${highs[place]}`)
      const back = places.toReversed().map((place) => `${place} ${lows[place]}`)
      const ends = (place: number, height: number | null | undefined) => `${place} ${height}`
      return `M${[
        ends(from - 0.5, highs[from]),
        ...there,
        ends(to + 0.5, highs[to]),
        ends(to + 0.5, lows[to]),
        ...back,
        ends(from - 0.5, lows[from]),
      ].join('L')}Z`
    })
    .join('')
}

/** From where to where there is a height, both included. */
function runsOf(heights: readonly (number | null)[]): [number, number][] {
  return spans(
    heights.map((height) => (height === null ? 'gap' : 'line')),
    ['line'],
  )
}
