import type { FastifyInstance } from 'fastify'
import { parseExactly } from '../../reading/exact_json.ts'
import { sendText } from '../answer.ts'
import type { AskWhile } from '../sessions.ts'
import { expose } from './exposition.ts'
import type { MetricsReport } from './families.ts'
import { negotiate } from './negotiation.ts'

/**
 * What Prometheus scrapes, read from the database at that moment: while that is away the scrape fails, and `up` tells.
 *
 * @param tables which tables have series of their own, named as in `nms.find_table`
 */
export function metrics(app: FastifyInstance, ask: AskWhile, tables: readonly string[]): void {
  app.get('/metrics', {
    schema: { hide: true },
    handler: async (request, reply) => {
      const [{ json }] = await ask(request.signal)<[{ json: string }]>`
        select nms.metrics_report(tables => ${tables}::text[])::text as json
      `
      const { isOpenMetrics, contentType } = negotiate(request.headers.accept)
      const text = expose(parseExactly<MetricsReport>(json), { isOpenMetrics })
      return sendText(request, reply, text, { type: contentType, cacheControl: 'no-store' })
    },
  })
}
