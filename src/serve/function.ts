import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { databaseUrl } from '../environment.ts'
import { createLog, type Log } from '../log.ts'
import { authenticationLog } from './authentication/log.ts'
import { Problem } from './problem.ts'

/** What a host of functions gives: it may have read the body already, and keeps it as `rawBody`. */
export type HttpFunction = (
  request: IncomingMessage & { rawBody?: Buffer },
  response: ServerResponse,
) => Promise<void>

/**
 * `POST /v1/events` as a function, for Google's Functions Framework with the signature `http`: whatever its address
 * is. It queues runs; a worker elsewhere makes them. DATABASE_URL, GRAPHILE_WORKER_SCHEMA and the variables of
 * authentication say how.
 *
 * @throws without a database, or a method of authentication
 */
export async function eventFunction(log: Log = createLog('json')): Promise<HttpFunction> {
  const url = databaseUrl()
  // Loaded only now: fastify takes a while, and most who import this package need none of it.
  const { readAuthentication } = await import('./authentication/settings.ts')
  const { buildApp } = await import('./app.ts')
  const { events, eventsPath } = await import('./events/events.ts')
  const { openSessions } = await import('./sessions.ts')
  const authentication = readAuthentication({ log: authenticationLog(log) })
  if (!authentication) {
    throw new Error(
      'saw no method of authentication, expected SERVE_EVENTS_OIDC_ISSUER and its like, or SERVE_TOKENS_FILE',
    )
  }
  const requester = openSessions(url, { role: 'table_metrics_requester', size: 2, readOnly: false })
  const schema = process.env.GRAPHILE_WORKER_SCHEMA || 'graphile_worker'
  const app = await buildApp({ authentication, log }, [
    (scope) => {
      events(scope, { ask: requester.ask, schema, log })
      // The stream has ended before it gets here: who waits for its end waits for ever.
      scope.removeContentTypeParser('*')
      scope.addContentTypeParser('*', async ({ raw, routeOptions }: FastifyRequest) => {
        const { rawBody } = raw as { rawBody?: Buffer }
        const { bodyLimit } = routeOptions
        if (!rawBody || rawBody.length <= bodyLimit) return rawBody
        throw new Problem(413, `saw ${rawBody.length} bytes, expected at most ${bodyLimit}`)
      })
    },
  ])
  await app.ready()
  return async (request, response) => {
    request.url = eventsPath
    app.routing(request, response)
  }
}
