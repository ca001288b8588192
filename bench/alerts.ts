import { type AlertQuality, judge } from './_alert_quality.ts'
import { connect, type Sql } from './_connect.ts'
import { generateHistory, type History } from './_histories.ts'
import type { Scenario } from './_scenario.ts'

/** What nms.find_alerts() finds in generated histories with planted incidents, and where there is nothing. */
export const alerts: Scenario = {
  name: 'alerts',
  title: '500 tables x 120 days with planted incidents, other ones in each round',
  bars: [
    { contestant: 'find_alerts', metric: 'recall', atLeast: 0.95 },
    { contestant: 'find_alerts', metric: 'falseAlarms', atMost: 0.1 },
  ],
  async build(_, scale) {
    let seed = 0
    return [
      {
        name: 'find_alerts',
        async turn({ url }) {
          const sql = connect(url)
          const history = generateHistory(++seed, { tables: Math.round(500 * scale) })
          await load(sql, history)
          const quality = judge(history, await findAlerts(sql, history))
          await sql`truncate nms.table_metrics_runs cascade`
          await sql.end()
          return { values: valuesOf(quality) }
        },
      },
    ]
  },
}

function valuesOf({ recall, recallByKind, falseAlarmsPerTableYear }: AlertQuality) {
  const { drop = 1, spike = 1, dropped_to_zero = 1 } = recallByKind
  return { recall, drop, spike, dropped_to_zero, falseAlarms: falseAlarmsPerTableYear }
}

/** The kind of alert for each table with one, on each day of the second half that has a result. */
async function findAlerts(sql: Sql, { runs }: History): Promise<(Map<string, string> | undefined)[]> {
  const found: Map<string, string>[] = []
  for (const [day, run] of runs.entries()) {
    if (day < runs.length / 2 || run !== 'SUCCEEDED') continue
    const alerts = await sql<{ kind: string; table: string }[]>`
      select kind, table_name as table from nms.find_alerts(${day + 1}::bigint) where table_name is not null
    `
    found[day] = new Map(alerts.map(({ table, kind }) => [table, kind]))
  }
  return found
}

async function load(sql: Sql, { dates, runs, tables }: History): Promise<void> {
  const names = tables.map(({ name }) => name)
  for (const [day, status] of runs.entries()) {
    if (status === 'missing') continue
    const reason = status === 'FAILED' ? 'planted' : null
    await sql`
      insert into nms.table_metrics_runs
        (run_id, snapshot_date, collected_at, finished_at, status, error_message, target_count)
      overriding system value
      select
        ${day + 1}, ${dates[day] as string}::text::date, at, at + interval '1 min', ${status}, ${reason}, ${tables.length}
      from (select ${dates[day] as string}::text::timestamptz + interval '5 h') as started (at)
    `
    if (status === 'FAILED') continue
    await sql`
      insert into nms.table_metrics_measurements
        (run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid)
      select ${day + 1}, 'public', name, row_count, row_count, ${dates[day] as string}::text::date, 'table', false, 1
      from unnest(${names}::text[], ${tables.map(({ counts }) => counts[day] as number)}::bigint[])
        as counted (name, row_count)
    `
  }
  await sql`analyze nms.table_metrics_runs, nms.table_metrics_measurements`
}
