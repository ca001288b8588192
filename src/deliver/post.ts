import { signatureOf } from './signature.ts'
import { slackBody } from './slack.ts'
import type { Webhook } from './webhook.ts'

/** A message that has been written. */
export interface Message {
  /** The same each time it is tried. */
  id: string
  /** The JSON as the database made it. */
  body: string
}

/** Why a webhook has not taken a message. */
export class DeliveryError extends Error {
  /** No other try helps. */
  readonly isFinal: boolean
  /** How long the receiver wants to be left alone. */
  readonly retryAfterSeconds: number

  constructor(message: string, { isFinal = false, retryAfterSeconds = 0 } = {}) {
    super(message)
    this.isFinal = isFinal
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** How long a receiver may take, in milliseconds. */
const patience = 10_000

/**
 * Posts a message once.
 *
 * @throws DeliveryError when it was not taken
 */
export async function post(webhook: Webhook, { id, body }: Message, signal?: AbortSignal): Promise<void> {
  const content = webhook.format === 'slack' ? slackBody(body) : body
  const now = Math.floor(Date.now() / 1000)
  const late = AbortSignal.timeout(patience)
  const response = await fetch(webhook.url, {
    method: 'POST',
    redirect: 'manual', // what was written for one receiver is not for another
    signal: AbortSignal.any([late, ...(signal ? [signal] : [])]),
    headers: {
      'content-type': 'application/json',
      'user-agent': 'table-metrics',
      'webhook-id': id,
      'webhook-timestamp': String(now),
      ...(webhook.key && { 'webhook-signature': signatureOf(webhook.key, id, now, content) }),
    },
    body: content,
  }).catch((error) => {
    if (signal?.aborted) throw new DeliveryError('stopped')
    if (late.aborted) throw new DeliveryError(`no answer within ${patience / 1000} s`)
    throw new DeliveryError(causeOf(error))
  })
  await response.body?.cancel().catch(() => undefined) // what it says may be anything, its own address as well
  if (!response.ok) throw refusal(response)
}

// Where an answer says try later, or something on the way has failed. All others would say the same again.
const passing = (status: number) => [408, 425, 429].includes(status) || status >= 500

function refusal({ status, headers }: Response): DeliveryError {
  if (status < 400) {
    return new DeliveryError(
      `it answered ${status}, a redirect, which is not followed: set ALERT_WEBHOOK_URL to where it leads`,
      { isFinal: true },
    )
  }
  if (!passing(status)) {
    return new DeliveryError(
      `it answered ${status}: see ALERT_WEBHOOK_URL, then table-metrics test-webhook`,
      {
        isFinal: true,
      },
    )
  }
  return new DeliveryError(`it answered ${status}`, {
    retryAfterSeconds: secondsIn(headers.get('retry-after')),
  })
}

const mostSeconds = 24 * 60 * 60

/** What Retry-After says: seconds, or a date; 0 for anything else, and a day at most. */
function secondsIn(retryAfter: string | null): number {
  if (!retryAfter) return 0
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000
  return Number.isNaN(seconds) ? 0 : Math.ceil(Math.min(Math.max(seconds, 0), mostSeconds))
}

/** What `fetch` says hides in its cause; of several addresses, each has one. */
function causeOf(error: Error): string {
  const { cause } = error
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return cause.errors.map((each: Error) => each.message).join('; ')
  }
  return cause instanceof Error ? cause.message || cause.name : error.message
}
