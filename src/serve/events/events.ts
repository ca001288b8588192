import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../../log.ts'
import { requireTrigger } from '../authentication/authentication.ts'
import type { AskWhile } from '../sessions.ts'
import { readEvents } from './envelope.ts'
import type { RunRequest } from './run_request.ts'

export interface EventsOptions {
  /** As whoever may queue runs. */
  ask: AskWhile
  /** That of graphile-worker. */
  schema: string
  log: Log
}

/** Where events are posted: each queues a run, once, and is answered at once. */
export const eventsPath = '/v1/events'

// A sender that leaves will send again: what it has sent may be stored as well.
const toTheEnd = new AbortController().signal

/** The routes of events. What is not posted by somebody who may start runs is not even read. */
export function events(app: FastifyInstance, options: EventsOptions): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.options(eventsPath, { config: { isOpen: true }, schema: { hide: true }, handler: agree })
  app.post(eventsPath, {
    schema: {
      operationId: 'events',
      tags: ['events'],
      summary: 'Queue a run for each event that is new',
      description:
        'CloudEvents 1.0 in binary, structured or batched mode, or a push of Pub/Sub; the data is the request of the run. 202 when something was queued, 204 when all of it was known already.',
    },
    preParsing: async ({ caller }, _reply, payload) => {
      requireTrigger(caller)
      return payload
    },
    handler: (request, reply) => receive(request, reply, options),
  })
}

async function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  { ask, schema, log }: EventsOptions,
): Promise<FastifyReply> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const received = readEvents(request.headers, body)
  const queued = received.length > 0 ? await queue(ask(toTheEnd), schema, received) : 0
  if (queued === 0) return reply.code(204).send()
  log.record({ event: 'runs_queued', queued, received: received.length, caller: request.caller.name })
  return reply.code(202).send({ queued })
}

/** All or nothing, in an order in which no other batch gets stuck. Resolves to how many were new. */
async function queue(ask: ReturnType<AskWhile>, schema: string, received: RunRequest[]): Promise<number> {
  const [{ queued }] = await ask<[{ queued: number }]>`
    select count(*) filter (where answer.is_new)::integer as queued
    from (
      select
        nms.queue_run(
          source => event.source, event_id => event.id, request => event.request, worker_schema => ${schema}
        ) as is_new
      from (
        select *
        from unnest(
          ${received.map(({ source }) => source)},
          ${received.map(({ id }) => id)},
          ${received.map(({ request }) => request)}
        ) as event (source, id, request)
        order by event.source, event.id
      ) as event
    ) as answer
  `
  return queued
}

/** Whoever asks may send here: that allows no more than to try. CloudEvents, HTTP webhook, 4. */
function agree({ headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const origin = headers['webhook-request-origin']
  const rate = headers['webhook-request-rate']
  reply.header('allow', 'OPTIONS, POST')
  if (typeof origin === 'string') {
    reply.header('webhook-allowed-origin', origin).header('webhook-allowed-rate', rate ?? '*')
  }
  return reply.code(200).send()
}
