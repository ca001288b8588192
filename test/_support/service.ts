import { connect, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { LogEvent } from '../../src/log.ts'
import { type ServeOptions, startService } from '../../src/serve/serve.ts'

/** A service in this process, stopped when the test ends. */
export interface TestService {
  url: string
  port: number
  /** What it has written to its log. */
  events: LogEvent[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** A connection on which a test says by itself what is sent. */
  dial(): Promise<RawConnection>
  stop(): Promise<void>
}

/** A connection, and what has come back on it. */
export interface RawConnection {
  socket: Socket
  received(): string
  /** Resolves to all that has come when the other end closes it. */
  closed: Promise<string>
}

/** Serves a database on a free port of loopback. */
export async function startTestService(
  t: ExecutionContext,
  databaseUrl: string,
  options: Partial<ServeOptions> = {},
): Promise<TestService> {
  const events: LogEvent[] = []
  const log = { record: (event: LogEvent) => void events.push(event) }
  const service = await startService({
    databaseUrl,
    host: '127.0.0.1',
    port: 0,
    authentication: undefined,
    log,
    ...options,
  })
  t.teardown(service.stop)
  const port = Number(new URL(service.url).port)
  return {
    url: service.url,
    port,
    events,
    get: (path, headers = {}) => fetch(`${service.url}${path}`, { headers }),
    dial: () => dialRaw(t, port),
    stop: service.stop,
  }
}

/** Opens a connection, destroyed when the test ends. */
export async function dialRaw(t: ExecutionContext, port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  const { promise: closed, resolve } = Promise.withResolvers<string>()
  socket.on('error', () => undefined).on('close', () => resolve(text))
  t.teardown(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return { socket, received: () => text, closed }
}
