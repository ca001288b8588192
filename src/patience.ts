import { setTimeout as sleep } from 'node:timers/promises'

/** Rejects when the work has not ended in time. The work itself goes on. */
export async function within<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw Object.assign(new Error(`${what}: no answer within ${milliseconds / 1000} s`), {
      code: 'ETIMEDOUT',
    })
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    timer.abort()
  }
}

/** Rejects two seconds after the signal aborts, for the link may be dead. The work itself goes on. */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const stopped = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    timer = setTimeout(() => stopped.reject(signal.reason), 2_000)
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, stopped.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/**
 * Tries again for about so long while the connection, and not the work, is what fails.
 *
 * @param signal ends the trying again
 */
export async function persistently<T>(
  milliseconds: number,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (const deadline = Date.now() + milliseconds; ; ) {
    try {
      return await work()
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline || signal?.aborted) throw error
      await sleep(500)
    }
  }
}

/** True when the server could not be reached, went away, or had no connection to spare. */
export function isConnectionError(error: unknown): boolean {
  const { code = '', message } = error as Error & { code?: string }
  return (
    /^(08|57P0[1-5]|53300|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_|CONNECT)/.test(
      code,
    ) ||
    /server closed|server conn crashed|client_login_timeout|no such database|pgbouncer/.test(message ?? '')
  )
}
