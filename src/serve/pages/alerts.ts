import { type AlertsReport, alertsPage } from '../../page/alerts.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { orNull, parameters } from '../parameters.ts'
import type { Page } from './page.ts'

export const alerts: Page = {
  path: '/alerts',
  optional: { before: parameters.beforeNumber },
  async show(ask, { before }) {
    const [row] = await ask<[{ json: string }]>`
      select nms.alerts_report(history => true, "limit" => 100, before => ${orNull(before)}::bigint)::text as json
    `
    return { text: alertsPage(parseExactly<AlertsReport>(row.json), before) }
  },
}
