const bars = '▁▂▃▄▅▆▇█'

/** Counts as a row of bars, the lowest as low and the highest as high as a line of text; a space where there is none. */
export function sparkline(counts: (string | null)[]): string {
  const values = counts.map((count) => (count === null ? null : BigInt(count)))
  const known = values.filter((value) => value !== null)
  const [first = 0n] = known
  const lowest = known.reduce((one, other) => (other < one ? other : one), first)
  const range = known.reduce((one, other) => (other > one ? other : one), first) - lowest
  const highest = BigInt(bars.length - 1)
  return values
    .map((value) => {
      if (value === null) return ' '
      // What never changes is a line in the middle.
      return bars[range === 0n ? 3 : Number(((value - lowest) * highest * 2n + range) / (range * 2n))]
    })
    .join('')
}
