import type { Sql } from './database.ts'

/** What a run leaves out; by default nothing. */
export interface CollectRequest {
  /** Schemas, such as `tmp`. */
  skip?: string[]
  /** Tables, as `schema.table`, spelled as the catalogue does or quoted as in SQL. */
  exclude?: string[]
}

/** The header of a run: a row of `nms.table_metrics_runs`. A bigint is a string. */
export interface Run {
  run_id: string
  collected_at: Date
  /** The business day, as `2026-11-20`. */
  snapshot_date: string
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED'
  error_message: string | null
  skip_schemas: unknown
  exclude_tables: unknown
  finished_at: Date | null
  requested_by: string
  scheduled_for: Date | null
  target_count: string | null
  unmatched_entries: { argument: string; entry: string }[]
}

/**
 * Counts every table once, inside the database, as of one instant. The header is committed before
 * the counting starts, so that a run leaves its trace even if the server dies.
 *
 * Resolves to the header of the run, SUCCEEDED or FAILED; a malformed request gives a FAILED run.
 * Aborting the signal cancels the counting, which gives a FAILED run as well.
 *
 * @throws what the server or the connection reports, when the run cannot be opened or its end not be read
 */
export async function collectTableMetrics(
  sql: Sql,
  { skip = [], exclude = [] }: CollectRequest = {},
  signal?: AbortSignal,
): Promise<Run> {
  const [opened] = await sql<[{ run_id: string }]>`
    select nms.open_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as run_id
  `
  const header = await readRun(sql, opened.run_id)
  if (header.status !== 'RUNNING') return header

  const counting = sql`select from nms.collect_table_metrics(run_id => ${opened.run_id})`
  const cancel = () => counting.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    if (signal?.aborted) await sql`select from nms.close_run(run_id => ${opened.run_id})`
    else await counting
  } catch (error) {
    // A broken connection says nothing of the run, which may have ended well before.
    const run = await readRun(sql, opened.run_id).catch(() => undefined)
    if (run?.status !== 'SUCCEEDED') throw error
    return run
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
  return readRun(sql, opened.run_id)
}

async function readRun(sql: Sql, runId: string): Promise<Run> {
  const [run] = await sql<[Run]>`
    select
      run_id::text, collected_at, snapshot_date::text, status, error_message, skip_schemas,
      exclude_tables, finished_at, requested_by, scheduled_for, target_count::text, unmatched_entries
    from nms.table_metrics_runs
    where run_id = ${runId}
  `
  return run
}
