import test from 'ava'
import { createDatabase, rowCounts } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { eventsOf, jobs, untilEvent, untilJobsAreDone } from '../_support/jobs.ts'
import { holdAt, prepareShop, shopCounts } from '../_support/moments.ts'
import { addJob, runs, startWorker, untilSuccess } from '../_support/worker.ts'

const requests: Record<string, { payload: object; counts: Record<string, number> }> = {
  nothing: { payload: {}, counts: shopCounts },
  'to leave out a schema and a table': {
    payload: { skipSchemas: ['sales'], exclude: ['public.orders'] },
    counts: { 'public.gated': 10_000 },
  },
  'to count online': { payload: { online: true, jobs: 2, deadline: '30m' }, counts: shopCounts },
}

for (const [what, { payload, counts }] of Object.entries(requests)) {
  test(`a job from SQL that asks ${what} gives a run of that`, async (t) => {
    const db = await createDatabase(t)
    await prepareShop(db)
    const worker = await startWorker(t, db)

    await addJob(db, payload)

    await untilSuccess(db)
    await untilJobsAreDone(db)
    t.deepEqual(await rowCounts(db.sql, { run_id: '1' }), counts)
    t.deepEqual(await jobs(db), [], 'the job is gone')
    t.is((await runs(db)).length, 1)
    t.deepEqual(
      eventsOf(worker).map(({ event }) => event),
      ['worker_started', 'run_started', 'run_succeeded'],
    )
  })
}

const malformed: Record<string, { payload: object; words: string[] }> = {
  'an unknown key': { payload: { skip: ['sales'] }, words: ['unknown key', '"skip"', 'skipSchemas'] },
  'a schema that is no list': { payload: { skipSchemas: 'sales' }, words: ['skipSchemas', '"sales"'] },
  'a table without its schema': { payload: { exclude: ['orders'] }, words: ['exclude', '"orders"'] },
  'a word for a switch': { payload: { online: 'yes' }, words: ['online', '"yes"', 'true or false'] },
  'too many sessions': { payload: { online: true, jobs: 33 }, words: ['jobs', '33', '1 to 32'] },
  'an unknown time': { payload: { localTime: '25:15' }, words: ['localTime', '"25:15"', '"05:15"'] },
  'a zero byte': {
    payload: { exclude: ['public.a\u0000b'] },
    words: ['payload: saw "', 'public.a\\\\u0000b'],
  },
  'a key with a zero byte': { payload: { 'a\u0000': 1 }, words: ['payload: saw "', 'a\\\\u0000'] },
  'half a character': { payload: { skipSchemas: ['\ud800'] }, words: ['payload: saw "', '\\\\ud800'] },
  'the other half': { payload: { skipSchemas: ['\udc00'] }, words: ['payload: saw "', '\\\\udc00'] },
  'a deadline after the end of time': {
    payload: { deadline: '300000 years' },
    words: ['deadline: saw "300000 years"', '"30m"'],
  },
  'a slot after the end of time': {
    payload: { _cron: { ts: '300000-01-01T00:00:00Z' } },
    words: ['_cron: saw {"ts": "300000-01-01T00:00:00Z"}'],
  },
  'a slot that has not come': {
    payload: { _cron: { ts: '9999-12-31T00:00:00Z' } },
    words: ['_cron: saw the slot 9999-12-31T00:00:00Z', 'in the future'],
  },
  'a list': { payload: ['sales'], words: ['payload', '["sales"]', 'an object'] },
}

test('malformed payloads fail once, with a message and a FAILED run, and are not tried again', async (t) => {
  const db = await createDatabase(t)
  const worker = await startWorker(t, db)

  for (const { payload } of Object.values(malformed)) await addJob(db, payload)

  await untilJobsAreDone(db)
  const failed = await jobs(db)
  const headers = await runs(db)
  for (const [n, { payload, words }] of Object.values(malformed).entries()) {
    const what = JSON.stringify(payload)
    t.is(headers[n]?.status, 'FAILED', what)
    t.deepEqual([failed[n]?.attempts, failed[n]?.max_attempts], [1, 1], what)
    for (const word of words) {
      t.true(headers[n]?.error_message?.includes(word), `${word}: ${headers[n]?.error_message}`)
      t.true(failed[n]?.last_error?.includes(word), `${word}: ${failed[n]?.last_error}`)
    }
  }
  t.is(headers.length, Object.keys(malformed).length, 'each has one run')
  const finals = eventsOf(worker).flatMap((event) => (event.event === 'job_failed' ? [event.is_final] : []))
  t.deepEqual(
    finals,
    headers.map(() => true),
  )
  const told = eventsOf(worker).filter(({ event }) => event === 'run_failed' || event === 'alert_opened')
  t.deepEqual(
    told.map((event) => (event.event === 'alert_opened' ? event.kind : 'run_failed')),
    [
      'run_failed',
      'run_failed',
      'run_failed',
      'repeated_failures',
      ...headers.slice(3).map(() => 'run_failed'),
    ],
  )
})

test('a run that fails for a reason that somebody has to mend is not tried again', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create function public.fail() returns boolean language plpgsql immutable as $$ begin return true; end $$;
    create table public.broken as select 1 as id;
    create index on public.broken (id) where public.fail();
    create or replace function public.fail() returns boolean language plpgsql immutable as
      $$ begin return 1 / 0 = 0; end $$;
  `)
  const worker = await startWorker(t, db)

  await addJob(db)

  await untilEvent(worker, 'job_failed')
  await untilJobsAreDone(db)
  t.is((await runs(db)).length, 1)
  t.deepEqual(
    (await jobs(db)).map(({ attempts, max_attempts }) => [attempts, max_attempts]),
    [[1, 1]],
  )
  t.like(
    eventsOf(worker).find(({ event }) => event === 'target_failed'),
    { table: 'public.broken', sqlstate: '22012' },
  )
})

test('a run that fails because of a lock is tried again', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders as select 1;
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  const holder = db.connect()
  await holder`begin`
  await holder`lock table public.orders in access exclusive mode`
  const worker = await startWorker(t, db)
  await addJob(db)
  await untilEvent(worker, 'job_failed')

  await holder`rollback`

  await untilSuccess(db)
  await untilJobsAreDone(db)
  t.deepEqual(await jobs(db), [])
})

test('two workers and a job that is there twice give one run of a slot', async (t) => {
  const db = await createDatabase(t)
  await prepareShop(db)
  const { reached, release } = await holdAt(db, 'counting')
  const workers = [await startWorker(t, db), await startWorker(t, db)]
  const payload = { _cron: { ts: '2024-11-20T05:15:00.000Z', backfilled: false } }
  await addJob(db, payload)
  await addJob(db, payload)
  await reached()
  await eventually(
    async () => (await jobs(db)).some(({ key }) => key?.includes('2024-11-20T05:15:00.000Z')),
    'the other worker will look again',
  )
  const [{ soon }] = await db.sql<[{ soon: boolean }]>`
    select bool_and(run_at - created_at <= interval '5 s') as soon
    from graphile_worker.jobs
    where key is not null
  `
  t.true(soon)

  await release()

  await untilSuccess(db)
  await untilJobsAreDone(db)
  t.deepEqual(
    (await runs(db)).map(({ status, slot }) => ({ status, slot })),
    [{ status: 'SUCCEEDED', slot: '2024-11-20T05:15:00Z' }],
  )
  t.deepEqual(await jobs(db), [])
  t.is(workers.flatMap(eventsOf).filter(({ event }) => event === 'job_failed').length, 0)
})

test('a worker that is stopped when its run has just succeeded leaves a job that is not counted for once more', async (t) => {
  const db = await createDatabase(t)
  await prepareShop(db)
  const [holder, other] = [db.connect(), db.connect()]
  await holder`begin`
  await holder`lock table public.orders in access exclusive mode`
  const worker = await startWorker(t, db)
  await addJob(db)
  await untilEvent(worker, 'run_started')
  // From now on, nobody can write how the job has ended.
  await other`begin`
  const [{ locked_by }] = await other<[{ locked_by: string }]>`
    select locked_by from graphile_worker._private_jobs for update
  `
  await holder`rollback`
  await untilEvent(worker, 'run_succeeded')

  worker.kill('SIGTERM')
  await worker.finished
  await db.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
  `
  await other`rollback`
  await db.sql`select graphile_worker.force_unlock_workers(array[${locked_by}])`
  const next = await startWorker(t, db)

  await eventually(async () => (await jobs(db)).length === 0, 'the job is done')
  t.deepEqual(
    (await runs(db)).map(({ status }) => status),
    ['SUCCEEDED'],
  )
  t.deepEqual(
    eventsOf(next).map(({ event }) => event),
    ['worker_started'],
  )
})
