import { setTimeout as sleep } from 'node:timers/promises'
import { type ApplicationOptions, startApplication } from './_application.ts'
import { type Collection, clientLoops, oneProcess, oneSnapshot, online } from './_collections.ts'
import type { Contestant } from './_measure.ts'
import { createMixedTables, tablesOf } from './_mixed_tables.ts'
import type { Bar, Scenario } from './_scenario.ts'

// In milliseconds. Back to back, whoever counts faster would count more often, and be in the way for it.
const phase = 8_000
const interval = 2_000
const loop = clientLoops([], 1).name

export const load: Scenario = {
  name: 'load',
  title: `an application for ${phase / 1000} s, alone and beside somebody who counts its tables every ${interval / 1000} s`,
  bars: [oneSnapshot.name, online(1).name].flatMap((contestant): Bar[] => [
    { contestant, rival: loop, metric: 'throughput', atLeast: 1, noise: 0.05 },
    { contestant, rival: loop, metric: 'p99', atMost: 1, noise: 0.05 },
    { contestant, rival: loop, metric: 'lost', atMost: 1, noise: 0.05 },
  ]),
  async build(sql, scale) {
    const rows = Math.round(200_000 * scale)
    await createMixedTables(sql, {
      small: [500 * scale, 200],
      medium: [20, rows],
      large: [2, 1_000_000 * scale],
    })
    const tables = await tablesOf(sql, 'small', 'medium', 'large')
    const application = { connections: 2, tables: await tablesOf(sql, 'medium'), rows }
    return phases(application, [clientLoops(tables, 1), oneSnapshot, oneProcess, online(1)])
  },
}

function phases(application: Omit<ApplicationOptions, 'url'>, collections: Collection[]): Contestant[] {
  let alone = Number.NaN // statements in a second, in this round
  return [
    {
      name: 'application alone',
      async turn({ url }) {
        const running = await startApplication({ ...application, url })
        const values = await running.observe(phase)
        await running.stop()
        alone = values.throughput
        return { values }
      },
    },
    ...collections.map(({ name, collect }) => ({
      name,
      async turn({ url }: { url: string }) {
        const running = await startApplication({ ...application, url })
        const end = performance.now() + phase
        const [observed, collected] = await Promise.all([
          running.observe(phase),
          repeat(() => collect(url), end),
        ])
        await running.stop()
        const lost = ((alone - observed.throughput) * phase) / 1000 / collected.times
        return {
          rows: await collected.last(),
          values: { ...observed, collections: collected.times, lost },
        }
      },
    })),
  ]
}

/** Does something at regular intervals. What is not done at the end is done all the same, and counted in part. */
async function repeat<T>(work: () => Promise<T>, end: number): Promise<{ times: number; last: T }> {
  for (let times = 0; ; times++) {
    const start = performance.now()
    const last = await work()
    const now = performance.now()
    if (now >= end) return { times: times + (end - start) / (now - start), last }
    await sleep(Math.max(0, start + interval - now))
    if (performance.now() >= end) return { times: times + 1, last }
  }
}
