import type { JobHelpers } from 'graphile-worker'
import type { Sql } from '../connection/database.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { writeMessages } from './send.ts'

/** Adds a job, unless there is one with this key. */
export type AddJob = (payload: { message: string }, jobKey: string) => Promise<unknown>

/** Queues a job for every message that waits to be sent, unless it has one. */
export async function queueMessages(sql: Sql, addJob: AddJob): Promise<void> {
  for (const message of await writeMessages(sql)) await addJob({ message }, keyOf(message))
}

/** The key of the job that sends a message. */
export const keyOf = (message: string) => `${sendTaskName} ${message}`

/** Adds jobs where another one has been added. */
export function addJobBy(helpers: JobHelpers): AddJob {
  return (payload, jobKey) => helpers.addJob(sendTaskName, payload, { jobKey, jobKeyMode: 'unsafe_dedupe' })
}

/** Adds jobs by SQL, for whoever is no job. */
export function addJobBySql(sql: Sql, schema: string): AddJob {
  return (payload, jobKey) => sql`
    select from ${sql(schema)}.add_job(
      identifier => ${sendTaskName}, payload => ${JSON.stringify(payload)}::text::json, job_key => ${jobKey},
      job_key_mode => 'unsafe_dedupe'
    )
  `
}
