import type { IncomingHttpHeaders } from 'node:http'
import type { Authentication, Caller } from '../../src/serve/authentication/authentication.ts'
import { Problem } from '../../src/serve/problem.ts'

/** What comes of somebody who asks: who it is, or the answer that is given instead. */
export type Outcome = Caller | { status: number; headers: Record<string, string>; body: string }

/** A log, and what was written to it. */
export function takeNotes() {
  const lines: string[] = []
  const log = {
    refused: (reason: string) => void lines.push(reason),
    noticed: (notice: string) => void lines.push(notice),
  }
  return { log, lines }
}

export async function ask(
  authentication: Authentication | undefined,
  headers: IncomingHttpHeaders,
  address = '192.0.2.1',
): Promise<Outcome> {
  try {
    return await (authentication as Authentication).identify({ headers, address })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { status: error.status, headers: error.headers, body: JSON.stringify(error) }
  }
}

export async function statusFor(...args: Parameters<typeof ask>): Promise<number> {
  const outcome = await ask(...args)
  return 'status' in outcome ? outcome.status : 200
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export const basic = (userAndPassword: string) => ({
  authorization: `Basic ${Buffer.from(userAndPassword).toString('base64')}`,
})
