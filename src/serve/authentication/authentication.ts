import type { IncomingHttpHeaders } from 'node:http'

/** Who asks. */
export interface Caller {
  /** For the log. */
  name: string
  /** True for whoever may start runs. */
  mayTrigger: boolean
}

/** A request, as far as it says who asks. */
export interface Credentials {
  headers: IncomingHttpHeaders
  /** Where it comes from. */
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
