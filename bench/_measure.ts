import { readFile } from 'node:fs/promises'
import { connect, type Sql } from '../src/database.ts'

/** Somebody who counts all rows of a database, in one session. */
export interface Contestant {
  name: string
  count(session: Sql): Promise<Count>
}

export interface Count {
  milliseconds: number
  /** Sum of all counts: every contestant must come to the same. */
  rows: bigint
}

/** `cold`: the first count of a fresh session. `warm`: the second count of the same session. */
export type Temperature = 'cold' | 'warm'

export type Result = Record<Temperature, number[]> & {
  contestant: string
  rows: bigint
  /** Of a session that has counted twice, in each round. */
  memory: BackendMemory[]
}

export interface BackendMemory {
  /** What Postgres has allocated: caches, plans, results. */
  contextsMb: number
  /** What the process occupies; some of it are pages of the shared buffers that it has touched. */
  residentMb: number
}

/** Lets the contestants count in turn, round after round, each time in a session of its own. */
export async function compete(url: string, rounds: number, contestants: Contestant[]): Promise<Result[]> {
  const results: Result[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const result = await countTwice(url, contestant)
      const rows = results[0]?.rows ?? result.rows
      if (result.rows !== rows) {
        throw new Error(`${contestant.name} counted ${result.rows} rows, ${results[0]?.contestant} ${rows}`)
      }
      results.push(result)
    }
  }
  return contestants.map(({ name }) => merge(results.filter(({ contestant }) => contestant === name)))
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

async function countTwice(url: string, contestant: Contestant): Promise<Result> {
  const session = connect(url)
  try {
    await session`select 1` // connected: that is not what is measured
    const cold = await contestant.count(session)
    const warm = await contestant.count(session)
    if (cold.rows !== warm.rows) {
      throw new Error(`${contestant.name} counted ${cold.rows} rows, then ${warm.rows}`)
    }
    return {
      contestant: contestant.name,
      rows: cold.rows,
      cold: [cold.milliseconds],
      warm: [warm.milliseconds],
      memory: [await backendMemory(session)],
    }
  } finally {
    await session.end()
  }
}

function merge(results: Result[]): Result {
  return results.reduce((sum, result) => ({
    ...result,
    cold: [...sum.cold, ...result.cold],
    warm: [...sum.warm, ...result.warm],
    memory: [...sum.memory, ...result.memory],
  }))
}

async function backendMemory(session: Sql): Promise<BackendMemory> {
  const [backend] = await session<[{ pid: number; bytes: string }]>`
    select pg_backend_pid() as pid, sum(total_bytes) as bytes
    from pg_backend_memory_contexts
  `
  const status = await readFile(`/proc/${backend.pid}/status`, 'utf8')
  return {
    contextsMb: Number(backend.bytes) / 2 ** 20,
    residentMb: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 2 ** 10,
  }
}
