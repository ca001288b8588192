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
import { schemaOf } from './validation.ts'

/** Every page that is served. Each is a file of its own in src/serve/pages. */
const all: readonly Page[] = [today, table, compare, runs, run, alerts]

/** The routes of the page, for people: each asks one function, and shows its JSON. */
export async function pages(app: FastifyInstance, ask: AskWhile): Promise<void> {
  await assets(app)
  // Forms send empty values.
  app.addHook('preValidation', async ({ query }) => {
    for (const [name, value] of Object.entries(query as object)) {
      if (value === '') delete (query as Record<string, unknown>)[name]
    }
  })
  for (const page of all) {
    app.get(page.path, {
      schema: { hide: true, ...schemaOf(page.path, page) },
      handler: async (request, reply) => {
        const given = { ...(request.params as object), ...(request.query as object) }
        return sendDocument(request, reply, await page.show(ask(request.signal), given))
      },
    })
  }
}
