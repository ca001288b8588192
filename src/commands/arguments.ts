import { InvalidArgumentError } from 'commander'

/** Reads an option that is a whole number, from 1 on. */
export function wholeNumber(most: number): (value: string) => number {
  return (value) => {
    const number = /^[1-9]\d{0,8}$/.test(value) ? Number(value) : 0
    if (number >= 1 && number <= most) return number
    throw new InvalidArgumentError(`saw ${value}, expected a whole number from 1 to ${most}`)
  }
}
