import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import postgres from 'postgres'
import { type EmbeddedServer, makeTemporaryHome, startServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'
import { inMemory } from './memory.ts'
import { reservePort } from './ports.ts'
import { isAlive } from './process.ts'
import { rolesScript } from './reader.ts'

/** A server of a test file's own, which may be hurt: nobody else uses it. It comes back on the same port and data. */
export interface OwnServer {
  /** As its superuser. */
  url: string
  /** A database with an installed collector. */
  createDatabase(t: ExecutionContext): Promise<TestDatabase>
  /** Runs roles.sql in what its databases are made of from now on. */
  addRoles(): Promise<void>
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
    createDatabase: (t) => createDatabase(t, 'nms_template', url),
    async addRoles() {
      const sql = postgres(server.url('nms_template'), { max: 1, onnotice: () => undefined })
      await sql.unsafe(rolesScript)
      await sql.end()
    },
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
