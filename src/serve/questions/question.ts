import type { AskWhile } from '../sessions.ts'
import type { Accepted } from '../validation.ts'
import type { Schema } from './schemas.ts'

export type Given = Record<string, string | undefined>

/** One question of the API: a path, and the function that answers. */
export interface Question extends Accepted {
  /** With its parameters as `{name}`. */
  path: string
  /** The function, whose comment describes the question. */
  answeredBy: string
  title: string
  /** What is answered, for the description. */
  schema: Schema
  /** JSON as the server has written it. */
  answer(ask: ReturnType<AskWhile>, given: Given): Promise<readonly Answered[]>
  /**
   * Which run the answer is of, found with one look into an index: as long as it is that one, the answer is the same.
   * No row where it may change. Without, the answer itself is compared.
   */
  source?(ask: ReturnType<AskWhile>, given: Given): Promise<readonly { source: string }[]>
  /** True when an answer that has a source never changes, and one that has none is about to. */
  isImmutable?: boolean
}

/** An answer, and which run it is of where that says whether it has changed. */
export interface Answered {
  json: string
  source?: string | null
}
