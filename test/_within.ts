import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a condition holds. A condition that throws, as while a server is away, does not hold yet. */
export async function within(
  seconds: number,
  condition: () => Promise<boolean>,
  what: string,
): Promise<void> {
  let reason = ''
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(25)) {
    const holds = await condition().catch((error) => {
      reason = ` (${(error as Error).message})`
      return false
    })
    if (holds) return
    if (Date.now() > deadline) {
      throw new Error(`waited ${seconds} s in vain until ${what}${reason}`)
    }
  }
}

/** The value of a promise that has to resolve in time. */
export async function inTime<T>(seconds: number, promise: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController()
  const late = sleep(seconds * 1000, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${seconds} s in vain until ${what}`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    late.catch(() => undefined)
    timer.abort()
  }
}
