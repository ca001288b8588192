import { InvalidArgumentError } from 'commander'
import type { Sql } from '../connection/database.ts'
import { inOneLine } from './in_one_line.ts'

/** Which days can be named, as a help text says it. */
export const days = '2026-11-20, yesterday, 7d, 1w, 3m or 2026-11'

/** Which end of a month is meant by it. */
export type Edge = 'since' | 'until'

/** A day as an argument; which one it is, the server knows. */
export function day(value: string): string {
  if (isDay(value)) return value
  throw new InvalidArgumentError(`saw ${value}, expected a day such as ${days}`)
}

/** A day or the number of a run as an argument. */
export function dayOrRun(value: string): string {
  if (isDay(value) || isRun(value)) return value
  throw new InvalidArgumentError(`saw ${value}, expected a day such as ${days}, or a run such as 42`)
}

/** True for an argument that is the number of a run. */
export const isRun = (value: string) => /^[1-9]\d{0,17}$/.test(value)

const isDay = (value: string) => /^(\d{4}-\d\d(-\d\d)?|today|yesterday|\d{1,4}[dwmy])$/.test(value)

/**
 * The date of a day, in the business time zone.
 *
 * @param edge which day of a month such as 2026-11: its first, or its last one, of this month today
 * @throws for a day that the calendar does not have
 */
export async function readDay(sql: Sql, value: string, edge: Edge): Promise<string> {
  try {
    const [row] = await sql<[{ date: string }]>`
      select nms.find_day(named => ${value}, edge => ${edge})::text as date
    `
    return row.date
  } catch (error) {
    if (!/^2200[78]$/.test((error as { code?: string }).code ?? '')) throw error
    throw new Error(`no such day: ${value}, expected one such as ${days}`)
  }
}

/**
 * The dates between which something is asked for; an end that nobody named stays open.
 *
 * @throws for days in the wrong order
 */
export async function readDays(sql: Sql, since?: string, until?: string) {
  const first = since === undefined ? undefined : await readDay(sql, since, 'since')
  const last = until === undefined ? undefined : await readDay(sql, until, 'until')
  if (first && last && first > last) {
    throw new Error(`--since ${first} is after --until ${last}: expected the earlier day first`)
  }
  return { since: first, until: last }
}

/** What an argument stands for. */
export interface Point {
  run_id: string
  snapshot_date: string
  /** The day that was asked for, where it has no result and the last one before it stands for it. */
  asked: string | null
}

/**
 * The run that a day or a number stands for; that of a day is the one that owns it.
 *
 * @param command what to type with another day instead, such as `table-metrics daily`
 * @throws for a day without a result, and for an unknown run
 */
export async function readPoint(
  sql: Sql,
  value: string,
  command: string,
  edge: Edge = 'until',
): Promise<Point> {
  const asked = isRun(value) ? null : await readDay(sql, value, edge)
  const [point] = await inOneLine(
    command,
    sql<[Point]>`
      select run.run_id::text, run.snapshot_date::text, nullif(${asked}::date, run.snapshot_date)::text as asked
      from nms.find_run(named => ${value}, edge => ${edge}) as found (run_id)
      join nms.table_metrics_runs as run on run.run_id = found.run_id
    `,
  )
  return point
}

/** The run of it alone. */
export async function readRunId(sql: Sql, value: string, command: string): Promise<string> {
  return (await readPoint(sql, value, command)).run_id
}

/** `, the last day before 2026-11-15 that has a result`; nothing for a day that was asked for. */
export const insteadOf = (asked: string | null | undefined) =>
  asked ? `, the last day before ${asked} that has a result` : ''
