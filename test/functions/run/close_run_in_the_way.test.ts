// A result that somebody else keeps from being written.
import test from 'ava'
import { createDatabase, type Run, rowCounts, type Sql, type TestDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { untilEvent } from '../../_support/jobs.ts'
import { tableMetrics } from '../../_support/process.ts'
import { addJob, startWorker, untilSuccess } from '../../_support/worker.ts'

async function createShop(t: Parameters<typeof createDatabase>[0]): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders as select generate_series(1, 5) as id;
    update nms.table_metrics_settings set lock_timeout = '200 ms';
  `)
  return db
}

/** A session that has collected, and does not commit. */
async function collectAndStay(db: TestDatabase) {
  const session = db.connect({ connection: { application_name: 'forgotten psql' } })
  await session`begin`
  const [{ pid }] = await session<[{ pid: number }]>`
    select pg_backend_pid() as pid from nms.collect_table_metrics()
  `
  return { session, who: `session ${pid} (postgres, forgotten psql)` }
}

const collect = async (sql: Sql, run_id: string | null) => {
  const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`
  return run
}

for (const [what, open] of Object.entries({
  'one call': async () => null,
  'an opened run': async (sql: Sql) => (await sql<[{ id: string }]>`select nms.open_run() as id`)[0].id,
})) {
  test(`an uncommitted collect in another session lets ${what} end, FAILED, with its counts and who is in the way`, async (t) => {
    const db = await createShop(t)
    const run_id = await open(db.sql)
    const { session, who } = await collectAndStay(db)

    const run = await collect(db.sql, run_id)

    t.is(run.status, 'FAILED')
    t.true(run.error_message?.includes(who), run.error_message ?? '')
    t.deepEqual(await rowCounts(db.sql, run), { 'public.orders': 5 })
    const [{ helps, failed_after_counting }] = await db.sql<
      [{ helps: boolean; failed_after_counting: boolean }]
    >`
      select nms_private.is_retryable(${run.run_id}) as helps, nms_private.failed_after_counting(${run.run_id}) as failed_after_counting
    `
    t.deepEqual({ helps, failed_after_counting }, { helps: true, failed_after_counting: true })
    t.is((await db.sql`select from nms.table_metrics_daily_snapshot`).length, 0)
    await session`commit`
    t.is((await collect(db.sql, null)).status, 'SUCCEEDED')
  })
}

test('an uncommitted collect in another session lets a run that was counted before be closed, FAILED', async (t) => {
  const db = await createShop(t)
  const { session, who } = await collectAndStay(db)
  const [{ run_id }] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await db.sql`select nms_private.count_targets(run_id => ${run_id})`

  const [run] = await db.sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`

  t.is(run.status, 'FAILED')
  t.true(run.error_message?.includes(who), run.error_message ?? '')
  t.is((await db.sql`show lock_timeout`)[0]?.lock_timeout, '0')
  await session`rollback`
})

test('a run is not in vain while it is RUNNING, after it has succeeded, nor when a table was not counted', async (t) => {
  const { sql } = await createShop(t)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const succeeded = await collect(sql, null)
  const [{ id }] = await sql<[{ id: string }]>`select run_id as id from nms.close_run(nms.open_run())`
  const failedAfterCounting = async (run: string) =>
    (await sql`select nms_private.failed_after_counting(run_id => ${run}) as failed_after_counting`)[0]
      ?.failed_after_counting

  t.deepEqual(
    [
      await failedAfterCounting(run_id),
      await failedAfterCounting(succeeded.run_id),
      await failedAfterCounting(id),
      await failedAfterCounting('4711'),
    ],
    [false, false, false, null],
  )
})

const failedRuns = (db: TestDatabase) => db.sql`select from nms.table_metrics_runs where status = 'FAILED'`

test('collect tries again when only somebody else kept its result from being written', async (t) => {
  const db = await createShop(t)
  await db.sql.unsafe(`
    create function public.be_patient() returns trigger language plpgsql as $$
    begin
      update nms.table_metrics_settings set lock_timeout = '1 hour';
      return null;
    end $$;
    create trigger be_patient after update on nms.table_metrics_runs
      for each row when (new.status = 'FAILED') execute function public.be_patient();
  `)
  const { session } = await collectAndStay(db)
  const collecting = tableMetrics(t, db.url, ['collect'])
  await eventually(async () => (await failedRuns(db)).length > 0, 'a run has failed')

  await session`rollback`

  const { status, stderr } = await collecting
  t.is(status, 0, stderr)
  t.is((await failedRuns(db)).length, 1)
})

test('collect ends with exit status 1 when three runs could not write their result', async (t) => {
  const db = await createShop(t)
  const { session, who } = await collectAndStay(db)

  const { status, stderr } = await tableMetrics(t, db.url, ['collect'])

  t.is(status, 1)
  t.true(stderr.includes(who), stderr)
  t.is((await failedRuns(db)).length, 3)
  await session`rollback`
})

test('a job whose run could not write its result is tried again', async (t) => {
  const db = await createShop(t)
  const worker = await startWorker(t, db)
  const { session } = await collectAndStay(db)
  await addJob(db, { _cron: { ts: '2024-11-20T05:15:00Z' } })
  await untilEvent(worker, 'job_failed')

  await session`rollback`

  await t.notThrowsAsync(untilSuccess(db))
})
