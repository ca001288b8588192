import { connect } from '../database.ts'
import { within } from '../patience.ts'
import { withDatabase } from '../session.ts'
import { endingEvents, type RunEvent } from './events.ts'
import { countOnline } from './online.ts'
import type { Progress } from './progress.ts'
import { type Run, readRun } from './run.ts'
import { countAsOfOneInstant } from './snapshot.ts'
import { giveUp } from './stop.ts'

/** What a run leaves out; by default nothing. */
export interface CollectRequest {
  /** Schemas, such as `tmp`. */
  skip?: string[]
  /** Tables, as `schema.table`, spelled as the catalogue does or quoted as in SQL. */
  exclude?: string[]
}

/** How a run is counted. */
export interface CollectOptions {
  /** Each table in a short transaction of its own, rather than all as of one instant. */
  online?: boolean
  /** How many sessions count an online run. */
  jobs?: number
  /** How long the run may take, as a Postgres interval such as `30m`; by default any time. */
  deadline?: string
  /** Ends the run as FAILED, "stopped". */
  signal?: AbortSignal
  /** Told what happens to the run. */
  report?: (event: RunEvent) => void
  /** Told how far an online run is. */
  progress?: (progress: Progress) => void
}

/**
 * Counts every table once, inside the database. The header is committed before the counting starts,
 * so that a run leaves its trace even if the server dies. When every table was counted and somebody
 * else kept the result from being written, there are two runs more at most.
 *
 * Resolves to the header of the run, SUCCEEDED or FAILED; a malformed request gives a FAILED run.
 *
 * @param url the database
 * @throws what the server or the connection reports, when the run cannot be opened or its end not be read
 */
export async function collectTableMetrics(
  url: string,
  { skip = [], exclude = [] }: CollectRequest = {},
  options: CollectOptions = {},
): Promise<Run> {
  for (let attempts = 1; ; attempts++) {
    const opened = await openRun(url, { skip, exclude }, options.signal)
    if (opened.status !== 'RUNNING') return opened
    const run = await collectRun(url, opened.run_id, options)
    if (attempts === 3 || options.signal?.aborted || !(await failedAfterCounting(url, run))) return run
  }
}

/** True for a run that only somebody else kept from writing its result: another one may succeed. */
async function failedAfterCounting(url: string, { run_id, status }: Run): Promise<boolean> {
  if (status !== 'FAILED') return false
  try {
    return await withDatabase(async (sql) => {
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
  signal?: AbortSignal,
): Promise<Run> {
  const sql = connect(url)
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(new Error('stopped before the run was opened'))
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
  })
  try {
    // In a transaction that dies with this process or its link: no run is opened for nobody.
    const opening = sql.begin(async (transaction) => {
      await transaction`
        select nms_private.cancel_if_client_is_gone(), set_config('idle_in_transaction_session_timeout', '30s', true)
      `
      const [{ run_id }] = await transaction<[{ run_id: string }]>`
        select nms.open_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as run_id
      `
      return readRun(transaction, run_id)
    })
    return await Promise.race([opening, stopped])
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
  const count = online ? countOnline : countAsOfOneInstant
  const failure = await count(url, runId, { ...options, signal: anyOf(signal, late) }).then(
    () => undefined,
    (error) => error as Error & { code?: string },
  )
  const cause = signal?.aborted ? 'stopped' : late?.aborted ? `deadline of ${deadline} passed` : undefined
  const reason = [cause, failure && describe(failure)].filter(Boolean).join(': ')
  // Over a link of its own: one that was there before may have died while the run was counted.
  return withDatabase(async (sql) => {
    // Most often it has ended by itself. Who cannot even read that knows no better than the failure.
    const ending = giveUp(sql, runId, reason || 'the counting ended without a result')
    const run = await within(patience, ending, 'the server').catch((error) => {
      throw failure ?? error
    })
    for (const event of await endingEvents(sql, run)) report(event)
    return run
  }, url)
}

/** How long a server may be away when the end of a run is to be read or written, in milliseconds. */
const patience = 40_000

/** What a timer can hold, in milliseconds: nearly 25 days. */
const longestTimer = 2 ** 31 - 1

function anyOf(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}

function describe(error: Error & { code?: string }): string {
  return error.code ? `${error.message} (${error.code})` : error.message
}

function milliseconds(url: string, interval: string): Promise<number> {
  return withDatabase(async (sql) => {
    const [row] = await sql<[{ milliseconds: number }]>`
      select (extract(epoch from ${interval}::interval) * 1000)::float8 as milliseconds
    `
    return row.milliseconds
  }, url)
}
