import type { Sql } from '../connection/database.ts'
import { type HistoryRow, historyQuery, whoseHistory } from '../install/history.ts'
import { check } from '../install/install_script.ts'
import { installedFunctions } from '../install/migrations.ts'
import { readStateProblem } from '../install/state.ts'
import type { Problem } from './doctor.ts'

const runAsScript = 'table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"'

/** Why the schemas nms and nms_private are not what this version of table-metrics works with. */
export async function installProblems(sql: Sql): Promise<Problem[]> {
  const [server] = await sql<[{ version: string; number: number; database: string; is_installed: boolean }]>`
    select
      current_setting('server_version') as version,
      current_setting('server_version_num')::int as number,
      current_database() as database,
      exists (
        select from pg_class where relnamespace = to_regnamespace('nms') and relname = 'table_metrics_runs'
      ) as is_installed
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
  const stranger = await strangeOwner(sql)
  if (stranger) {
    return [
      {
        severity: 'error',
        problem: 'owned_by_somebody_else',
        subject: stranger.object,
        detail: `it belongs to ${stranger.owner}: what a superuser calls there runs with the rights of a superuser`,
        remedy: `log in as ${stranger.owner}, or drop it and run: table-metrics migrate`,
      },
    ]
  }
  const history = await readHistory(sql)
  const earlier = await earlierState(sql, history !== 'none')
  if (earlier) return [earlier]
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
    where not exists (select from pg_proc where pronamespace in (to_regnamespace('nms'), to_regnamespace('nms_private')) and proname = name)
  `
  if (missing.length > 0) {
    const detail = `it lacks ${missing.map(({ name }) => name).join(', ')}`
    const remedy = history === 'behind' ? 'table-metrics migrate' : runAsScript
    return [{ severity: 'error', problem: 'install_incomplete', subject: 'nms', detail, remedy }]
  }
  const difference = await readStateProblem(sql)
  if (difference) {
    const { problem: detail, remedy } = difference
    return [{ severity: 'error', problem: 'install_differs', subject: 'nms', detail, remedy }]
  }
  return historyProblems[history].map((problem) => ({
    severity: 'warning',
    subject: 'graphile_migrate',
    ...problem,
  }))
}

type History = 'none' | Awaited<ReturnType<typeof whoseHistory>>

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

/** For a superuser: an owner of one of the schemas who is neither one nor table_metrics_owner. */
async function strangeOwner(sql: Sql): Promise<{ object: string; owner: string } | undefined> {
  const [found] = await sql<{ object: string; owner: string }[]>`
    select concat('schema ', schema.nspname) as object, quote_ident(owner.rolname) as owner
    from pg_namespace as schema
    join pg_roles as owner on owner.oid = schema.nspowner
    where
      schema.nspname in ('nms', 'nms_private')
      and not owner.rolsuper
      and owner.rolname <> 'table_metrics_owner'
      and (select role.rolsuper from pg_roles as role where role.rolname = current_user)
  `
  return found
}

/** Whose graphile-migrate history the database has; none also for what may not be read, or is no plain table. */
async function readHistory(sql: Sql): Promise<History> {
  const [found] = await sql<[{ is_readable: boolean }?]>`
    select
      has_schema_privilege(schema.oid, 'usage')
      and has_table_privilege(relation.oid, 'select')
      and relation.relkind = 'r'
      and not relation.relrowsecurity as is_readable
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where schema.nspname = 'graphile_migrate' and relation.relname = 'migrations'
  `
  if (!found?.is_readable) return 'none'
  return whoseHistory((await sql.unsafe(historyQuery)).at(-1) as unknown as HistoryRow[])
}

/** What migrate says, too, about tables that an earlier state made. */
async function earlierState(sql: Sql, keepsHistory: boolean): Promise<Problem | undefined> {
  try {
    await sql.unsafe(await check(['check_earlier'], keepsHistory))
  } catch (error) {
    const { code, message, detail, hint } = error as Record<'code' | 'message' | 'detail' | 'hint', string>
    if (code !== '55000') throw error
    return {
      severity: 'error',
      problem: 'install_earlier',
      subject: 'nms',
      detail: `${message.replace(/: nothing was installed$/, '')}: ${detail}`,
      remedy: hint,
    }
  }
}
