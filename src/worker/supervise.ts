import { setTimeout as sleep } from 'node:timers/promises'

export interface Supervision {
  /** Ends the session that is going on, and begins no other. */
  signal: AbortSignal
  /** True for an error that no new session mends: it is thrown. */
  isFatal(error: unknown): boolean
  /** Told why a session has ended, and how soon the next one begins. */
  onRestart(reason: unknown, delaySeconds: number): void
}

/**
 * Runs one session after the other until the signal aborts, with a pause in between that doubles from one
 * failure to the next. An error that nobody in this process catches ends the session that is going on.
 *
 * @param runSession must end when its signal aborts
 */
export async function supervise(
  runSession: (signal: AbortSignal) => Promise<void>,
  { signal, isFatal, onRestart }: Supervision,
): Promise<void> {
  let crash = new AbortController()
  const release = onUncaught((error) => crash.abort(error))
  try {
    for (let failures = 0; !signal.aborted; ) {
      const startedAt = Date.now()
      crash = new AbortController()
      const end = await runSession(AbortSignal.any([signal, crash.signal])).then(
        () => new Error('it ended by itself'),
        (error) => error,
      )
      if (signal.aborted) return
      const reason = crash.signal.aborted ? crash.signal.reason : end
      if (isFatal(reason)) throw reason

      if (Date.now() - startedAt > 60_000) failures = 0
      const delaySeconds = Math.min(2 ** failures++, 30)
      onRestart(reason, delaySeconds)
      await sleep(delaySeconds * 1000, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    release()
  }
}

/** Calls back for exceptions and rejections that nobody handles, instead of everybody else who listens for them. */
function onUncaught(handle: (error: unknown) => void): () => void {
  const former = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', handle)
  return () => {
    process.off('uncaughtException', handle)
    for (const listener of former) process.on('uncaughtException', listener)
  }
}
