import type { JobHelpers, Task } from 'graphile-worker'
import { addJobBy, queueMessages } from '../deliver/queue.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { reasonOf } from '../log.ts'
import { collectRun } from '../run/collect.ts'
import { endingEvents } from '../run/events.ts'
import { readRun } from '../run/run.ts'
import { taskName } from '../schedule/crontab.ts'
import { ask, openJob, reportAbandonedRuns, retryHelps } from '../schedule/open_job.ts'
import { visible } from '../terminal/visible.ts'
import { jobContext, type TaskOptions, tryNoMore, withVisibleErrors } from '../worker/job.ts'

/** The task `collect_table_metrics`: a run. */
export function collectTask(options: TaskOptions = {}): Task {
  return (payload, helpers) => withVisibleErrors(collect(payload, helpers, options))
}

export default collectTask()

async function collect(payload: unknown, helpers: JobHelpers, options: TaskOptions): Promise<void> {
  const { url, log, signal } = jobContext(helpers, options)
  try {
    await work(payload, helpers, options, { url, log, signal })
  } finally {
    await tell(helpers, options, { url, log, signal })
  }
}

type Context = ReturnType<typeof jobContext>

async function work(
  payload: unknown,
  helpers: JobHelpers,
  options: TaskOptions,
  { url, log, signal }: Context,
): Promise<void> {
  const { attempts, created_at } = helpers.job
  const job = await ask(url, signal, async (sql) => {
    await reportAbandonedRuns(sql, log)
    const opened = await openJob(sql, payload, attempts > 1 ? created_at : undefined)
    if (opened.action === 'reject') {
      for (const event of await endingEvents(sql, await readRun(sql, opened.run_id))) log.record(event)
    }
    return opened
  })
  const { run_id, message } = job

  if (job.action === 'served') {
    helpers.logger.info(visible(message))
  } else if (job.action === 'wait') {
    helpers.logger.info(visible(message))
    await helpers.addJob(taskName, payload, {
      runAt: job.soon,
      jobKey: `${taskName} ${job.slot?.toISOString()}`,
      maxAttempts: helpers.job.max_attempts,
    })
  } else if (job.action === 'reject') {
    await tryNoMore(helpers, options.schema)
    throw new Error(message)
  } else {
    const { online, jobs, deadline } = job
    const run = await collectRun(url, run_id, {
      ...(online && { online }),
      ...(jobs && { jobs }),
      ...(deadline && { deadline }),
      signal,
      report: log.record,
    })
    if (run.status === 'SUCCEEDED') return
    const helps = await ask(url, signal, (sql) => retryHelps(sql, run_id)).catch(() => true)
    if (!helps) await tryNoMore(helpers, options.schema)
    throw new Error(run.error_message ?? `run ${run_id} is ${run.status}`)
  }
}

/** Queues what there is to tell now. However that goes, the run has ended as it has. */
async function tell(helpers: JobHelpers, options: TaskOptions, { url, log, signal }: Context): Promise<void> {
  if (signal.aborted) return // the next worker finds what there is to tell
  try {
    if (!(options.webhook ?? readWebhook())) return
    await ask(url, signal, (sql) => queueMessages(sql, addJobBy(helpers)))
  } catch (error) {
    log.record({ event: 'messages_not_queued', reason: reasonOf(error) })
  }
}
