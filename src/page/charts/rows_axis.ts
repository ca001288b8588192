import { formatCount } from '../../terminal/terminal.ts'

/** A vertical axis for counts. They are exact in each text; only where they lie is rounded. */
export interface RowsAxis {
  /** Where a count lies: 0 at the bottom, 1 at the top. */
  place(rows: bigint): number
  /** Round counts, lowest first. */
  ticks: { place: number; text: string }[]
}

const mostSteps = 4n

/** An axis for all of these counts, from zero unless they lie far above it. There has to be one. */
export function rowsAxis(counts: readonly bigint[]): RowsAxis {
  const highest = counts.reduce((one, other) => (other > one ? other : one))
  const fewest = counts.reduce((one, other) => (other < one ? other : one))
  if (fewest === highest) {
    const middle = highest === 0n ? 0 : 0.5
    return { place: () => middle, ticks: [{ place: middle, text: formatCount(String(highest)) }] }
  }
  const lowest = fewest * 5n <= highest * 2n ? 0n : fewest
  const step = roundStep(highest - lowest)
  const bottom = (lowest / step) * step
  const top = ((highest + step - 1n) / step) * step
  const place = (rows: bigint) => Number(rows - bottom) / Number(top - bottom)
  const steps = Array.from({ length: Number((top - bottom) / step) + 1 }, (_, n) => bottom + BigInt(n) * step)
  const show = inUnits(top, step)
  return { place, ticks: steps.map((rows) => ({ place: place(rows), text: show(rows) })) }
}

function roundStep(range: bigint): bigint {
  for (let power = 1n; ; power *= 10n) {
    for (const factor of [1n, 2n, 5n]) if (range <= mostSteps * factor * power) return factor * power
  }
}

const units = [
  { size: 10n ** 12n, name: 'T' },
  { size: 10n ** 9n, name: 'B' },
  { size: 10n ** 6n, name: 'M' },
]
const shownInFull = 10_000_000n

/** In millions and so on where that is shorter and still exact. */
function inUnits(top: bigint, step: bigint): (rows: bigint) => string {
  const unit =
    top < shownInFull ? undefined : units.find(({ size }) => size <= top && step % (size / 1000n) === 0n)
  if (!unit) return (rows) => formatCount(String(rows))
  const decimals = [0, 1, 2, 3].find((digits) => step % (unit.size / 10n ** BigInt(digits)) === 0n) ?? 0
  return (rows) => {
    const whole = formatCount(String(rows / unit.size))
    const part = String(rows % unit.size)
      .padStart(String(unit.size).length - 1, '0')
      .slice(0, decimals)
    return rows === 0n ? '0' : `${whole}${part && `.${part}`} ${unit.name}`
  }
}
