import type { FastifyInstance, FastifyReply } from 'fastify'
import { inASentence, stateProblem } from '../install/state.ts'
import { later } from './problem.ts'
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
      asking ??= look(ask).finally(() => {
        asking = undefined
      })
      await asking
      return uncached(reply).send({ status: 'ready' })
    },
  })
}

async function look(ask: AskWhile): Promise<void> {
  const [install] = await ask(toTheEnd)<[{ comment: string | null }]>`
    select obj_description(to_regnamespace('nms_private')::oid, 'pg_namespace') as comment
    from nms.table_metrics_settings
  `
  const problem = await stateProblem(install.comment)
  if (problem) throw later(inASentence(problem))
}
