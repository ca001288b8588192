import { type Found, foundBy, prepareRun } from './carrying.ts'
import type { Sql } from './database.ts'
import { eventually } from './eventually.ts'

/** Opens an online run in which of these tables only what is named is counted to compare. Resolves to its number. */
export async function openOnline(sql: Sql, verified?: string): Promise<string> {
  await prepareRun(sql, verified)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  return run_id
}

/** One call, which is one transaction. Resolves to whether the run can be closed. */
export async function measure(sql: Sql, run_id: string): Promise<boolean> {
  const [step] = await sql<
    [{ is_finished: boolean }]
  >`select is_finished from nms.measure_targets(run_id => ${run_id})`
  return step.is_finished
}

/** Counts what is queued, until it is only to be found out what may be carried. */
export async function countQueued(sql: Sql, run_id: string): Promise<void> {
  await eventually(async () => {
    await measure(sql, run_id)
    const [left] = await sql<[{ tables: number }]>`
      select count(*)::int as tables from nms_private.targets where run_id = ${run_id} and not is_done and not is_held
    `
    return left.tables === 0
  }, `what run ${run_id} has queued is counted`)
}

/** Does the rest of an online run, however it ends. */
async function endOnline(
  sql: Sql,
  run_id: string,
): Promise<{ status: string; error_message: string | null }> {
  await eventually(() => measure(sql, run_id), `run ${run_id} has been counted`, 60)
  const [header] = await sql<[{ status: string; error_message: string | null }]>`
    select status, error_message from nms.close_run(run_id => ${run_id})
  `
  return header
}

/** Does the rest of an online run that succeeds. */
export async function finishOnline(sql: Sql, run_id: string): Promise<Record<string, Found>> {
  const { status, error_message } = await endOnline(sql, run_id)
  if (status !== 'SUCCEEDED') throw new Error(error_message ?? status)
  return foundBy(sql, run_id)
}

/** An online run of any number, however it ends. */
export async function collectOnline(sql: Sql): Promise<void> {
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await endOnline(sql, run_id)
}

/** A whole run, by one session. */
export async function runOnline(sql: Sql, verified?: string): Promise<Record<string, Found>> {
  return finishOnline(sql, await openOnline(sql, verified))
}
