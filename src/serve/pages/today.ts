import { todayPage } from '../../page/today/today.ts'
import type { View } from '../../page/today/view.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { parameters } from '../parameters.ts'
import type { Page } from './page.ts'
import { view } from './view_parameters.ts'

export const today: Page = {
  path: '/',
  optional: { date: parameters.date, ...view },
  async show(ask, { date, filter = '', sort = 'rows', dir = 'desc' }) {
    const [row] = (await ask`
      select nms.overview_report(
        snapshot_date => case when ${date ?? null}::text is not null then nms.find_day(${date ?? null}) end
      )::text as json
    `) as [{ json: string }]
    const overview = parseExactly<Parameters<typeof todayPage>[0]>(row.json)
    const isFound = overview.has_result || !date
    return { status: isFound ? 200 : 404, text: todayPage(overview, { date, filter, sort, dir } as View) }
  },
}
