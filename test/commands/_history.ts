import type { ExecutionContext } from 'ava'
import { createDatabase, type Sql, type TestDatabase } from '../_support/database.ts'

export type Counts = Record<string, Record<string, number | string>>

/** A database with counts for business days: `{0: counts of today, 2: of the day before yesterday}`. */
export async function createHistory(
  t: ExecutionContext,
  days: Record<number, Counts>,
): Promise<TestDatabase> {
  const db = await createDatabase(t)
  for (const ago of Object.keys(days)
    .map(Number)
    .sort((one, other) => other - one)) {
    // As text: a JavaScript number would round what is beyond 2^53.
    const payload = JSON.stringify(days[ago]).replaceAll(/"(\d+)"([,}])/g, '$1$2')
    await db.sql`select from nms.import_run(${await dayAgo(db.sql, ago)}::date, ${payload}::text::jsonb)`
  }
  return db
}

/** A business day, counted back from today. */
export async function dayAgo(sql: Sql, days: number): Promise<string> {
  const [row] = await sql<[{ day: string }]>`
    select ((now() at time zone 'America/New_York')::date - ${days}::integer)::text as day
  `
  return row.day
}
