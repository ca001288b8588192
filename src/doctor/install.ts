import type { Sql } from '../database.ts'
import { committedMigrations, installedFunctions } from '../migrations.ts'
import type { Problem } from './doctor.ts'

const runAsScript = 'table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"'

/** Why the schema nms is not what this version of table-metrics works with. */
export async function installProblems(sql: Sql): Promise<Problem[]> {
  const [server] = await sql<[{ version: string; number: number; database: string; is_installed: boolean }]>`
    select
      current_setting('server_version') as version,
      current_setting('server_version_num')::int as number,
      current_database() as database,
      to_regnamespace('nms') is not null as is_installed
  `
  if (server.number < 140_000) {
    const detail = `this server is PostgreSQL ${server.version}, expected 14 or newer`
    return [
      {
        severity: 'error',
        problem: 'server_too_old',
        subject: server.database,
        detail,
        remedy: 'upgrade it',
      },
    ]
  }
  const history = await readHistory(sql)
  if (!server.is_installed) {
    const detail =
      history === 'foreign'
        ? 'it has no schema nms, and next to the graphile-migrate history of another project migrate refuses'
        : 'it has no schema nms'
    const remedy = history === 'foreign' ? runAsScript : 'table-metrics migrate'
    return [{ severity: 'error', problem: 'not_installed', subject: server.database, detail, remedy }]
  }
  const missing = await sql<{ name: string }[]>`
    select name
    from unnest(${await installedFunctions()}::text[]) as name
    where not exists (select from pg_proc where pronamespace = to_regnamespace('nms') and proname = name)
  `
  if (missing.length > 0) {
    const detail = `schema nms lacks ${missing.map(({ name }) => name).join(', ')}`
    const remedy = history === 'behind' ? 'table-metrics migrate' : runAsScript
    return [{ severity: 'error', problem: 'install_incomplete', subject: 'nms', detail, remedy }]
  }
  return historyProblems[history].map((problem) => ({
    severity: 'warning',
    subject: 'graphile_migrate',
    ...problem,
  }))
}

type History = 'none' | 'current' | 'behind' | 'newer' | 'foreign'

const historyProblems: Record<History, Pick<Problem, 'problem' | 'detail' | 'remedy'>[]> = {
  none: [],
  current: [],
  behind: [
    {
      problem: 'migrations_pending',
      detail: 'this version of table-metrics has migrations that the database has not',
      remedy: 'table-metrics migrate',
    },
  ],
  newer: [
    {
      problem: 'install_newer',
      detail: 'the database was migrated by a newer version of table-metrics',
      remedy: 'use that version',
    },
  ],
  foreign: [
    {
      problem: 'foreign_migration_history',
      detail:
        'another project keeps its graphile-migrate history here, next to which table-metrics migrate refuses; update as shown',
      remedy: runAsScript,
    },
  ],
}

/** Whose graphile-migrate history the database has; none also for a role that may not read it. */
async function readHistory(sql: Sql): Promise<History> {
  const [found] = await sql<[{ is_readable: boolean }?]>`
    select
      has_schema_privilege(schema.oid, 'usage') and has_table_privilege(relation.oid, 'select') as is_readable
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where schema.nspname = 'graphile_migrate' and relation.relname = 'migrations'
  `
  if (!found?.is_readable) return 'none'
  const rows = await sql<{ hash: string }[]>`select hash from graphile_migrate.migrations order by filename`
  const ours = (await committedMigrations()).map(({ hash }) => hash)
  if (rows.some(({ hash }) => !ours.includes(hash))) return rows[0]?.hash === ours[0] ? 'newer' : 'foreign'
  if (rows.length === 0) return 'none'
  return rows.length < ours.length ? 'behind' : 'current'
}
