import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type Log, reasonOf } from '../log.ts'
import { api } from './api.ts'
import { type AppOptions, type Area, buildApp } from './app.ts'
import { requireMethodUnlessLoopback } from './authentication/loopback.ts'
import { closeWithin } from './drain.ts'
import { events } from './events/events.ts'
import { health } from './health.ts'
import { metrics } from './metrics/metrics.ts'
import { openapi } from './openapi.ts'
import { pages } from './pages.ts'
import { questions } from './questions.ts'
import { type AskWhile, openSessions } from './sessions.ts'

export interface ServeOptions extends AppOptions {
  databaseUrl: string
  host: string
  /** 0 for any that is free. */
  port: number
  /** Which tables have series of their own in /metrics; none unless given. */
  metricsTables?: readonly string[]
  /** That of graphile-worker, where events queue runs. */
  schema?: string
  log: Log
}

/** A service that listens. */
export interface Service {
  url: string
  /** Answers what has been asked, for ten seconds at most, and closes. */
  stop(): Promise<void>
}

const secondsToDrain = 9

/** Starts to answer over HTTP, whether the database is there yet or not. */
export async function startService(options: ServeOptions): Promise<Service> {
  const { databaseUrl, host, port, authentication } = options
  requireMethodUnlessLoopback(host, authentication)
  const address = await resolve(host, port)
  if (address !== host) requireMethodUnlessLoopback(address, authentication)
  const reader = openSessions(databaseUrl, { role: 'table_metrics_reader', size: 4, readOnly: true })
  const requester = openSessions(databaseUrl, { role: 'table_metrics_requester', size: 2, readOnly: false })
  const app = await buildApp(options, areas(reader.ask, requester.ask, options))
  const close = closeWithin(app, secondsToDrain)
  await listen(app, { address, host, port })
  const { port: found } = app.server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${found}`,
    stop: async () => {
      await close()
      await Promise.all([reader.end(), requester.end()])
    },
  }
}

/** One address, also where a name such as localhost has two. */
async function resolve(host: string, port: number): Promise<string> {
  try {
    return (await lookup(host)).address
  } catch (error) {
    throw cannotListen(error, host, port)
  }
}

async function listen(
  app: FastifyInstance,
  { address, host, port }: { address: string; host: string; port: number },
): Promise<void> {
  try {
    await app.listen({ host: address, port })
  } catch (error) {
    await app.close()
    throw cannotListen(error, host, port)
  }
}

function cannotListen(error: unknown, host: string, port: number): Error {
  const { code, message } = error as NodeJS.ErrnoException
  return new Error(`cannot listen on ${host}, port ${port}: ${reasons[code ?? ''] ?? message}`)
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'something else listens there; give another --port',
  EACCES: 'only root may; give a --port above 1023',
  EADDRNOTAVAIL: 'that is no address of this machine; give another --host',
  ENOTFOUND: 'there is no such address; give another --host',
}

/**
 * Each adds its routes.
 *
 * @param ask as who may read
 * @param request as who may queue runs
 */
function areas(
  ask: AskWhile,
  request: AskWhile,
  { metricsTables = [], schema = 'graphile_worker', log }: ServeOptions,
): Area[] {
  return [
    (app) => health(app, ask),
    (app) => api(app, ask, questions),
    (app) => openapi(app, ask, questions),
    (app) => metrics(app, ask, metricsTables),
    (app) => pages(app, ask),
    (app) => events(app, { ask: request, schema, log }),
  ]
}

/** Serves until the signal aborts. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const service = await startService(options)
  options.log.record({ event: 'serving', url: service.url })
  if (!signal.aborted) await once(signal, 'abort')
  await service.stop()
  options.log.record({ event: 'serving_stopped', reason: reasonOf(signal.reason) })
}

/**
 * The same where nothing else is in this process: what one request leaves behind must not end the others. Beside a
 * worker, rejections that nobody handles are for its supervision.
 */
export async function serveAlone(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const survive = (error: unknown) =>
    options.log.record({ event: 'request_failed', path: 'unknown', status: 500, reason: reasonOf(error) })
  process.on('unhandledRejection', survive)
  try {
    await serve(options, signal)
  } finally {
    process.off('unhandledRejection', survive)
  }
}
