import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { inTime } from '../_support/eventually.ts'
import { startTableMetrics } from '../_support/process.ts'
import { randomFrom } from '../_support/soak.ts'
import { strike } from './faults.ts'
import { nextOperation } from './operations.ts'
import { nextRun } from './runs.ts'

/** How often something has happened, by its name. */
export type Counts = Map<string, number>

export const count = (counts: Counts, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)

/** All that goes on at the same time, until it is stopped. */
export interface Storm {
  committed: Counts
  /** By SQLSTATE. */
  givenUp: Counts
  faults: Counts
  /** Resolves when every session and the worker have ended. */
  stop(): Promise<void>
}

const crontab = fileURLToPath(new URL('../empty_crontab', import.meta.url))

/** Starts everything. Each session has a sequence of choices of its own, whatever becomes of them. */
export function startStorm(t: ExecutionContext, db: TestDatabase, seed: number, sessions: number): Storm {
  const committed: Counts = new Map()
  const givenUp: Counts = new Map()
  const faults: Counts = new Map()
  let isOver = false

  async function change(session: number): Promise<void> {
    const random = randomFrom(seed * 1000 + session)
    const sql = db.connect({ connection: { application_name: 'storm' } })
    await sql`set lock_timeout = '200 ms'`
    while (!isOver) {
      const operation = nextOperation(random)
      await sql.unsafe(operation.sql).then(
        () => count(committed, operation.kind),
        (error) => count(givenUp, error.code),
      )
      await sleep(random() ** 3 * 150) // mostly little, for bursts
    }
  }

  async function collect(session: number): Promise<void> {
    const random = randomFrom(seed * 1000 + 500 + session)
    while (!isOver) {
      // It may have been killed, or the change before it given up.
      await inTime(120, nextRun(db.url, random), 'a run has ended').catch(notLate)
      await sleep(random() * 50)
    }
  }

  async function hurt(): Promise<void> {
    const random = randomFrom(seed * 1000 + 900)
    while (!isOver) {
      await sleep(500 + random() * 2_000)
      const fault = await strike(db.sql, random)
      if (fault) count(faults, fault)
    }
  }

  const launch = () => startTableMetrics(t, db.url, ['worker', '--crontab', crontab, '--log', 'json'])
  let worker = launch()
  process.on('exit', () => worker.kill('SIGKILL')) // however the storm ends
  async function keepTheWorkerUp(): Promise<void> {
    for (; !isOver; worker = isOver ? worker : launch()) await worker.finished
  }

  const all = Promise.all([
    ...Array.from({ length: sessions }, (_, n) => change(n)),
    ...Array.from({ length: 3 }, (_, n) => collect(n)),
    hurt(),
    keepTheWorkerUp(),
  ])
  return {
    committed,
    givenUp,
    faults,
    async stop() {
      isOver = true
      worker.kill('SIGTERM')
      await inTime(150, all, 'every session has stopped')
    },
  }
}

function notLate(error: Error): void {
  if (error.message.includes('in vain')) throw error
}
