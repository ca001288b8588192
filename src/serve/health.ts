import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AskWhile } from './sessions.ts'

/** Whether the process lives, and whether it can answer: for those who start and stop it. */
export function health(app: FastifyInstance, ask: AskWhile): void {
  const config = { isOpen: true }
  const schema = { hide: true }
  const uncached = (reply: FastifyReply) => reply.header('cache-control', 'no-store')
  app.get('/live', { config, schema, handler: (_, reply) => uncached(reply).send({ status: 'live' }) })
  app.get('/ready', {
    config,
    schema,
    handler: async ({ signal }, reply) => {
      await ask(signal)`select from nms.table_metrics_settings`
      return uncached(reply).send({ status: 'ready' })
    },
  })
}
