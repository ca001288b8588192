import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { layOut } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'

/** The alerts that are open: for a person, and as JSON rendered by the server. */
export interface OpenAlerts {
  count: string
  /** One line each, as far as it fits. */
  table: string
  /** All that is known of each. */
  text: string
  json: string
}

/** Reads the alerts that are open, oldest first, with times in a time zone; nothing where the install has none. */
export async function openAlerts(sql: Sql, timeZone: string): Promise<OpenAlerts | undefined> {
  const [install] = await sql<[{ has_alerts: boolean }]>`
    select to_regclass('nms.table_metrics_alerts') is not null as has_alerts
  `
  if (!install.has_alerts) return
  const rows = await sql<(Alert & { json: string })[]>`
    select
      alert.kind,
      concat_ws('.', alert.schema_name, alert.table_name) as name,
      to_char(alert.since at time zone ${timeZone}, 'YYYY-MM-DD HH24:MI') as since,
      regexp_replace(alert.detail, '\\s+', ' ', 'g') as detail,
      to_jsonb(alert)::text as json
    from nms.table_metrics_alerts as alert
    order by alert.since, alert.kind, alert.schema_name, alert.table_name
  `
  return {
    count: String(rows.length),
    table: layOut(
      [
        { title: 'since' },
        { title: 'alert', style: () => 'yellow' },
        { title: 'table', cut: 'middle' },
        { title: 'detail', cut: 'end' },
      ],
      rows.map(({ kind, name, since, detail }) => [since, kind, name, detail]),
    ),
    text: rows.map(describeAlert).join('\n\n'),
    json: `[${rows.map(({ json }) => json).join(',\n')}]`,
  }
}

interface Alert {
  kind: string
  name: string
  since: string
  detail: string
}

function describeAlert({ kind, name, since, detail }: Alert): string {
  const what = [paint('yellow', kind), ...(name ? [visible(name)] : [])].join(' ')
  return `${what}, since ${since}\n  ${visible(detail)}`
}
