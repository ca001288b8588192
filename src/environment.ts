import { readFileSync } from 'node:fs'
import { readConnection } from './connection/connection.ts'
import { isTimeZone } from './terminal/terminal.ts'

/**
 * The database to work on: DATABASE_URL, or what the file holds that DATABASE_URL_FILE names.
 *
 * @throws when neither is set, or what they say cannot be used; never with what may be a password
 */
export function databaseUrl(): string {
  const { DATABASE_URL: url, DATABASE_URL_FILE: file } = process.env
  if (url && file) throw new Error('DATABASE_URL and DATABASE_URL_FILE: saw both, expected one of them')
  if (!url && !file) {
    throw new Error(
      'DATABASE_URL is not set: expected a connection URL such as postgres://user@host:5432/database',
    )
  }
  const found = url || contentOf(file as string)
  try {
    readConnection(found)
  } catch (error) {
    throw new Error(`${url ? 'DATABASE_URL' : 'DATABASE_URL_FILE'}: ${(error as Error).message}`)
  }
  return found
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new Error(`DATABASE_URL_FILE: ${(error as Error).message}, expected a file with a connection URL`)
  }
}

/** SNAPSHOT_TZ: the business time zone of a first install, and the zone in which times are shown. */
export function snapshotTimeZone(): string | undefined {
  const zone = process.env.SNAPSHOT_TZ || undefined
  if (zone && !isTimeZone(zone)) {
    throw new Error(`SNAPSHOT_TZ: saw ${zone}, expected a time zone such as Europe/Berlin`)
  }
  return zone
}
