import { readConnection } from './connection.ts'
import { createOpener } from './open.ts'
import { openPostgres } from './postgres.ts'
import { type Ask, pinned, type Sql } from './search_path.ts'

/** A connection to the database to collect from. */
export type { Ask, Sql }

/** How a session is opened. */
export interface SessionOptions {
  /** What the server knows it by; unless given, the user decides. */
  name?: string
  /** Seconds that each address may take to answer, unless the user says so. */
  connectTimeout?: number
}

/**
 * One connection, for one caller: what takes long blocks nobody else's queries. Notices are dropped.
 *
 * @param url as libpq reads it, together with the variables of the environment
 */
export function connect(url: string, { name, connectTimeout = 30 }: SessionOptions = {}): Sql {
  const connection = readConnection(url, process.env, { connectTimeout, keepAlive: 60 })
  return pinned(
    openPostgres(connection, createOpener(connection), {
      max: 1,
      onnotice: () => undefined,
      prepare: false, // a pooler may give each transaction another server connection
      fetch_types: false, // its query would resolve names by the path of the session
      connection: {
        application_name: name ?? connection.applicationName ?? 'table-metrics',
        DateStyle: 'ISO',
        standard_conforming_strings: 'on',
      },
    }),
  )
}
