import type { ExecutionContext } from 'ava'
import type { LogEvent } from '../../src/log.ts'
import { buildApp } from '../../src/serve/app.ts'
import type { Authentication } from '../../src/serve/authentication/authentication.ts'
import { events, eventsPath } from '../../src/serve/events/events.ts'
import { openSessions } from '../../src/serve/sessions.ts'

type Body = string | object | Buffer

/** A service that takes events, and nothing else. */
export interface EventService {
  post(headers: Record<string, string>, body?: Body): Promise<Response>
  /** With an agreement to send. */
  options(headers: Record<string, string>): Promise<Response>
  log: LogEvent[]
}

/** Lets everybody send. */
const senders: Authentication = {
  identify: async () => ({ name: 'sender', mayRead: false, mayTrigger: true }),
}

/** Listens until the test ends. */
export async function startEventService(
  t: ExecutionContext,
  databaseUrl: string,
  {
    schema = 'graphile_worker',
    authentication = senders,
  }: { schema?: string; authentication?: Authentication | undefined } = {},
): Promise<EventService> {
  const log: LogEvent[] = []
  const record = (event: LogEvent) => void log.push(event)
  const requester = openSessions(databaseUrl, { role: 'table_metrics_requester', size: 4, readOnly: false })
  const app = await buildApp({ authentication, log: { record } }, [
    (scope) => events(scope, { ask: requester.ask, schema, log: { record } }),
  ])
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await app.close()
    await requester.end()
  })
  const send = (method: string, headers: Record<string, string>, body?: Body) =>
    fetch(`${address}${eventsPath}`, {
      method,
      headers,
      ...(body !== undefined && { body: asText(body) as BodyInit }),
    })
  return {
    post: (headers, body) => send('POST', headers, body),
    options: (headers) => send('OPTIONS', headers),
    log,
  }
}

function asText(body: Body): string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
}

/** A CloudEvent in structured mode, as headers and body of a request. */
export function cloudEvent(id: string, data?: unknown): [Record<string, string>, object] {
  return [{ 'content-type': 'application/cloudevents+json' }, attributes(id, data)]
}

/** Several, in batched mode. */
export function batch(...ids: string[]): [Record<string, string>, object] {
  return [{ 'content-type': 'application/cloudevents-batch+json' }, ids.map((id) => attributes(id))]
}

function attributes(id: string, data?: unknown): object {
  return { specversion: '1.0', id, source: 'https://scheduler.example', type: 'com.example.due', data }
}
