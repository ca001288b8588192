import type { Metric } from './_metrics.ts'

/** Somebody who counts all rows of a database, however that is measured. */
export interface Contestant {
  name: string
  /** Counts on connections of its own. */
  turn(database: Database): Promise<Turn>
}

export interface Database {
  url: string
  /** Process id of the server's postmaster. */
  postmaster: number
}

export interface Turn {
  /** Sum of all counts: every contestant who counts must come to the same. */
  rows?: bigint
  values: Partial<Record<Metric, number>>
}

export interface Result {
  contestant: string
  turns: Turn[]
}

/** Lets the contestants have their turns, round after round. */
export async function compete(
  database: Database,
  rounds: number,
  contestants: Contestant[],
): Promise<Result[]> {
  const results: Result[] = contestants.map(({ name }) => ({ contestant: name, turns: [] }))
  for (let round = 1; round <= rounds; round++) {
    for (const [place, contestant] of contestants.entries()) {
      results[place]?.turns.push(await contestant.turn(database))
    }
    agree(results)
  }
  return results
}

/** What a contestant was measured at in each round. */
export function values({ turns }: Result, metric: Metric): number[] {
  return turns.flatMap((turn) => turn.values[metric] ?? [])
}

/** Runs something and adds how long it took. */
export async function timed<T>(work: () => Promise<T>): Promise<{ milliseconds: number; result: T }> {
  const start = performance.now()
  const result = await work()
  return { milliseconds: performance.now() - start, result }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

function agree(results: Result[]): void {
  const counts = results.flatMap(({ contestant, turns }) =>
    turns.flatMap(({ rows }) => (rows === undefined ? [] : [{ contestant, rows }])),
  )
  const [first] = counts
  const other = counts.find(({ rows }) => rows !== first?.rows)
  if (first && other) {
    throw new Error(`${other.contestant} counted ${other.rows} rows, ${first.contestant} ${first.rows}`)
  }
}
