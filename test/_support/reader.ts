import { readFile } from 'node:fs/promises'
import { migrationsFolder } from '../../src/install/migrations.ts'
import type { Sql, TestDatabase } from './database.ts'

/** What an installer runs to say who may read and write what. */
export const rolesScript = await readFile(`${migrationsFolder}/roles.sql`, 'utf8')

/** A session of somebody who is a table_metrics_reader and nothing else. */
export async function createReader(db: TestDatabase): Promise<Sql> {
  await db.connect().unsafe(rolesScript)
  const { connect } = await db.createRole('in role table_metrics_reader')
  return connect()
}

/** What a function of nms answers with its jsonb, and the same as the text that the server rendered. */
export async function ask<T = Record<string, unknown>>(
  sql: Sql,
  call: string,
): Promise<{ report: T; text: string }> {
  const [row] = await sql.unsafe<{ text: string }[]>(`select nms.${call}::text as text`)
  return { report: JSON.parse(row?.text ?? ''), text: row?.text ?? '' }
}

/** Makes the JSON of each successful run and its day, as closing them would have. */
export async function rebuildSnapshots(sql: Sql): Promise<void> {
  await sql`
    select nms.rebuild_run_snapshot(run_id), nms.rebuild_daily_snapshot(snapshot_date)
    from nms.table_metrics_runs
    where status = 'SUCCEEDED'
  `
}
