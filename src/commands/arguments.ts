import { InvalidArgumentError } from 'commander'

/** Collects what an option that may be repeated was given. */
export const repeatable = (value: string, values: string[]) => [...values, value]

/** Reads an argument that is a whole number from 1 on. */
export function wholeNumber(last: number): (value: string) => number {
  return (value) => {
    if (/^[1-9]\d*$/.test(value) && Number(value) <= last) return Number(value)
    throw new InvalidArgumentError(`saw ${value}, expected a whole number from 1 to ${last}`)
  }
}

/** Reads a number of rows from 1 on, as text: it may be beyond what a JavaScript number holds. */
export function numberOfRows(value: string): string {
  if (/^[1-9]\d{0,18}$/.test(value) && BigInt(value) < 2n ** 63n) return value
  throw new InvalidArgumentError(`saw ${value}, expected a number of rows from 1 to ${2n ** 63n - 1n}`)
}
