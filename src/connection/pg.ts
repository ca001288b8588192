import type pg from 'pg'
import { type Connection, longestWait } from './connection.ts'
import { type Link, openLink } from './link.ts'
import { createOpener } from './open.ts'

/**
 * What `pg` needs to work on a connection. Nothing is left for its own reading of the environment to decide.
 *
 * @param links receives the sockets that it opens
 */
export function pgSettings(connection: Connection, links: Set<Link>): pg.ClientConfig {
  const { addresses, database, user, options } = connection
  const { open, address } = createOpener(connection)
  const [first] = addresses
  return {
    host: first.host || first.hostaddr,
    port: first.port,
    database,
    user,
    password: () => connection.password(address()),
    ...(options && { options }),
    connectionTimeoutMillis: longestWait(connection) * 1000,
    ssl: false, // a link sees to it
    sslnegotiation: 'postgres',
    stream: () => openLink(open, first, links),
  }
}
