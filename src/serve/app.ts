import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Log, reasonOf } from '../log.ts'
import type { Authentication, Caller } from './authentication/authentication.ts'
import { describeParameters } from './parameters.ts'
import { asProblem, Problem } from './problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where nobody has to say who they are. */
    caller: Caller | undefined
  }
  interface FastifyContextConfig {
    /** True for what everybody may ask, such as whether the service lives. */
    isOpen?: boolean
  }
}

export interface AppOptions {
  /** Who may ask; everybody without, and then only from this machine. */
  authentication: Authentication | undefined
  log: Log
}

/** An area of the service: adds its routes. */
export type Area = (app: FastifyInstance) => void | Promise<void>

/** The service without a port: what holds for every request, and the routes of each area. */
export async function buildApp({ authentication, log }: AppOptions, areas: Area[]): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: 1_048_576,
    requestTimeout: 30_000, // until a request has arrived
    keepAliveTimeout: 620_000, // longer than a load balancer keeps a connection: Google's, 600 s
    routerOptions: { maxParamLength: 1_000 },
    http: { maxHeaderSize: 16_384, headersTimeout: 15_000 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, verbose: true } },
    schemaErrorFormatter: describeParameters,
    frameworkErrors: (error, request, reply) => tell(error, request, reply, log),
  })
  app.setErrorHandler((error, request, reply) => tell(error, request, reply, log))
  app.setNotFoundHandler(({ url }) => {
    throw new Problem(404, `no such path: ${url.split('?')[0]}, expected one of those in /v1/openapi.json`)
  })
  app.decorateRequest('caller', undefined)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
    if (request.routeOptions.config.isOpen) return
    request.caller = await authentication?.identify({ headers: request.headers, address: request.ip })
  })
  // No text of Postgres has one.
  app.addHook('preValidation', async ({ query, params }) => {
    for (const [name, value] of [...Object.entries(query as object), ...Object.entries(params as object)]) {
      if (String(value).includes('\0')) throw new Problem(400, `${name}: saw a zero byte, expected text`)
    }
  })
  closeConnectionsWhileDraining(app)
  const methods = methodsByPath(app)
  for (const area of areas) await app.register(async (scope) => area(scope))
  refuseOtherMethods(app, methods)
  return app
}

function tell(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const problem = asProblem(error)
  if (problem.status >= 500 && !request.raw.destroyed) {
    log.record({
      event: 'request_failed',
      path: request.url.split('?')[0] as string,
      status: problem.status,
      reason: reasonOf(error),
    })
  }
  return reply
    .code(problem.status)
    .headers({ 'cache-control': 'no-store', ...problem.headers })
    .type('application/problem+json')
    .send(JSON.stringify(problem))
}

/** Otherwise a connection that is kept alive would hold up the end until its client lets go (fastify#7044). */
function closeConnectionsWhileDraining(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close')
  })
}

function methodsByPath(app: FastifyInstance): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    methods.set(url, known)
  })
  return methods
}

function refuseOtherMethods(app: FastifyInstance, methods: Map<string, Set<string>>): void {
  const all = [...app.supportedMethods]
  for (const [url, known] of [...methods]) {
    const allow = [...known].sort().join(', ')
    app.route({
      url,
      method: all.filter((method) => !known.has(method)),
      schema: { hide: true },
      handler: ({ method }) => {
        throw new Problem(405, `saw ${method}, expected ${allow}`, { headers: { allow } })
      },
    })
  }
}
