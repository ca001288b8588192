import type { ParsedCronItem } from 'graphile-worker'
import type { Sql } from '../connection/database.ts'
import type { Webhook } from '../deliver/webhook.ts'
import { codeOf } from '../errors.ts'
import { inASentence, readStateProblem } from '../install/state.ts'
import type { Log } from '../log.ts'
import { pruneTaskName, sendTaskName } from '../schedule/crontab.ts'
import { payloadAsText } from '../schedule/payload.ts'
import { pruneProblem } from '../schedule/prune_payload.ts'
import { sendProblem } from '../schedule/send_payload.ts'

/** What somebody has to mend before a worker can do anything. */
export class SetupError extends Error {}

/** True for what waiting does not mend: no such database or role, a wrong password, a right that is missing, nothing installed. */
export function isFatal(error: unknown): boolean {
  return error instanceof SetupError || /^(28|3D|42501)/.test(codeOf(error) ?? '')
}

/**
 * Looks whether a worker can do its work here.
 *
 * @param schema that of graphile-worker
 * @throws SetupError when nothing is installed, or another version, the schedule asks for something that runs would
 *   refuse, or the schema of graphile-worker is none to work in
 */
export async function preflight(
  sql: Sql,
  schema: string,
  cronItems: ParsedCronItem[],
  log: Log,
  webhook?: Webhook,
): Promise<void> {
  const [found] = await sql<[{ is_installed: boolean }]>`
    select to_regprocedure('nms_private.find_worker_problems(text)') is not null as is_installed
  `
  if (!found.is_installed) {
    throw new SetupError(
      'table metrics is not installed in this database, or in an older version: run table-metrics migrate',
    )
  }
  const difference = await readStateProblem(sql)
  if (difference) throw new SetupError(inASentence(difference))
  await refuseMalformedPayloads(sql, cronItems, webhook)
  await claimSchema(sql, schema)

  const [{ is_skipped }] = await sql<[{ is_skipped: boolean }]>`
    select ${schema} = any (machinery_schemas) as is_skipped from nms.table_metrics_settings
  `
  if (is_skipped) return
  const [{ literal }] = await sql<[{ literal: string }]>`select quote_literal(${schema}) as literal`
  const remedy = `update nms.table_metrics_settings set machinery_schemas = machinery_schemas || array[${literal}]`
  log.record({ event: 'schema_not_skipped', schema, remedy })
}

/** Who makes the schema decides what is in it: it is ours, or that of somebody whom we trust, before anything of it runs. */
async function claimSchema(sql: Sql, schema: string): Promise<void> {
  await refuseUnusable(sql, schema)
  const found = await sql`select from pg_namespace where nspname = ${schema}`
  if (found.length > 0) return
  await sql`create schema ${sql(schema)}`.catch((error) => {
    if (error.code !== '42P06') throw error // somebody was faster
  })
  await refuseUnusable(sql, schema)
}

async function refuseUnusable(sql: Sql, schema: string): Promise<void> {
  const [problem] = await sql<{ detail: string; remedy: string }[]>`
    select detail, remedy from nms_private.find_worker_problems(worker_schema => ${schema})
  `
  if (problem) throw new SetupError(`${problem.detail}; mend it with: ${problem.remedy}`)
}

const problems: Record<string, (sql: Sql, payload: unknown) => Promise<string | null>> = {
  [pruneTaskName]: pruneProblem,
  [sendTaskName]: async (_sql, payload) => sendProblem(payload),
}

async function refuseMalformedPayloads(
  sql: Sql,
  cronItems: ParsedCronItem[],
  webhook?: Webhook,
): Promise<void> {
  for (const { identifier, task, payload } of cronItems) {
    if (task === sendTaskName && !webhook) {
      throw new SetupError(
        `schedule ${identifier}: ALERT_WEBHOOK_URL is not set, expected where that is sent`,
      )
    }
    const problemOf = problems[task] ?? jobProblem
    const problem = await problemOf(sql, payload).catch(unlessDenied)
    if (problem) throw new SetupError(`crontab, schedule ${identifier}: ${problem}`)
  }
}

async function jobProblem(sql: Sql, payload: unknown): Promise<string | null> {
  const [{ problem }] = await sql<[{ problem: string | null }]>`
    select nms_private.validate_job(payload => nms_private.job_payload(${payloadAsText(payload)})) as problem
  `
  return problem
}

/** Its job says so when it is due: that is no reason not to collect. */
function unlessDenied(error: unknown): undefined {
  if (codeOf(error) !== '42501') throw error
}
