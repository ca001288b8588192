import postgres from 'postgres'
import { type EmbeddedServer, startTemporaryServer } from '../../demo/embedded/server.ts'

/** A server that is deleted afterwards. */
export interface Scratch {
  /** Makes an empty database. */
  createDatabase(name: string): Promise<{ url: string; sql: postgres.Sql }>
}

/**
 * Gives work a server of its own, whatever the environment says about others.
 *
 * @param binaries folder with `bin/postgres`: the embedded one unless given
 */
export async function onScratchServer<T>(
  work: (scratch: Scratch) => Promise<T>,
  binaries?: string,
): Promise<T> {
  const server = await startTemporaryServer({ ...(binaries && { binaries }), settings: { fsync: 'off' } })
  const { scratch, end } = scratchOn(server)
  try {
    return await work(scratch)
  } finally {
    await end()
    await server.stop()
  }
}

/** Databases on a server of ours, and how to leave them. */
export function scratchOn(server: EmbeddedServer): { scratch: Scratch; end(): Promise<void> } {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
  const sessions: postgres.Sql[] = []
  const open = (url: string) => {
    const sql = postgres(url, { max: 1, onnotice: () => undefined })
    sessions.push(sql)
    return sql
  }
  return {
    scratch: {
      async createDatabase(name) {
        const admin = open(server.url('postgres'))
        await admin`create database ${admin(name)}`
        return { url: server.url(name), sql: open(server.url(name)) }
      },
    },
    async end() {
      await Promise.all(sessions.map((sql) => sql.end({ timeout: 1 })))
    },
  }
}
