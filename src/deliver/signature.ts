import { createHmac } from 'node:crypto'

/**
 * The signature of a message as https://www.standardwebhooks.com has it, over its id, the seconds since 1970 and
 * the body.
 */
export function signatureOf(key: Buffer, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
