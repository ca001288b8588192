import { orNull, parameters } from '../parameters.ts'
import type { Question } from './question.ts'
import { schemas } from './schemas.ts'

const { after, beforeNumber, failOn, history, like, limit, point, schema } = parameters

/** What differs, what is strange, and which tables there are. */
export const findings: Question[] = [
  {
    path: '/v1/compare',
    answeredBy: 'nms.compare_report',
    title: 'Two days or runs beside each other',
    optional: { before: point, after: point, fail_on: failOn },
    schema: schemas.comparison,
    answer: (ask, { before, after, fail_on }) => ask`
      select nms.compare_report(
        before => case when ${orNull(before)}::text is not null then nms.find_run(named => ${orNull(before)}) end,
        after => case when ${orNull(after)}::text is not null then nms.find_run(named => ${orNull(after)}) end,
        fail_on => ${orNull(fail_on)}
      )::text as json
    `,
  },
  {
    path: '/v1/alerts',
    answeredBy: 'nms.alerts_report',
    title: 'What is strange, and what was',
    optional: { history, limit, before: beforeNumber },
    schema: schemas.alerts,
    answer: (ask, { history = 'false', limit = '100', before }) => ask`
      select nms.alerts_report(history => ${history}, "limit" => ${limit}, before => ${orNull(before)})::text as json
    `,
  },
  {
    path: '/v1/tables',
    answeredBy: 'nms.tables_report',
    title: 'The tables of the last day that has a result',
    optional: { schema, like, after, limit },
    schema: schemas.tables,
    answer: (ask, { schema, like, after, limit = '100' }) => ask`
      select nms.tables_report(
        schema_name => ${orNull(schema)},
        alike => ${orNull(like)},
        after => ${orNull(after)},
        "limit" => ${limit}
      )::text as json
    `,
  },
]
