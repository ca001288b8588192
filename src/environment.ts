import { isTimeZone } from './terminal/terminal.ts'

/**
 * The database to work on.
 *
 * @throws when DATABASE_URL is not set, or names no database
 */
export function databaseUrl(): string {
  const url = process.env.DATABASE_URL
  const expected = 'expected a connection URL such as postgres://user@host:5432/database'
  if (!url) throw new Error(`DATABASE_URL is not set: ${expected}`)
  const seen = urlProblem(url)
  if (seen) throw new Error(`DATABASE_URL: saw ${seen}, ${expected}`)
  return url
}

/** Never repeats the URL: wherever it went wrong, it may hold a password. */
function urlProblem(url: string): string | undefined {
  if (!URL.canParse(url)) return 'no URL (in a password, %2F stands for / and %40 for @)'
  const { protocol, pathname } = new URL(url)
  if (!/^postgres(ql)?:$/.test(protocol)) return 'a URL that does not begin with postgres://'
  if (pathname.length < 2) return 'a URL without a database'
}

/** SNAPSHOT_TZ: the business time zone of a first install, and the zone in which times are shown. */
export function snapshotTimeZone(): string | undefined {
  const zone = process.env.SNAPSHOT_TZ || undefined
  if (zone && !isTimeZone(zone)) {
    throw new Error(`SNAPSHOT_TZ: saw ${zone}, expected a time zone such as Europe/Berlin`)
  }
  return zone
}
