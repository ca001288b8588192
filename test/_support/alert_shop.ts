import type { ExecutionContext } from 'ava'
import { collect, createDatabase, type Run, type Sql, type TestDatabase } from './database.ts'
import { daysAgo, writeRuns } from './history.ts'

/** A database with 100 orders and 7 lines, and results of twenty days that have found as many. */
export async function createShop(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders as select generate_series(1, 100) as id;
    create table public.lines as select generate_series(1, 7) as id;
    -- whatever time of the day it is
    insert into nms.table_metrics_alert_rules (kind, late_after) values ('run_late', '30 days');
  `)
  const counts = { 'public.orders': 100, 'public.lines': 7 }
  const days = Array.from({ length: 20 }, (_, n) => ({ day: n - 20, counts }))
  await writeRuns(db.sql, days, await daysAgo(db.sql, 0))
  return db
}

/** Makes it so many orders and runs the collector. */
export async function collectRows(sql: Sql, orders: number): Promise<Run> {
  await sql`truncate public.orders`
  await sql`insert into public.orders select generate_series(1, ${orders}::integer)`
  return collect(sql)
}

/** From now on, a table is locked for every count. */
export async function refuseToCount({ sql, connect }: TestDatabase, table: string): Promise<void> {
  await sql`update nms.table_metrics_settings set lock_timeout = '10 ms'`
  const holder = connect()
  await holder`begin`
  await holder.unsafe(`lock table ${table} in access exclusive mode`)
}

export async function log(sql: Sql): Promise<Record<string, unknown>[]> {
  return [...(await sql`select * from nms.table_metrics_alert_log order by alert_id`)]
}
