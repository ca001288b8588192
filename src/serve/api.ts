import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isKnown, sendNotModified, sendText } from './answer.ts'
import type { Question } from './questions.ts'
import type { AskWhile } from './sessions.ts'

/** The routes of questions: each asks one function, and hands on its JSON as it is. */
export function api(app: FastifyInstance, ask: AskWhile, questions: Question[]): void {
  for (const question of questions) {
    const { path, title, answeredBy, required = {}, optional = {} } = question
    const inPath = Object.keys(required).filter((name) => path.includes(`:${name}`))
    const inQuery = Object.keys(required).filter((name) => !inPath.includes(name))
    app.get(path, {
      schema: {
        summary: title,
        description: answeredBy, // the comment of the function takes its place
        params: objectOf(Object.fromEntries(inPath.map((name) => [name, required[name]])), inPath),
        querystring: objectOf(
          Object.fromEntries(inQuery.map((name) => [name, required[name]]).concat(Object.entries(optional))),
          inQuery,
        ),
      },
      handler: (request, reply) => answer(question, ask, request, reply),
    })
  }
}

async function answer(
  { answer, source, isImmutable }: Question,
  ask: AskWhile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const given = { ...(request.params as object), ...(request.query as object) }
  const asking = ask(request.signal)
  const found = source && (await source(asking, given))[0]?.source
  const tag = found ? `run-${found}-v1` : undefined
  const cacheControl = isImmutable && found ? 'private, max-age=86400, immutable' : 'private, no-cache'
  if (tag && isKnown(request, tag)) return sendNotModified(reply.header('cache-control', cacheControl), tag)
  const [{ json }] = (await answer(asking, given)) as [{ json: string }]
  return sendText(request, reply, json, { type: 'application/json', ...(tag && { tag }), cacheControl })
}

function objectOf(properties: object, required: string[]) {
  return { type: 'object', properties, required, additionalProperties: false }
}
