import { setTimeout as sleep } from 'node:timers/promises'

/** Rejects when the work has not ended in time. The work itself goes on. */
export async function withTimeout<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const message = `${what}: no answer within ${milliseconds / 1000} s`
  const reject = () => late.reject(Object.assign(new Error(message), { code: 'ETIMEDOUT' }))
  const timer = setTimeout(reject, milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the signal aborts. */
export function untilAborted(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
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
export async function retryConnection<T>(
  milliseconds: number,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (const deadline = Date.now() + milliseconds; ; await sleep(500)) {
    try {
      return await work()
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline || signal?.aborted) throw error
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
