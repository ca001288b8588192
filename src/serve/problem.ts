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
  const said = [message, detail].filter(Boolean).join(': ')
  if (code === 'P0002') return new Problem(404, said, { members: { hint } })
  if (code === '55000') return new Problem(409, said, { members: { hint } })
  if (/^22/.test(code)) return new Problem(400, said, { members: { hint } })
  if (/^(3F000|42883|42P01|42501)$/.test(code)) {
    return later('the database is not ready for this service, expected an install that its login may read')
  }
  if (code === '57014') return later('the answer took too long, expected one within 15 s')
  if (isConnectionError(error)) return later('the database cannot be reached')
  if (statusCode && statusCode >= 400 && statusCode < 500) return new Problem(statusCode, message)
  return new Problem(500, 'something went wrong, expected an answer: the log of the service has the reason')
}

function later(detail: string): Problem {
  return new Problem(503, detail, { headers: { 'retry-after': '5' } })
}
