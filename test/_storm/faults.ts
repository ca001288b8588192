import type { Sql } from '../_support/database.ts'
import type { Random } from './operations.ts'
import { runsName } from './runs.ts'
import { hidersName } from './still.ts'

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

/** What makes counters worth nothing, or ends a session that hides; says what it did. */
export async function disturb(sql: Sql, random: Random): Promise<string> {
  const [fault, statement] = disturbances[Math.floor(random() * disturbances.length)] as [string, string]
  await sql.unsafe(statement)
  return fault
}

// Seldom a reset: for a while after each of them everything is counted.
const disturbances: [string, string][] = [
  ...Array<[string, string]>(24).fill([
    'a session that hides is ended',
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${hidersName}' order by random() limit 1`,
  ]),
  [
    'counters of a table reset',
    `select pg_stat_reset_single_table_counters(oid)
    from pg_class where relnamespace = 'still'::regnamespace and relkind = 'r' order by random() limit 1`,
  ],
  ['all counters reset', 'select pg_stat_reset()'],
]

/** Ends what was prepared by a session that was ended before it could. */
export async function endPrepared(sql: Sql, olderThan: string): Promise<void> {
  const left = await sql<{ gid: string }[]>`
    select gid from pg_prepared_xacts where database = current_database() and prepared < now() - ${olderThan}::interval
  `
  for (const { gid } of left) await sql.unsafe(`commit prepared '${gid}'`)
}
