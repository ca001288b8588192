import type { ExecutionContext } from 'ava'
import type { TestDatabase } from './database.ts'
import { expectInvariants } from './invariants.ts'
import { holdAt, type Moment, shopCounts } from './moments.ts'
import type { Running } from './process.ts'
import {
  addJob,
  modes,
  prepareSite,
  runs,
  startWorker,
  stopWorker,
  untilNoneRuns,
  untilSuccess,
  type WorkerOptions,
} from './worker.ts'

/** A worker on a database of its own, held at one moment of a run. */
export interface Site {
  db: TestDatabase
  worker: Running
  payload: object
  /** The backend that works on the run. */
  pid: number
  release(): Promise<void>
}

/** Starts a worker and holds its first run at a moment. */
export async function startSite(
  t: ExecutionContext,
  moment: Moment,
  payload: object,
  create?: (t: ExecutionContext) => Promise<TestDatabase>,
  options?: (db: TestDatabase) => WorkerOptions | Promise<WorkerOptions>,
): Promise<Site> {
  const db = await prepareSite(t, create)
  const worker = await startWorker(t, db, await options?.(db))
  const { reached, release } = await holdAt(db, moment)
  await addJob(db, payload)
  return { db, worker, payload, pid: await reached(), release }
}

/** The four sites that a fault of the server meets. */
export const places = (['counting', 'closing'] as const).flatMap((moment) =>
  Object.entries(modes).map(([mode, payload]) => ({ moment, mode, payload })),
)

/**
 * What a worker does after a fault that has passed, by itself: what it was working on is done, and so
 * is the next job.
 */
export async function expectToGoOn(
  t: ExecutionContext,
  { db, worker, payload, release }: Site,
): Promise<void> {
  await release()
  await untilNoneRuns(db)
  await untilSuccess(db)
  const last = (await runs(db)).at(-1)?.run_id
  await addJob(db, payload)
  await untilSuccess(db, last)
  await stopWorker(t, worker)
  await expectInvariants(t, db, shopCounts)
}
