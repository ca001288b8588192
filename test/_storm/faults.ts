import type { Sql } from '../_support/database.ts'
import type { Random } from './operations.ts'
import { runsName } from './runs.ts'

/** Cancels or kills a session that is at work for a run; says what it did, if there was one. */
export async function strike(sql: Sql, random: Random): Promise<string | undefined> {
  const fault = random() < 0.6 ? 'pg_cancel_backend' : 'pg_terminate_backend'
  const [hit] = await sql.unsafe(
    `
    select ${fault}(pid)
    from (
      select pid, count(*) over () as sessions, row_number() over (order by pid) as place
      from pg_stat_activity
      where
        datname = current_database()
        and state = 'active'
        and query like '%nms.%'
        and (application_name = '${runsName}' or application_name like 'table-metrics%')
    ) as session
    where place = 1 + floor(sessions * $1::float8)
    `,
    [random()],
  )
  return hit && fault
}
