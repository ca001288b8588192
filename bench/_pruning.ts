import { connect, type Sql } from '../src/database.ts'
import { prune } from '../src/prune.ts'
import { collector } from './_contestants.ts'
import type { HistorySize } from './_history_data.ts'
import { type Contestant, timed } from './_measure.ts'
import { copyDatabase, inDatabase } from './_sibling.ts'

/** Prunes half of a copy of the history, while one collection follows the other. */
export function prunesHalf(name: string, { runs }: HistorySize): Contestant {
  return {
    name,
    async turn({ url }) {
      const admin = connect(url)
      await copyDatabase(admin, 'bench_pruned')
      const copy = inDatabase(url, 'bench_pruned')
      const values = await pruneBesideCollections(copy, Math.ceil(runs / 2))
      await admin`drop database bench_pruned with (force)`
      await admin.end()
      return { values }
    },
  }
}

async function pruneBesideCollections(url: string, days: number) {
  const waits: number[] = []
  const collecting = connect(url, ({ message = '' }) => {
    const wait =
      /^process \d+ (?:acquired|failed to|avoided|still waiting|detected) .* after ([\d.]+) ms$/.exec(message)
    if (wait) waits.push(Number(wait[1]))
  })
  await reportLockWaits(collecting)
  const pruning = connect(url)
  const keep = `${days} days`
  let isPruning = true
  const pruned = timed(() =>
    prune(pruning, { keepRuns: keep, keepDaily: keep }, new AbortController().signal),
  )
  const ended = pruned.finally(() => {
    isPruning = false
  })
  const times: number[] = []
  while (isPruning) times.push((await collector.count(collecting)).milliseconds)
  const { milliseconds } = await ended
  await Promise.all([collecting.end(), pruning.end()])
  return {
    pruning: milliseconds,
    collections: times.length,
    longest: Math.max(...times),
    waits: waits.length,
    waited: Math.max(0, ...waits),
  }
}

/** Each wait for a lock that takes 1 ms or longer is sent to the session that waited. */
async function reportLockWaits(session: Sql): Promise<void> {
  await session`set log_lock_waits = on`
  await session`set deadlock_timeout = '1 ms'`
  await session`set client_min_messages = log`
}
