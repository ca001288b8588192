/** Where each page is: what it shows is all in its address. */
export const links = {
  today: (date?: string, view: Record<string, string> = {}) => address('/', { date, ...view }),
  table: (schema: string, table: string, view: Record<string, string> = {}) =>
    address('/table', { schema, table, ...view }),
  /** Days or runs, as nms.find_run takes them. */
  compare: (before?: string, after?: string) => address('/compare', { before, after }),
  runs: (before?: string) => address('/runs', { before }),
  run: (runId: string) => `/runs/${runId}`,
  alerts: (before?: string) => address('/alerts', { before }),
}

/** A path with what is given of a query, each value encoded. */
export function address(path: string, query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given as [string, string][])}`
}
