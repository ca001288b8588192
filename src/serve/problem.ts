import { STATUS_CODES } from 'node:http'

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
