import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type Log, reasonOf } from '../log.ts'
import { api } from './api.ts'
import { type AppOptions, type Area, buildApp } from './app.ts'
import { requireMethodUnlessLoopback } from './authentication/loopback.ts'
import { closeWithin } from './drain.ts'
import { health } from './health.ts'
import { metrics } from './metrics/metrics.ts'
import { openapi } from './openapi.ts'
import { questions } from './questions.ts'
import { openSessions, type Sessions } from './sessions.ts'

export interface ServeOptions extends AppOptions {
  databaseUrl: string
  host: string
  /** 0 for any that is free. */
  port: number
  /** Which tables have series of their own in /metrics. */
  metricsTables?: readonly string[]
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
  const reader = openSessions(databaseUrl, { role: 'table_metrics_reader', size: 4, readOnly: true })
  const app = await buildApp(options, areas(reader, options))
  const close = closeWithin(app, secondsToDrain)
  await listen(app, host, port)
  const { address, port: found } = app.server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${found}`,
    stop: async () => {
      await close()
      await reader.end()
    },
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    // One address, also where a name such as localhost has two.
    await app.listen({ host: (await lookup(host)).address, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    await app.close()
    throw new Error(`cannot listen on ${host}, port ${port}: ${reasons[code ?? ''] ?? message}`)
  }
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'something else listens there; give another --port',
  EACCES: 'only root may; give a --port above 1023',
  EADDRNOTAVAIL: 'that is no address of this machine; give another --host',
  ENOTFOUND: 'there is no such address; give another --host',
}

/** Each adds its routes. */
function areas({ ask }: Sessions, { metricsTables = [] }: ServeOptions): Area[] {
  return [
    (app) => health(app, ask),
    (app) => metrics(app, ask, metricsTables),
    (app) => api(app, ask, questions),
    (app) => openapi(app, ask, questions),
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
