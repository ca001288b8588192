import { type RunOfPage, runPage } from '../../page/runs/run.ts'
import { type RunList, runsPage } from '../../page/runs/runs.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { orNull, parameters } from '../parameters.ts'
import type { Page } from './page.ts'

export const runs: Page = {
  path: '/runs',
  optional: { before: parameters.beforeNumber },
  async show(ask, { before }) {
    const [row] = await ask<[{ json: string; zone: string }]>`
      select
        nms.runs_report("limit" => 50, before => ${orNull(before)}::bigint)::text as json,
        (select settings.business_time_zone from nms.table_metrics_settings as settings) as zone
    `
    return { text: runsPage(parseExactly<RunList>(row.json), row.zone, before) }
  },
}

export const run: Page = {
  path: '/runs/:run_id',
  required: { run_id: parameters.run_id },
  async show(ask, { run_id = '' }) {
    const [row] = await ask<[{ json: string }]>`
      select (nms.run_report(run_id => ${run_id}::bigint) - 'payload')::text as json
    `
    return { text: runPage(parseExactly<RunOfPage>(row.json)) }
  },
}
