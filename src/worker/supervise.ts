import { setTimeout as sleep } from 'node:timers/promises'

export interface Supervision {
  /** Ends it, and the life that goes on. */
  signal: AbortSignal
  /** True for an error that no fresh start mends: it is thrown. */
  isHopeless(error: unknown): boolean
  /** Told why a life has ended, and how soon the next one begins. */
  onRestart(reason: unknown, delaySeconds: number): void
}

/**
 * Lives one life after the other until the signal aborts. A life ends by failing, by ending, or with
 * an error that nobody in this process has caught.
 *
 * @param live must end when its signal aborts
 */
export async function supervise(
  live: (signal: AbortSignal) => Promise<void>,
  { signal, isHopeless, onRestart }: Supervision,
): Promise<void> {
  let crash = new AbortController()
  const release = onUncaught((error) => crash.abort(error))
  try {
    for (let failures = 0; !signal.aborted; ) {
      const bornAt = Date.now()
      crash = new AbortController()
      const end = await live(AbortSignal.any([signal, crash.signal])).then(
        () => new Error('it ended by itself'),
        (error) => error,
      )
      if (signal.aborted) return
      const reason = crash.signal.aborted ? crash.signal.reason : end
      if (isHopeless(reason)) throw reason

      if (Date.now() - bornAt > 60_000) failures = 0
      const delaySeconds = Math.min(2 ** failures++, 30)
      onRestart(reason, delaySeconds)
      await sleep(delaySeconds * 1000, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    release()
  }
}

/** Unhandled rejections count as well. Takes the place of everybody else who listens. */
function onUncaught(handle: (error: unknown) => void): () => void {
  const former = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', handle)
  return () => {
    process.off('uncaughtException', handle)
    for (const listener of former) process.on('uncaughtException', listener)
  }
}
