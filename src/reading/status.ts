import type { Sql } from '../connection/database.ts'
import { outputWidth, paint } from '../terminal/output.ts'
import { styleOfOutcome } from '../terminal/styles.ts'
import { layOut, shorten } from '../terminal/table.ts'
import { formatCount } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { type LastRun, lastRuns } from './last_runs.ts'
import { type OpenAlerts, openAlerts } from './open_alerts.ts'
import { shownTimeZone } from './time_zone.ts'

/** The last runs, today and the open alerts as JSON, rendered by the server. */
export async function statusAsJson(sql: Sql, runs: number): Promise<string> {
  const alerts = await openAlerts(sql, 'UTC')
  const [row] = await sql<[{ json: string }]>`
    select jsonb_build_object(
      'business_date', nms.business_date(),
      'business_time_zone', settings.business_time_zone,
      'today', (select to_jsonb(today) - 'payload' from nms.table_metrics_today as today),
      'runs', (
        select coalesce(jsonb_agg(to_jsonb(last) order by last.run_id desc), '[]')
        from (
          select
            run.*,
            extract(epoch from coalesce(run.finished_at, clock_timestamp()) - run.collected_at) as seconds
          from nms.table_metrics_runs as run
          order by run.run_id desc
          limit ${runs}
        ) as last
      ),
      'alerts', ${alerts?.json ?? null}::text::jsonb
    )::text as json
    from nms.table_metrics_settings as settings
  `
  return row.json
}

/** The last runs, today and the open alerts as lines for a person. */
export async function describeStatus(sql: Sql, runs: number): Promise<string> {
  const zone = await shownTimeZone(sql)
  const alerts = await openAlerts(sql, zone)
  const last = await lastRuns(sql, runs, zone)
  const [newest] = last
  if (!newest) return 'no run yet: type table-metrics collect'
  return [
    await describeToday(sql),
    `last run: ${newest.run_id}, ${paint(styleOfOutcome(newest.status), newest.status)}, started ${newest.started} (${zone}), ${newest.lasted}`,
    ...(newest.reason ? [`reason: ${visible(newest.reason)}`] : []),
    ...describeAlerts(alerts),
    '',
    layOut(
      [
        { title: 'run', right: true },
        { title: 'status', style: styleOfOutcome },
        { title: 'day' },
        { title: 'started' },
        { title: 'took', right: true },
        { title: 'tables', right: true },
        { title: 'rows', right: true },
      ],
      last.map(({ run_id, status, day, short_started, took, tables, rows }) => [
        run_id,
        status,
        day,
        short_started,
        took,
        formatCount(tables ?? ''),
        formatCount(rows ?? ''),
      ]),
    ),
    ...describeFailures(last.slice(1)),
  ].join('\n')
}

function describeFailures(runs: LastRun[]): string[] {
  const failed = runs.filter(({ reason }) => reason)
  const lines = failed.map(({ run_id, reason }) =>
    shorten(visible(`run ${run_id} FAILED: ${reason}`), outputWidth()),
  )
  return lines.length > 0 ? ['', ...lines] : []
}

function describeAlerts(alerts?: OpenAlerts): string[] {
  if (!alerts) return []
  if (alerts.count === '0') return ['open alerts: none']
  return [paint('yellow', `open alerts: ${formatCount(alerts.count)}`), '', alerts.table]
}

async function describeToday(sql: Sql): Promise<string> {
  const [day] = await sql<[{ today: string; run_id: string | null; last: string | null }]>`
    select
      format('today, %s (%s)', nms.business_date(), settings.business_time_zone) as today,
      today.run_id::text,
      (select max(snapshot_date)::text from nms.table_metrics_daily_snapshot) as last
    from nms.table_metrics_settings as settings
    left join nms.table_metrics_today as today on true
  `
  if (day.run_id) return `${day.today}: counted by run ${day.run_id}`
  const found = day.last ? `the last day with one is ${day.last}` : 'nor has any other day'
  return paint('yellow', `${day.today}: no result yet, ${found}`)
}
