import { connect, type Sql } from '../connection/database.ts'
import { compose, lastResult, type Value } from '../connection/search_path.ts'
import { isConnectionError, withTimeout } from '../connection/timeout.ts'
import { codeOf } from '../errors.ts'
import { cancelQuery } from '../private_parts/postgres.ts'
import { type Acting, preambleOf } from './preamble.ts'
import { createTurns } from './turns.ts'

/** Asks one question in a transaction of its own; cancelled on the server when the signal aborts. */
export type AskWhile = (
  signal: AbortSignal,
) => <Rows extends readonly object[]>(parts: TemplateStringsArray, ...values: Value[]) => Promise<Rows>

/** A few sessions that act as one role, each for one question at a time. */
export interface Sessions {
  /** @throws what the server or the connection reports; a Problem when too many wait already */
  ask: AskWhile
  /** Ends those that are idle now, and each of the others after its question. */
  end(): Promise<void>
}

export interface SessionsOptions extends Acting {
  /** At most so many sessions. */
  size: number
}

// In seconds. The server gives up earlier, and says so; a link that is dead says nothing.
const answerTimeout = 20
const cancelTimeout = 5
const keptIdle = 60

interface Idle {
  sql: Sql
  timer: NodeJS.Timeout
}

/** Sessions on a database, opened when they are needed, and anew after each one that was lost. */
export function openSessions(url: string, { role, size, readOnly }: SessionsOptions): Sessions {
  const preamble = preambleOf({ role, readOnly })
  const idle: Idle[] = []
  const turns = createTurns(size)
  let hasEnded = false

  function takeIdle(): Sql | undefined {
    const taken = idle.pop()
    clearTimeout(taken?.timer)
    return taken?.sql
  }

  function keep(sql: Sql): void {
    const timer = setTimeout(() => {
      idle.splice(
        idle.findIndex((each) => each.sql === sql),
        1,
      )
      close(sql)
    }, keptIdle * 1000).unref()
    idle.push({ sql, timer })
  }

  /** Those beside a session that was lost are most likely lost as well, without knowing it yet. */
  function closeIdle(): void {
    for (let sql = takeIdle(); sql; sql = takeIdle()) close(sql)
  }

  async function askOn(sql: Sql, statements: string, signal: AbortSignal): Promise<readonly object[]> {
    const query = sql.unsafe(statements)
    const left = Promise.withResolvers<never>()
    const leave = () => left.reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    let isSettled = false
    let isSound = false
    const settled = query.finally(() => {
      isSettled = true
    })
    try {
      const answer = Promise.race([settled, left.promise])
      const results = await withTimeout(answerTimeout * 1000, answer, 'the database')
      isSound = true
      return lastResult(results) as readonly object[]
    } catch (error) {
      // What the server has refused has left nothing behind. After anything else the session may be gone, or what
      // cancels its question may reach the next one.
      isSound = isSettled && /^(0A|2[0-7]|3F|42|55|NM|P0)/.test(codeOf(error) ?? '')
      if (!signal.aborted && isConnectionError(error)) closeIdle()
      throw error
    } finally {
      signal.removeEventListener('abort', leave)
      if (isSound && !hasEnded) {
        keep(sql)
        turns.pass()
      } else {
        // Its turn ends with it: those who come and go must not leave more sessions than there may be.
        void (isSettled ? Promise.resolve() : cancel(query)).then(() => {
          close(sql)
          turns.pass()
        })
      }
    }
  }

  const ask: AskWhile =
    (signal) =>
    async (parts, ...values) => {
      const statements = `${preamble};\n${compose(parts, values)}`
      signal.throwIfAborted()
      await turns.wait(signal)
      const used = takeIdle()
      if (used) {
        try {
          return (await askOn(used, statements, signal)) as never
        } catch (error) {
          // It was lost while nobody asked, such as when the server started again: that is no answer.
          if (!readOnly || !isConnectionError(error) || codeOf(error) === 'ETIMEDOUT' || signal.aborted) {
            throw error
          }
        }
        await turns.wait(signal)
      }
      return (await askOn(open(), statements, signal)) as never
    }

  function open(): Sql {
    try {
      return connect(url, { name: 'table-metrics serve', connectTimeout: 5 })
    } catch (error) {
      turns.pass()
      throw error
    }
  }

  return {
    ask,
    end: async () => {
      hasEnded = true
      closeIdle()
    },
  }
}

/** Lets the server forget a question that may still be open there. */
async function cancel(query: object): Promise<void> {
  await withTimeout(cancelTimeout * 1000, cancelQuery(query), 'the database').catch(() => undefined)
}

function close(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => undefined)
}
