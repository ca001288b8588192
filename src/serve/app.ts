import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Log, reasonOf } from '../log.ts'
import { problemPage } from '../page/problem_page.ts'
import { type Authentication, anybody, type Caller, requireRead } from './authentication/authentication.ts'
import { refuseOtherSites, requireLoopbackHost } from './authentication/loopback.ts'
import { refuseMalformed } from './client_errors.ts'
import { crossOrigin } from './cross_origin.ts'
import { collectMethods, refuseOtherMethods } from './methods.ts'
import { describeRoutes } from './openapi.ts'
import { asksForPage, sendFailure } from './pages/document.ts'
import { asProblem, Problem } from './problem.ts'
import { signalOf } from './signal.ts'
import { describeParameters } from './validation.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; nobody in particular for what is open to everybody. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** True for what everybody may ask, such as whether the service lives. */
    isOpen?: boolean
  }
}

export interface AppOptions {
  /** Who may ask; everybody without, and then only from this machine. */
  authentication: Authentication | undefined
  /** Pages of which sites may read, such as `https://intranet.example.com`. */
  origins?: readonly string[]
  log: Log
}

/** An area of the service: adds its routes. */
export type Area = (app: FastifyInstance) => void | Promise<void>

const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** The service without a port: what holds for every request, and the routes of each area. */
export async function buildApp(
  { authentication, origins = [], log }: AppOptions,
  areas: Area[],
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: 1_048_576,
    requestTimeout: 30_000, // until a request has arrived
    connectionTimeout: 60_000, // while nothing moves
    keepAliveTimeout: 620_000, // longer than a load balancer keeps a connection: Google's, 600 s
    pluginTimeout: 0, // on a busy machine a start may take longer than 10 s
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1_000, ignoreTrailingSlash: true },
    http: { maxHeaderSize: 16_384, headersTimeout: 15_000, connectionsCheckingInterval: 5_000 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, verbose: true } },
    schemaErrorFormatter: (errors, where) => {
      try {
        return describeParameters(errors, where)
      } catch (error) {
        return error as Error
      }
    },
    clientErrorHandler: refuseMalformed,
    frameworkErrors: (error, request, reply) => tell(error, request, reply, log),
  })
  app.setErrorHandler((error, request, reply) => tell(error, request, reply, log))
  app.decorateRequest('caller')
  const varies = [
    'Authorization',
    'Accept',
    'Accept-Encoding',
    ...(origins.length > 0 ? ['Origin'] : []),
  ].join(', ')
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(always).header('vary', varies)
    signalOf(request, reply)
    done()
  })
  crossOrigin(app, origins)
  app.addHook('onRequest', async (request) => {
    const { method, headers, ip: address } = request
    if (request.routeOptions.config?.isOpen) return
    refuseOtherSites(method, headers, origins)
    if (authentication) request.caller = await authentication.identify({ headers, address })
    else {
      requireLoopbackHost(headers)
      request.caller = anybody
    }
    // What changes something has a rule of its own.
    if (method === 'GET' || method === 'HEAD') requireRead(request.caller)
    if (request.is404) throw notFound(request) // before a body is read
  })
  app.addHook('preValidation', (request, _, done) => done(zeroByteIn(request)))
  app.setNotFoundHandler((request) => {
    throw notFound(request)
  })
  closeConnectionsWhileDraining(app)
  await describeRoutes(app, authentication === undefined)
  const methods = collectMethods(app)
  for (const area of areas) await app.register(async (scope) => area(scope))
  refuseOtherMethods(app, methods)
  return app
}

function tell(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const problem = asProblem(error)
  if (problem.status >= 500 && !request.raw.socket.destroyed) {
    log.record({
      event: 'request_failed',
      path: request.url.split('?')[0] as string,
      status: problem.status,
      reason: reasonOf(error),
    })
  }
  if (reply.raw.headersSent) {
    reply.hijack()
    reply.raw.destroy()
    return reply
  }
  reply
    .code(problem.status)
    .headers({ ...always, 'cache-control': 'no-store', ...problem.headers })
    .removeHeader('etag')
    .removeHeader('content-encoding')
  if (asksForPage(request)) {
    const asked = problem.headers['www-authenticate']?.startsWith('Basic') ? tokenWanted : undefined
    const {
      title,
      detail,
      hint = asked,
    } = problem.toJSON() as Record<'title' | 'detail', string> & {
      hint?: string
    }
    return sendFailure(reply, problemPage({ title, detail, ...(hint && { hint }) }))
  }
  return reply.type('application/problem+json').send(JSON.stringify(problem))
}

// A browser asks for a password by itself, and shows the page to whoever gives none.
const tokenWanted = 'Load this page again, and give a token as the password, with any name.'

function notFound({ url }: FastifyRequest): Problem {
  return new Problem(404, `no such path: ${url.split('?')[0]}, expected one of those in /v1/openapi.json`)
}

/** No text of Postgres has one. */
function zeroByteIn({ query, params }: FastifyRequest): Problem | undefined {
  for (const given of [query, params] as Record<string, unknown>[]) {
    for (const name in given) {
      if (String(given[name]).includes('\0'))
        return new Problem(400, `${name}: saw a zero byte, expected text`)
    }
  }
}

/** Otherwise a connection that is kept alive would hold up the end until its client lets go (fastify#7044). */
function closeConnectionsWhileDraining(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done(null, payload)
  })
}
