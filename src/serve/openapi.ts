import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { sendText } from './answer.ts'
import type { AskWhile } from './sessions.ts'

/** Describes what is added to the app from now on. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Table metrics',
        version: '1',
        description:
          'How many rows every table of a database holds, every day. Counts are JSON numbers with all their digits, also above 2^53, where JSON.parse of JavaScript rounds them.',
      },
    },
  })
}

/** The description, as OpenAPI 3.1: what each question answers is said in the words of its function's comment. */
export function openapi(app: FastifyInstance, ask: AskWhile): void {
  app.get('/v1/openapi.json', {
    schema: { summary: 'This description' },
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
      const description = app.swagger()
      for (const path of Object.values(description.paths ?? {})) {
        for (const operation of Object.values(path as Record<string, { description?: string }>)) {
          const comment = comments.get(operation.description ?? '')
          if (comment) operation.description = comment
        }
      }
      return sendText(request, reply, JSON.stringify(description), { type: 'application/json' })
    },
  })
}
