import { METHODS } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Problem } from './problem.ts'

/** Which methods each path knows, of the routes that are added from now on. */
export function collectMethods(app: FastifyInstance): Map<string, Set<string>> {
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    methods.set(url, known)
  })
  return methods
}

/** Answers all other methods: OPTIONS with those that there are, the rest with 405. */
export function refuseOtherMethods(app: FastifyInstance, methods: Map<string, Set<string>>): void {
  for (const [url, known] of [...methods]) {
    const allow = [...new Set([...known, 'OPTIONS'])].sort().join(', ')
    const schema = { hide: true }
    if (!known.has('OPTIONS')) {
      app.options(url, { schema, config: { isOpen: true } }, async (_request, reply) =>
        reply.code(204).header('allow', allow).send(),
      )
    }
    app.route({
      url,
      schema,
      method: app.supportedMethods.filter((method) => method !== 'OPTIONS' && !known.has(method)),
      // Before a body is read.
      onRequest: ({ method }, _, done) =>
        done(new Problem(405, `saw ${method}, expected ${allow}`, { headers: { allow } })),
      handler: () => undefined,
    })
  }
}
