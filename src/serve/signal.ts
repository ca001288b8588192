import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Makes `request.signal` abort when the client is gone, or has its answer. Fastify's own aborts as soon as a body
 * has been read.
 */
export function signalOf(request: FastifyRequest, { raw }: FastifyReply): void {
  let controller: AbortController | undefined
  Object.defineProperty(request, 'signal', {
    get: () => {
      if (!controller) {
        const gone = new AbortController()
        const abort = () => gone.abort(new Error('the client is gone'))
        raw.once('close', abort)
        // An answer that has to wait for the one before it on this connection is not told.
        request.raw.once('close', () => request.raw.readableEnded || abort())
        if (raw.destroyed) abort()
        controller = gone
      }
      return controller.signal
    },
  })
}
