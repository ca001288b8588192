import { Problem } from '../problem.ts'

/** The media type in lower case, without parameters; '' for none. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/** True for types whose content is JSON. */
export function isJson(type: string): boolean {
  return type === '' || /[/+]json$/.test(type)
}

/** Undefined for bytes that are not UTF-8. */
export function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return
  }
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown

const { rawJSON } = JSON as unknown as { rawJSON(text: string): object }

/** As it stands, also in digits: JSON.stringify() writes each number as it was read. */
const exactly: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined ? rawJSON(source) : value

/** @throws a Problem 400 for what is no JSON, or too deep */
export function exactJson(body: Buffer): unknown {
  const text = utf8(body)
  if (text === undefined) throw new Problem(400, 'saw bytes that are not UTF-8, expected JSON')
  try {
    return JSON.parse(text, exactly as (key: string, value: unknown) => unknown)
  } catch (error) {
    throw new Problem(400, `${(error as Error).message.split('\n')[0]}, expected JSON`)
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
