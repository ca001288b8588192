import type { Parameter } from '../parameters.ts'
import type { AskWhile } from '../sessions.ts'

/** A page: where it is, what its address may say, and what it asks and shows. */
export interface Page {
  /** As Fastify takes it: `/`, `/runs/:run_id`. */
  path: string
  /** What stands in its path or has to stand in its query. */
  required?: Record<string, Parameter>
  /** What may stand in its query; anything else is a 400. An empty value counts as none: forms send those. */
  optional?: Record<string, Parameter>
  /** @throws a Problem, or an error of the database that becomes one */
  show(ask: ReturnType<AskWhile>, given: Record<string, string | undefined>): Promise<Document>
}

export interface Document {
  /** 200 unless given. */
  status?: number
  /** HTML, whole. */
  text: string
}
