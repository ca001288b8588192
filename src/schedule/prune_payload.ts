import type { Sql } from '../connection/database.ts'
import { payloadAsText } from './payload.ts'

/** Why jobs that prune would fail with this payload; null when nothing is wrong with it. */
export async function pruneProblem(sql: Sql, payload: unknown): Promise<string | null> {
  const [{ problem }] = await sql<[{ problem: string | null }]>`
    select nms_private.validate_prune_job(payload => nms_private.job_payload(${payloadAsText(payload)})) as problem
  `
  return problem
}
