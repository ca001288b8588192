import { type Parameter, parameters } from './parameters.ts'
import type { AskWhile } from './sessions.ts'

type Given = Record<string, string | undefined>

/** One question of the API: a path, and the function that answers. */
export interface Question {
  path: string
  /** The function, whose comment describes the question. */
  answeredBy: string
  title: string
  required?: Record<string, Parameter>
  optional?: Record<string, Parameter>
  /** JSON as the server has written it. */
  answer(ask: ReturnType<AskWhile>, given: Given): Promise<readonly { json: string }[]>
  /**
   * Which run the answer is of, found with one look into an index: as long as it is that one, the answer is the
   * same. Without, the answer itself is compared.
   */
  source?(ask: ReturnType<AskWhile>, given: Given): Promise<readonly { source: string }[]>
  /** True when an answer that has a source never changes. */
  isImmutable?: boolean
}

const { date, run_id, point, schema, table, days, version } = parameters

/** What may be asked under /v1, one function each. */
export const questions: Question[] = [
  {
    path: '/v1/today',
    answeredBy: 'nms.day_snapshot',
    title: 'The counts of the current business day',
    optional: { version },
    answer: (ask) => ask`select nms.day_snapshot(snapshot_date => nms.business_date())::text as json`,
    source: (ask) => ask`
      select day.run_id::text as source
      from nms.table_metrics_daily_snapshot as day
      where day.snapshot_date = nms.business_date()
    `,
  },
  {
    path: '/v1/days/:date',
    answeredBy: 'nms.day_snapshot',
    title: 'The counts of a business day',
    required: { date },
    optional: { version },
    answer: (ask, { date }) =>
      ask`select nms.day_snapshot(snapshot_date => nms.find_day(${date as string}))::text as json`,
    source: (ask, { date }) => ask`
      select day.run_id::text as source
      from nms.table_metrics_daily_snapshot as day
      where day.snapshot_date = nms.find_day(${date as string})
    `,
  },
  {
    path: '/v1/trend',
    answeredBy: 'nms.trend_report',
    title: 'How many rows a table had, day by day',
    required: { schema, table },
    optional: { days },
    answer: (ask, { schema, table, days = '30' }) => ask`
      select nms.trend_report(
        schema_name => ${schema as string},
        table_name => ${table as string},
        days => ${days}::integer
      )::text as json
    `,
  },
]
void [run_id, point]
