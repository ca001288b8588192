import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../problem.ts'
import { readBinary, readStructured } from './cloudevents.ts'
import { exactJson, mediaType } from './json.ts'
import { isPush, readPush, readUnwrapped } from './pubsub.ts'
import type { RunRequest } from './run_request.ts'

const mostInABatch = 100

/**
 * Reads what a sender has posted: CloudEvents 1.0 in binary, structured or batched mode, or a push of Pub/Sub, wrapped
 * or not. What an event asks for is not judged here.
 *
 * @throws a Problem: 415 for what is no event, 400 for an event without a name or a frame of its own, 413 for more
 * than a hundred at once
 */
export function readEvents(headers: IncomingHttpHeaders, body: Buffer): RunRequest[] {
  const type = mediaType(headers['content-type'])
  if (type.startsWith('application/cloudevents')) return readEnvelopes(type, headers, body)
  const attributes = Object.keys(headers).filter((name) => /^ce-(id|source|type|specversion)$/.test(name))
  if (attributes.length === 4) return [readBinary(headers, body)]

  // A form that another site lets a browser send has neither this type nor headers of its own.
  const json = type === 'application/json' ? parsed(body) : undefined
  if (isPush(json)) return [readPush(json)]
  if (headers['x-goog-pubsub-message-id']) return [readUnwrapped(headers, body)]
  if (attributes.length > 0) {
    throw new Problem(
      400,
      `saw only ${attributes.sort().join(', ')}, expected ce-id, ce-source, ce-specversion and ce-type`,
    )
  }
  throw new Problem(
    415,
    `saw ${type || 'no content type'} and no event, expected a CloudEvent, such as application/cloudevents+json, or a push of Pub/Sub: wrapped, or unwrapped with its metadata`,
  )
}

function readEnvelopes(type: string, headers: IncomingHttpHeaders, body: Buffer): RunRequest[] {
  const isBatch = type === 'application/cloudevents-batch+json'
  if (!isBatch && type !== 'application/cloudevents+json') {
    throw new Problem(415, `saw ${type}, expected application/cloudevents+json or -batch+json`)
  }
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  if (!/^utf-?8$/i.test(charset)) throw new Problem(415, `charset: saw ${charset}, expected utf-8`)
  const json = exactJson(body)
  if (!isBatch) return [readStructured(json)]
  if (!Array.isArray(json)) throw new Problem(400, 'saw no array, expected a batch of CloudEvents')
  if (json.length > mostInABatch) {
    throw new Problem(413, `saw ${json.length} events, expected at most ${mostInABatch} in a batch`)
  }
  return json.map((event, n) => readStructured(event, `event ${n}: `))
}

/** Undefined for what is no JSON: then it is no push either. */
function parsed(body: Buffer): unknown {
  try {
    return exactJson(body)
  } catch {
    return
  }
}
