import type postgres from 'postgres'
import { openOnStreams } from '../private_parts/postgres.ts'
import { type Connection, longestWait } from './connection.ts'
import { type Link, type Opener, openLink } from './link.ts'

type Options = postgres.Options<Record<string, never>>

/** A client of `postgres` for a connection. Nothing is left for its own reading of the environment to decide. */
export function openPostgres(
  connection: Connection,
  { open, address }: Opener,
  { connection: session, ...options }: Options,
): postgres.Sql {
  const { addresses, database, user } = connection
  const [first] = addresses
  const links = new Set<Link>()
  const settings = {
    ...options,
    host: first.host || (first.hostaddr ?? ''),
    port: first.port,
    database,
    user,
    pass: () => connection.password(address()),
    // A link sees to these.
    ssl: false,
    sslnegotiation: null,
    keep_alive: null,
    // Later than a link, which says which address is silent.
    connect_timeout: longestWait(connection),
    connection: { ...session, ...(connection.options && { options: connection.options }) },
  } as Options
  const sql = openOnStreams(settings, () => openLink(open, first, links))
  const { end } = sql
  sql.end = async (options) => {
    await end(options)
    for (const link of links) link.giveUp()
  }
  return sql
}
