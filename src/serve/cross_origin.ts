import type { FastifyInstance } from 'fastify'

const exposed = 'ETag, Retry-After'
const headers = 'Authorization, If-None-Match'

/** Lets pages of these sites read; a browser keeps those of all others from doing so. Asked before it is known who asks. */
export function crossOrigin(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return
  app.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers
    if (origin === undefined || !origins.includes(origin)) return done()
    reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', exposed)
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    if (!isPreflight) return done()
    reply
      .code(204)
      .header('access-control-allow-methods', 'GET, HEAD')
      .header('access-control-allow-headers', headers)
      .header('access-control-max-age', '600')
      .send()
  })
}
