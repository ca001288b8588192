import { Problem } from './problem.ts'

const mostWaiting = 200
const longestWait = 10_000

/** Lets so many work at a time; the others wait, in the order in which they came. */
export interface Turns {
  /** @throws a Problem when too many wait already, or it takes too long; the signal's reason when it aborts */
  wait(signal: AbortSignal): Promise<void>
  /** Ends one turn. */
  pass(): void
}

export function createTurns(size: number): Turns {
  const waiting = new Set<() => void>()
  let taken = 0

  return {
    async wait(signal) {
      if (taken < size) {
        taken++
        return
      }
      if (waiting.size >= mostWaiting) throw tooMany()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const giveUp = (reason: unknown) => {
        waiting.delete(resolve)
        reject(reason)
      }
      const leave = () => giveUp(signal.reason)
      const timer = setTimeout(() => giveUp(tooMany()), longestWait)
      waiting.add(resolve)
      signal.addEventListener('abort', leave, { once: true })
      try {
        await promise
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
      }
    },
    pass() {
      const [next] = waiting
      if (!next) {
        taken--
        return
      }
      waiting.delete(next)
      next()
    },
  }
}

function tooMany(): Problem {
  return new Problem(503, 'too many questions at once, expected fewer', { headers: { 'retry-after': '5' } })
}
