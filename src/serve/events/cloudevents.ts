import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../problem.ts'
import { isJson, isObject, mediaType, utf8 } from './json.ts'
import { isPush, readPush } from './pubsub.ts'
import { checkName, fromBase64, type RunRequest, requestOf } from './run_request.ts'

interface Attributes {
  id: unknown
  source: unknown
  type: unknown
  specversion: unknown
}

/** A CloudEvent in binary mode: its attributes are headers, and the body is its data. */
export function readBinary(headers: IncomingHttpHeaders, body: Buffer): RunRequest {
  const attribute = (name: string) => decodeHeader(name, String(headers[name]))
  return named(
    {
      id: attribute('ce-id'),
      source: attribute('ce-source'),
      type: attribute('ce-type'),
      specversion: attribute('ce-specversion'),
    },
    requestOf(body),
  )
}

/** @param place what its problems begin with, such as `event 3: ` */
export function readStructured(event: unknown, place = ''): RunRequest {
  try {
    if (!isObject(event)) throw new Problem(400, 'saw no object, expected a CloudEvent')
    return named(
      { id: event.id, source: event.source, type: event.type, specversion: event.specversion },
      requestIn(event),
    )
  } catch (error) {
    throw error instanceof Problem && place ? new Problem(error.status, place + error.message) : error
  }
}

function requestIn({ data, data_base64, datacontenttype }: Record<string, unknown>): string {
  if (data_base64 !== undefined && data_base64 !== null) {
    if (data !== undefined) throw new Problem(400, 'saw data and data_base64, expected one of them')
    return requestOf(fromBase64('data_base64', data_base64))
  }
  if (data === undefined || data === null) return '{}'
  // Of another type than JSON, a text is the data itself rather than a JSON string.
  const isText = typeof data === 'string' && !isJson(mediaType(String(datacontenttype ?? '')))
  return isText ? requestOf(Buffer.from(data)) : JSON.stringify(data)
}

/** What is delivered for Pub/Sub is known by its names, by whichever way it comes. */
function named({ id, source, type, specversion }: Attributes, request: string): RunRequest {
  if (specversion !== '1.0') {
    throw new Problem(400, `specversion: saw ${JSON.stringify(specversion) ?? 'none'}, expected 1.0`)
  }
  checkName('type', type)
  const event = { source: checkName('source', source), id: checkName('id', id), request }
  const data = parsed(request)
  return isPush(data) ? readPush(data) : event
}

/** HTTP protocol binding, 3.1.3.2: quotes are taken off, then escapes are decoded once. */
function decodeHeader(name: string, value: string): string {
  const unquoted = /^"(?:[^"\\]|\\.)*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value
  const bytes = unquoted.replaceAll(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  const text = utf8(Buffer.from(bytes, 'latin1'))
  if (text === undefined) throw new Problem(400, `${name}: saw bytes that are not UTF-8, expected UTF-8`)
  return text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return
  }
}
