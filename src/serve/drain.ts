import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** A way to close a service that answers what was asked, and waits for nobody else. */
export function closeWithin(app: FastifyInstance, seconds: number): () => Promise<void> {
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return async () => {
    const ending = new AbortController()
    const { signal } = ending
    const cut = sleep(seconds * 1000, undefined, { signal }).then(() => app.server.closeAllConnections())
    // Browsers open connections ahead; to the server they look as if a request were on its way.
    const cutUnused = sleep(200, undefined, { signal }).then(() => {
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    })
    cut.catch(() => undefined)
    cutUnused.catch(() => undefined)
    await app.close().finally(() => ending.abort())
  }
}
