import test, { type ExecutionContext } from 'ava'
import { type Violation, violationsOf } from '../_storm/checker.ts'
import { endPrepared } from '../_storm/faults.ts'
import { hide } from '../_storm/hiding.ts'
import { readEnded, watchEnds } from '../_storm/history.ts'
import {
  believeEverySession,
  createStill,
  neverHad,
  readCarried,
  readDifferences,
  stillExpected,
  violationsOfStill,
} from '../_storm/still.ts'
import { createWorld } from '../_storm/workload.ts'
import { collectOnline } from '../_support/carrying_online.ts'
import { collect, majorOf, type Sql, type TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { watchHeaders } from '../_support/invariants.ts'
import { startOwnServer } from '../_support/server.ts'

async function createHidingPlace(t: ExecutionContext): Promise<TestDatabase> {
  const server = await startOwnServer({ max_prepared_transactions: '20', track_commit_timestamp: 'on' })
  t.teardown(() => server.remove())
  const db = await server.createDatabase(t)
  await createWorld(db.sql)
  await createStill(db.sql)
  await watchHeaders(db)
  await watchEnds(db.sql)
  return db
}

/** Collects while sessions hide what they commit, until that is enough; what did not hold. */
async function collectAmongHiders(
  db: TestDatabase,
  isEnough: (violations: Violation[]) => Promise<boolean>,
  collectOnce: (sql: Sql) => Promise<unknown> = collect,
): Promise<Violation[]> {
  let isOver = false
  const hiders = [1, 2, 3].map((seed) => hide(db, seed, () => isOver, new Map(), 4))
  const violations: Violation[] = []
  await eventually(async () => {
    await collectOnce(db.sql)
    for (const run of await readEnded(db.sql)) {
      violations.push(...violationsOf(run, stillExpected))
      if (run.is_online) violations.push(...(await neverHad(db.sql, run.run_id)))
    }
    return isEnough(violations)
  }, 'there were enough runs').finally(() => {
    isOver = true
  })
  await Promise.all(hiders)
  await endPrepared(db.sql, '0')
  return [...violations, ...(await violationsOfStill(db.sql)), ...(await readDifferences(db.sql))]
}

const isOld = async ({ sql }: TestDatabase) => (await majorOf(sql)) < 15

test('no count that is carried is wrong, however sessions hide what they commit', async (t) => {
  const db = await createHidingPlace(t)
  const neverCarries = await isOld(db)

  const violations = await collectAmongHiders(db, async () => {
    const [{ runs }] = await db.sql<[{ runs: number }]>`
      select count(*)::int as runs from nms.table_metrics_runs where status = 'SUCCEEDED'
    `
    return runs >= 5 && (neverCarries || (await readCarried(db.sql)).carried >= 50)
  })

  t.deepEqual(violations, [])
  if (neverCarries) t.is((await readCarried(db.sql)).carried, 0)
})

test('no count that an online run carries is wrong, however sessions hide what they commit', async (t) => {
  const db = await createHidingPlace(t)
  const neverCarries = await isOld(db)

  const violations = await collectAmongHiders(
    db,
    async () => neverCarries || (await readCarried(db.sql)).carried >= 50,
    collectOnline,
  )

  t.deepEqual(violations, [])
})

test('where every session is believed at once, carried counts are wrong: this storm would notice', async (t) => {
  const db = await createHidingPlace(t)
  if (await isOld(db)) return t.pass()
  await believeEverySession(db.sql)

  const violations = await collectAmongHiders(db, async (found) => found.length > 0)

  t.true(violations.some(({ rule }) => rule === 'a sum'))
})
