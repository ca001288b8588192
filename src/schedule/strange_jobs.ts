import type { Sql } from '../connection/database.ts'
import { taskNames } from './crontab.ts'

/** Jobs for a task that nobody has: most likely a typing error. */
export interface StrangeJobs {
  task: string
  jobs: number
  /** What takes them away. */
  remedy: string
}

/**
 * Looks for them in the schema of graphile-worker, in which nothing may lie that a stranger has put there.
 *
 * @param schema its name
 */
export function readStrangeJobs(sql: Sql, schema: string): Promise<StrangeJobs[]> {
  return sql<StrangeJobs[]>`
    select task, jobs::integer, remedy
    from nms_private.find_strange_jobs(tasks => ${taskNames}, worker_schema => ${schema})
  `
}
