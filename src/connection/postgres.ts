import postgres from 'postgres'
import { type Connection, longestWait } from './connection.ts'
import { Link } from './link.ts'
import type { Opener } from './open.ts'

type Options = postgres.Options<Record<string, never>>

/** A client of `postgres` for a connection. Nothing is left for its own reading of the environment to decide. */
export function openPostgres(
  connection: Connection,
  { open, address }: Opener,
  { connection: session, ...options }: Options,
): postgres.Sql {
  const { addresses, database, user, connectTimeout = 30 } = connection
  const [first] = addresses
  const links = new Set<Link>()
  const settings: Options & { socket: () => Link } = {
    ...options,
    host: first.host || (first.hostaddr ?? ''),
    port: first.port,
    database,
    user,
    pass: () => connection.password(address()),
    socket() {
      const link = new Link(open, first)
      links.add(link)
      return link.once('close', () => links.delete(link))
    },
    // A link sees to these.
    ssl: false,
    sslnegotiation: null,
    keep_alive: null,
    // Later than a link, which says which address is silent.
    connect_timeout: longestWait(connection, connectTimeout),
    connection: { ...session, ...(connection.options && { options: connection.options }) },
  } as Options & { socket: () => Link }
  const sql = withoutVariable('PGTARGETSESSIONATTRS', () => postgres(settings))
  const { end } = sql
  sql.end = async (options) => {
    await end(options)
    for (const link of links) link.giveUp()
  }
  return sql
}

/** Postgres.js reads this one by itself, refuses one of its values, and does not go to the next address. */
function withoutVariable<T>(name: string, work: () => T): T {
  const value = process.env[name]
  delete process.env[name]
  try {
    return work()
  } finally {
    if (value !== undefined) process.env[name] = value
  }
}
