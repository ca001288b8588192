import { setTimeout as sleep } from 'node:timers/promises'
import { collectTableMetrics } from '../src/run/collect.ts'
import type { CollectOptions } from '../src/run/options.ts'
import { connect } from './_connect.ts'
import { countEach, payloadRows } from './_contestants.ts'
import { type Contestant, timed } from './_measure.ts'
import { serverCpu } from './_server_cpu.ts'

/** Somebody who counts all rows of a database on as many connections of its own as it wants. */
export interface Collection {
  name: string
  /** Resolves to what tells the sum of all counts, which is no part of collecting them. */
  collect(url: string): Promise<() => Promise<bigint>>
}

/** One call for everything, as `table-metrics collect` makes it. */
export const oneSnapshot = runner('one snapshot', {})

/** The same where the session may not have parallel workers. */
export const oneProcess: Collection = {
  name: 'one snapshot, no workers',
  async collect(url) {
    const serial = new URL(url)
    serial.searchParams.set('options', '-cmax_parallel_workers_per_gather=0')
    return oneSnapshot.collect(serial.href)
  },
}

/** What `table-metrics collect --online --jobs N` does. */
export function online(jobs: number): Collection {
  return runner(`online, ${jobs} ${jobs === 1 ? 'job' : 'jobs'}`, { online: true, jobs })
}

/**
 * A script that shares a list of tables among several connections. In its favour, it is given the names.
 *
 * @param tables quoted names, those that take longest first
 */
export function clientLoops(tables: string[], connections: number): Collection {
  return {
    name: `client loop, ${connections} conn.`,
    async collect(url) {
      const sessions = Array.from({ length: connections }, () => connect(url))
      const shared = tables.values()
      try {
        const parts = await Promise.all(sessions.map((session) => countEach(session, shared)))
        return async () => parts.reduce((sum, part) => sum + part, 0n)
      } finally {
        await Promise.all(sessions.map((session) => session.end()))
      }
    },
  }
}

/** Collects once; connecting is measured as well. */
export function asAWhole({ name, collect }: Collection): Contestant {
  return {
    name,
    async turn({ url, postmaster }) {
      const before = await serverCpu(postmaster)
      const { milliseconds, result: rows } = await timed(() => collect(url))
      await sleep(200) // its processes have ended
      const cpu = (await serverCpu(postmaster)) - before
      return { rows: await rows(), values: { whole: milliseconds, cpu } }
    },
  }
}

function runner(name: string, options: CollectOptions): Collection {
  return {
    name,
    async collect(url) {
      const run = await collectTableMetrics(url, {}, options)
      if (run.status !== 'SUCCEEDED') throw new Error(`run ${run.run_id}: ${run.error_message}`)
      return async () => {
        const sql = connect(url)
        try {
          return await payloadRows(sql, run.run_id)
        } finally {
          await sql.end()
        }
      }
    },
  }
}
