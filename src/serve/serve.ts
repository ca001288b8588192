import { once } from 'node:events'
import { type Log, reasonOf } from '../log.ts'
import { api } from './api.ts'
import { type AppOptions, type Area, buildApp } from './app.ts'
import { closeWithin } from './drain.ts'
import { health } from './health.ts'
import { openapi } from './openapi.ts'
import { questions } from './questions.ts'
import { openSessions, type Sessions } from './sessions.ts'

export interface ServeOptions extends AppOptions {
  databaseUrl: string
  host: string
  /** 0 for any that is free. */
  port: number
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
  const { databaseUrl, host, port } = options
  const reader = openSessions(databaseUrl, { role: 'table_metrics_reader', size: 4, readOnly: true })
  const app = await buildApp(options, areas(reader))
  const close = closeWithin(app, secondsToDrain)
  await app.listen({ host, port })
  const { address, port: found } = app.server.address() as import('node:net').AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${found}`,
    stop: async () => {
      await close()
      await reader.end()
    },
  }
}

/** Each adds its routes. */
function areas(reader: Sessions): Area[] {
  return [
    (app) => health(app, reader.ask),
    (app) => api(app, reader.ask, questions),
    (app) => openapi(app, reader.ask, questions),
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
