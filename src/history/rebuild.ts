import type { Sql } from '../connection/database.ts'

/** What a rebuild has made: for a person, and as JSON rendered by the server. */
export interface Rebuilt {
  text: string
  json: string
}

/** Makes the JSON of a run again. */
export async function rebuildRun(sql: Sql, runId: string): Promise<Rebuilt> {
  // The former snapshot is read as of the start of the statement.
  const [row] = await sql<[{ effect: Effect; json: string }]>`
    select
      ${effect(sql)} as effect,
      to_jsonb(rebuilt)::text as json
    from nms.rebuild_run_snapshot(run_id => ${runId}) as rebuilt
    left join nms.table_metrics_run_snapshot as former on former.run_id = ${runId}
  `
  return { text: `run ${runId}: ${words[row.effect]}`, json: row.json }
}

/** Makes the JSON of a business day again, and that of the run that owns it. */
export async function rebuildDay(sql: Sql, date: string): Promise<Rebuilt> {
  const [row] = await sql<[{ effect: Effect; run_id: string; json: string }]>`
    select
      ${effect(sql)} as effect,
      rebuilt.run_id::text,
      to_jsonb(rebuilt)::text as json
    from nms.rebuild_daily_snapshot(snapshot_date => ${date}::text::date) as rebuilt
    left join nms.table_metrics_daily_snapshot as former on former.snapshot_date = ${date}::text::date
  `
  return { text: `${date}, from run ${row.run_id}: ${words[row.effect]}`, json: row.json }
}

type Effect = 'made' | 'same' | 'repaired'

const words: Record<Effect, string> = {
  made: 'made, there was none',
  same: 'the same as before',
  repaired: 'repaired, it was another one',
}

const effect = (sql: Sql) => sql`
  case
    when former.run_id is null then 'made'
    when (former.run_id, former.payload) = (rebuilt.run_id, rebuilt.payload) then 'same'
    else 'repaired'
  end
`
