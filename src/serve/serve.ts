import { once } from 'node:events'
import type { Log } from '../log.ts'
import { reasonOf } from '../log.ts'
import { api } from './api.ts'
import { buildApp } from './app.ts'
import type { Authentication } from './authentication/authentication.ts'
import { health } from './health.ts'
import { describeRoutes, openapi } from './openapi.ts'
import { questions } from './questions.ts'
import { openSessions } from './sessions.ts'

export interface ServeOptions {
  databaseUrl: string
  host: string
  /** 0 for any that is free. */
  port: number
  authentication: Authentication | undefined
  log: Log
}

/** A service that listens. */
export interface Service {
  url: string
  /** Answers what has been asked, for ten seconds at most, and closes. */
  stop(): Promise<void>
}

/** Starts to answer over HTTP, whether the database is there yet or not. */
export async function startService(options: ServeOptions): Promise<Service> {
  const { databaseUrl, host, port, authentication, log } = options
  const reader = openSessions(databaseUrl, { role: 'table_metrics_reader', size: 4, readOnly: true })
  const app = await buildApp({ authentication, log }, [
    (scope) => health(scope, reader.ask),
    async (scope) => {
      await describeRoutes(scope)
      api(scope, reader.ask, questions)
      openapi(scope, reader.ask)
    },
  ])
  await app.listen({ host, port })
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${portOf(app.server.address())}`
  return {
    url,
    stop: async () => {
      const cut = setTimeout(() => app.server.closeAllConnections(), 9_000)
      await app.close().finally(() => clearTimeout(cut))
      await reader.end()
    },
  }
}

/** Serves until the signal aborts. */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const service = await startService(options)
  options.log.record({ event: 'serving', url: service.url })
  if (!signal.aborted) await once(signal, 'abort')
  await service.stop()
  options.log.record({ event: 'serving_stopped', reason: reasonOf(signal.reason) })
}

function portOf(address: ReturnType<import('node:net').Server['address']>): number {
  return typeof address === 'object' && address ? address.port : 0
}
