import type { Sql } from '../connection/database.ts'

/** What a rebuild has made: for a person, and as JSON rendered by the server. */
export interface Rebuilt {
  text: string
  json: string
}

/** Makes the JSON of a run again. */
export async function rebuildRun(sql: Sql, runId: string): Promise<Rebuilt> {
  const [row] = await sql<[{ effect: Effect; json: string }]>`
    select effect, to_jsonb(rebuilt)::text as json
    from nms.rebuild_run_snapshot(run_id => ${runId}) as rebuilt
  `
  return { text: `run ${runId}: ${words[row.effect]}`, json: row.json }
}

/** Makes the JSON of a business day again, and that of the run that owns it. */
export async function rebuildDay(sql: Sql, date: string): Promise<Rebuilt> {
  const [row] = await sql<[{ effect: Effect; run_id: string; json: string }]>`
    select effect, run_id::text, to_jsonb(rebuilt)::text as json
    from nms.rebuild_daily_snapshot(snapshot_date => ${date}::text::date) as rebuilt
  `
  return { text: `${date}, from run ${row.run_id}: ${words[row.effect]}`, json: row.json }
}

type Effect = 'made' | 'same' | 'repaired'

const words: Record<Effect, string> = {
  made: 'made, there was none',
  same: 'the same as before',
  repaired: 'repaired, it was another one',
}
