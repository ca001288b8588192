import { connect, type Sql } from '../connection/database.ts'
import { untilAborted, withTimeout } from '../connection/timeout.ts'
import { withSession } from '../connection/with_database.ts'
import { expectOwnState } from '../install/state.ts'
import { countOnline } from '../online/online.ts'
import { reportAbandonedRuns } from '../schedule/open_job.ts'
import { inBoundTransaction } from './bound_transaction.ts'
import { endingEvents } from './events.ts'
import { callFilterFunctions } from './filter_functions.ts'
import { giveUp } from './give_up.ts'
import type { CollectOptions, CollectRequest } from './options.ts'
import { type Run, readRun } from './run.ts'
import { countAsOfOneInstant } from './snapshot.ts'

/**
 * Counts every table once, inside the database. The header is committed before the counting starts,
 * so that a run leaves its trace even if the server dies. When every table was counted and somebody
 * else kept the result from being written, there are two runs more at most.
 *
 * Resolves to the header of the run, SUCCEEDED or FAILED; a malformed request gives a FAILED run.
 *
 * @param url the database
 * @throws when the install is not of this version; what the server or the connection reports, when the run cannot be
 *   opened or its end not be read
 */
export async function collectTableMetrics(
  url: string,
  { skip = [], exclude = [] }: CollectRequest = {},
  options: CollectOptions = {},
): Promise<Run> {
  for (let attempts = 1; ; attempts++) {
    const opened = await openRun(url, { skip, exclude }, options)
    if (opened.status !== 'RUNNING') {
      await withSession((sql) => reportEnd(sql, opened, options.report), url)
      return opened
    }
    const run = await collectRun(url, opened.run_id, options)
    if (attempts === 3 || options.signal?.aborted || !(await failedAfterCounting(url, run))) return run
  }
}

/** True for a run that only somebody else kept from writing its result: another one may succeed. */
async function failedAfterCounting(url: string, { run_id, status }: Run): Promise<boolean> {
  if (status !== 'FAILED') return false
  try {
    return await withSession(async (sql) => {
      const [row] = await sql<[{ helps: boolean }]>`
        select nms_private.failed_after_counting(run_id => ${run_id}) as helps
      `
      return row.helps
    }, url)
  } catch {
    return false // how this run has ended is known
  }
}

async function openRun(
  url: string,
  { skip, exclude }: Required<CollectRequest>,
  { signal, report }: CollectOptions,
): Promise<Run> {
  const sql = connect(url)
  const stopped = untilAborted(signal).then(() => {
    throw new Error('stopped before the run was opened')
  })
  try {
    const open = async () => {
      // Before nms.open_run() ends them without a word.
      if (report) await reportAbandonedRuns(sql, { record: report })
      return inBoundTransaction(sql, async (transaction) => {
        const [{ run_id }] = await transaction<[{ run_id: string }]>`
          select nms.open_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as run_id
        `
        return readRun(transaction, run_id)
      })
    }
    return await Promise.race([expectOwnState(sql).then(open), stopped])
  } finally {
    await sql.end({ timeout: 0 })
  }
}

/**
 * Counts a run that was opened before, on connections of its own.
 *
 * Resolves to its header, SUCCEEDED or FAILED.
 *
 * @throws what the server or the connection reports, when the end of the run cannot be read
 */
export async function collectRun(url: string, runId: string, options: CollectOptions = {}): Promise<Run> {
  const { online = false, signal, deadline, report = () => undefined } = options
  report({ event: 'run_started', run_id: runId, online })
  const late =
    deadline === undefined
      ? undefined
      : AbortSignal.timeout(Math.min(await milliseconds(url, deadline), longestTimer))
  const signals = [signal, late].filter((each) => each !== undefined)
  const count = online ? countOnline : countAsOfOneInstant
  const stop = AbortSignal.any(signals)
  const failure = await callFilterFunctions(url, runId, stop)
    .then(() => count(url, runId, { ...options, signal: stop }))
    .then(
      () => undefined,
      (error) => error as Error & { code?: string },
    )
  const cause = signal?.aborted ? 'stopped' : late?.aborted ? `deadline of ${deadline} passed` : undefined
  const reason = [cause, failure && describe(failure)].filter(Boolean).join(': ')
  // Over a link of its own: one that was there before may have died while the run was counted.
  return withSession(async (sql) => {
    // Most often it has ended by itself. When even that cannot be read, the failure says most.
    const ending = giveUp(sql, runId, reason || 'the counting ended without a result')
    const run = await withTimeout(timeout, ending, 'the server').catch((error) => {
      throw failure ?? error
    })
    await reportEnd(sql, run, report)
    return run
  }, url)
}

async function reportEnd(sql: Sql, run: Run, report: CollectOptions['report']): Promise<void> {
  if (report) for (const event of await endingEvents(sql, run)) report(event)
}

/** How long a server may be away when the end of a run is to be read or written, in milliseconds. */
const timeout = 40_000

/** What a timer can hold, in milliseconds: nearly 25 days. */
const longestTimer = 2 ** 31 - 1

function describe(error: Error & { code?: string }): string {
  return error.code ? `${error.message} (${error.code})` : error.message
}

function milliseconds(url: string, interval: string): Promise<number> {
  return withSession(async (sql) => {
    const [row] = await sql<[{ milliseconds: number }]>`
      select (extract(epoch from ${interval}::interval) * 1000)::float8 as milliseconds
    `
    return row.milliseconds
  }, url)
}
