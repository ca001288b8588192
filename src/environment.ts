import { readFileSync } from 'node:fs'
import { readConnection } from './connection/connection.ts'
import { isTimeZone } from './terminal/terminal.ts'

/**
 * The database to work on: DATABASE_URL, or what the file holds that DATABASE_URL_FILE names.
 *
 * @throws when neither is set, or what they say cannot be used; never with what may be a password
 */
export function databaseUrl(): string {
  const given = contentOfVariable('DATABASE_URL')
  if (!given) {
    throw new Error(
      'DATABASE_URL is not set: expected a connection URL such as postgres://user@host:5432/database',
    )
  }
  try {
    readConnection(given.value)
  } catch (error) {
    throw new Error(`${given.name}: ${(error as Error).message}`)
  }
  return given.value
}

/**
 * What a variable holds, or the file that the same with _FILE names; undefined when neither is set.
 *
 * @throws when both are, or the file cannot be read
 */
export function contentOfVariable(
  name: string,
  environment: Record<string, string | undefined> = process.env,
): { name: string; value: string } | undefined {
  const { [name]: value, [`${name}_FILE`]: file } = environment
  if (value && file) throw new Error(`${name} and ${name}_FILE: saw both, expected one of them`)
  if (value) return { name, value }
  return file ? { name: `${name}_FILE`, value: contentOf(name, file) } : undefined
}

function contentOf(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    const what = name === 'DATABASE_URL' ? 'a connection URL' : 'the value'
    throw new Error(`${name}_FILE: ${(error as Error).message}, expected a file with ${what}`)
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
