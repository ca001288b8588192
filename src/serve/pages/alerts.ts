import { type AlertsReport, alertsPage } from '../../page/alerts.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import type { Page } from './page.ts'

export const alerts: Page = {
  path: '/alerts',
  optional: {
    before: {
      type: 'string',
      description: 'The number of an alert: those logged before it.',
      pattern: '^[1-9][0-9]{0,17}$',
      examples: ['42'],
    },
  },
  async show(ask, { before }) {
    const [row] = await ask<[{ json: string }]>`
      select nms.alerts_report(history => true, "limit" => 100, before => ${before ?? null}::bigint)::text as json
    `
    return { text: alertsPage(parseExactly<AlertsReport>(row.json), before) }
  },
}
