import { type Log, reasonOf } from '../log.ts'
import { ask } from '../schedule/open_job.ts'
import { visible } from '../terminal/visible.ts'
import { type Delivering, sendMessage, writeMessages } from './send.ts'
import type { Webhook } from './webhook.ts'

/** Says on standard error what could not be told, and nothing else. */
export const warnings: Log = {
  record(event) {
    if (event.event !== 'message_failed') return
    const { about, to, is_final, reason } = event
    const next = is_final ? 'it is not tried again' : 'the next collect tries again, or a worker'
    console.error(visible(`warning: ${to} was not told about ${about}: ${reason}; ${next}`))
  },
}

/** In milliseconds: after so long, no other message is begun. */
const patience = 10_000

/**
 * Sends what waits to be sent, each message once, and no other after one that was not taken: the next `collect`
 * tries again, and so does a worker.
 */
export async function sendNow(url: string, webhook: Webhook, log: Log, signal: AbortSignal): Promise<void> {
  const delivering: Delivering = { url, webhook, log, signal }
  const deadline = Date.now() + patience
  try {
    for (const about of await ask(url, signal, writeMessages)) {
      if (Date.now() > deadline) return
      const delivery = await sendMessage(about, delivering)
      if (delivery instanceof Error && !delivery.isFinal) return
    }
  } catch (error) {
    const reason = reasonOf(error)
    log.record({
      event: 'message_failed',
      about: 'what there is to tell',
      to: webhook.origin,
      is_final: false,
      reason,
    })
  }
}
