import type { Sql } from '../connection/database.ts'
import { snapshotTimeZone } from '../environment.ts'

/** The zone in which times are shown: SNAPSHOT_TZ, else the business time zone. */
export async function shownTimeZone(sql: Sql): Promise<string> {
  const [settings] = await sql<[{ zone: string }]>`
    select coalesce(${snapshotTimeZone() ?? null}::text, business_time_zone) as zone
    from nms.table_metrics_settings
  `
  return settings.zone
}
