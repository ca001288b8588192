import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { eventually } from './eventually.ts'

/** A request that has arrived whole. */
export interface Received {
  headers: IncomingHttpHeaders
  body: string
  path: string
}

/** How a receiver answers: with a status, or as it does itself. */
export type Answer = number | ((response: ServerResponse) => void)

/** A real HTTP server that is told things. */
export interface Receiver {
  /** With a path that nobody else is to see. */
  url: string
  origin: string
  received: Received[]
  /** The messages, parsed, in the order of their arrival. */
  messages(): { type: string; data: Record<string, never> & { run: { run_id: string } } }[]
  /** From now on, it answers so: each of these once, the last one ever after. */
  answers(...answers: Answer[]): void
  untilReceived(count: number): Promise<void>
  /** Refuses connections from now on. */
  close(): Promise<void>
  /** Takes connections again, on the same port. */
  open(): Promise<void>
}

/** Never answers. */
export const hangs: Answer = () => undefined

/** What must appear nowhere. */
export const secretPath = '/services/T0SECRET/B0SECRET'

export async function startReceiver(t: ExecutionContext): Promise<Receiver> {
  const received: Received[] = []
  let planned: Answer[] = [200]
  let server: Server
  let port = 0
  const open = async () => {
    server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      received.push({ headers: request.headers, body, path: request.url ?? '' })
      const answer = (planned.length > 1 ? planned.shift() : planned[0]) as Answer
      if (typeof answer === 'number') response.writeHead(answer).end('what it says')
      else answer(response)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const close = async () => {
    server.close()
    server.closeAllConnections()
    if (server.listening) await once(server, 'close')
  }
  await open()
  t.teardown(close)
  const origin = `http://127.0.0.1:${port}`
  return {
    url: `${origin}${secretPath}`,
    origin,
    received,
    messages: () => received.map(({ body }) => JSON.parse(body)),
    answers: (...answers) => {
      planned = answers
    },
    untilReceived: (count) =>
      eventually(async () => received.length >= count, `${count} requests have arrived`),
    close,
    open,
  }
}
