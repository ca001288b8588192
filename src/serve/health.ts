import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AskWhile } from './sessions.ts'

const toTheEnd = new AbortController().signal

/** Whether the process lives, and whether it can answer: for those who start and stop it. */
export function health(app: FastifyInstance, ask: AskWhile): void {
  const config = { isOpen: true }
  const schema = { hide: true }
  const uncached = (reply: FastifyReply) => reply.header('cache-control', 'no-store')
  app.get('/live', { config, schema, handler: (_, reply) => uncached(reply).send({ status: 'live' }) })
  // Of strangers as well: however many ask at a time, they take one turn of those who may read.
  let asking: Promise<unknown> | undefined
  app.get('/ready', {
    config,
    schema,
    handler: async (_, reply) => {
      asking ??= ask(toTheEnd)`select from nms.table_metrics_settings`.finally(() => {
        asking = undefined
      })
      await asking
      return uncached(reply).send({ status: 'ready' })
    },
  })
}
