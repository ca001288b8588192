import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { json, knownTag, sendNotModified, sendText } from './answer.ts'
import type { Given, Question } from './questions/question.ts'
import type { AskWhile } from './sessions.ts'
import { schemaOf } from './validation.ts'

/** The routes of questions: each asks one function, and hands on its JSON as it is. */
export function api(app: FastifyInstance, ask: AskWhile, questions: Question[]): void {
  for (const question of questions) {
    const { path, title } = question
    const url = path.replaceAll(/\{(\w+)\}/g, ':$1')
    app.get(url, {
      schema: {
        operationId: path
          .replaceAll(/[^a-z_]+/g, ' ')
          .trim()
          .replaceAll(' ', '_')
          .replace(/^v_/, ''),
        summary: title,
        tags: ['counts'],
        ...schemaOf(url, question),
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
  const given: Given = { ...(request.params as object), ...(request.query as object) }
  const asking = ask(request.signal)
  const cacheControl = isImmutable ? 'private, max-age=86400, immutable' : 'private, no-cache'
  if (source && request.headers['if-none-match'] !== undefined) {
    const [run] = await source(asking, given)
    const known = run && knownTag(request, tagOf(run.source, given))
    if (known) return sendNotModified(reply.header('cache-control', cacheControl), known)
  }
  const [found] = await answer(asking, given)
  if (!found) throw new Error('a question has no answer')
  if (isImmutable && !found.source) {
    return reply.header('cache-control', 'no-store').type(json).send(found.json)
  }
  return sendText(request, reply, found.json, {
    type: json,
    ...(found.source && { tag: tagOf(found.source, given) }),
    cacheControl,
  })
}

const tagOf = (source: string, { version = '1' }: Given) => `run-${source}-v${version}`
