import type { Sql } from '../connection/database.ts'
import { codeOf } from '../errors.ts'
import type { CollectOptions } from '../run/options.ts'
import { grace, terminateCounting } from './termination.ts'
import type { CountingSession } from './watch.ts'

/** Cancels the counts of an online run that keep other sessions waiting. */
export class Yielding {
  readonly #runId: string
  readonly #report: CollectOptions['report']
  /** When each count was first canceled, by its attempt. */
  readonly #canceledAt = new Map<string, number>()
  /** Cancels that no session has met yet. */
  #cancels = 0
  #work: Promise<unknown> = Promise.resolve()

  constructor(runId: string, report: CollectOptions['report']) {
    this.#runId = runId
    this.#report = report
  }

  /** Resolves when no table is being put back: or the canceled session would take the same one again at once. */
  async settled(): Promise<void> {
    await this.#work
  }

  /** True when an error is one of these cancels, once for each. */
  hasCaused(error: unknown): boolean {
    if (codeOf(error) !== '57014' || this.#cancels === 0) return false
    this.#cancels--
    return true
  }

  /** Looks at what is being counted. */
  look(sql: Sql, counting: CountingSession[]): Promise<void> {
    const work = this.#yield(sql, counting)
    this.#work = work.catch(() => undefined)
    return work
  }

  async #yield(sql: Sql, counting: CountingSession[]): Promise<void> {
    for (const { attempt, pid, table_oid, table, waiting_session } of counting) {
      if (!waiting_session || !table_oid || !table) continue
      const since = this.#canceledAt.get(attempt) ?? Date.now()
      this.#canceledAt.set(attempt, since)
      if (Date.now() > since + grace) await terminateCounting(sql, this.#runId, pid)
      this.#cancels++
      const [{ outcome }] = await sql<[{ outcome: 'put back' | 'given up' | null }]>`
        select
          pg_cancel_backend(${pid}),
          nms_private.yield_target(
            run_id => ${this.#runId}, table_oid => ${table_oid}, waiting_session => ${waiting_session}
          ) as outcome
      `
      if (outcome) {
        this.#report?.({ event: 'yielded', run_id: this.#runId, table, to: waiting_session, outcome })
      }
    }
  }
}
