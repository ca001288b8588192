import { InvalidArgumentError } from 'commander'
import type { Sql } from '../connection/database.ts'

const examples = 'a day such as 2026-11-20, today or yesterday'

/** A day as an argument; which one it is, the server knows. */
export function day(value: string): string {
  if (isDay(value)) return value
  throw new InvalidArgumentError(`saw ${value}, expected ${examples}`)
}

/** A day or the number of a run as an argument. */
export function dayOrRun(value: string): string {
  if (isDay(value) || isRun(value)) return value
  throw new InvalidArgumentError(`saw ${value}, expected ${examples}, or a run such as 42`)
}

/** True for an argument that is the number of a run. */
export const isRun = (value: string) => /^[1-9]\d{0,17}$/.test(value)

const isDay = (value: string) => /^(\d{4}-\d\d-\d\d|today|yesterday)$/.test(value)

/**
 * The date of a day, in the business time zone.
 *
 * @throws for a day that the calendar does not have
 */
export async function readDay(sql: Sql, value: string): Promise<string> {
  try {
    const [row] = await sql<[{ date: string }]>`
      select
        case ${value}::text
          when 'today' then nms.business_date()
          when 'yesterday' then nms.business_date() - 1
          else (${value}::text)::date
        end::text as date
    `
    return row.date
  } catch (error) {
    if (!/^2200[78]$/.test((error as { code?: string }).code ?? '')) throw error
    throw new Error(`no such day: ${value}, expected ${examples}`)
  }
}

/**
 * The run that a day or a number stands for; that of a day is the one that owns it.
 *
 * @param command what to type with another day instead, such as `table-metrics daily`
 * @throws for a day without a result, and for an unknown run
 */
export async function readRunId(sql: Sql, value: string, command: string): Promise<string> {
  if (isRun(value)) return existingRun(sql, value)
  const date = await readDay(sql, value)
  try {
    const [row] = await sql<[{ run_id: string }]>`select nms.run_of_day(${date}::text::date)::text as run_id`
    return row.run_id
  } catch (error) {
    if ((error as { code?: string }).code !== 'P0002') throw error
    const [nearest] = await sql<{ date: string }[]>`
      select snapshot_date::text as date
      from nms.table_metrics_daily_snapshot
      order by abs(snapshot_date - ${date}::text::date), snapshot_date desc
      limit 1
    `
    throw new Error(
      nearest
        ? `no result for ${date}: the nearest day with one is ${nearest.date}, type ${command} ${nearest.date}`
        : `no result for ${date}, nor for any other day: type table-metrics collect`,
    )
  }
}

async function existingRun(sql: Sql, value: string): Promise<string> {
  const [row] = await sql<[{ exists: boolean; last: string | null }]>`
    select
      exists (select from nms.table_metrics_runs where run_id = ${value}::bigint) as exists,
      (select max(run_id)::text from nms.table_metrics_runs) as last
  `
  if (row.exists) return value
  throw new Error(
    row.last
      ? `no run ${value}: the last one is ${row.last}, type table-metrics status to see more`
      : `no run ${value}, nor any other: type table-metrics collect`,
  )
}
