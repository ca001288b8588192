// The check that ends every test of this folder finds what it is for.
import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type TestDatabase } from '../_support/database.ts'
import { expectInvariants, watchHeaders } from '../_support/invariants.ts'
import { prepareShop, shopCounts } from '../_support/moments.ts'

test('a whole history passes', async (t) => {
  const db = await historyOfTwo(t)

  await expectInvariants(t, db, shopCounts)
})

const fail = `update nms.table_metrics_runs set status = 'FAILED', error_message = '?', finished_at = now()`

const breakages: [what: string, promise: string, breakIt: (db: TestDatabase) => Promise<unknown>][] = [
  [
    'a terminal header that was rewritten',
    'a terminal header never changes',
    ({ sql }) =>
      sql.unsafe(`
      ${fail} where run_id = 3;
      alter table nms.table_metrics_runs disable trigger user;
      update nms.table_metrics_runs set error_message = 'another' where run_id = 3;
    `),
  ],
  [
    'a finished run that was deleted',
    'a terminal header never changes',
    ({ sql }) => sql`delete from nms.table_metrics_runs where run_id = 1`,
  ],
  [
    'a target without a measurement',
    'run 2 has each target once',
    ({ sql }) => sql`delete from nms.table_metrics_measurements where run_id = 2 and table_name = 'orders'`,
  ],
  [
    'a target with a wrong count',
    'run 2 has each target once',
    ({ sql }) =>
      sql`update nms.table_metrics_measurements set row_count = 4 where run_id = 2 and table_name = 'orders'`,
  ],
  [
    'a measurement of no target',
    'run 2 has each target once',
    ({ sql }) => sql`
    update nms.table_metrics_measurements set table_name = 'ordres' where run_id = 2 and table_name = 'orders'
  `,
  ],
  [
    'a day that an earlier run holds',
    'each day holds its highest successful run',
    ({ sql }) => sql`update nms.table_metrics_daily_snapshot set run_id = 1`,
  ],
  [
    'a day without its run',
    'each day holds its highest successful run',
    ({ sql }) => sql`delete from nms.table_metrics_daily_snapshot`,
  ],
  [
    'a day with the payload of another run',
    'each day holds its highest successful run',
    ({ sql }) => sql`update nms.table_metrics_daily_snapshot set payload = '{}'`,
  ],
  [
    'a failed run with a snapshot',
    'a run has a snapshot if and only if it has succeeded',
    ({ sql }) =>
      sql.unsafe(`insert into nms.table_metrics_run_snapshot values (3, '{}'); ${fail} where run_id = 3`),
  ],
  [
    'a successful run without a snapshot',
    'a run has a snapshot if and only if it has succeeded',
    ({ sql }) => sql`delete from nms.table_metrics_run_snapshot where run_id = 1`,
  ],
  [
    'a table that no run has counted',
    'the targets are the tables of this database',
    ({ sql }) => sql`create table public.forgotten ()`,
  ],
  [
    'a session that was left behind',
    'nothing is left behind',
    ({ connect }) => connect({ connection: { application_name: 'table-metrics' } })`select 1`,
  ],
  [
    'a run that stays RUNNING',
    'no run is RUNNING without an owner',
    ({ sql }) => sql`update nms.table_metrics_settings set abandon_after = '1 day'`,
  ],
  [
    'a next run that fails',
    'the next run succeeds',
    ({ sql }) => sql`alter table nms.table_metrics_run_snapshot add check (run_id < 4)`,
  ],
]

for (const [what, promise, breakIt] of breakages) {
  test(`it notices ${what}`, async (t) => {
    const db = await historyOfTwo(t)
    await breakIt(db)

    const attempt = await t.try((inner) => expectInvariants(inner, db, shopCounts, 0.2))

    attempt.discard()
    t.is(attempt.errors.length, 1)
    t.true(attempt.errors[0]?.message.includes(promise), attempt.errors[0]?.message)
  })
}

/** Two runs that have succeeded, and one that nobody works on. */
async function historyOfTwo(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await prepareShop(db)
  await watchHeaders(db)
  await collect(db.sql)
  await collect(db.sql)
  await db.sql`select nms.open_run()`
  return db
}
