import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HistoryRow, historyQuery, whoseHistory } from './history.ts'
import { beginning } from './install_script.ts'
import { type Client, inTransaction, namingWhoIsInTheWay, one, withClient } from './installer_session.ts'
import { committedMigrations, installedFunctions, migrationsFolder } from './migrations.ts'
import { type Owner, superuserAsOwner } from './owner.ts'
import { stateIn, stateProblem } from './state.ts'

/** Outcome of {@link migrate}. */
export interface MigrateResult {
  /** Migrations that this call ran, such as `000001.sql`; empty when the install was up to date. */
  applied: string[]
  /** What was not there before, such as `schema nms`. */
  created: string[]
  /** Who owns the schemas nms and nms_private, and all in them. */
  owner: string
  /** Why it was not handed over to table_metrics_owner; null when it was, or was to be kept. */
  keptBecause: string | null
  /** What the owner lacks, each with the statement for an administrator, or has too much of. */
  warnings: string[]
  /** The business time zone of the install. */
  businessTimeZone: string
}

export interface MigrateOptions {
  /** Leaves both schemas to the installer, and makes no roles. */
  keepOwner?: boolean
  /** For how long, in milliseconds, to try again when somebody is in the way. */
  timeout?: number
}

/**
 * Installs or updates the schemas `nms` and `nms_private`, in one transaction: all of it or nothing.
 *
 * @param url the database
 * @param timeZone business time zone of a first install, such as `Europe/Berlin`; later ones keep theirs
 * @throws when something of somebody else's is in our place, the database has the graphile-migrate history of
 *   another project or a newer one of ours, or was installed by an earlier state
 */
export function migrate(
  url: string,
  timeZone?: string,
  { keepOwner = false, timeout = 60_000 }: MigrateOptions = {},
): Promise<MigrateResult> {
  return withClient(url, (client) => {
    const warnings = warningsOf(client)
    const attempt = async () => {
      warnings.length = 0
      const result = await inTransaction(client, () => install(client, keepOwner, timeZone))
      return { ...result, warnings: [...(result.keptBecause ? [] : warnings), ...result.warnings] }
    }
    return namingWhoIsInTheWay(client, url, async () => {
      for (const deadline = Date.now() + timeout; ; await sleep(200)) {
        try {
          return await attempt()
        } catch (error) {
          if (!passesBy(error) || Date.now() > deadline) throw error
        }
      }
    })
  })
}

/** Where an install would write, and what it would create, such as `schema nms`. */
export interface Plan {
  database: string
  server: string
  user: string
  creates: string[]
}

/** Asks the database what {@link migrate} would do, and writes nothing. */
export function planOf(url: string): Promise<Plan> {
  return withClient(url, (client) =>
    inTransaction(client, async () => {
      const session = await one<{ database: string; user: string }>(
        client,
        'select current_database() as database, current_user as user',
      )
      return { ...session, server: `${client.host}:${client.port}`, creates: await missing(client) }
    }),
  )
}

async function install(client: Client, keepOwner: boolean, timeZone?: string): Promise<MigrateResult> {
  const absent = await missing(client)
  await client.query(await beginning({ timeZone, keepsHistory: true }))
  if (timeZone) await refuseUnknownTimeZone(client, timeZone)

  const { rows: before } = await client.query<HistoryRow>(historyQuery)
  await refuseForeignHistory(before, await readComment(client))
  // Whoever has dropped the schema has left its history.
  const pending = (await committedMigrations()).slice((await hasTables(client)) ? before.length : 0)
  for (const { filename, hash, previousHash, body } of pending) {
    await client.query(body)
    await client.query(
      'insert into graphile_migrate.migrations (hash, previous_hash, filename) values ($1, $2, $3) on conflict do nothing',
      [hash, previousHash, filename],
    )
  }
  await assertInstalled(client)
  const keptBecause = keepOwner ? null : await handOver(client)

  const left = await missing(client)
  const superuser = await superuserAsOwner((text) => one<Owner>(client, text))
  const { owner, zone } = await one<{ owner: string; zone: string }>(
    client,
    `
      select schema.nspowner::regrole::text as owner, settings.business_time_zone as zone
      from pg_namespace as schema
      cross join nms.table_metrics_settings as settings
      where schema.nspname = 'nms'
    `,
  )
  return {
    applied: pending.map(({ filename }) => filename),
    created: absent.filter((object) => !left.includes(object)),
    owner,
    keptBecause,
    warnings: superuser ? [superuser] : [],
    businessTimeZone: zone,
  }
}

function warningsOf(client: Client): string[] {
  const warnings: string[] = []
  client.on('notice', ({ severity, message, hint }) => {
    if (severity === 'WARNING') warnings.push([message, hint].filter(Boolean).join('\n'))
  })
  return warnings
}

async function missing(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(`
    select concat(wanted.kind, ' ', wanted.name) as object
    from (
      values
        (1, 'schema', 'nms'),
        (2, 'schema', 'nms_private'),
        (3, 'schema', 'graphile_migrate'),
        (4, 'role', 'table_metrics_owner'),
        (5, 'role', 'table_metrics_collector'),
        (6, 'role', 'table_metrics_worker'),
        (7, 'role', 'table_metrics_maintainer'),
        (8, 'role', 'table_metrics_reader'),
        (9, 'role', 'table_metrics_requester'),
        (10, 'role', 'table_metrics_nobody')
    ) as wanted (place, kind, name)
    where
      case wanted.kind
        when 'schema' then to_regnamespace(wanted.name) is null
        else
          to_regrole(wanted.name) is null
          and (select role.rolsuper or role.rolcreaterole from pg_roles as role where role.rolname = current_user)
      end
    order by wanted.place
  `)
  return rows.map(({ object }) => object)
}

/**
 * Gives both schemas to table_metrics_owner, and makes the roles.
 *
 * @returns what stood against it; null when it was done
 */
async function handOver(client: Client): Promise<string | null> {
  const script = await readFile(`${migrationsFolder}/roles.sql`, 'utf8')
  const statements = script.replace(/^(begin|commit);$/gm, '') // this transaction is its own
  await client.query('savepoint roles')
  try {
    await client.query(statements)
    return null
  } catch (error) {
    // Whoever may not make or give roles installs for itself.
    if ((error as { code?: string }).code !== '42501') throw error
    await client.query('rollback to savepoint roles')
    return (error as Error).message
  }
}

async function hasTables(client: Client): Promise<boolean> {
  const { found } = await one<{ found: boolean }>(
    client,
    "select to_regclass('nms.table_metrics_runs') is not null as found",
  )
  return found
}

async function refuseForeignHistory(rows: HistoryRow[], comment: string | null): Promise<void> {
  const newest = rows.at(-1)?.filename
  const whose = await whoseHistory(rows)
  if (whose === 'newer') {
    throw new Error(
      `this database was migrated by a newer version of table-metrics (${newest} is unknown here): use that version`,
    )
  }
  if (whose === 'foreign' && rows.length === 1 && newest === '000001.sql' && stateIn(comment ?? '')) {
    throw new Error(
      'the schema nms was made by another state of table-metrics, before its first release. Nothing was changed. ' +
        'Install over it with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"',
    )
  }
  if (whose === 'foreign') {
    throw new Error(
      `another project keeps its graphile-migrate history in this database (newest: ${newest}), next to which ` +
        'our migrations would be skipped. Nothing was changed. Install with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"',
    )
  }
}

// Before a first install there is no nms_private.is_time_zone() to ask.
async function refuseUnknownTimeZone(client: Client, timeZone: string): Promise<void> {
  const { rows } = await client.query('select from pg_timezone_names where lower(name) = lower($1)', [
    timeZone,
  ])
  if (rows.length > 0) return
  throw new Error(
    `SNAPSHOT_TZ: saw ${timeZone}, expected a time zone that the server knows, such as Europe/Berlin`,
  )
}

async function assertInstalled(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select proname as name from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)",
  )
  const missing = (await installedFunctions()).filter((name) => !rows.some((row) => row.name === name))
  if (missing.length > 0) {
    const others = missing.length > 3 ? ` and ${missing.length - 3} other functions` : ''
    throw new Error(
      `the install is incomplete, it lacks ${missing.slice(0, 3).join(', ')}${others}: ${restore}`,
    )
  }
  if (await stateProblem(await readComment(client))) {
    throw new Error(`the install is not what its history says: ${restore}`)
  }
}

const restore = 'restore it with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"'

/** The comment in which an install tells its state. */
async function readComment(client: Client): Promise<string | null> {
  const { comment } = await one<{ comment: string | null }>(
    client,
    "select obj_description(to_regnamespace('nms_private')::oid, 'pg_namespace') as comment",
  )
  return comment
}

// A lock that is held, or another install that is at the same: here, or for roles in another database.
function passesBy(error: unknown): boolean {
  const { code, message = '' } = error as { code?: string; message?: string }
  return (
    /^(55P03|40P01|23505|42P06|42P07|42710)$/.test(code ?? '') ||
    (code === 'XX000' && message.includes('concurrently'))
  )
}
