import test, { type ExecutionContext } from 'ava'
import {
  collect,
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from './_support/database.ts'
import { eventually } from './_support/eventually.ts'

const shop = `
  create table public.blocker as select generate_series(1, 5000) as id;
  analyze public.blocker; -- the largest table is counted first
  create table public.orders as select generate_series(1, 3) as id;
  update nms.table_metrics_settings set lock_timeout = '1 min';
`

const header = async (sql: Sql, run_id: string) => {
  const [run] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  return run
}

/** Everything that the runs so far have left behind, but for the given run. */
async function everythingBut(sql: Sql, run_id: string) {
  const [left] = await sql`
    select
      (select jsonb_agg(to_jsonb(r) order by run_id) from nms.table_metrics_runs as r where run_id <> ${run_id}) as runs,
      (select jsonb_agg(to_jsonb(m) order by m) from nms.table_metrics_measurements as m) as measurements,
      (select jsonb_agg(to_jsonb(s) order by s) from nms.table_metrics_run_snapshot as s) as run_snapshots,
      (select jsonb_agg(to_jsonb(d) order by d) from nms.table_metrics_daily_snapshot as d) as days
  `
  return { ...left }
}

/** A run in a session of its own that waits for a lock on public.blocker, which `release` gives up. */
async function waitingRun({ sql, connect }: TestDatabase, { opened }: { opened: boolean }) {
  const holder = connect()
  await holder`begin`
  await holder`lock table public.blocker in access exclusive mode`
  const session = connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const [{ run_id }] = opened
    ? await session<[{ run_id: string }]>`select nms.open_run() as run_id`
    : [{ run_id: null }]
  return {
    session,
    pid,
    run_id,
    start: () => session<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`.execute(),
    waiting: () => untilItWaits(sql, pid),
    release: async () => {
      await holder`rollback`
    },
  }
}

async function expectNextRunSucceeds(t: ExecutionContext, sql: Sql) {
  const next = await collect(sql)
  t.is(next.status, 'SUCCEEDED', next.error_message ?? '')
  t.deepEqual(await rowCounts(sql, next), { 'public.blocker': 5000, 'public.orders': 3 })
}

for (const opened of [false, true]) {
  const what = opened ? 'a run that was opened first' : 'a run in one call'

  test(`${what} says that it was canceled, and at which table, and touches nothing else`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(shop)
    await collect(db.sql)
    const { session, pid, start, waiting, release } = await waitingRun(db, { opened })
    const running = start()
    await waiting()
    const before = await everythingBut(db.sql, '2')

    await db.sql`select pg_cancel_backend(${pid})`

    const [run] = await running
    t.is(run.run_id, '2')
    t.is(run.status, 'FAILED')
    for (const part of ['57014', 'user request', 'public.blocker'])
      t.true(run.error_message?.includes(part), part)
    t.deepEqual(await header(db.sql, '2'), run, 'the header is committed')
    t.deepEqual(await everythingBut(db.sql, '2'), before)
    await release()
    await expectNextRunSucceeds(t, session)
  })

  test(`${what} says that it met statement_timeout, and at which table, and touches nothing else`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(shop)
    await collect(db.sql)
    const { session, start, release } = await waitingRun(db, { opened })
    const before = await everythingBut(db.sql, '2')
    await session`set statement_timeout = '2s'`

    const [run] = await start()

    t.is(run.run_id, '2')
    t.is(run.status, 'FAILED')
    for (const part of ['57014', 'statement timeout', 'public.blocker'])
      t.true(run.error_message?.includes(part), part)
    t.deepEqual(await header(db.sql, '2'), run, 'the header is committed')
    t.deepEqual(await everythingBut(db.sql, '2'), before)
    await release()
    await session`set statement_timeout = 0`
    await expectNextRunSucceeds(t, session)
  })
}

test('a run whose session was killed is RUNNING until abandon_after has passed, then FAILED', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  await collect(db.sql)
  const { pid, run_id, start, waiting, release } = await waitingRun(db, { opened: true })
  const killed = t.throwsAsync(start())
  await waiting()
  const before = await everythingBut(db.sql, run_id as string)

  await db.sql`select pg_terminate_backend(${pid})`

  await killed
  await release()
  const run = () => header(db.sql, run_id as string)
  t.is((await run()).status, 'RUNNING')
  t.deepEqual(await everythingBut(db.sql, run_id as string), before)

  await expectNextRunSucceeds(t, db.sql)
  t.is((await run()).status, 'RUNNING', 'five minutes have not passed')

  await db.sql`update nms.table_metrics_settings set abandon_after = '1 s'`
  await eventually(
    async () =>
      (
        await db.sql`
          select from nms.table_metrics_runs
          where run_id = ${run_id} and clock_timestamp() > collected_at + interval '1.1 s'
        `
      ).length === 1,
    'more than a second has passed',
  )
  await expectNextRunSucceeds(t, db.sql)
  t.like(await run(), { status: 'FAILED', target_count: null })
  t.regex((await run()).error_message ?? '', /^abandoned/)
  t.deepEqual(await rowCounts(db.sql, { run_id: run_id as string }), {})
  t.is((await db.sql`select from nms.table_metrics_run_snapshot where run_id = ${run_id}`).length, 0)
})

test('a run that waits for a lock in a live session is not abandoned, however long it is silent', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const { run_id, start, waiting, release } = await waitingRun(db, { opened: true })
  await db.sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where run_id = ${run_id}`
  const running = start()
  await waiting()

  const other = await collect(db.sql, { exclude: ['public.blocker'] })

  t.is(other.status, 'SUCCEEDED')
  t.is((await header(db.sql, run_id as string)).status, 'RUNNING')
  await release()
  const [run] = await running
  t.is(run.status, 'SUCCEEDED')
})

for (const [error, statement, sqlstate] of [
  ['an exception', `raise exception 'no more days' using errcode = 'disk_full'`, '53100'],
  ['a failed assertion', `assert false, 'no more days'`, 'P0004'],
  ['a cancel', `raise exception 'no more days' using errcode = 'query_canceled'`, '57014'],
] as const) {
  for (const opened of [false, true]) {
    test(`${error} while ${opened ? 'a run that was opened' : 'a run in one call'} is closed leaves it FAILED, and the day as it was`, async (t) => {
      const { sql } = await createDatabase(t)
      await sql.unsafe(shop)
      await collect(sql)
      await sql.unsafe(`
        create function public.refuse() returns trigger language plpgsql as $$ begin ${statement}; end $$;
        create trigger refuse before insert or update on nms.table_metrics_daily_snapshot
          for each row execute function public.refuse();
      `)
      const [{ run_id }] = opened
        ? await sql<[{ run_id: string | null }]>`select nms.open_run() as run_id`
        : [{ run_id: null }]
      const before = await everythingBut(sql, '2')

      const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`

      t.is(run.run_id, '2')
      t.is(run.status, 'FAILED')
      for (const part of ['no more days', sqlstate])
        t.true(run.error_message?.includes(part), run.error_message ?? '')
      t.deepEqual(await header(sql, '2'), run, 'the header is committed')
      t.deepEqual(await everythingBut(sql, '2'), before)
      await sql`drop function public.refuse() cascade`
      await expectNextRunSucceeds(t, sql)
    })
  }
}

test('a first run that fails leaves its day without a snapshot', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const { pid, start, waiting, release } = await waitingRun(db, { opened: false })
  const running = start()
  await waiting()

  await db.sql`select pg_cancel_backend(${pid})`

  t.is((await running)[0].status, 'FAILED')
  t.is((await db.sql`select from nms.table_metrics_daily_snapshot`).length, 0)
  await release()
})

test('a failure with a long reason is cut at 2,000 characters', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create function public.refuse() returns trigger language plpgsql as $$
    begin
      raise exception '%', repeat('ä', 5000);
    end $$;
    create trigger refuse before insert on nms.table_metrics_run_snapshot
      for each row execute function public.refuse();
  `)

  const run = await collect(sql)

  t.is(run.status, 'FAILED')
  t.is(run.error_message?.length, 2000)
  t.is((await header(sql, run.run_id)).error_message, run.error_message)
})
