import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import postgres from 'postgres'
import { type EmbeddedServer, makeTemporaryHome, startServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { type Sql, withDatabase } from './database.ts'
import { eventually, hang } from './eventually.ts'
import { inMemory } from './memory.ts'
import { reservePort } from './ports.ts'
import { isAlive } from './process.ts'

/** A database of one test. Sessions of the test itself go by the application name `test`. */
export interface Database {
  url: string
  sql: Sql
  /** Another connection of its own, closed when the test ends. */
  connect(applicationName?: string): Sql
}

/** A server of a test file's own, which may be hurt: nobody else uses it. It comes back on the same port and data. */
export interface OwnServer {
  /** As its superuser. */
  url: string
  /** A database with an installed collector. */
  createDatabase(t: ExecutionContext): Promise<Database>
  stop(how: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
  /** How often something stands in its log. */
  logged(what: RegExp): Promise<number>
  /** Stops it and deletes its data. */
  remove(): Promise<void>
}

export async function startOwnServer(settings: Record<string, string> = {}): Promise<OwnServer> {
  const home = await makeHome()
  const launch = () =>
    startServer({
      home,
      ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
      settings: { fsync: 'off', timezone: 'UTC', max_connections: '60', shared_buffers: '32MB', ...settings },
    })
  let server = await launch()
  const { port } = server
  const url = server.url('postgres')
  await install(url, server)

  return {
    url,
    createDatabase: (t) => createDatabase(t, url),
    async stop(how) {
      if (how === 'immediate') {
        process.kill(server.pid, 'SIGQUIT')
        await eventually(async () => !isAlive(server.pid), 'the server has stopped')
      }
      await server.stop()
    },
    async start() {
      server = await launch()
      if (server.port !== port) throw new Error(`port ${port} was taken while the server was away`)
    },
    async logged(what) {
      return (await readFile(join(home, 'log'), 'utf8')).split('\n').filter((line) => what.test(line)).length
    },
    async remove() {
      await server.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

// What a test sets for the database or the server is meant for others.
const unharmed: object = {
  default_transaction_read_only: 'off',
  idle_in_transaction_session_timeout: '0',
  statement_timeout: '0',
}

async function makeHome(): Promise<string> {
  const home = await makeTemporaryHome(await inMemory())
  await writeFile(join(home, 'port'), `${await reservePort()}\n`)
  return home
}

async function install(url: string, server: EmbeddedServer): Promise<void> {
  const sql = postgres(url, { max: 1 })
  await sql`create database nms_template`
  await sql.end()
  await migrate(server.url('nms_template'), undefined, { keepOwner: true })
}

/** A database with an installed collector, by default on the server of all tests. Dropped when the test ends. */
export async function createDatabase(
  t: ExecutionContext,
  serverUrl = process.env.TEST_SERVER_URL as string,
): Promise<Database> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const url = withDatabase(serverUrl, name)
  const connections: Sql[] = []
  const connect = (to: string, max: number, applicationName = 'test') => {
    const sql = postgres(to, {
      max,
      backoff: false,
      connect_timeout: hang,
      onnotice: () => undefined,
      connection: { ...unharmed, application_name: applicationName },
    })
    connections.push(sql)
    return sql
  }
  const admin = connect(serverUrl, 1)
  await admin`create database ${admin(name)} template nms_template`
  t.teardown(async () => {
    await Promise.all(connections.slice(1).map((sql) => sql.end({ timeout: 1 })))
    // The connection that met the fault may be dead without knowing it.
    await eventually(
      async () => (await admin`drop database if exists ${admin(name)} with (force)`) !== null,
      'dropped',
    )
    await admin.end({ timeout: 1 })
  })
  return { url, sql: connect(url, 4), connect: (applicationName) => connect(url, 1, applicationName) }
}
