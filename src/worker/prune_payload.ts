import type { Sql } from '../database.ts'
import { reasonOf } from '../log.ts'
import type { Keep } from '../prune.ts'

const keys = ['keepRuns', 'keepDaily'] as const
const example = '{"keepRuns": "90 days", "keepDaily": "5 years"}'

/**
 * What the payload of a job that prunes asks for.
 *
 * @throws PayloadError when it is malformed; whether its times are intervals, the server knows
 */
export function readKeep(payload: unknown): Keep {
  const problem = shapeProblem(payload)
  if (problem) throw new PayloadError(problem)
  return payload as Keep
}

/** A payload that no attempt can do anything with. */
export class PayloadError extends Error {}

function shapeProblem(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    return `payload: saw ${shown(payload)}, expected an object such as ${example}`
  }
  const given = Object.entries(payload).filter(([key]) => key !== '_cron') // which graphile-worker writes
  const problems = given.flatMap(([key, value]) => {
    if (!keys.includes(key as never)) {
      return [`payload: saw the unknown key ${shown(key)}, expected only ${keys.join(' and ')}`]
    }
    return isTime(value)
      ? []
      : [`${key}: saw ${shown(value)}, expected a time with its unit such as "90 days"`]
  })
  if (given.length === 0) problems.push(`payload: saw no time, expected ${example} or one of the two`)
  return problems.join('; ') || undefined
}

/** To Postgres, 90 is so many seconds, and m a minute: either would delete nearly everything. */
function isTime(value: unknown): boolean {
  return typeof value === 'string' && !/^[\s\d.+-]*m?\s*$/i.test(value)
}

const shown = (value: unknown) => JSON.stringify(value).slice(0, 200)

/**
 * Why jobs with this payload would fail, as the server says that does not delete anything meanwhile.
 *
 * @throws what it says about anything else, such as a right that is missing
 */
export async function pruneProblem(sql: Sql, payload: unknown): Promise<string | undefined> {
  const problem = shapeProblem(payload ?? {})
  if (problem) return problem
  const { keepRuns = null, keepDaily = null } = payload as Keep
  try {
    await sql.begin('read only', async (transaction) => {
      await transaction`
        select from nms.prune_table_metrics(
          keep_runs => ${keepRuns}::interval,
          keep_daily => ${keepDaily}::interval
        )
      `
    })
  } catch (error) {
    if (isMalformed(error)) return reasonOf(error)
    if ((error as { code?: string }).code !== '25006') throw error // there is something to delete
  }
}

/** True for an error that the payload is to blame for, so that trying again does not help. */
export function isMalformed(error: unknown): boolean {
  return error instanceof PayloadError || /^22/.test((error as { code?: string }).code ?? '')
}
