import type { FastifyInstance } from 'fastify'
import type { AskWhile } from './sessions.ts'

/** Whether the process lives, and whether it can answer: for those who start and stop it. */
export function health(app: FastifyInstance, ask: AskWhile): void {
  const config = { isOpen: true }
  const schema = { hide: true }
  app.get('/live', { config, schema, handler: async () => ({ status: 'live' }) })
  app.get('/ready', {
    config,
    schema,
    handler: async ({ signal }) => {
      await ask(signal)`select from nms.table_metrics_settings`
      return { status: 'ready' }
    },
  })
}
