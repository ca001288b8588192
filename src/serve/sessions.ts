import { connect, type Sql } from '../connection/database.ts'
import { compose, lastResult, type Value } from '../connection/search_path.ts'
import { withTimeout } from '../connection/timeout.ts'
import { codeOf } from '../errors.ts'
import { Problem } from './problem.ts'

/** Asks one question in a transaction of its own; cancelled on the server when the signal aborts. */
export type AskWhile = (
  signal: AbortSignal,
) => <Rows extends readonly object[]>(parts: TemplateStringsArray, ...values: Value[]) => Promise<Rows>

/** A few sessions that act as one role, each for one question at a time. */
export interface Sessions {
  /** @throws what the server or the connection reports; a Problem when too many wait already */
  ask: AskWhile
  end(): Promise<void>
}

export interface SessionsOptions {
  /** As which role, where there is such a role and the login may become it: otherwise as the login itself. */
  role: string
  /** At most so many sessions. */
  size: number
  readOnly: boolean
}

// The server gives up first, and says so; a link that is dead says nothing.
const statementTimeout = 15
const answerTimeout = 20
const mostWaiting = 200

/** Sessions on a database, opened when they are needed, and anew after each one that was lost. */
export function openSessions(url: string, { role, size, readOnly }: SessionsOptions): Sessions {
  const preamble = [
    becomes(role),
    `set local statement_timeout = '${statementTimeout}s'`,
    "set local lock_timeout = '5s'",
    ...(readOnly ? ['set transaction read only'] : []),
  ].join(';\n')
  const idle: Sql[] = []
  const waiting: (() => void)[] = []
  let taken = 0
  let hasEnded = false

  async function lease(signal: AbortSignal): Promise<Sql> {
    if (taken < size) taken++
    else {
      if (waiting.length >= mostWaiting) {
        throw new Problem(503, 'too many questions at once, expected fewer', {
          headers: { 'retry-after': '5' },
        })
      }
      await turn(signal)
    }
    return idle.pop() ?? connect(url, { name: 'table-metrics serve', connectTimeout: 5 })
  }

  /** Resolves when a session is handed over, in the order in which they were asked for. */
  function turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    waiting.push(resolve)
    const leave = () => {
      const place = waiting.indexOf(resolve)
      if (place >= 0) waiting.splice(place, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', leave))
  }

  function giveBack(sql: Sql, isSound: boolean): void {
    if (isSound && !hasEnded) idle.push(sql)
    else void sql.end({ timeout: 0 })
    const next = waiting.shift()
    if (next) next()
    else taken--
  }

  const ask: AskWhile =
    (signal) =>
    async (parts, ...values) => {
      const statements = `${preamble};\n${compose(parts, values)}`
      signal.throwIfAborted()
      const sql = await lease(signal)
      const query = sql.unsafe(statements)
      const left = Promise.withResolvers<never>()
      const leave = () => {
        query.cancel()
        left.reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      let isSound = false
      try {
        const answer = Promise.race([query, left.promise])
        const results = await withTimeout(answerTimeout * 1000, answer, 'the database')
        isSound = true
        return lastResult(results) as never
      } catch (error) {
        // What the server has refused has left nothing behind. After anything else, the session may be gone, or
        // what cancels its question may reach the next one.
        isSound = !signal.aborted && /^(0A|2|42|NM|P0)/.test(codeOf(error) ?? '')
        throw error
      } finally {
        signal.removeEventListener('abort', leave)
        giveBack(sql, isSound)
      }
    }

  return {
    ask,
    end: async () => {
      hasEnded = true
      await Promise.all(idle.map((sql) => sql.end({ timeout: 1 })))
    },
  }
}

/** Gives up the rights of the login, however many those are. */
function becomes(role: string): string {
  return `
    select set_config('role', role.rolname, true)
    from pg_roles as role
    where
      role.rolname = '${role}'
      and pg_has_role(
        role.oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end
      )
  `
}
