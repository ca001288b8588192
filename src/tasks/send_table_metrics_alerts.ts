import type { JobHelpers, Task } from 'graphile-worker'
import { addJobBy, keyOf } from '../deliver/queue.ts'
import { sendMessage, writeDigest } from '../deliver/send.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { delayRetry } from '../private_parts/graphile_worker.ts'
import { sendTaskName } from '../schedule/crontab.ts'
import { ask } from '../schedule/open_job.ts'
import { sendProblem, sendRequest } from '../schedule/send_payload.ts'
import { jobContext, type TaskOptions, tryNoMore, withVisibleErrors, workerSchema } from '../worker/job.ts'

/** The task `send_table_metrics_alerts`: tells a webhook what there is to tell. */
export function sendTask(options: TaskOptions = {}): Task {
  return (payload, helpers) => withVisibleErrors(send(payload, helpers, options))
}

export default sendTask()

/** Of the database: the slot is none of the last days, and becomes none. */
const invalidParameterValue = '22023'

async function send(payload: unknown, helpers: JobHelpers, options: TaskOptions): Promise<void> {
  const { url, log, signal } = jobContext(helpers, options)
  const request = sendRequest(payload)
  if (!request) {
    await tryNoMore(helpers, options.schema)
    throw new Error(sendProblem(payload) ?? '')
  }
  const webhook = options.webhook ?? readWebhook()
  if (!webhook) throw new Error('ALERT_WEBHOOK_URL is not set: expected where alerts are sent')
  const addJob = addJobBy(helpers)

  if ('digest' in request) {
    const message = await ask(url, signal, (sql) => writeDigest(sql, request.slot)).catch(async (error) => {
      if (error.code === invalidParameterValue) await tryNoMore(helpers, options.schema)
      throw error
    })
    await addJob({ message }, keyOf(message))
    return
  }
  const { message } = request
  const delivery = await sendMessage(message, { url, webhook, log, signal })
  if (delivery === 'busy') {
    // Whoever sends it may be dead.
    const runAt = new Date(Date.now() + 60_000)
    await helpers.addJob(sendTaskName, { message }, { runAt, jobKey: keyOf(message) })
  } else if (delivery instanceof Error) {
    if (delivery.isFinal) await tryNoMore(helpers, options.schema)
    else await delayRetry(helpers, workerSchema(options.schema), delivery.retryAfterSeconds)
    throw delivery
  }
}
