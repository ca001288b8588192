import postgres from 'postgres'
import { type Ask, pinned, type Sql } from './search_path.ts'

/** A connection to the database to collect from. */
export type { Ask, Sql }

/**
 * One connection, for one caller: what takes long blocks nobody else's queries.
 *
 * @param onnotice receives the server's notices and warnings; dropped unless given
 * @param application_name what the server knows the session by
 */
export function connect(
  url: string,
  onnotice: (notice: postgres.Notice) => void = () => undefined,
  application_name = 'table-metrics',
): Sql {
  return pinned(
    postgres(url, {
      max: 1,
      onnotice,
      prepare: false, // a pooler may give each transaction another server connection
      fetch_types: false, // its query would resolve names by the path of the session
      connection: { application_name, DateStyle: 'ISO', standard_conforming_strings: 'on' },
    }),
  )
}
