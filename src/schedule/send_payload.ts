import { payloadAsText } from './payload.ts'

/** What a job that sends is to do: send a message that is written, or write that of a week. */
export type SendRequest = { message: string } | { digest: 'weekly'; slot: string | null }

/** What a payload asks for; undefined where it is none of a job that sends. */
export function sendRequest(payload: unknown): SendRequest | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const { _cron, ...given } = payload as Record<string, unknown>
  const [[key, value] = [], ...others] = Object.entries(given)
  if (others.length > 0) return undefined
  if (key === 'message' && typeof value === 'string') return { message: value }
  if (key === 'digest' && value === 'weekly') return { digest: value, slot: slotOf(_cron) }
  return undefined
}

/** Why jobs of a schedule that send would fail with this payload; null when nothing is wrong with it. */
export function sendProblem(payload: unknown): string | null {
  const request = sendRequest(payload)
  if (request && 'digest' in request) return null
  return `payload: saw ${payloadAsText(payload).slice(0, 200)}, expected {"digest": "weekly"}`
}

/** The slot that graphile-worker writes into a job of a schedule. */
function slotOf(cron: unknown): string | null {
  const { ts } = (cron ?? {}) as { ts?: unknown }
  return typeof ts === 'string' && !Number.isNaN(Date.parse(ts)) ? ts : null
}
