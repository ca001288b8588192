/**
 * The database to work on.
 *
 * @throws when DATABASE_URL is not set, or names no database
 */
export function databaseUrl(): string {
  const url = process.env.DATABASE_URL
  const expected = 'expected a connection URL such as postgres://user@host:5432/database'
  if (!url) throw new Error(`DATABASE_URL is not set: ${expected}`)
  if (
    !URL.canParse(url) ||
    !/^postgres(ql)?:$/.test(new URL(url).protocol) ||
    new URL(url).pathname.length < 2
  ) {
    throw new Error(`DATABASE_URL: saw ${withoutPassword(url)}, ${expected}`)
  }
  return url
}

/** SNAPSHOT_TZ: the business time zone of a first install, and the zone in which times are shown. */
export function snapshotTimeZone(): string | undefined {
  const zone = process.env.SNAPSHOT_TZ || undefined
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
  } catch {
    throw new Error(`SNAPSHOT_TZ: saw ${zone}, expected a time zone such as Europe/Berlin`)
  }
  return zone
}

function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@')
}
