import type { FastifyInstance } from 'fastify'
import { alerts } from './pages/alerts.ts'
import { assets } from './pages/assets.ts'
import { compare } from './pages/compare.ts'
import { sendDocument } from './pages/document.ts'
import type { Page } from './pages/page.ts'
import { run, runs } from './pages/runs.ts'
import { table } from './pages/table.ts'
import { today } from './pages/today.ts'
import type { AskWhile } from './sessions.ts'

/** Every page that is served. Each is a file of its own in src/serve/pages. */
const all: readonly Page[] = [today, table, compare, runs, run, alerts]

/** The routes of the page, for people: each asks one function, and shows its JSON. */
export async function pages(app: FastifyInstance, ask: AskWhile): Promise<void> {
  await assets(app)
  app.addHook('preValidation', async ({ query }) => {
    for (const [name, value] of Object.entries(query as object)) {
      if (value === '') delete (query as Record<string, unknown>)[name]
    }
  })
  for (const { path, required = {}, optional = {}, show } of all) {
    const named = Object.entries(required)
    const inPath = named.filter(([name]) => path.includes(`:${name}`))
    const inQuery = named.filter(([name]) => !path.includes(`:${name}`))
    app.get(path, {
      schema: {
        hide: true,
        params: objectOf(inPath, inPath),
        querystring: objectOf([...inQuery, ...Object.entries(optional)], inQuery),
      },
      handler: async (request, reply) => {
        const given = { ...(request.params as object), ...(request.query as object) }
        return sendDocument(request, reply, await show(ask(request.signal), given))
      },
    })
  }
}

function objectOf(properties: [string, object][], required: [string, object][]) {
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required: required.map(([name]) => name),
    additionalProperties: false,
  }
}
