import { pinned } from '../src/connection/search_path.ts'
import { prune } from '../src/history/prune.ts'
import { connect, type Sql } from './_connect.ts'
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
      const values = await pruneBesideCollections(copy, runs / 2)
      await admin`drop database bench_pruned with (force)`
      await admin.end()
      return { values }
    },
  }
}

async function pruneBesideCollections(url: string, runs: number) {
  const waits: LockWait[] = []
  const [collecting, pruning] = [await connectReportingWaits(url, waits), connect(url)]
  // What is collected here is none of the tables of the history.
  await pruning`insert into nms.table_metrics_alert_rules (is_on) values (false)`
  let isPruning = true
  const pruned = timed(() => pruneRuns(pruning, runs)).finally(() => {
    isPruning = false
  })
  const times: number[] = []
  while (isPruning) times.push((await collector.count(collecting)).milliseconds)
  const { milliseconds, result } = await pruned
  await Promise.all([collecting.end(), pruning.end()])
  if (result.deleted !== String(runs)) throw new Error(`${result.deleted} runs pruned, expected ${runs}`)
  return {
    pruning: milliseconds,
    collections: times.length,
    longest: Math.max(...times),
    waits: waits.filter(({ isOver }) => !isOver).length,
    waited: Math.max(0, ...waits.map(({ milliseconds }) => milliseconds)),
  }
}

/** There is one run a day, and as many have to go as have to stay. */
function pruneRuns(sql: Sql, runs: number) {
  const keep = `${runs - 1} days`
  return prune(pinned(sql), { keepRuns: keep, keepDaily: keep }, new AbortController().signal)
}

interface LockWait {
  isOver: boolean
  milliseconds: number
}

/** The server tells a session about each of its waits that takes 1 ms or longer: then, and when it is over. */
async function connectReportingWaits(url: string, waits: LockWait[]): Promise<Sql> {
  const session = connect(url, ({ message = '' }) => {
    const wait = /^process \d+ (still waiting|acquired) .* after ([\d.]+) ms$/.exec(message)
    if (wait) waits.push({ isOver: wait[1] === 'acquired', milliseconds: Number(wait[2]) })
  })
  await session`set log_lock_waits = on`
  await session`set deadlock_timeout = '1 ms'`
  await session`set client_min_messages = log`
  return session
}
