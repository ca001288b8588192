// Counts that do not react to a cancel, because a function in an index of the table catches it.
import test, { type ExecutionContext } from 'ava'
import { collectTableMetrics } from '../../src/run/collect.ts'
import { createDatabase, rowCounts, type TestDatabase } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { startTableMetrics, tableMetrics } from '../_support/process.ts'

/** A table whose count ends with its session, and others. */
async function stubbornShop(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.notes as select generate_series(1, 5) as id;
    create table public.stubborn with (autovacuum_enabled = off) as select generate_series(1, 10000) as id;
    analyze;
    create function public.swallow() returns boolean language plpgsql immutable as $$
    begin
      while current_setting('application_name') = 'table-metrics' loop
        begin
          perform pg_sleep(0.1);
        exception
          when query_canceled then null;
        end;
      end loop;
      return true;
    end $$;
    create index stubborn_index on public.stubborn (id) where public.swallow();
  `)
  return db
}

const modes = {
  'one snapshot': [],
  online: ['--online'],
  'online, two sessions': ['--online', '--jobs', '2'],
}

for (const [mode, args] of Object.entries(modes)) {
  test(`a count that swallows the cancel of its deadline is terminated after ten seconds, ${mode}, and the run says so`, async (t) => {
    const db = await stubbornShop(t)
    const deadline = new AbortController()
    const options = { signal: deadline.signal, online: args.length > 0, jobs: Math.max(1, args.length - 1) }
    const running = collectTableMetrics(db.url, {}, options)
    await untilStubborn(db)
    const before = performance.now()

    deadline.abort(new DOMException('', 'TimeoutError'))

    const run = await inTime(90, running, 'it has ended')
    t.true(performance.now() - before >= 10_000, 'it had ten seconds to react')
    t.is(run.status, 'FAILED')
    t.regex(
      run.error_message ?? '',
      /counting public\.stubborn did not react to a cancel: its session was terminated/,
    )
    t.deepEqual([...(await counting(db))], [])
    if (args.length > 0) t.like(await rowCounts(db.sql, run), { 'public.stubborn': null })
  })

  test(`a count that swallows the cancel of SIGTERM is terminated, ${mode}, and the run has FAILED, "stopped"`, async (t) => {
    const db = await stubbornShop(t)
    const command = startTableMetrics(t, db.url, ['collect', ...args])
    await untilStubborn(db)

    command.kill('SIGTERM')

    const { status } = await inTime(90, command.finished, 'it has ended')
    t.is(status, 1)
    const [run] = await db.sql<{ error_message: string }[]>`select error_message from nms.table_metrics_runs`
    t.regex(run?.error_message ?? '', /^stopped: counting public\.stubborn did not react/)
    t.deepEqual([...(await counting(db))], [])
  })
}

test('an online count that swallows the cancel by which it yields is terminated, and somebody gets the lock', async (t) => {
  const db = await stubbornShop(t)
  await db.sql`update nms.table_metrics_settings set yield_after = '100 ms'`
  const command = startTableMetrics(t, db.url, ['collect', '--online', '--log', 'json'])
  await untilStubborn(db)

  await inTime(90, db.sql`drop index public.stubborn_index`, 'somebody has got the lock')

  const { status, stdout } = await inTime(90, command.finished, 'it has ended')
  t.is(status, 0, stdout)
  t.regex(stdout, /"event":"yielded".*"table":"public\.stubborn".*"outcome":"put back"/)
  t.deepEqual(await rowCounts(db.sql, { run_id: '1' }), { 'public.notes': 5, 'public.stubborn': 10_000 })
})

test('a stranger who pretends to count is not terminated', async (t) => {
  const db = await stubbornShop(t)
  const role = await db.createRole()
  await db.sql.unsafe(`grant select on public.notes to ${role.name}`)
  const stranger = role.connect()
  await stranger`begin`
  await stranger`lock table public.notes in access share mode`
  await stranger`select pg_advisory_xact_lock_shared(hashtextextended('nms.measure_targets', 1))`
  const command = startTableMetrics(t, db.url, ['collect'])
  await untilStubborn(db)

  const tables = await db.sql<
    { table_name: string }[]
  >`select * from nms_private.terminate_counting(run_id => 1)`

  t.deepEqual([...tables], [{ table_name: 'public.stubborn' }])
  await inTime(90, command.finished, 'it has ended')
  t.deepEqual([...(await stranger`select 1 as alive`)], [{ alive: 1 }])
})

test('a run that nobody counts has no session to end', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders (id integer)`
  await db.sql`select nms.open_run()`

  t.deepEqual([...(await db.sql`select * from nms_private.terminate_counting(run_id => 1)`)], [])
  t.is((await tableMetrics(t, db.url, ['collect'])).status, 0)
})

function counting({ sql }: TestDatabase) {
  return sql`select pid from pg_stat_activity where datname = current_database() and application_name = 'table-metrics'`
}

/** Waits until a session reads the table that ends with it. */
async function untilStubborn({ sql }: TestDatabase): Promise<void> {
  await eventually(
    async () =>
      (
        await sql`
          select
          from pg_locks
          join pg_stat_activity using (pid)
          where relation = 'public.stubborn'::regclass and application_name = 'table-metrics' and wait_event = 'PgSleep'
        `
      ).length > 0,
    'the table is being counted',
    120,
  )
}
