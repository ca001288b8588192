import { Problem } from '../problem.ts'
import { utf8 } from './json.ts'

/** What an event asks for, under the name by which it is known when it is delivered again. */
export interface RunRequest {
  source: string
  id: string
  /** The payload of the job, as JSON text unless the sender is mistaken: the run of such a job fails, and says why. */
  request: string
}

/** The names of an event, which are kept: texts that people can read. */
export function checkName(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') {
    throw new Problem(
      400,
      `${name}: saw ${value === undefined ? 'none' : JSON.stringify(value)}, expected a text`,
    )
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a CloudEvent must not have
  if (/[\x00-\x1f\x7f-\x9f]/.test(value) || !value.isWellFormed()) {
    throw new Problem(400, `${name}: saw control characters or half a character, expected none`)
  }
  const length = Buffer.byteLength(value)
  if (length > 1_000) throw new Problem(400, `${name}: saw ${length} bytes, expected at most 1,000`)
  return value
}

/** What these bytes ask for; without any, a run as by default. */
export function requestOf(data: Buffer): string {
  const text = utf8(data)
  if (text === undefined) return JSON.stringify('bytes that are not UTF-8')
  if (text.trim() === '') return '{}'
  return text.includes('\0') ? JSON.stringify(text) : text // no text of Postgres has a zero byte
}

/** @throws a Problem 400 for what is not base64 as of RFC 4648 */
export function fromBase64(name: string, text: unknown): Buffer {
  if (typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    return Buffer.from(text, 'base64')
  }
  throw new Problem(400, `${name}: saw what is not base64, expected base64 with its padding`)
}
