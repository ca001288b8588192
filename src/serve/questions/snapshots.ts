import { parameters } from '../parameters.ts'
import type { Question } from './question.ts'
import { schemas } from './schemas.ts'

const { date, run_id, version } = parameters

/** The counts of a day or of a run, in either version of the payload. */
export const snapshots: Question[] = [
  {
    path: '/v1/today',
    answeredBy: 'nms.day_snapshot',
    title: 'The counts of the current business day',
    optional: { version },
    schema: schemas.day,
    answer: (ask, { version = '1' }) => ask`
      select snapshot::text as json, snapshot ->> 'run_id' as source
      from nms.day_snapshot(snapshot_date => nms.business_date(), version => ${version}) as snapshot
    `,
    source: (ask) => ask`
      select day.run_id::text as source
      from nms.table_metrics_daily_snapshot as day
      where day.snapshot_date = nms.business_date()
    `,
  },
  {
    path: '/v1/days/{date}',
    answeredBy: 'nms.day_snapshot',
    title: 'The counts of a business day',
    required: { date },
    optional: { version },
    schema: schemas.day,
    answer: (ask, { date = '', version = '1' }) => ask`
      select snapshot::text as json, snapshot ->> 'run_id' as source
      from nms.day_snapshot(snapshot_date => nms.find_day(named => ${date}), version => ${version}) as snapshot
    `,
    source: (ask, { date = '' }) => ask`
      select day.run_id::text as source
      from nms.table_metrics_daily_snapshot as day
      where day.snapshot_date = nms.find_day(named => ${date})
    `,
  },
  {
    path: '/v1/latest',
    answeredBy: 'nms.run_snapshot',
    title: 'The counts of the latest run that succeeded',
    optional: { version },
    schema: schemas.run,
    answer: (ask, { version = '1' }) => ask`
      select snapshot::text as json, snapshot ->> 'run_id' as source
      from nms.run_snapshot(version => ${version}) as snapshot
    `,
    source: (ask) => ask`
      select day.run_id::text as source
      from nms.table_metrics_daily_snapshot as day
      order by day.snapshot_date desc
      limit 1
    `,
  },
  {
    path: '/v1/runs/{run_id}',
    answeredBy: 'nms.run_snapshot',
    title: 'The counts of a run, or why it has none',
    required: { run_id },
    optional: { version },
    schema: schemas.run,
    isImmutable: true,
    answer: (ask, { run_id = '', version = '1' }) => ask`
      select
        snapshot::text as json,
        case when snapshot ->> 'status' <> 'RUNNING' then snapshot ->> 'run_id' end as source
      from nms.run_snapshot(run_id => ${run_id}, version => ${version}) as snapshot
    `,
    source: (ask, { run_id = '' }) => ask`
      select run.run_id::text as source
      from nms.table_metrics_runs as run
      where run.run_id = ${run_id} and run.status <> 'RUNNING'
    `,
  },
]
