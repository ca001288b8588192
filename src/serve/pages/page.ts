/** Asks the database, for as long as whoever wants the page is there. */
export type Ask = <Rows extends readonly object[]>(
  strings: TemplateStringsArray,
  ...values: (string | number | null)[]
) => Promise<Rows>

/** A page: where it is, what its address may say, and what it asks and shows. */
export interface Page {
  /** As Fastify takes it: `/`, `/runs/:run_id`. */
  path: string
  /** What may stand in its query, each at most once; anything else is a 400. */
  keys: readonly string[]
  /**
   * @param given the query and the parameters of the path
   * @throws a Problem, or an error of the database, which becomes one
   */
  show(ask: Ask, given: Record<string, string | undefined>): Promise<{ status?: number; document: string }>
}
