import test, { type ExecutionContext } from 'ava'
import { createDatabase, rowCounts, type TestDatabase } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { daysAgo, writeRun } from '../_support/history.ts'
import { eventsOf, jobs, parseEvents, untilEvent, untilJobsAreDone } from '../_support/jobs.ts'
import { isGone } from '../_support/moments.ts'
import { addJob, runs, startWorker, untilSuccess } from '../_support/worker.ts'

const task = 'prune_table_metrics'

/** Runs 1 to 4, each of a day of its own: 100, 90, 80 and 0 days ago. */
async function createOldHistory(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql`update nms.table_metrics_settings set keep_at_least = '0'`
  for (const days of [100, 90, 80, 0]) {
    await writeRun(db.sql, await daysAgo(db.sql, days), { 'public.apples': 1, 'public.pears': 2 })
  }
  return db
}

const runIds = async (db: TestDatabase) => (await runs(db)).map(({ run_id }) => run_id)

/** Asserts that of these runs everything is there, and of others nothing. */
async function expectWholeRuns(t: ExecutionContext, db: TestDatabase, expected: string[]): Promise<void> {
  t.deepEqual(await runIds(db), expected)
  for (const run_id of expected) {
    t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.apples': 1, 'public.pears': 2 })
  }
  const [left] = await db.sql`
    select
      (select count(distinct run_id) from nms.table_metrics_measurements)::integer as measured,
      (select count(*) from nms.table_metrics_run_snapshot)::integer as snapshots,
      (select count(*) from nms.table_metrics_daily_snapshot)::integer as days
  `
  const count = expected.length
  t.deepEqual({ ...left }, { measured: count, snapshots: count, days: count })
}

/** Makes each deletion take a transaction of its own. */
async function slowDown({ sql }: TestDatabase): Promise<void> {
  await sql.unsafe(`
    create function public.slow_down() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(1.1);
      return null;
    end $$;
    create trigger slow_down after delete on nms.table_metrics_runs execute function public.slow_down();
  `)
}

/** Makes the deletion of run 2, in a transaction of its own, wait until it is released. */
async function holdAtRun2(db: TestDatabase) {
  await slowDown(db)
  const holder = db.connect()
  await holder`begin`
  await holder`select from nms.table_metrics_runs where run_id = 2 for update`
  return {
    async reached(): Promise<number> {
      let pid = 0
      await eventually(async () => {
        const [waiting] = await db.sql<{ pid: number }[]>`
          select pid
          from pg_stat_activity
          where
            datname = current_database() and application_name = 'table-metrics prune' and wait_event_type = 'Lock'
        `
        pid = waiting?.pid ?? 0
        return waiting !== undefined
      }, 'it waits for run 2')
      return pid
    },
    async release(): Promise<void> {
      await holder`rollback`
      await db.sql`drop function public.slow_down() cascade`
    },
  }
}

for (const { payload, left } of [
  { payload: { keepRuns: '10 days', keepDaily: '85 days' }, left: ['3', '4'] },
  { payload: { keepDaily: '1 week' }, left: ['4'] },
  { payload: { keepRuns: '10d', keepDaily: '85d' }, left: ['3', '4'] },
  { payload: { keepRuns: '0 days' }, left: ['1', '2', '3', '4'] },
]) {
  test(`a job from SQL with ${JSON.stringify(payload)} deletes ${4 - left.length} of four runs`, async (t) => {
    const db = await createOldHistory(t)
    const worker = await startWorker(t, db)

    await addJob(db, payload, task)

    await untilEvent(worker, 'pruned')
    await untilJobsAreDone(db)
    await expectWholeRuns(t, db, left)
    t.deepEqual(await jobs(db), [], 'the job is gone')
    const [started, pruned, ...others] = eventsOf(worker)
    t.is(started?.event, 'worker_started')
    t.like(pruned, { event: 'pruned', runs_deleted: 4 - left.length })
    t.deepEqual(others, [])
  })
}

test('a slot of the schedule prunes until nothing is left, and one that was missed is made up for', async (t) => {
  const db = await createOldHistory(t)
  const crontab =
    '30 6 * * 0 prune_table_metrics ?id=prune&fill=8d&max=8 {keepRuns: "0 days", keepDaily: "0 days"}'
  await (await startWorker(t, db, { crontab, args: ['--once'] })).finished
  t.is((await runIds(db)).length, 4, 'nothing is due')
  await slowDown(db)
  await db.sql`update graphile_worker._private_known_crontabs set known_since = now() - interval '8 days'`

  const { status, stdout, stderr } = await (await startWorker(t, db, { crontab, args: ['--once'] })).finished

  t.is(status, 0, stderr)
  await expectWholeRuns(t, db, ['4'])
  t.like(parseEvents(stdout)[0], { event: 'pruned', runs_deleted: 3 })
})

const malformed: Record<string, { payload: object; words: string[] }> = {
  'nothing at all': { payload: {}, words: ['payload', '"keepRuns": "90 days"', 'keepDaily'] },
  'only what cron adds': {
    payload: { _cron: { ts: '2026-11-20T05:15:00.000Z', backfilled: false } },
    words: ['payload', '"keepRuns": "90 days"'],
  },
  'an unknown key': {
    payload: { keepRuns: '90 days', keep: '5 years' },
    words: ['unknown key', '"keep"', 'keepRuns and keepDaily'],
  },
  'a number': { payload: { keepRuns: 90 }, words: ['keepRuns: saw 90,', '"90 days"'] },
  'a number in quotes': { payload: { keepRuns: '90' }, words: ['keepRuns: saw "90",', 'unit'] },
  'what might be months and is minutes': {
    payload: { keepDaily: '3 m' },
    words: ['keepDaily: saw "3 m",', '"3 mon"'],
  },
  'an empty string': { payload: { keepRuns: '' }, words: ['keepRuns: saw "",'] },
  null: { payload: { keepRuns: null }, words: ['keepRuns: saw null,'] },
  'a list': { payload: ['90 days'], words: ['payload', '["90 days"]', 'an object'] },
  'no interval': {
    payload: { keepRuns: '90 dogs' },
    words: ['keepRuns: saw "90 dogs",', 'unit', '"90 days"'],
  },
  'a negative interval': { payload: { keepRuns: '-90 days' }, words: ['keepRuns: saw "-90 days",'] },
  'two units': {
    payload: { keepRuns: '1 year 6 months' },
    words: ['keepRuns: saw "1 year 6 months",', 'one unit'],
  },
  'a time longer than any history': {
    payload: { keepDaily: '300000 years' },
    words: ['300000 years', '1000 years'],
  },
  'what jsonb cannot hold': {
    payload: { keepRuns: '90 days\u0000' },
    words: ['payload: saw "', '90 days\\\\u0000', 'an object'],
  },
  'half a character': { payload: { keepDaily: '\ud800' }, words: ['payload: saw "', '\\\\ud800'] },
  'days shorter than runs': {
    payload: { keepRuns: '2 years', keepDaily: '90 days' },
    words: ['2 years', '90 days'],
  },
}

test('malformed payloads fail once, with one clear line, and delete nothing', async (t) => {
  const db = await createOldHistory(t)
  const worker = await startWorker(t, db)

  for (const { payload } of Object.values(malformed)) await addJob(db, payload, task)

  await untilJobsAreDone(db)
  const failed = await jobs(db)
  t.is(failed.length, Object.keys(malformed).length)
  for (const [n, [what, { words }]] of Object.entries(malformed).entries()) {
    const { attempts, max_attempts, last_error } = failed[n] ?? {}
    t.deepEqual([attempts, max_attempts], [1, 1], what)
    const [line = ''] = last_error?.split('\n') ?? []
    for (const word of words) t.true(line.includes(word), `${word}: ${line}`)
  }
  await expectWholeRuns(t, db, ['1', '2', '3', '4'])
  t.deepEqual(
    new Set(eventsOf(worker).map((event) => ('is_final' in event ? event.is_final : event.event))),
    new Set(['worker_started', true]),
  )
})

test('a job that would keep less than keep_at_least is refused by name, a direct call is not', async (t) => {
  const db = await createOldHistory(t)
  await db.sql`update nms.table_metrics_settings set keep_at_least = default`
  await startWorker(t, db)

  for (const payload of [
    { keepRuns: '29 days', keepDaily: '5 years' },
    { keepRuns: '0 days', keepDaily: '1 week' },
    { keepDaily: '0 days' },
  ])
    await addJob(db, payload, task)

  await untilJobsAreDone(db)
  const failed = await jobs(db)
  t.deepEqual(
    failed.map(({ attempts, max_attempts, last_error }) => [
      attempts,
      max_attempts,
      last_error?.match(/^keep\w+: saw "[^"]*", expected 30 days at least|keepDaily: saw "1 week"/g),
      last_error?.includes('keep_at_least'),
    ]),
    [
      [1, 1, ['keepRuns: saw "29 days", expected 30 days at least'], true],
      [1, 1, ['keepRuns: saw "0 days", expected 30 days at least', 'keepDaily: saw "1 week"'], true],
      [1, 1, ['keepDaily: saw "0 days", expected 30 days at least'], true],
    ],
  )
  await expectWholeRuns(t, db, ['1', '2', '3', '4'])
  await addJob(db, { keepRuns: '30 days', keepDaily: '82 days' }, task)
  await eventually(async () => (await runIds(db)).length === 2, 'what may be deleted is deleted')
  await expectWholeRuns(t, db, ['3', '4'])
  await db.sql`select nms.prune_table_metrics('0', '0', '1 min')`
  await expectWholeRuns(t, db, ['4'])
})

test('SIGTERM stops it within 10 s, with whole runs, and the next worker does what is left', async (t) => {
  const db = await createOldHistory(t)
  const hold = await holdAtRun2(db)
  const worker = await startWorker(t, db)
  await addJob(db, { keepDaily: '1 week' }, task)
  const pid = await hold.reached()

  worker.kill('SIGTERM')

  const { status, stderr } = await inTime(10, worker.finished, 'the worker has stopped')
  t.is(status, 0, stderr)
  await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
  await expectWholeRuns(t, db, ['2', '3', '4'])
  t.like(
    eventsOf(worker).find(({ event }) => event === 'pruned'),
    { runs_deleted: 1 },
  )
  t.like((await jobs(db))[0], { is_locked: false, attempts: 1, max_attempts: 25 })

  await hold.release()
  await startWorker(t, db)
  await untilJobsAreDone(db)
  await expectWholeRuns(t, db, ['4'])
})

test('SIGKILL leaves whole runs and no backend, and the next worker frees the job and does what is left', async (t) => {
  const db = await createOldHistory(t)
  const hold = await holdAtRun2(db)
  const worker = await startWorker(t, db)
  await addJob(db, { keepDaily: '1 week' }, task)
  const pid = await hold.reached()

  worker.kill('SIGKILL')

  await worker.finished
  await eventually(() => isGone(db, pid), 'its backend has stopped', 30)
  await expectWholeRuns(t, db, ['2', '3', '4'])
  t.true((await jobs(db))[0]?.is_locked)
  await hold.release()
  await db.sql`update graphile_worker._private_jobs set locked_at = locked_at - interval '1 minute'`
  await startWorker(t, db)
  await untilJobsAreDone(db)
  await expectWholeRuns(t, db, ['4'])
})

test('a run that somebody has locked keeps the worker from collecting for seconds only', async (t) => {
  const db = await createOldHistory(t)
  const hold = await holdAtRun2(db)
  const worker = await startWorker(t, db)
  await addJob(db, { keepDaily: '1 week' }, task)
  await hold.reached()
  await addJob(db)

  await untilSuccess(db, '4')

  t.true(eventsOf(worker).some((event) => event.event === 'job_failed' && !event.is_final))
  await hold.release()
  await untilJobsAreDone(db)
  t.deepEqual(await runIds(db), ['4', '5'])
})
