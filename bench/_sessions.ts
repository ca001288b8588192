import { readFile } from 'node:fs/promises'
import { connect, type Sql } from './_connect.ts'
import type { Contestant } from './_measure.ts'

/** Somebody who counts all rows of a database in one session. */
export interface Counter {
  name: string
  count(session: Sql): Promise<Count>
}

export interface Count {
  milliseconds: number
  rows: bigint
}

/** Counts twice in a session of its own; connecting is not measured. */
export function twiceInOneSession({ name, count }: Counter, { memory = false } = {}): Contestant {
  return {
    name,
    async turn({ url }) {
      const session = connect(url)
      try {
        await session`select 1` // connected
        const cold = await count(session)
        const warm = await count(session)
        if (cold.rows !== warm.rows) {
          throw new Error(`${name} counted ${cold.rows} rows, then ${warm.rows}`)
        }
        const times = { cold: cold.milliseconds, warm: warm.milliseconds }
        return { rows: cold.rows, values: memory ? { ...times, ...(await backendMemory(session)) } : times }
      } finally {
        await session.end()
      }
    },
  }
}

async function backendMemory(session: Sql): Promise<{ memory: number; resident: number }> {
  const [backend] = await session<[{ pid: number; bytes: string }]>`
    select pg_backend_pid() as pid, sum(total_bytes) as bytes
    from pg_backend_memory_contexts
  `
  const status = await readFile(`/proc/${backend.pid}/status`, 'utf8')
  return {
    memory: Number(backend.bytes) / 2 ** 20,
    resident: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 2 ** 10,
  }
}
