import { createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { reservePort } from './ports.ts'

/** A TCP link between a program and a server that can fail as links do. */
export interface Link {
  /** The same connection URL, by way of the proxy. */
  url: string
  /** How many connections are open. */
  open(): number
  /** Every connection that is open stays open, and nothing comes through any more, not even that an end was closed. */
  silence(): void
  /** New connections meet the same silence, or are forwarded again. */
  silenceNew(silent: boolean): void
  /** Closes every connection, as a firewall that sends resets. */
  cut(): void
  /** Closes the connections that are silent. */
  forget(): void
  /** Closes every connection, and refuses new ones. */
  refuse(): Promise<void>
  /** Forwards whatever comes again, also what was held back. */
  heal(): Promise<void>
}

/** Starts a proxy to the server of a URL. It is closed when the test ends. */
export async function startProxy(t: ExecutionContext, url: string): Promise<Link> {
  const target = new URL(url)
  const pairs = new Set<[client: Socket, server: Socket]>()
  let isSilent = false

  const server = createServer((client) => {
    const upstream = dial(Number(target.port || 5432), target.hostname)
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.setNoDelay(true)
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => {
        if (!silenced.has(from)) from.resume()
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        to.destroySoon()
        pairs.delete(pair)
      })
    }
    if (isSilent) hush(pair)
  })
  // A paused socket reports neither data nor that the other end has closed it.
  const silenced = new WeakSet<Socket>()
  const hush = (pair: Iterable<Socket>) => {
    for (const socket of pair) {
      silenced.add(socket)
      socket.pause()
    }
  }
  const cut = (isMeant = (_: Socket) => true) => {
    for (const pair of pairs) for (const socket of pair) if (isMeant(socket)) socket.resetAndDestroy()
  }
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : port)
      })
    })
  const close = async () => {
    cut()
    await new Promise((resolve) => server.close(resolve))
    // A process that is being started has what is open here, until it becomes a program of its own.
    while (await isListening(port)) await sleep(10)
  }

  const port = await listen(await reservePort())
  t.teardown(async () => {
    if (server.listening) await close()
  })
  const proxied = new URL(url)
  proxied.host = `127.0.0.1:${port}`
  return {
    url: proxied.href,
    open: () => pairs.size,
    silence: () => {
      for (const pair of pairs) hush(pair)
    },
    silenceNew: (silent) => {
      isSilent = silent
    },
    cut: () => cut(),
    forget: () => cut((socket) => silenced.has(socket)),
    refuse: close,
    async heal() {
      isSilent = false
      for (const pair of pairs) {
        for (const socket of pair) {
          silenced.delete(socket)
          socket.resume()
        }
      }
      if (!server.listening) await listen(port)
    },
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
