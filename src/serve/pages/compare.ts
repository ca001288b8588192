import { type ComparisonView, comparePage, outcomes, type ShownComparison } from '../../page/compare.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { orNull, parameters } from '../parameters.ts'
import type { Page } from './page.ts'
import { view } from './view_parameters.ts'

export const compare: Page = {
  path: '/compare',
  optional: {
    before: parameters.point,
    after: parameters.point,
    filter: view.filter,
    outcome: {
      type: 'string',
      description: `${outcomes.join(', ')}, or all.`,
      enum: [...outcomes, 'all'],
      examples: ['shrank'],
    },
  },
  async show(ask, { before, after, filter = '', outcome }) {
    const [row] = await ask<[{ json: string }]>`
      select nms.compare_report(
        before => case when ${orNull(before)}::text is not null then nms.find_run(named => ${orNull(before)}) end,
        after => case when ${orNull(after)}::text is not null then nms.find_run(named => ${orNull(after)}) end
      )::text as json
    `
    const asked: ComparisonView = { before, after, filter, outcome }
    return { text: comparePage(parseExactly<ShownComparison>(row.json), asked) }
  },
}
