import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { describeLeftOut, formatChange, formatCount } from '../terminal/terminal.ts'

const shownTables = 40

/** The JSON of a business day as the server renders it. */
export async function dailyPayload(sql: Sql, runId: string): Promise<string> {
  const [row] = await sql<[{ payload: string }]>`
    select payload::text from nms.table_metrics_daily_snapshot where run_id = ${runId}
  `
  return row.payload
}

/** A business day as lines for a person: its tables, largest first, with the change since the day before. */
export async function describeDay(sql: Sql, runId: string, all = false): Promise<string> {
  const tables = await sql<
    {
      name: string
      kind: string
      rows: string
      change: string | null
      percent: string | null
      more: string
    }[]
  >`
    select
      schema_name || '.' || table_name as name,
      case when is_partition then 'partition' else table_kind end as kind,
      row_count::text as rows,
      change::text,
      case when change <> 0 then to_char(change_percent, 'FMSG999,999,999,999,990.0') || ' %' end as percent,
      (count(*) over () - row_number() over by_size)::text as more
    from nms.table_metrics_daily
    where run_id = ${runId}
    window by_size as (order by row_count desc, schema_name, table_name)
    order by row_count desc, schema_name, table_name
    limit ${all ? null : shownTables}
  `
  const more = tables.at(-1)?.more ?? '0'
  return [
    ...(tables.length > 0
      ? [
          layOut(
            [
              { title: 'table', cut: 'middle' },
              { title: 'kind' },
              { title: 'rows', right: true },
              { title: 'change', right: true, style: styleOfChange },
              { title: '%', right: true, style: styleOfChange },
            ],
            tables.map(({ name, kind, rows, change, percent }) => [
              name,
              kind,
              formatCount(rows),
              formatChange(change),
              percent ?? '',
            ]),
          ),
        ]
      : []),
    ...(more === '0' ? [] : [`… and ${formatCount(more)} more tables: --all shows them`]),
    ...(tables.length > 0 ? [''] : []),
    await summarize(sql, runId),
  ].join('\n')
}

async function summarize(sql: Sql, runId: string): Promise<string> {
  const [day] = await sql<
    [
      {
        date: string
        zone: string
        tables: string
        rows: string
        previous: string | null
        change: string | null
        left_out: string | null
      },
    ]
  >`
    select
      day.snapshot_date::text as date,
      settings.business_time_zone as zone,
      total.tables::text,
      total.rows::text,
      previous.snapshot_date::text as previous,
      case
        when previous.run_id is not null then (
          select coalesce(sum(own_change), 0)
          from nms.compare_runs(before => previous.run_id, after => day.run_id)
        )
      end::text as change,
      run.left_out_count::text as left_out
    from nms.table_metrics_daily_snapshot as day
    join nms.table_metrics_runs as run using (run_id)
    cross join nms.table_metrics_settings as settings
    cross join lateral (
      select count(*) as tables, coalesce(sum(own_row_count), 0) as rows
      from nms.table_metrics_measurements
      where run_id = day.run_id
    ) as total
    left join lateral (
      select earlier.snapshot_date, earlier.run_id
      from nms.table_metrics_daily_snapshot as earlier
      where earlier.snapshot_date < day.snapshot_date
      order by earlier.snapshot_date desc
      limit 1
    ) as previous on true
    where day.run_id = ${runId}
  `
  const since = day.previous === null ? '' : ` (${formatChange(day.change)} since ${day.previous})`
  return [
    paint('bold', `business day ${day.date} (${day.zone}), counted by run ${runId}`),
    `${formatCount(day.tables)} tables, ${formatCount(day.rows)} rows, each counted once${since}`,
    ...describeLeftOut(day.left_out),
  ].join('\n')
}
