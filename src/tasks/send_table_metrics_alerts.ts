import type { JobHelpers, Task } from 'graphile-worker'
import { sendMessage } from '../deliver/send.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { delayRetry } from '../private_parts/graphile_worker.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { payloadAsText } from '../schedule/payload.ts'
import { jobContext, type TaskOptions, tryNoMore, withVisibleErrors, workerSchema } from '../worker/job.ts'

/** The task `send_table_metrics_alerts`: tells a webhook what there is to tell. */
export function sendTask(options: TaskOptions = {}): Task {
  return (payload, helpers) => withVisibleErrors(send(payload, helpers, options))
}

export default sendTask()

async function send(payload: unknown, helpers: JobHelpers, options: TaskOptions): Promise<void> {
  const { url, log, signal } = jobContext(helpers, options)
  const about = aboutOf(payload)
  if (about === undefined) {
    await tryNoMore(helpers, options.schema)
    throw new Error(
      `payload: saw ${payloadAsText(payload).slice(0, 200)}, expected what table-metrics queues, such as {"message": "run 41"}`,
    )
  }
  const webhook = options.webhook ?? readWebhook()
  if (!webhook) throw new Error('ALERT_WEBHOOK_URL is not set: expected where alerts are sent')
  const delivery = await sendMessage(about, { url, webhook, log, signal })
  if (delivery === 'busy') {
    // Whoever sends it may be dead.
    await helpers.addJob(sendTaskName, payload, {
      runAt: new Date(Date.now() + 60_000),
      jobKey: `${sendTaskName} ${about}`,
    })
  } else if (delivery instanceof Error) {
    if (delivery.isFinal) await tryNoMore(helpers, options.schema)
    else await delayRetry(helpers, workerSchema(options.schema), delivery.retryAfterSeconds)
    throw delivery
  }
}

function aboutOf(payload: unknown): string | undefined {
  const { message } = (payload ?? {}) as { message?: unknown }
  return typeof message === 'string' ? message : undefined
}
