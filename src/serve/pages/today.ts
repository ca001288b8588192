import type { Overview } from '../../page/today/overview.ts'
import { todayPage } from '../../page/today/today.ts'
import type { View } from '../../page/today/view.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { orNull, parameters } from '../parameters.ts'
import type { Page } from './page.ts'
import { view } from './view_parameters.ts'

export const today: Page = {
  path: '/',
  optional: { date: parameters.date, ...view },
  async show(ask, { date, filter = '', sort = 'rows', dir = 'desc' }) {
    const [{ json, days }] = await ask<[{ json: string; days: string }]>`
      select (report - 'days')::text as json, (report -> 'days')::text as days
      from nms.overview_report(
        snapshot_date => case when ${orNull(date)}::text is not null then nms.find_day(named => ${orNull(date)}) end
      ) as report
    `
    const overview: Overview = { ...parseExactly<Overview>(json), days: JSON.parse(days) }
    const isFound = overview.has_result || !date
    return { status: isFound ? 200 : 404, text: todayPage(overview, { date, filter, sort, dir } as View) }
  },
}
