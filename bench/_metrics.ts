/** What contestants are measured by. */
export const metrics = {
  /** The first count of a fresh session. */
  cold: { unit: 'ms', digits: 1 },
  /** The second count of the same session. */
  warm: { unit: 'ms', digits: 1 },
  /** A collection from the first connection to the last: what somebody waits for who starts one. */
  whole: { unit: 'ms', digits: 1 },
  /** Processor time of all server processes meanwhile: divided by the number of cores, no collection can be faster. */
  cpu: { unit: 'ms', digits: 0 },
  /** Pages of 8 kB that the server looked at meanwhile, in its memory or not. */
  buffers: { unit: '', digits: 0 },
  /** Pages of the tables that were counted, and of their indexes. */
  pages: { unit: '', digits: 0 },
  /** How long a run has waited until every session had told what it changed. */
  settling: { unit: 'ms', digits: 0 },
  /** The first query of a fresh session, by the clock of the server. */
  first: { unit: 'ms', digits: 2 },
  /** The median of the next twenty. */
  later: { unit: 'ms', digits: 2 },
  /** What Postgres has allocated for a session that has counted twice: caches, plans, results. */
  memory: { unit: 'MB', digits: 0 },
  /** What the process of that session occupies; some of it are pages of the shared buffers that it has touched. */
  resident: { unit: 'MB', digits: 0 },
  /** Processor time of an insert of one row, one of many in a transaction. */
  singles: { unit: 'us', digits: 1 },
  /** Processor time of a session for each of its statements, without parallel workers. */
  statement: { unit: 'us', digits: 1 },
  /** Processor time of one insert of very many rows: how long it takes depends on the disk. */
  bulk: { unit: 'ms', digits: 0 },
  /** The same of one delete of half of them. */
  deletes: { unit: 'ms', digits: 0 },
  /** Statements of the application meanwhile, or requests that were answered. */
  throughput: { unit: '/s', digits: 0 },
  /** The 99th percentile of how long a statement of the application, or a request, took. */
  p99: { unit: 'ms', digits: 2 },
  /** The one that took longest. */
  longest: { unit: 'ms', digits: 1 },
  /** Collections meanwhile. */
  collections: { unit: '', digits: 1 },
  /** How often they waited for a lock for 1 ms or longer. */
  waits: { unit: '', digits: 0 },
  /** The longest of those waits. */
  waited: { unit: 'ms', digits: 1 },
  /** Deleting old runs, from the first transaction to the last. */
  pruning: { unit: 'ms', digits: 0 },
  /** Part of the planted incidents that are found at once; of those of a kind. */
  recall: { unit: '', digits: 3 },
  drop: { unit: '', digits: 3 },
  spike: { unit: '', digits: 3 },
  dropped_to_zero: { unit: '', digits: 3 },
  /** Alerts about nothing. */
  falseAlarms: { unit: 'per table and year', digits: 3 },
  /** By how much a number of rows was wrong. */
  error: { unit: '%', digits: 2 },
  /** Part of the ranges that have the number of rows. */
  held: { unit: '', digits: 3 },
  /** Statements that the application got done less than when it was alone, for each collection. */
  lost: { unit: 'per collection', digits: 0 },
} as const

export type Metric = keyof typeof metrics

export function rounded(metric: Metric, value: number): number {
  return Number(value.toFixed(metrics[metric].digits))
}

/** `cold   2219 ms` */
export function metricText(metric: Metric, value: number): string {
  const { unit, digits } = metrics[metric]
  return `${metric} ${value.toFixed(value < 100 ? digits : 0).padStart(6)}${unit && ` ${unit}`}`
}
