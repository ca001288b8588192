import type { Sql } from '../connection/database.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { writeMessages } from './send.ts'

/** Adds a job: the same key, the same job. */
export type AddJob = (payload: { message: string }, jobKey: string) => Promise<unknown>

/** Queues a job for every message that waits to be sent, unless it has one. */
export async function queueMessages(sql: Sql, addJob: AddJob): Promise<void> {
  for (const about of await writeMessages(sql)) {
    await addJob({ message: about }, `${sendTaskName} ${about}`)
  }
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
