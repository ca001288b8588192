import assert from 'node:assert/strict'
import type { ExecutionContext } from 'ava'

/** As much of a test's context as the invariants use, for a program that is no test. */
export function assertingContext(): { t: ExecutionContext; end(): Promise<void> } {
  const teardowns: (() => Promise<unknown>)[] = []
  const t = {
    deepEqual: assert.deepEqual,
    is: assert.equal,
    false: (value: unknown, message?: string) => assert.equal(value, false, message),
    true: (value: unknown, message?: string) => assert.equal(value, true, message),
    teardown: (work: () => Promise<unknown>) => void teardowns.push(work),
  }
  return {
    t: t as unknown as ExecutionContext,
    async end() {
      for (const work of teardowns.reverse()) await work()
    },
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
