// Tables are changed, replaced and moved between families while runs go on, and are canceled and killed.
// All changes keep known sums, and every run that succeeded must show them.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Violation, violationsOf, violationsOfDays } from './_storm/checker.ts'
import { kindsOfHiding } from './_storm/hiding.ts'
import { changedHeaders, readDays, readEnded, reasons, tally, watchEnds } from './_storm/history.ts'
import { kindsOfOperations } from './_storm/operations.ts'
import { kindsOfRuns } from './_storm/runs.ts'
import { type Counts, count, startStorm } from './_storm/sessions.ts'
import {
  believeEverySession,
  createStill,
  neverHad,
  readCarried,
  readDifferences,
  stillExpected,
  together,
  violationsOfStill,
} from './_storm/still.ts'
import { createWorld, expected, readWorld } from './_storm/workload.ts'
import { eventually, inTime } from './_support/eventually.ts'
import { watchHeaders } from './_support/invariants.ts'
import { startOwnServer } from './_support/server.ts'
import { assertingContext } from './_support/soak.ts'
import { fetchPostgres } from './_support/versions.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    sessions: { type: 'string', default: '6' },
    hiders: { type: 'string', default: '6' },
    major: { type: 'string', default: '18' },
    /** Runs carry, sessions hide what they commit, counters are reset, the server crashes. */
    carry: { type: 'boolean', default: false },
    /** All runs are online. */
    online: { type: 'boolean', default: false },
    /** What carrying rests on is taken out: there must be wrong numbers. */
    unsettled: { type: 'boolean', default: false },
  },
})
const { carry, online, unsettled } = values
const [seconds, seed, sessions, hiders, major] = [
  values.seconds,
  values.seed,
  values.sessions,
  carry ? values.hiders : 0,
  values.major,
].map(Number) as [number, number, number, number, number]
/** So often each kind of change must have been committed, and each kind of run have succeeded … */
const enough = 3
const enoughCarried = 1000
const secondsBetweenCrashes = 150
/** … and until then it goes on, but not for ever. */
const longest = 4 * seconds + 600

// The driver may write to the socket of a session that was just killed. What was to be sent fails as well.
process.on('uncaughtException', (error) => {
  if (!error.stack?.includes('postgres/src/connection.js')) throw error
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

if (major !== 18) process.env.TEST_POSTGRES = fetchPostgres(major as 15)
const { t, end }: ReturnType<typeof assertingContext> = assertingContext()
const server = await startOwnServer({
  deadlock_timeout: '100ms',
  max_prepared_transactions: '20',
  // The other witness of what did not change: its summaries end at a checkpoint.
  ...(carry && { track_commit_timestamp: 'on' }), // tells how many rows there were when
  ...(carry && major >= 17 && { summarize_wal: 'on', checkpoint_timeout: '30s' }),
})
const db = await server.createDatabase(t)
await createWorld(db.sql)
await watchHeaders(db)
await watchEnds(db.sql)
await db.sql`update nms.table_metrics_settings set abandon_after = '5 s', lock_timeout = '2 s'`

if (carry) await createStill(db.sql)
if (unsettled) await believeEverySession(db.sql)
const everything = carry ? together(expected, stillExpected) : expected

const who = carry ? `${sessions} sessions, ${hiders} that hide` : `${sessions} sessions`
console.log(`storm: ${seconds} s on PostgreSQL ${major}, ${who}, seed ${seed}`)
const started = Date.now()
const elapsed = () => Math.round((Date.now() - started) / 1000)
const violations: Violation[] = []
let looks = 0

await checkTables()
const storm = startStorm(t, db, seed, { sessions, hiders, online })
// An answer that a crash of the server has cut off may never come.
const answered = <T>(work: Promise<T>) => inTime(60, work, 'the server answers: has it crashed? See its log')
const isEnough = async () => (await answered(missing())).length === 0
for (let second = 1; elapsed() < seconds || (elapsed() < longest && !(await isEnough())); second++) {
  await sleep(1_000)
  if (carry && second % secondsBetweenCrashes === 0) await crash()
  await answered(checkRuns())
  if (second % 4 === 0) await answered(checkTables().catch(() => undefined)) // somebody was in the way
  if (second % 60 === 0) {
    const lacking = (await answered(missing())).join(', ')
    console.log(
      `${elapsed()} s: ${violations.length} violations${lacking && `, not yet often enough: ${lacking}`}`,
    )
  }
}
await storm.stop()
await eventually(noneIsRunning, 'no run is RUNNING without an owner', 60)
await checkRuns()
await checkTables()
note(violationsOfDays(await readDays(db.sql)))
if (carry) note([...(await violationsOfStill(db.sql)), ...(await readDifferences(db.sql))])
const changed = await changedHeaders(db.sql)
note(changed.map((header) => ({ rule: 'a header never changes after the end', of: 'header', ...header })))
process.exitCode = await report()
await end()
await server.remove()

/** What has ended since the last time. */
async function checkRuns(): Promise<void> {
  for (let runs = await readEnded(db.sql); runs.length > 0; runs = await readEnded(db.sql)) {
    for (const run of runs) {
      note(violationsOf(run, everything), run.skip[0])
      if (carry && run.is_online && run.status === 'SUCCEEDED') {
        note(await neverHad(db.sql, run.run_id), run.skip[0])
      }
    }
  }
}

/** The storm itself keeps the sums: the checker finds nothing in what there really is. */
async function checkTables(): Promise<void> {
  const measurements = await readWorld(db.sql)
  const run = {
    run_id: '0',
    status: 'SUCCEEDED',
    error_message: null,
    is_online: false,
    skip: [],
    exclude: [],
  }
  note(violationsOf({ ...run, measurements, payload: null }, expected).filter(({ of }) => of !== 'payload'))
  looks++
}

/** Every session is lost, and the counters. Nobody is told what was committed and what was not. */
async function crash(): Promise<void> {
  await server.stop('immediate')
  await server.start()
  count(storm.faults, 'crash')
  await eventually(async () => (await db.sql`select 1`).length === 1, 'the server answers again', 60)
}

/** What has not happened often enough. */
async function missing(): Promise<string[]> {
  const succeeded = new Map((await tally(db.sql)).map((runs) => [runs.kind, runs.succeeded]))
  if (carry) {
    const { carried } = await readCarried(db.sql)
    return [
      ...kindsOfHiding.filter((kind) => (storm.hidden.get(kind) ?? 0) < enough),
      ...(carried < enoughCarried ? [`carried counts (${carried})`] : []),
    ]
  }
  return [
    ...kindsOfOperations.filter((kind) => (storm.committed.get(kind) ?? 0) < enough),
    ...kindsOfRuns.filter((kind) => (succeeded.get(kind) ?? 0) < enough),
  ]
}

/** A run closes those before it that were abandoned, once they have been silent for long enough. */
async function noneIsRunning(): Promise<boolean> {
  await db.sql`select from nms.collect_table_metrics()`
  return (await db.sql`select from nms.table_metrics_runs where status = 'RUNNING'`).length === 0
}

function note(found: Violation[], kind = 'the tables themselves'): void {
  for (const violation of found) {
    if (violations.push(violation) > 30) continue
    const { run_id, rule, of, seen, expected } = violation
    console.log(`${elapsed()} s, run ${run_id} (${kind}): ${rule}: ${of}: saw ${seen}, expected ${expected}`)
  }
}

async function report(): Promise<number> {
  const runs = await tally(db.sql)
  for (const { kind, succeeded, failed } of runs) {
    console.log(`${kind ?? 'at the end'}: ${succeeded} SUCCEEDED, ${failed} FAILED`)
  }
  for (const { reason, times } of await reasons(db.sql)) console.log(`FAILED ${times} times: ${reason}`)
  console.log(`committed: ${list(storm.committed)}`)
  console.log(`given up, by SQLSTATE: ${list(storm.givenUp)}`)
  console.log(`faults: ${list(storm.faults)}`)
  if (carry) {
    const { runs, carried, comparisons } = await readCarried(db.sql)
    console.log(`hidden: ${list(storm.hidden)}`)
    console.log(`${runs} runs carried ${carried} counts, and ${comparisons} were compared with a recount`)
  }
  const byRule: Counts = new Map()
  for (const { rule, of } of violations) count(byRule, rule.includes('sum') ? `${rule}: ${of}` : rule)
  for (const [rule, times] of byRule) console.log(`violated ${times} times: ${rule}`)
  const tooLittle = await missing()
  if (tooLittle.length > 0) console.log(`fewer than ${enough} times: ${tooLittle.join(', ')}`)
  const succeeded = runs.reduce((sum, run) => sum + run.succeeded, 0)
  const failed = runs.reduce((sum, run) => sum + run.failed, 0)
  const operations = [...storm.committed.values()].reduce((sum, times) => sum + times, 0)
  console.log(
    `${succeeded} runs SUCCEEDED and ${failed} FAILED during ${operations} operations in ${elapsed()} s, ` +
      `the tables looked at ${looks} times: ${violations.length} violations, seed ${seed}`,
  )
  const isGood = violations.length === 0 && tooLittle.length === 0
  console.log(isGood ? '1 passed, 0 failed' : '0 passed, 1 failed')
  return isGood ? 0 : 1
}

function list(counts: Counts): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return sorted.map(([name, times]) => `${name} ${times}`).join(', ')
}
