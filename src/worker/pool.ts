import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { readConnection } from '../connection/connection.ts'
import type { Link } from '../connection/link.ts'
import { pgSettings } from '../connection/pg.ts'
import { withTimeout } from '../connection/timeout.ts'
import { PinnedClient } from './pinned_client.ts'

/** Connections for graphile-worker that can be thrown away, whatever state they are in. */
export interface WorkerPool {
  pool: pg.Pool
  /** Rejects once the server has not answered for 15 seconds, or does not let us in any more. */
  dead(signal: AbortSignal): Promise<never>
  /** Ends the connections; cuts those that do not end in a second. */
  close(): Promise<void>
}

export function openPool(url: string): WorkerPool {
  const links = new Set<Link>()
  const connection = readConnection(url, process.env, { connectTimeout: 10, keepAlive: 10 })
  const pool = new pg.Pool({
    Client: PinnedClient,
    ...pgSettings(connection, links),
    application_name: connection.applicationName ?? 'table-metrics worker',
    max: 6,
  })
  // A connection that breaks is said by the next query.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return {
    pool,
    async dead(signal) {
      for (;;) {
        await sleep(5_000, undefined, { signal })
        await withTimeout(15_000, pool.query('select 1'), 'the database').catch((error) => {
          if (!isAnswer(error)) throw error
        })
      }
    },
    async close() {
      await withTimeout(1_000, pool.end(), 'the pool').catch(() => undefined)
      for (const link of links) link.destroy()
    },
  }
}

/** A server that refuses something, such as a connection too many, is there. */
function isAnswer(error: unknown): boolean {
  return error instanceof pg.DatabaseError && !/^(08|28|3D|57P)/.test(error.code ?? '')
}
