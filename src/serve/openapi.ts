import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { json, sendText } from './answer.ts'
import { eventOperation } from './events/description.ts'
import { eventsPath } from './events/events.ts'
import type { Question } from './questions/question.ts'
import { components } from './questions/schemas.ts'
import type { AskWhile } from './sessions.ts'

type Operation = Record<string, unknown>
type Document = { paths: Record<string, Record<'get' | 'post', Operation>> }

/**
 * Describes those routes added to the app from now on that have tags in their schema.
 *
 * @param isOpen true when nobody has to say who they are
 */
export async function describeRoutes(app: FastifyInstance, isOpen: boolean): Promise<void> {
  await app.register(swagger, {
    hideUntagged: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Table metrics',
        version: '1',
        description:
          'How many rows every table of a database holds, every day. Days are those of the business calendar, times are instants. Answers have an ETag: ask again with If-None-Match.',
        license: { name: 'MIT', identifier: 'MIT' } as never,
      },
      servers: [{ url: '/' }],
      tags: [
        { name: 'counts', description: 'What was counted.' },
        { name: 'events', description: 'What starts runs.' },
        { name: 'service', description: 'About the service itself.' },
      ],
      security: [{ bearer: [] }, { basic: [] }, ...(isOpen ? [{}] : [])],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token.' },
          basic: { type: 'http', scheme: 'basic', description: 'A token as the password, any user.' },
        },
        responses: {
          NotModified: { description: 'What If-None-Match names is still the answer.' },
          Problem: {
            description: 'Why there is no answer: what was seen and what is expected.',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        },
        schemas: components as never,
      },
    },
  })
}

/** The description, as OpenAPI 3.1: what each question answers is said in the words of its function's comment. */
export function openapi(app: FastifyInstance, ask: AskWhile, questions: Question[]): void {
  app.get('/v1/openapi.json', {
    schema: { operationId: 'openapi', summary: 'This description', tags: ['service'] },
    handler: async (request, reply) => {
      const rows = await ask(request.signal)<{ name: string; comment: string }[]>`
        select
          format('nms.%s', routine.proname) as name,
          string_agg(obj_description(routine.oid, 'pg_proc'), ' ') as comment
        from pg_proc as routine
        where routine.pronamespace = to_regnamespace('nms')
        group by routine.proname
      `
      const comments = new Map(rows.map(({ name, comment }) => [name, comment]))
      const document = describe(structuredClone(app.swagger()) as never, questions, comments)
      return sendText(request, reply, JSON.stringify(document), { type: json })
    },
  })
}

function describe(document: Document, questions: Question[], comments: Map<string, string>): Document {
  for (const { path, answeredBy, schema } of questions) {
    const operation = document.paths[path]?.get as Operation
    const comment = comments.get(answeredBy)
    if (comment) operation.description = comment
    operation.responses = responses(schema)
  }
  const own = document.paths['/v1/openapi.json']?.get as Operation
  own.responses = responses({ type: 'object' })
  Object.assign(document.paths[eventsPath]?.post as Operation, eventOperation)
  return document
}

const problem = { $ref: '#/components/responses/Problem' }

function responses(schema: object) {
  return {
    200: {
      description: 'The answer.',
      headers: { ETag: { description: 'Names this version of it.', schema: { type: 'string' } } },
      content: { 'application/json': { schema } },
    },
    304: { $ref: '#/components/responses/NotModified' },
    400: problem,
    401: problem,
    404: problem,
    429: problem,
    503: problem,
    default: problem,
  }
}
