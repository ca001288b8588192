import type { Sql } from '../connection/database.ts'
import { type Log, reasonOf } from '../log.ts'
import { ask } from '../schedule/open_job.ts'
import { DeliveryError, type Message, post } from './post.ts'
import type { Webhook } from './webhook.ts'

/** How it went: busy, another session sends it just now; done, there was nothing to send any more. */
export type Delivery = 'sent' | 'busy' | 'done' | DeliveryError

export interface Delivering {
  /** The database. */
  url: string
  webhook: Webhook
  log: Log
  signal: AbortSignal
}

/**
 * Sends a message that was written, once, and notes how that went. No transaction is open meanwhile.
 *
 * @param about such as `run 41`
 * @throws what the server or the connection to the database reports
 */
export async function sendMessage(about: string, delivering: Delivering): Promise<Delivery> {
  const { url, webhook, log, signal } = delivering
  const taken = await ask(url, signal, (sql) => takeMessage(sql, about))
  if (taken.state !== 'taken') return taken.state
  const failure = await post(webhook, taken.message, signal).then(
    () => undefined,
    (error) => (error instanceof DeliveryError ? error : new DeliveryError(reasonOf(error))),
  )
  const to = webhook.origin
  if (failure) {
    log.record({ event: 'message_failed', about, to, is_final: failure.isFinal, reason: failure.message })
  } else log.record({ event: 'message_sent', about, to })
  // Also when this process stops: the next one need not wait until this one counts as dead.
  await ask(url, AbortSignal.timeout(5_000), (sql) => settleMessage(sql, taken.ticket, failure))
  return failure ?? 'sent'
}

/** Writes what there is to tell; what each message is about that waits to be sent, oldest first. */
export async function writeMessages(sql: Sql): Promise<string[]> {
  const rows = await sql<{ about: string }[]>`select nms_private.write_messages() as about`
  return rows.map(({ about }) => about)
}

/** Writes what there is to tell about the seven days up to a slot; what the message is about. */
export async function writeDigest(sql: Sql, slot: string | null): Promise<string> {
  const [{ about }] = await sql<[{ about: string }]>`
    select nms_private.write_digest(slot => coalesce(${slot}::timestamptz, now())) as about
  `
  return about
}

interface Taken {
  state: 'taken' | 'busy' | 'done'
  message: Message
  /** By which its taker says how that went. */
  ticket: string
}

async function takeMessage(sql: Sql, about: string): Promise<Taken> {
  const [{ id, body, ...taken }] = await sql<[Omit<Taken, 'message'> & Message]>`
    select state, message_id::text as id, body::text as body, ticket
    from nms_private.take_message(about => ${about})
  `
  return { ...taken, message: { id, body } }
}

async function settleMessage(sql: Sql, ticket: string, failure?: DeliveryError): Promise<void> {
  await sql`
    select from nms_private.settle_message(
      ticket => ${ticket}, problem => ${failure?.message ?? null}, is_final => ${failure?.isFinal ?? false}
    )
  `
}
