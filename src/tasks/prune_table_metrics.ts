import type { JobHelpers, Task } from 'graphile-worker'
import { connect } from '../connection/database.ts'
import { type Keep, prune } from '../history/prune.ts'
import type { Log } from '../log.ts'
import { pruningSession } from '../schedule/crontab.ts'
import { ask } from '../schedule/open_job.ts'
import { pruneProblem } from '../schedule/prune_payload.ts'
import { jobContext, type TaskOptions, tryNoMore, withVisibleErrors } from '../worker/job.ts'

/** The task `prune_table_metrics`: deletes old runs. */
export function pruneTask(options: TaskOptions = {}): Task {
  return (payload, helpers) => withVisibleErrors(work(payload, helpers, options))
}

export default pruneTask()

async function work(payload: unknown, helpers: JobHelpers, options: TaskOptions): Promise<void> {
  const { url, log, signal } = jobContext(helpers, options)
  const problem = await ask(url, signal, (sql) => pruneProblem(sql, payload))
  if (problem) {
    await tryNoMore(helpers, options.schema)
    throw new Error(problem)
  }
  await pruneAll(url, payload as Keep, log, signal)
}

async function pruneAll(url: string, keep: Keep, log: Log, signal: AbortSignal): Promise<void> {
  const sql = connect(url, { name: pruningSession })
  const startedAt = Date.now()
  let runs_deleted = 0
  let done = false
  try {
    const { left } = await prune(sql, keep, signal, ({ deleted }) => {
      runs_deleted = Number(deleted)
    })
    if (left !== '0') throw new Error(`stopped before ${left ?? 'all the'} other runs were deleted`)
    done = true
  } finally {
    // Whatever went wrong later: what is gone is gone.
    if (done || runs_deleted > 0) {
      log.record({ event: 'pruned', runs_deleted, seconds: (Date.now() - startedAt) / 1000 })
    }
    await sql.end({ timeout: 0 })
  }
}
