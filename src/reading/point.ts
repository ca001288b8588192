import { InvalidArgumentError } from 'commander'
import type { Sql } from '../connection/database.ts'
import { inOneLine } from './in_one_line.ts'

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
    const [row] = await sql<[{ date: string }]>`select nms.find_day(${value})::text as date`
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
  const named = isRun(value) ? value : await readDay(sql, value)
  const [row] = await inOneLine(
    command,
    sql<[{ run_id: string }]>`select nms.find_run(${named})::text as run_id`,
  )
  return row.run_id
}
