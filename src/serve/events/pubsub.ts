import type { IncomingHttpHeaders } from 'node:http'
import { isObject } from './json.ts'
import { checkName, fromBase64, type RunRequest, requestOf } from './run_request.ts'

/** A message as Pub/Sub pushes it, and as Eventarc hands it on. */
export interface Push {
  message: { data?: unknown; messageId?: unknown; message_id?: unknown }
  subscription: unknown
}

export function isPush(body: unknown): body is Push {
  return isObject(body) && isObject(body.message) && typeof body.subscription === 'string'
}

export function readPush({ message, subscription }: Push): RunRequest {
  const { data, messageId, message_id } = message
  return {
    ...names(subscription, messageId ?? message_id),
    request: data === undefined || data === null ? '{}' : requestOf(fromBase64('message.data', data)),
  }
}

/** A push of the data alone, with the names of the message in headers. */
export function readUnwrapped(headers: IncomingHttpHeaders, body: Buffer): RunRequest {
  const header = (name: string) => headers[`x-goog-pubsub-${name}`]
  return { ...names(header('subscription-name'), header('message-id')), request: requestOf(body) }
}

/** The same for a message, however it comes. */
function names(subscription: unknown, messageId: unknown): Pick<RunRequest, 'source' | 'id'> {
  return {
    source: `//pubsub.googleapis.com/${checkName('subscription', subscription)}`,
    id: checkName('messageId', messageId),
  }
}
