import ava from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const tables = 'create table public.orders as select generate_series(1, 12) as id'

test('rebuild leaves an untouched day and run as they are, and says so', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(tables)
  await collect(db.sql)
  const before = await db.sql`select payload::text, run_id from nms.table_metrics_daily_snapshot`

  for (const [target, text] of [
    ['today', `${await daysAgo(db.sql, 0)}, from run 1: the same as before\n`],
    [await daysAgo(db.sql, 0), `${await daysAgo(db.sql, 0)}, from run 1: the same as before\n`],
    ['1', 'run 1: the same as before\n'],
  ] as const) {
    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['rebuild', target])

    t.is(status, 0, stderr)
    t.is(stdout, text)
  }
  t.deepEqual(
    [...(await db.sql`select payload::text, run_id from nms.table_metrics_daily_snapshot`)],
    [...before],
  )
})

for (const [damage, text] of [
  ["update nms.table_metrics_daily_snapshot set payload = '{}'", 'repaired'],
  ['delete from nms.table_metrics_daily_snapshot', 'there was none'],
  ['delete from nms.table_metrics_runs where run_id = 2', 'from run 1'],
] as const) {
  test(`after "${damage}" rebuild makes the day again`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(tables)
    await collect(db.sql)
    await collect(db.sql)
    await db.sql.unsafe(damage)

    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['rebuild', 'today', '--json'])

    t.is(status, 0, stderr)
    const { payload, run_id } = JSON.parse(stdout)
    t.deepEqual(payload, { public: { orders: 12 } })
    const days = await db.sql`select payload, run_id::integer from nms.table_metrics_daily_snapshot`
    t.deepEqual([...days], [{ payload, run_id }])

    await db.sql`delete from nms.table_metrics_runs where run_id > 2`
    await db.sql.unsafe(damage)
    const again = await tableMetrics(t, db.url, ['rebuild', 'today'])
    t.true(again.stdout.includes(text), again.stdout)
  })
}

test('a day or run from which nothing can be made gives one clear message', async (t) => {
  const db = await createHistory(t, { 1: { public: { orders: 1 } } })
  await collect(db.sql, { exclude: ['orders'] })

  for (const [target, words] of [
    [await daysAgo(db.sql, 5), [await daysAgo(db.sql, 5), 'no successful run']],
    ['2', ['run 2 has no snapshot', 'FAILED']],
    ['3', ['no run 3', 'the last one is 2']],
    ['everything', ['everything', '2026-11-20', '42']],
  ] as const) {
    failsClearly(t, await tableMetrics(t, db.url, ['rebuild', target]), ...words)
  }
})
