import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import type pg from 'pg'
import { type Connection, longestWait, readConnection } from './connection.ts'
import { Link } from './link.ts'
import { createOpener } from './open.ts'
import { openPostgres } from './postgres.ts'

/**
 * What `pg` needs to work on a connection. Nothing is left for its own reading of the environment to decide.
 *
 * @param links receives the sockets that it opens
 */
export function pgSettings(connection: Connection, links: Set<Link>): pg.ClientConfig {
  const { addresses, database, user, options, connectTimeout = 30 } = connection
  const { open, address } = createOpener(connection)
  const [first] = addresses
  return {
    host: first.host || first.hostaddr,
    port: first.port,
    database,
    user,
    password: () => connection.password(address()),
    ...(options && { options }),
    connectionTimeoutMillis: longestWait(connection, connectTimeout) * 1000,
    ssl: false, // a link sees to it
    sslnegotiation: 'postgres',
    stream() {
      const link = new Link(open, first)
      links.add(link)
      return link.once('close', () => links.delete(link))
    },
  }
}

/**
 * Gives work that takes nothing but a URL for `pg` one that leads to a connection, by a socket in a
 * folder that nobody else may enter.
 */
export async function withPgUrl<T>(
  text: string,
  application_name: string,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const connection = readConnection(text)
  const opener = createOpener(connection)
  const links = new Set<Link>()
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove) // graphile-migrate may end this process
  const server = createServer((socket) => {
    const link = new Link(opener.open, connection.addresses[0])
    links.add(link)
    pipeline(socket, link, socket, () => links.delete(link))
  })
  // Holds the others to one server, and tells which.
  const holder = openPostgres(connection, opener, {
    max: 1,
    fetch_types: false,
    connection: { application_name: 'table-metrics migrate' },
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(join(folder, '.s.PGSQL.5432'), resolve)
    })
    await holder`select`
    const parameters = {
      db: connection.database,
      user: connection.user,
      password: connection.password(opener.address()),
      port: '5432',
      application_name,
      options: connection.options ?? '',
      ssl: '',
      sslnegotiation: 'postgres',
    }
    return await work(`socket:${folder}?${new URLSearchParams(parameters)}`)
  } finally {
    await holder.end({ timeout: 1 })
    server.close()
    for (const link of links) link.destroy()
    remove()
    process.off('exit', remove)
  }
}
