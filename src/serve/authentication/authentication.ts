import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../problem.ts'

/** Who asks. */
export interface Caller {
  /** For the log: an email, a subject, or which token. */
  name: string
  mayRead: boolean
  /** True for whoever may start runs. */
  mayTrigger: boolean
}

/** A request, as far as it says who asks. */
export interface Credentials {
  headers: IncomingHttpHeaders
  /** Of the other end of the connection: what `X-Forwarded-For` says is not trusted. */
  address: string
}

/** Finds out who asks. */
export interface Authentication {
  /**
   * @throws a Problem: 401 for unknown callers, 403 for known ones without any right here, 429 after many failures,
   * 503 while nobody can tell
   */
  identify(request: Credentials): Promise<Caller>
}

/** Where it is told what callers are not; parts of these lines come from strangers. */
export interface AuthenticationLog {
  /** Somebody was not let in, and which claim or token was to blame. */
  refused(reason: string): void
  /** Something about the token file, such as that it was read again, or has to be mended. */
  noticed(notice: string): void
}

/** Whoever asks where no method is configured: on loopback only, and never somebody who starts runs. */
export const anybody: Caller = { name: 'anybody', mayRead: true, mayTrigger: false }

/** @throws a Problem, 403, for a caller that may only post events */
export function requireRead(caller: Caller): void {
  if (!caller.mayRead) throw new Problem(403, 'this caller may post events, and read nothing')
}

/** @throws a Problem, 403, for a caller that may only read */
export function requireTrigger(caller: Caller): void {
  if (!caller.mayTrigger) {
    throw new Problem(
      403,
      'this caller may read, and post no events: expected a token with trigger behind it, or a sender of events',
    )
  }
}
