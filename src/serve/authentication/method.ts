import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from './authentication.ts'

/** One way to know callers. */
export interface Method {
  /** What a caller without credentials is told, for `WWW-Authenticate`. */
  challenges: string[]
  /** The part of a request that this method judges, and no other one after it; undefined when there is none. */
  credential(headers: IncomingHttpHeaders): string | undefined
  /** @throws a Refusal */
  identify(credential: string): Caller | Promise<Caller>
}

/** Why a caller is not let in, for the log only: 401 unknown, 403 known and nobody, 503 nobody can tell. */
export class Refusal extends Error {
  readonly status: 401 | 403 | 503

  constructor(status: 401 | 403 | 503, reason: string) {
    super(reason)
    this.status = status
  }
}

export const bearerChallenge = 'Bearer realm="table metrics"'
export const basicChallenge = 'Basic realm="table metrics", charset="UTF-8"'

/** What an `Authorization` header carries under a scheme, whose name may be written in any case. */
export function credentialOf(scheme: 'bearer' | 'basic', header: string | undefined): string | undefined {
  const [given = '', credential, ...more] = header?.trim().split(/ +/) ?? []
  return given.toLowerCase() === scheme && more.length === 0 ? credential : undefined
}

/** What somebody else wrote, short enough for a line of the log. */
export function seen(value: unknown): string {
  const text = JSON.stringify(value) ?? 'none'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
