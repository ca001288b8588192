import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../connection/database.ts'
import { retryConnection } from '../connection/timeout.ts'
import { type Run, readRun } from './run.ts'

/**
 * Ends a run as FAILED, unless it has ended by itself. Waits for sessions that still work on it.
 *
 * Resolves to its header.
 *
 * @throws 55P03 when a session works on it for longer than ten seconds, and what the connection reports
 */
export async function giveUp(sql: Sql, runId: string, reason: string): Promise<Run> {
  for (const deadline = Date.now() + 10_000; ; await sleep(200)) {
    const run = await retryConnection(30_000, () => readRun(sql, runId))
    if (run.status !== 'RUNNING') return run
    try {
      await sql`select from nms_private.give_up_run(run_id => ${runId}, reason => ${reason})`
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}
