import { orNull, parameters } from '../parameters.ts'
import type { Question } from './question.ts'
import { schemas } from './schemas.ts'

const { beforeDay, beforeNumber, by, days, filter, limit, periods, schema, table } = parameters

/** Days and runs as lists, and how tables, schemas and the database have changed over time. */
export const history: Question[] = [
  {
    path: '/v1/days',
    answeredBy: 'nms.days_report',
    title: 'The business days that have a result',
    optional: { limit, before: beforeDay },
    schema: schemas.days,
    answer: (ask, { limit = '30', before }) => ask`
      select nms.days_report("limit" => ${limit}, before => ${orNull(before)})::text as json
    `,
  },
  {
    path: '/v1/runs',
    answeredBy: 'nms.runs_report',
    title: 'The runs, also those that failed',
    optional: { limit, before: beforeNumber },
    schema: schemas.runs,
    answer: (ask, { limit = '30', before }) => ask`
      select nms.runs_report("limit" => ${limit}, before => ${orNull(before)})::text as json
    `,
  },
  {
    path: '/v1/trend',
    answeredBy: 'nms.trend_report',
    title: 'How many rows a table had, day by day',
    required: { schema, table },
    optional: { days, filter },
    schema: schemas.trend,
    answer: (ask, { schema = '', table = '', days = '30', filter }) => ask`
      select nms.trend_report(
        schema_name => ${schema}, table_name => ${table}, days => ${days}, filter_name => ${orNull(filter)}
      )::text as json
    `,
  },
  {
    path: '/v1/growth',
    answeredBy: 'nms.growth_report',
    title: 'How a table, a schema or the whole database grew, in rows and on disk, and which tables most',
    optional: { by, schema, table, periods },
    schema: schemas.growth,
    answer: (ask, { by = 'day', schema, table, periods = '30' }) => ask`
      select nms.growth_report(
        by => ${by},
        schema_name => ${orNull(schema)},
        table_name => ${orNull(table)},
        periods => ${periods}
      )::text as json
    `,
  },
]
