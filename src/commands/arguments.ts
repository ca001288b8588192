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
