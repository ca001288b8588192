import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange, styleOfOutcome } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { formatChange, formatCount } from '../terminal/terminal.ts'
import type { Comparison } from './diff.ts'

const shownTables = 40

/** Two runs beside each other, as lines for a person: what changed, most first. */
export async function describeComparison(
  sql: Sql,
  { before, after }: Comparison,
  all = false,
): Promise<string> {
  const tables = await sql<
    {
      name: string
      outcome: string
      before: string | null
      after: string | null
      change: string | null
      percent: string | null
      more: string
    }[]
  >`
    select
      schema_name || '.' || table_name as name,
      outcome,
      rows_before::text as before,
      rows_after::text as after,
      change::text,
      case when change <> 0 then to_char(change_percent, 'FMSG999,999,999,999,990.0') || ' %' end as percent,
      (count(*) over () - row_number() over by_change)::text as more
    from nms.compare_runs(before => ${before}, after => ${after})
    where ${all} or outcome <> 'unchanged'
    window by_change as (
      order by outcome = 'left out', abs(coalesce(change, rows_after, -rows_before, 0)) desc, schema_name, table_name
    )
    order by outcome = 'left out', abs(coalesce(change, rows_after, -rows_before, 0)) desc, schema_name, table_name
    limit ${all ? null : shownTables}
  `
  const more = tables.at(-1)?.more ?? '0'
  return [
    await describeRuns(sql, before, after),
    ...(tables.length > 0
      ? [
          '',
          layOut(
            [
              { title: 'table', cut: 'middle' },
              { title: 'outcome', style: styleOfOutcome },
              { title: 'before', right: true },
              { title: 'after', right: true },
              { title: 'change', right: true, style: styleOfChange },
              { title: '%', right: true, style: styleOfChange },
            ],
            tables.map(({ name, outcome, before: former, after: latter, change, percent }) => [
              name,
              outcome,
              formatCount(former ?? ''),
              formatCount(latter ?? ''),
              formatChange(change),
              percent ?? '',
            ]),
          ),
        ]
      : []),
    ...(more === '0' ? [] : [`… and ${formatCount(more)} more: --all shows every table`]),
    '',
    await summarize(sql, before, after),
  ].join('\n')
}

async function describeRuns(sql: Sql, before: string, after: string): Promise<string> {
  const runs = await sql<{ words: string }[]>`
    select format(
      'run %s of %s%s', run_id, snapshot_date, case when status <> 'SUCCEEDED' then format(' (%s)', status) end
    ) as words
    from unnest(array[${before}, ${after}]::bigint[]) with ordinality as asked (run_id, place)
    join nms.table_metrics_runs as run using (run_id)
    order by asked.place
  `
  return paint('bold', runs.map(({ words }) => words).join(' → '))
}

async function summarize(sql: Sql, before: string, after: string): Promise<string> {
  const [total] = await sql<[{ tables: string | null; change: string }]>`
    select
      string_agg(format('%s %s', to_char(grouped.tables, 'FM999,999,999,990'), grouped.outcome), ', ' order by grouped.outcome) as tables,
      coalesce(sum(grouped.change), 0)::text as change
    from (
      select outcome, count(*) as tables, sum(own_change) as change
      from nms.compare_runs(before => ${before}, after => ${after})
      group by outcome
    ) as grouped
  `
  const change = total.change === '0' ? 'as many rows as before' : `${formatChange(total.change)} rows`
  return `${total.tables ?? 'no tables'}\n${change} in all, each counted once`
}
