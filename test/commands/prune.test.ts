import ava from 'ava'
import type { TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { createHistory } from '../_support/history.ts'
import { failsClearly, startTableMetrics, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** Three days, of 800, 100 and 0 days ago; of each another run that does not own it, except for today. */
async function createOldHistory(t: import('ava').ExecutionContext): Promise<TestDatabase> {
  const counts = { public: { orders: 1 } }
  const db = await createHistory(t, { 800: counts, 100: counts, 0: counts })
  await db.sql.unsafe(`
    insert into nms.table_metrics_runs (collected_at, snapshot_date, status, error_message, finished_at)
    select now() - ago, (now() - ago)::date, 'FAILED', 'no more days', now() - ago
    from unnest('{800 days,100 days}'::interval[]) as ago
  `)
  return db
}

const runIds = async ({ sql }: TestDatabase) =>
  (await sql<{ run_id: string }[]>`select run_id from nms.table_metrics_runs order by run_id`).map(
    ({ run_id }) => run_id,
  )

for (const { args, left, deleted } of [
  { args: ['--keep-runs', '90d', '--keep-daily', '2y'], left: ['2', '3'], deleted: 3 },
  { args: ['--keep-runs', '90d'], left: ['1', '2', '3'], deleted: 2 },
  { args: ['--keep-runs', '12mon', '--keep-daily', '1000d'], left: ['1', '2', '3', '5'], deleted: 1 },
  { args: ['--keep-runs', '0d', '--keep-daily', '0d'], left: ['3'], deleted: 4 },
  { args: ['--keep-runs', '90 days', '--keep-daily', '2 years'], left: ['2', '3'], deleted: 3 },
  { args: ['--keep-runs', '5y'], left: ['1', '2', '3', '4', '5'], deleted: 0 },
]) {
  test(`prune ${args.join(' ')} deletes ${deleted} of five runs`, async (t) => {
    const db = await createOldHistory(t)

    const dry = await tableMetrics(t, db.url, ['prune', ...args, '--dry-run'])
    t.is(dry.stdout, `${deleted} ${deleted === 1 ? 'run' : 'runs'} would be deleted\n`)
    t.deepEqual(await runIds(db), ['1', '2', '3', '4', '5'], 'a dry run deletes nothing')

    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['prune', ...args, '--json'])

    t.is(status, 0, stderr)
    t.is(stderr, '')
    t.deepEqual(JSON.parse(stdout), { runs_deleted: deleted, runs_left: 0 })
    t.deepEqual(await runIds(db), left)
  })
}

test('a dry run leaves no trace of a deletion, and waits for nobody', async (t) => {
  const db = await createOldHistory(t)
  const args = ['prune', '--keep-runs', '90 days', '--dry-run']
  // Also a deletion that was rolled back, and a lock, leave their number.
  const numbers = async () => [...(await db.sql`select ctid, xmin, xmax from nms.table_metrics_runs`)]
  const before = await numbers()

  const { status, stdout } = await tableMetrics(t, db.url, args)

  t.deepEqual([status, stdout], [0, '2 runs would be deleted\n'])
  t.deepEqual(await numbers(), before)

  const holder = db.connect()
  await holder`begin`
  await holder`select from nms.table_metrics_runs for update`
  t.is((await tableMetrics(t, db.url, args)).stdout, '2 runs would be deleted\n')
  await holder`rollback`
})

test('prune goes on until nothing is left, each step in a transaction of its own', async (t) => {
  const db = await createOldHistory(t)
  await db.sql.unsafe(`
    create sequence public.calls;
    create function public.slow_down() returns trigger language plpgsql as $$
    begin
      perform nextval('public.calls'), pg_sleep(0.6);
      return null;
    end $$;
    create trigger slow_down after delete on nms.table_metrics_runs execute function public.slow_down();
  `)
  const calls = db.connect()

  const { status, stdout, stderr } = await tableMetrics(t, db.url, [
    'prune',
    '--keep-runs',
    '0d',
    '--keep-daily',
    '0d',
  ])

  t.is(status, 0, stderr)
  t.is(stdout, '4 runs deleted\n')
  t.deepEqual(await runIds(db), ['3'])
  t.deepEqual([...(await calls`select last_value from public.calls`)], [{ last_value: '4' }])
})

test('Ctrl-C while prune waits for a lock stops it; what it had deleted before stays deleted', async (t) => {
  const db = await createOldHistory(t)
  await db.connect().unsafe('begin; select from nms.table_metrics_runs where run_id = 5 for update')
  await db.sql.unsafe(`
    create function public.slow_down() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(1.1);
      return null;
    end $$;
    create trigger slow_down after delete on nms.table_metrics_runs execute function public.slow_down();
  `)
  const pruning = startTableMetrics(t, db.url, ['prune', '--keep-runs', '90d', '--json'])
  await eventually(
    async () =>
      (
        await db.sql`
          select from pg_stat_activity
          where datname = current_database() and application_name = 'table-metrics' and wait_event_type = 'Lock'
        `
      ).length === 1,
    'it waits for run 5',
  )

  pruning.kill('SIGINT')

  const { status, stdout, stderr } = await pruning.finished
  t.is(status, 1, stderr)
  t.deepEqual(JSON.parse(stdout), { runs_deleted: 1, runs_left: 1 })
  t.deepEqual(await runIds(db), ['1', '2', '3', '5'])
})

for (const [args, words] of [
  [[], ['--keep-runs 90d --keep-daily 3y']],
  [
    ['--keep-runs', '3m'],
    ['--keep-runs: saw 3m', '3mon', '3min', '90d', '18mon'],
  ],
  [
    ['--keep-runs', '90'],
    ['saw 90', '90d'],
  ],
  [
    ['--keep-daily', '90 dogs', '--dry-run'],
    ['--keep-daily: saw 90 dogs', 'unit', '90 days'],
  ],
  [
    ['--keep-runs', ''],
    ['--keep-runs: saw ,', 'unit', '90d'],
  ],
  [
    ['--keep-runs', '2y', '--keep-daily', '90d'],
    ['2 years', '90 days', 'no shorter'],
  ],
] as const) {
  test(`"prune ${args.join(' ')}" gives one clear message and deletes nothing`, async (t) => {
    const db = await createOldHistory(t)

    failsClearly(t, await tableMetrics(t, db.url, ['prune', ...args]), ...words)
    t.is((await runIds(db)).length, 5)
  })
}
