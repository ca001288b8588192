import type { Growth, TableReport } from '../../page/table/report.ts'
import { tablePage } from '../../page/table/table.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { type Parameter, parameters } from '../parameters.ts'
import type { Page } from './page.ts'

const days: Parameter = {
  type: 'string',
  description: 'How many business days, today included: a whole number from 1 to 9999, or all.',
  pattern: '^([1-9][0-9]{0,3}|all)$',
  examples: ['90'],
}

export const table: Page = {
  path: '/table',
  required: { schema: parameters.schema, table: parameters.table },
  optional: { days },
  async show(ask, { schema = '', table = '', days = '90' }) {
    const [row] = await ask<[{ report: string; growth: string }]>`
      select
        nms.table_report(
          schema_name => ${schema},
          table_name => ${table},
          days => ${days === 'all' ? '9999' : days}::integer
        )::text as report,
        json_build_array(
          nms.growth_report(by => 'week', schema_name => ${schema}, table_name => ${table}, periods => 8),
          nms.growth_report(by => 'month', schema_name => ${schema}, table_name => ${table}, periods => 8)
        )::text as growth
    `
    return {
      text: tablePage(parseExactly<TableReport>(row.report), parseExactly<Growth[]>(row.growth), days),
    }
  },
}
