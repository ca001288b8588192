import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Seconds after which whatever is waited for has hung: no correct run takes that long. */
export const hang = 600

/**
 * Asks again and again until a condition holds. One that throws, as while a server is away, does not hold yet.
 *
 * @param seconds what was promised, on a machine that has nothing else to do: see `stopwatch`
 */
export async function eventually(
  condition: () => Promise<boolean>,
  what: string,
  seconds = hang,
): Promise<void> {
  let reason = ''
  for (const isLate = alarm(seconds); ; await sleep(25)) {
    const holds = await condition().catch((error) => {
      reason = ` (${(error as Error).message})`
      return false
    })
    if (holds) return
    if (isLate()) throw new Error(`waited ${seconds} s in vain until ${what}${reason}`)
  }
}

/** The value of a promise that has to resolve in time. */
export async function inTime<T>(seconds: number, promise: Promise<T>, what: string): Promise<T> {
  let isSettled = false
  const settled = promise.finally(() => {
    isSettled = true
  })
  settled.catch(() => undefined)
  await eventually(async () => isSettled, what, seconds)
  return settled
}

/**
 * Starts to measure. What it returns tells how many seconds have passed, less those in which anything
 * on this machine waited for a processor or a disk: a promise is kept or broken, however busy it is.
 */
export function stopwatch(): () => number {
  if (!isMeasured) return () => 0
  const begin = performance.now()
  const before = busySeconds()
  return () => (performance.now() - begin) / 1000 - (busySeconds() - before)
}

function alarm(seconds: number): () => boolean {
  const begin = performance.now()
  const passed = stopwatch()
  return () => passed() > seconds || performance.now() - begin > hang * 1000
}

const pressures = ['cpu', 'io'].map((resource) => `/proc/pressure/${resource}`)

/** A system that does not say how busy it is makes no promise to measure. */
const isMeasured = pressures.every((file) => {
  try {
    return readFileSync(file, 'utf8').startsWith('some ')
  } catch {
    return false
  }
})

function busySeconds(): number {
  const microseconds = pressures.map((file) => Number(/total=(\d+)/.exec(readFileSync(file, 'utf8'))?.[1]))
  return microseconds.reduce((sum, each) => sum + each, 0) / 1e6
}
