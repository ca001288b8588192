import type postgres from 'postgres'
import { readConnection } from './connection.ts'
import { createOpener } from './open.ts'
import { openPostgres } from './postgres.ts'
import { type Ask, pinned, type Sql } from './search_path.ts'

/** A connection to the database to collect from. */
export type { Ask, Sql }

/**
 * One connection, for one caller: what takes long blocks nobody else's queries.
 *
 * @param url as libpq reads it, together with the variables of the environment
 * @param onnotice receives the server's notices and warnings; dropped unless given
 * @param name what the server knows the session by; unless given, the user decides
 */
export function connect(
  url: string,
  onnotice: (notice: postgres.Notice) => void = () => undefined,
  name?: string,
): Sql {
  const connection = readConnection(url)
  return pinned(
    openPostgres(connection, createOpener(connection), {
      max: 1,
      onnotice,
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
