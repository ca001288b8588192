import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Logger, migrate as runMigrations } from 'graphile-migrate'
import { clearAllPools } from 'graphile-migrate/dist/pgReal.js'
import { withPgUrl } from './connection/pg.ts'
import { connect, type Sql } from './database.ts'
import { committedMigrations, installedFunctions, migrationsFolder } from './migrations.ts'

/** Outcome of {@link migrate}. */
export interface MigrateResult {
  /** Migrations that this call ran, such as `000001.sql`; empty when the install was up to date. */
  applied: string[]
  /** The business time zone of the install. */
  businessTimeZone: string
}

/**
 * Installs or updates the schema `nms`. Waits for another one that is at it.
 *
 * @param url the database
 * @param timeZone business time zone of a first install, such as `Europe/Berlin`; later ones keep theirs
 * @throws when the database has the graphile-migrate history of another project, or a newer one of ours
 */
export async function migrate(url: string, timeZone?: string): Promise<MigrateResult> {
  const sql = connect(url)
  try {
    await sql`select pg_advisory_lock(hashtextextended('nms-table-metrics migrate', 0))`
    const before = await history(sql)
    await refuseForeignHistory(before)
    if (timeZone) await refuseUnknownTimeZone(sql, timeZone)
    await runCommitted(sql, url, timeZone)
    await assertInstalled(sql)
    const applied = (await history(sql)).filter(({ hash }) => !before.some((row) => row.hash === hash))
    const [settings] = await sql<[{ zone: string }]>`
      select business_time_zone as zone from nms.table_metrics_settings
    `
    return { applied: applied.map(({ filename }) => filename), businessTimeZone: settings.zone }
  } finally {
    await sql.end()
  }
}

type HistoryRow = { filename: string; hash: string }

async function history(sql: Sql): Promise<HistoryRow[]> {
  const [found] = await sql<[{ exists: boolean }]>`
    select to_regclass('graphile_migrate.migrations') is not null as exists
  `
  if (!found.exists) return []
  return sql<HistoryRow[]>`select filename, hash from graphile_migrate.migrations order by filename`
}

// Graphile-migrate runs what comes after the newest name in its one history per database: next to
// another project's, ours would be skipped without a word.
async function refuseForeignHistory(rows: HistoryRow[]): Promise<void> {
  const ours = await committedMigrations()
  const unknown = rows.filter(({ hash }) => !ours.some((migration) => migration.hash === hash))
  const newest = unknown.at(-1)
  if (!newest) return
  if (rows[0]?.hash === ours[0]?.hash) {
    throw new Error(
      `this database was migrated by a newer version of table-metrics (${newest.filename} is unknown here): use that version`,
    )
  }
  throw new Error(
    `another project keeps its graphile-migrate history in this database (newest: ${newest.filename}), next to which ` +
      'our migrations would be skipped. Nothing was changed. Install with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"',
  )
}

// Before a first install there is no nms.is_time_zone() to ask, and a refused install would leave
// graphile-migrate's schema behind.
async function refuseUnknownTimeZone(sql: Sql, timeZone: string): Promise<void> {
  const known = await sql`select from pg_timezone_names where lower(name) = lower(${timeZone})`
  if (known.length > 0) return
  throw new Error(
    `SNAPSHOT_TZ: saw ${timeZone}, expected a time zone that the server knows, such as Europe/Berlin`,
  )
}

async function runCommitted(sql: Sql, url: string, timeZone?: string): Promise<void> {
  const name = `table-metrics migrate ${randomUUID()}`
  const settings = {
    rootConnectionString: 'postgres:///template1', // not used to migrate, but may not equal ours
    migrationsFolder,
    logger: new Logger(() => () => undefined),
    ...(timeZone && { pgSettings: { 'nms.business_time_zone': timeZone } }),
  }
  await withPgUrl(url, name, async (connectionString) => {
    try {
      for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
        try {
          return await runMigrations({ ...settings, connectionString })
        } catch (error) {
          // Somebody runs graphile-migrate itself in this database: it does not wait, so we do.
          const busy = error instanceof Error && error.message === 'Failed to get exclusive lock'
          if (!busy || Date.now() > deadline) throw error
        }
      }
    } finally {
      await closeConnections(sql, name).catch(() => undefined)
    }
  })
}

/** Graphile-migrate keeps its connections for a while, and ends this process when one of them breaks. */
async function closeConnections(sql: Sql, name: string): Promise<void> {
  clearAllPools()
  for (const deadline = Date.now() + 2_000; Date.now() < deadline; await sleep(5)) {
    const left = await sql`select from pg_stat_activity where application_name = ${name}`
    if (left.length === 0) return
  }
}

async function assertInstalled(sql: Sql): Promise<void> {
  const missing = await sql<{ name: string }[]>`
    select name
    from unnest(${await installedFunctions()}::text[]) as name
    where not exists (
      select from pg_proc where pronamespace = to_regnamespace('nms') and proname = name
    )
  `
  if (missing.length > 0) {
    throw new Error(
      `the install is incomplete, nms lacks ${missing.map(({ name }) => name).join(', ')}: ` +
        'restore it with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"',
    )
  }
}
