import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { inTime } from '../_support/eventually.ts'
import { startTableMetrics } from '../_support/process.ts'
import { randomFrom } from '../_support/soak.ts'
import { disturb, endPrepared, strike } from './faults.ts'
import { hide } from './hiding.ts'
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
  /** How often sessions have hidden what they changed, and how. */
  hidden: Counts
  /** Resolves when every session and the worker have ended. */
  stop(): Promise<void>
}

const crontab = fileURLToPath(new URL('../empty_crontab', import.meta.url))

interface Strength {
  /** Sessions that change tables. */
  sessions: number
  /** Sessions that hide what they change: with any, runs carry, and each takes long to find out what it may. */
  hiders: number
  /** All runs are online. */
  online: boolean
}

/** Starts everything. Each session has a sequence of choices of its own, whatever becomes of them. */
export function startStorm(
  t: ExecutionContext,
  db: TestDatabase,
  seed: number,
  { sessions, hiders, online }: Strength,
): Storm {
  const hidden: Counts = new Map()
  const isCarrying = hiders > 0
  const committed: Counts = new Map()
  const givenUp: Counts = new Map()
  const faults: Counts = new Map()
  let isOver = false

  async function change(session: number): Promise<void> {
    const random = randomFrom(seed * 1000 + session)
    const sql = db.connect({ connection: { application_name: 'storm', lock_timeout: 200 } })
    while (!isOver) {
      const operation = nextOperation(random, isCarrying)
      await sql.unsafe(operation.sql).then(
        () => count(committed, operation.kind),
        (error) => count(givenUp, error.code),
      )
      await sleep(random() ** 3 * (isCarrying ? 3_000 : 150)) // mostly little, for bursts
    }
  }

  async function collect(session: number): Promise<void> {
    const random = randomFrom(seed * 1000 + 500 + session)
    while (!isOver) {
      // It may have been killed, or the change before it given up.
      await inTime(120, nextRun(db.url, random, isCarrying, online), 'a run has ended').catch(notLate)
      await sleep(random() * 50)
    }
  }

  async function hurt(): Promise<void> {
    const random = randomFrom(seed * 1000 + 900)
    while (!isOver) {
      await sleep(isCarrying ? 20_000 + random() * 40_000 : 500 + random() * 2_000)
      const fault = await strike(db.sql, random).catch(() => undefined) // the server may be away
      if (fault) count(faults, fault)
    }
  }

  async function mislead(): Promise<void> {
    const random = randomFrom(seed * 1000 + 901)
    while (!isOver) {
      await sleep(2_000 + random() * 10_000)
      const fault = await disturb(db.sql, random).catch(() => undefined)
      if (fault) count(faults, fault)
      await endPrepared(db.sql, '30 s').catch(() => undefined)
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
    // While one run finds out what it may carry, another is a session that has not told what it did.
    ...Array.from({ length: isCarrying ? 1 : 3 }, (_, n) => collect(n)),
    ...Array.from({ length: hiders }, (_, n) => hide(db, seed * 1000 + 800 + n, () => isOver, hidden)),
    ...(isCarrying ? [mislead()] : []),
    hurt(),
    keepTheWorkerUp(),
  ])
  return {
    committed,
    givenUp,
    faults,
    hidden,
    async stop() {
      isOver = true
      worker.kill('SIGTERM')
      await inTime(150, all, 'every session has stopped')
      await endPrepared(db.sql, '0')
    },
  }
}

function notLate(error: Error): void {
  if (error.message.includes('in vain')) throw error
}
