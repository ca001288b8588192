import type { AskWhile } from '../sessions.ts'
import type { Accepted } from '../validation.ts'

/** A page: where it is, what its address may say (an empty value counts as none), and what it asks and shows. */
export interface Page extends Accepted {
  /** As Fastify takes it: `/`, `/runs/:run_id`. */
  path: string
  /** @throws a Problem, or an error of the database that becomes one */
  show(ask: ReturnType<AskWhile>, given: Record<string, string | undefined>): Promise<Document>
}

export interface Document {
  /** 200 unless given. */
  status?: number
  /** HTML, whole. */
  text: string
}
