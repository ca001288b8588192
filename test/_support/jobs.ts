import { runMigrations } from 'graphile-worker'
import type { LogEvent } from '../../src/log.ts'
import type { TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'
import type { Running } from './process.ts'

type Db = Pick<TestDatabase, 'sql'>

/** The jobs that are left, oldest first. */
export const jobs = async ({ sql }: Db) => [
  ...(await sql<
    {
      id: string
      attempts: number
      max_attempts: number
      last_error: string | null
      is_locked: boolean
      key: string | null
    }[]
  >`
    select id, attempts, max_attempts, last_error, locked_by is not null as is_locked, key
    from graphile_worker.jobs
    order by id
  `),
]

/** Waits until no job is left that a worker would run some time. */
export function untilJobsAreDone(db: Db): Promise<void> {
  return eventually(
    async () => (await jobs(db)).every((job) => !job.is_locked && job.attempts >= job.max_attempts),
    'all jobs are done',
  )
}

/** An event as it is in JSON: ids are numbers there. */
type Logged<E> = E extends unknown
  ? { [Name in keyof E]: Name extends 'run_id' | 'opened_by_run' | 'job_id' ? number : E[Name] }
  : never

/** The events that a worker has written with `--log json` so far. */
export function eventsOf(worker: Pick<Running, 'stdout'>): Logged<LogEvent>[] {
  return parseEvents(worker.stdout())
}

export function parseEvents(stdout: string): Logged<LogEvent>[] {
  // The last line may not be complete yet.
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line))
}

/** Waits until a worker has written so many events of this name. */
export function untilEvent(
  worker: Pick<Running, 'stdout'>,
  name: LogEvent['event'],
  count = 1,
): Promise<void> {
  return eventually(
    async () => eventsOf(worker).filter(({ event }) => event === name).length >= count,
    `${name} is logged ${count} times`,
  )
}

/** Makes the schema of graphile-worker, as the first worker does. */
export async function installJobs(url: string, schema = 'graphile_worker'): Promise<void> {
  await runMigrations({ connectionString: url, schema })
}
