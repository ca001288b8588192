import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { createDatabase, type TestDatabase } from './database.ts'
import { eventually, inTime } from './eventually.ts'
import { watchHeaders } from './invariants.ts'
import { prepareShop } from './moments.ts'
import { isAlive, type Running, startTableMetrics } from './process.ts'

/** The two ways of counting, as the payload of a job. */
export const modes = { 'one snapshot': {}, online: { online: true, jobs: 2 } }

/** How many tests of a file have a worker at a time: a start takes a second of a processor. */
const workersAtOnce = 8
let going = 0

async function itsTurn(t: ExecutionContext): Promise<void> {
  while (going >= workersAtOnce) await sleep(50)
  going++
  t.teardown(() => {
    going--
  })
}

/** A database with a shop, whose headers are watched. */
export async function prepareSite(t: ExecutionContext, create = createDatabase): Promise<TestDatabase> {
  await itsTurn(t)
  const db = await create(t)
  await prepareShop(db)
  await watchHeaders(db)
  return db
}

export interface WorkerOptions {
  /** By default one that never fires. */
  crontab?: string
  /** The clock of its host when it starts. */
  clock?: Date
  /** Another connection URL than that of the database. */
  url?: string
  args?: string[]
  env?: Record<string, string>
}

/** Starts `table-metrics worker`. */
export async function startWorker(
  t: ExecutionContext,
  db: TestDatabase,
  { crontab = '', clock, url = db.url, args = [], env }: WorkerOptions = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'worker-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'crontab')
  await writeFile(file, crontab)
  const preload = fileURLToPath(new URL('clock.ts', import.meta.url))
  const worker = startTableMetrics(t, url, ['worker', '--crontab', file, '--log', 'json', ...args], {
    ...(clock && { NODE_OPTIONS: `--import ${preload}`, CLOCK: clock.toISOString() }),
    ...env,
  })
  t.teardown(() => {
    if (!t.passed) t.log(worker.stdout())
  })
  return worker
}

const migrations = readdirSync(new URL('../sql', import.meta.resolve('graphile-worker')))

/** Adds a job as anybody can from SQL, once the worker has installed what that takes. */
export async function addJob(
  { sql }: Pick<TestDatabase, 'sql'>,
  payload: object = {},
  task = 'collect_table_metrics',
): Promise<void> {
  await eventually(async () => {
    // Not before the last one: calls would meet a function of the past, and be in the way of the next.
    const done = await sql`select id from graphile_worker.migrations`
    if (done.length < migrations.length) return false
    await sql`select graphile_worker.add_job(${task}, ${JSON.stringify(payload)}::text::json)`
    return true
  }, 'a job is added')
}

/** The headers of all runs so far. */
export const runs = async ({ sql }: Pick<TestDatabase, 'sql'>) => [
  ...(await sql<{ run_id: string; status: string; error_message: string | null; slot: string | null }[]>`
    select
      run_id, status, error_message,
      to_char(scheduled_for at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SSZ') as slot
    from nms.table_metrics_runs
    order by run_id
  `),
]

/** Waits until a run has succeeded after the given one: nobody but a worker that goes on makes it. */
export function untilSuccess(db: Pick<TestDatabase, 'sql'>, after = '0'): Promise<void> {
  return eventually(
    async () =>
      (await runs(db)).some((run) => run.status === 'SUCCEEDED' && BigInt(run.run_id) > BigInt(after)),
    `a run after ${after} has succeeded`,
  )
}

/** Waits until a run, which nobody works on any more, has been closed: soon after abandon_after and a minute. */
export function untilAbandoned(db: Pick<TestDatabase, 'sql'>, runId: string): Promise<void> {
  return eventually(
    async () => {
      const run = (await runs(db)).find(({ run_id }) => run_id === runId)
      return run?.status === 'FAILED' && /^abandoned/.test(run.error_message ?? '')
    },
    `run ${runId} is closed as abandoned`,
    75,
  )
}

/** Waits until no run is RUNNING: those that nobody works on are closed soon after abandon_after and a minute. */
export function untilNoneRuns(db: Pick<TestDatabase, 'sql'>): Promise<void> {
  return eventually(
    async () => (await runs(db)).every(({ status }) => status !== 'RUNNING'),
    'no run is RUNNING',
  )
}

/** Stops a worker, which must have been up until now. */
export async function stopWorker(t: ExecutionContext, worker: Running): Promise<void> {
  t.true(isAlive(worker.pid), 'the worker is still up')
  worker.kill('SIGTERM')
  await inTime(10, worker.finished, 'the worker has stopped')
}
