import { STATUS_CODES } from 'node:http'
import { isConnectionError } from '../connection/timeout.ts'
import { codeOf } from '../errors.ts'

/** What may be said beside status and detail: headers of the answer, and members of its body. */
export interface ProblemOptions {
  /** Unless given, the phrase of the status. */
  title?: string
  headers?: Record<string, string>
  /** Further members of the body, such as `hint`. */
  members?: Record<string, unknown>
}

/** Why a request is not answered, for the caller: nothing in it may tell more than the caller may know. RFC 9457. */
export class Problem extends Error {
  readonly status: number
  readonly headers: Record<string, string>
  readonly #body: Record<string, unknown>

  /** @param detail what was seen and what is expected, in one line */
  constructor(status: number, detail: string, { title, headers = {}, members = {} }: ProblemOptions = {}) {
    super(detail)
    this.status = status
    this.headers = headers
    this.#body = { title: title ?? STATUS_CODES[status], status, detail, ...members }
  }

  /** The body, as `application/problem+json`. */
  toJSON(): Record<string, unknown> {
    return this.#body
  }
}

type ServerError = Error & { code?: string; detail?: string; hint?: string; statusCode?: number }

/** What a caller is told of an error: all of it when our own functions have raised it for the caller. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { message, detail, hint, statusCode } = error as ServerError
  const code = codeOf(error) ?? ''
  if (code === '22008') {
    const [, seen = 'a date'] = /"([^"]*)"$/.exec(message) ?? []
    return new Problem(400, `saw ${seen}, expected a date of the calendar, such as 2026-11-20`)
  }
  const status = statuses.find(([codes]) => codes.test(code))?.[1]
  if (status) {
    return new Problem(status, [message, detail].filter(Boolean).join(': '), { members: { hint } })
  }
  if (/^(3F000|42883|42P01|42703)$/.test(code)) {
    return later('the database has no install of this version, expected one: table-metrics migrate')
  }
  if (code === '42501') {
    return later("the service's login may not do this, expected one that may: the log names the right")
  }
  if (/^(40|53|55P03)/.test(code)) return later('the database is busy, expected it to be free soon')
  if (code === '57014') return later('the answer took too long, expected one within 15 s')
  if (/^(28|3D000)/.test(code) || isConnectionError(error)) return later('the database cannot be reached')
  // Of the framework, about what it has read: not an error of ours that has such a property by chance.
  if (code.startsWith('FST_') && statusCode && statusCode >= 400 && statusCode < 500) {
    return new Problem(statusCode, wordsFor[code] ?? message)
  }
  return new Problem(500, 'something went wrong, expected an answer: the log of the service has the reason')
}

// By SQLSTATE, what a function says to whoever called it.
const statuses: [codes: RegExp, status: number][] = [
  [/^P0002$/, 404],
  [/^55000$/, 409],
  [/^22/, 400],
]

const wordsFor: Record<string, string> = {
  FST_ERR_BAD_URL: 'saw an address with a malformed escape, expected % and two hexadecimal digits',
  FST_ERR_MAX_PARAM_LENGTH: 'saw an address with a name of more than 1000 characters, expected a shorter one',
  FST_ERR_CTP_BODY_TOO_LARGE: 'saw a body of more than 1 MiB, expected a smaller one',
}

/** What waiting may mend. */
export function later(detail: string): Problem {
  return new Problem(503, detail, { headers: { 'retry-after': '5' } })
}
