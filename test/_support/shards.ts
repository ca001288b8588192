import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import postgres from 'postgres'
import { type EmbeddedServer, makeTemporaryHome, startServer } from '../../demo/embedded/server.ts'
import { type Sql, type TestDatabase, withDatabase } from './database.ts'
import { inMemory } from './memory.ts'

/** Servers of a test file's own, over which it spreads tables of its databases. */
export interface Shards {
  servers: EmbeddedServer[]
  /**
   * Gives a database on each of them to a database of a test, which has them as the foreign servers `shard_1`,
   * `shard_2`, … with a user mapping for everybody. Resolves to sessions there.
   */
  attach(t: ExecutionContext, db: TestDatabase): Promise<Sql[]>
  /** The lines of the log of one of them, by its place, in which something stands. */
  logged(place: number, what: RegExp): Promise<string[]>
  remove(): Promise<void>
}

export async function startShards(count: number, settings: Record<string, string> = {}): Promise<Shards> {
  const homes = await Promise.all(
    Array.from({ length: count }, async () => makeTemporaryHome(await inMemory())),
  )
  const servers = await Promise.all(
    homes.map((home) =>
      startServer({
        home,
        ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
        settings: { fsync: 'off', timezone: 'UTC', shared_buffers: '16MB', ...settings },
      }),
    ),
  )
  return {
    servers,
    async attach(t, { name, sql }) {
      await sql`create extension postgres_fdw`
      const sessions: Sql[] = []
      for (const [place, server] of servers.entries()) {
        const admin = postgres(server.url('postgres'), { max: 1 })
        await admin`create database ${admin(name)}`
        await admin.end()
        sessions.push(await attachServer(t, sql, `shard_${place + 1}`, server.url('postgres'), name))
      }
      return sessions
    },
    async logged(place, what) {
      return (await readFile(join(homes[place] as string, 'log'), 'utf8'))
        .split('\n')
        .filter((line) => what.test(line))
    },
    async remove() {
      await Promise.all(servers.map((server) => server.stop()))
      await Promise.all(homes.map((home) => rm(home, { recursive: true, force: true })))
    },
  }
}

/** Makes one foreign server, and opens a session there. */
async function attachServer(
  t: ExecutionContext,
  sql: Sql,
  server: string,
  url: string,
  database: string,
): Promise<Sql> {
  const { hostname, port, username, password } = new URL(url)
  await sql.unsafe(`
    create server ${server} foreign data wrapper postgres_fdw
      options (host '${hostname}', port '${port}', dbname '${database}', async_capable 'true');
    create user mapping for public server ${server} options (user '${username}', password '${password}');
  `)
  const session = postgres(withDatabase(url, database), { max: 2, onnotice: () => undefined }) as Sql
  t.teardown(() => session.end({ timeout: 1 }))
  return session
}
