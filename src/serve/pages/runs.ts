import { type RunOfPage, runPage } from '../../page/runs/run.ts'
import { type RunList, runsPage } from '../../page/runs/runs.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { parameters } from '../parameters.ts'
import type { Page } from './page.ts'

export const runs: Page = {
  path: '/runs',
  optional: { before: parameters.run_id },
  async show(ask, { before }) {
    const [row] = (await ask`
      select
        nms.runs_report("limit" => 50, before => ${before ?? null}::bigint)::text as json,
        (select settings.business_time_zone from nms.table_metrics_settings as settings) as zone
    `) as [{ json: string; zone: string }]
    return { text: runsPage(parseExactly<RunList>(row.json), row.zone, before) }
  },
}

export const run: Page = {
  path: '/runs/:run_id',
  required: { run_id: parameters.run_id },
  async show(ask, { run_id }) {
    const [row] = (await ask`
      select (nms.run_report(run_id => ${run_id as string}::bigint) - 'payload')::text as json
    `) as [{ json: string }]
    return { text: runPage(parseExactly<RunOfPage>(row.json)) }
  },
}
