import test, { type ExecutionContext } from 'ava'
import { createShop } from '../_support/alert_shop.ts'
import type { TestDatabase } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { eventsOf, installJobs, jobs, untilEvent, untilJobsAreDone } from '../_support/jobs.ts'
import { tableMetrics } from '../_support/process.ts'
import { hangs, type Receiver, startReceiver } from '../_support/receiver.ts'
import { addJob, runs, startWorker, stopWorker, untilSuccess } from '../_support/worker.ts'

const tell = ({ url }: Receiver) => ({ ALERT_WEBHOOK_URL: url })
const secret = /SECRET/

/** A shop whose next run opens an alert, and a receiver. */
async function prepare(t: ExecutionContext): Promise<{ db: TestDatabase; receiver: Receiver }> {
  const db = await createShop(t)
  await db.sql`truncate public.orders`
  return { db, receiver: await startReceiver(t) }
}

/** Lets a job that waits for its next try wait no longer. */
const hurry = ({ sql }: TestDatabase) =>
  sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null`

const ids = ({ received }: Receiver) => received.map(({ headers }) => headers['webhook-id'])

const untilSent = ({ sql }: TestDatabase) =>
  eventually(async () => {
    const waiting = await sql`select from nms_private.messages where body is not null and sent_at is null`
    return waiting.length === 0
  }, 'all messages are sent')

test('a worker tells of opened and closed alerts, one message for a run, and nothing of a quiet one', async (t) => {
  const { db, receiver } = await prepare(t)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await receiver.untilReceived(1)
  await db.sql`insert into public.orders select generate_series(1, 100)`
  await addJob(db)
  await receiver.untilReceived(2)
  await addJob(db)
  await untilSuccess(db, '22')
  await untilJobsAreDone(db)
  await untilSent(db)
  await stopWorker(t, worker)

  const [opened, closed, ...more] = receiver.messages()
  t.like(opened, {
    type: 'run.succeeded',
    data: { run: { run_id: 21 }, opened: [{ kind: 'dropped_to_zero' }], closed: [] },
  })
  t.like(closed, { data: { run: { run_id: 22 }, opened: [], closed: [{ kind: 'dropped_to_zero' }] } })
  t.deepEqual(more, [])
  t.is(new Set(ids(receiver)).size, 2)
  t.is(eventsOf(worker).filter(({ event }) => event === 'message_sent').length, 2)
  t.notRegex(worker.stdout() + worker.stderr(), secret)
})

test('a worker tells of a run that a malformed job makes fail, and of one that was made in SQL', async (t) => {
  const { db, receiver } = await prepare(t)
  await db.sql`select nms.collect_table_metrics()`
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await receiver.untilReceived(1)
  await addJob(db, { nope: 1 })
  await receiver.untilReceived(2)
  await stopWorker(t, worker)

  const [byHand, failed] = receiver.messages()
  t.like(byHand, { data: { run: { run_id: 21 } } })
  t.like(failed, { type: 'run.failed', data: { run: { run_id: 22, status: 'FAILED' } } })
})

test('a receiver that refuses, answers 500, is slow, and comes back gets each message once, by one id', async (t) => {
  const { db, receiver } = await prepare(t)
  await receiver.close()
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await untilEvent(worker, 'message_failed')
  t.like(
    (await runs(db)).find(({ run_id }) => run_id === '21'),
    { status: 'SUCCEEDED' },
  )
  await receiver.open()
  receiver.answers(500, hangs, (response) => response.writeHead(429, { 'retry-after': '3600' }).end(), 200)
  for (const failures of [2, 3, 4]) {
    await hurry(db)
    await untilEvent(worker, 'message_failed', failures)
  }
  // Left alone for as long as it has asked for.
  await eventually(async () => (await jobs(db)).every(({ is_locked }) => !is_locked), 'the job waits')
  const [waiting] = await db.sql<[{ minutes: number }]>`
    select extract(epoch from run_at - now())::integer / 60 as minutes from graphile_worker.jobs
  `
  t.true(waiting.minutes >= 59, `${waiting.minutes}`)
  await hurry(db)
  await untilEvent(worker, 'message_sent')
  await untilJobsAreDone(db)
  await stopWorker(t, worker)

  t.is(receiver.received.length, 4)
  t.is(new Set(ids(receiver)).size, 1)
  t.is(new Set(receiver.received.map(({ body }) => body)).size, 1)
  const failures = eventsOf(worker).flatMap((event) =>
    event.event === 'message_failed' ? [event.reason] : [],
  )
  t.regex(failures[0] ?? '', /ECONNREFUSED/)
  t.deepEqual(failures.slice(1), ['it answered 500', 'no answer within 10 s', 'it answered 429'])
  t.is(eventsOf(worker).filter(({ event }) => event === 'job_failed').length, 0)
  t.notRegex(worker.stdout() + worker.stderr(), secret)
})

test('an answer that no other try changes ends it, with one line', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(404)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await untilEvent(worker, 'message_failed')
  await untilJobsAreDone(db)
  await stopWorker(t, worker)

  t.like((await jobs(db))[0], { attempts: 1, max_attempts: 1 })
  t.like(
    eventsOf(worker).find(({ event }) => event === 'message_failed'),
    { about: 'run 21', is_final: true },
  )
  t.is(receiver.received.length, 1)
})

test('while a receiver hangs, runs go on', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(hangs)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await receiver.untilReceived(1)

  await addJob(db)
  await untilSuccess(db, '21')

  t.is(eventsOf(worker).filter(({ event }) => event === 'message_failed').length, 0, 'it still hangs')
  await inTime(10, stopWorker(t, worker), 'the worker stops all the same')
})

test('SIGTERM in the middle of a request gives the job back, and the next worker sends the message', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(hangs, 200)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await receiver.untilReceived(1)

  await stopWorker(t, worker)

  t.like((await jobs(db))[0], { is_locked: false, attempts: 1, max_attempts: 25 })
  await hurry(db)
  await startWorker(t, db, { env: tell(receiver) })
  await receiver.untilReceived(2)
  await untilSent(db)
  t.is(new Set(ids(receiver)).size, 1)
})

test('SIGKILL in the middle of a request: the next worker sends the message by the same id', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(hangs, 200)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  await addJob(db)
  await receiver.untilReceived(1)
  worker.kill('SIGKILL')
  await worker.finished
  t.true((await jobs(db))[0]?.is_locked)

  await db.sql`update graphile_worker._private_jobs set locked_at = locked_at - interval '1 minute'`
  await db.sql`update nms_private.messages set taken_at = taken_at - interval '1 minute'`
  await startWorker(t, db, { env: tell(receiver) })

  await receiver.untilReceived(2)
  await untilSent(db)
  t.is(new Set(ids(receiver)).size, 1)
})

test('worker --once tells, and a receiver that is away does not change its exit status', async (t) => {
  const { db, receiver } = await prepare(t)
  await installJobs(db.url)
  await addJob(db)
  await receiver.close()

  const once = await (await startWorker(t, db, { env: tell(receiver), args: ['--once'] })).finished

  t.is(once.status, 0, once.stderr)
  t.regex(once.stdout, /"event":"message_failed"/)
  await receiver.open()
  await hurry(db)
  t.is((await (await startWorker(t, db, { env: tell(receiver), args: ['--once'] })).finished).status, 0)
  t.is(receiver.received.length, 1)
})

test('without a webhook nothing is written, queued or sent', async (t) => {
  const { db } = await prepare(t)
  const worker = await startWorker(t, db)
  await addJob(db)
  await untilSuccess(db, '20')
  await untilJobsAreDone(db)
  await stopWorker(t, worker)

  t.deepEqual([...(await db.sql`select from nms_private.messages`)], [])
  t.deepEqual(await jobs(db), [])
})

test('collect tells by itself; what was not taken waits for the next collect, and its exit status is that of the run', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(503, 200)
  const first = await tableMetrics(t, db.url, ['collect', '--json'], tell(receiver))
  t.is(first.status, 0, first.stderr)
  t.is(JSON.parse(first.stdout).run_id, 21)
  t.regex(first.stderr, /^warning: http:\/\/127\.0\.0\.1:\d+ was not told about run 21: it answered 503; /m)
  t.notRegex(first.stderr, secret)

  const second = await tableMetrics(t, db.url, ['collect', '--json'], tell(receiver))

  t.is(second.status, 0, second.stderr)
  t.notRegex(second.stderr, /warning: http/)
  t.deepEqual(
    receiver.messages().map(({ data }) => data.run.run_id),
    [21, 21] as never,
  )
  const failing = await tableMetrics(t, db.url, ['collect', '--json', '--exclude', '{'], tell(receiver))
  t.is(failing.status, 1)
})

test('what collect could not send, a worker sends', async (t) => {
  const { db, receiver } = await prepare(t)
  receiver.answers(500, 200)
  await tableMetrics(t, db.url, ['collect'], tell(receiver))

  await startWorker(t, db, { env: tell(receiver) })

  await receiver.untilReceived(2)
  await untilSent(db)
  t.is(new Set(ids(receiver)).size, 1)
})

for (const command of [['collect'], ['worker'], ['test-webhook']]) {
  test(`${command} refuses a malformed URL before anything is done`, async (t) => {
    const { db } = await prepare(t)

    const { status, stderr } = await tableMetrics(t, db.url, command, { ALERT_WEBHOOK_URL: 'SECRET' })

    t.is(status, 1)
    t.is(stderr, 'error: ALERT_WEBHOOK_URL: expected a URL such as https://example.com/hooks/alerts\n')
    t.is((await runs(db)).length, 20)
  })
}

test('test-webhook says whether a message was taken, without a database', async (t) => {
  const receiver = await startReceiver(t)

  const taken = await tableMetrics(t, '', ['test-webhook'], tell(receiver))

  t.deepEqual([taken.status, taken.stderr], [0, ''])
  t.is(taken.stdout, `${receiver.origin} has taken a test message, as JSON, not signed\n`)
  t.is(receiver.messages()[0]?.type, 'test')
  receiver.answers(404)
  const refused = await tableMetrics(t, '', ['test-webhook'], tell(receiver))
  t.is(refused.status, 1)
  t.true(
    refused.stderr.startsWith(`error: ${receiver.origin} has not taken it: it answered 404`),
    refused.stderr,
  )
  t.notRegex(refused.stderr, secret)
})

test('--digest weekly tells of the week, on Mondays: a Monday that was missed is made up for', async (t) => {
  const { db, receiver } = await prepare(t)
  const options = { env: tell(receiver), args: ['--once', '--digest', 'weekly'] }
  await (await startWorker(t, db, options)).finished
  await db.sql`update graphile_worker._private_known_crontabs set known_since = now() - interval '8 days'`

  const once = await (await startWorker(t, db, options)).finished

  t.is(once.status, 0, once.stderr)
  t.deepEqual(
    receiver.messages().map(({ type }) => type),
    ['digest.weekly'],
  )
})

test('a digest in the schedule needs a webhook, and --digest does', async (t) => {
  const { db } = await prepare(t)
  const crontab = '0 7 * * 1 send_table_metrics_alerts ?id=weekly {digest: "weekly"}'

  const scheduled = await (await startWorker(t, db, { crontab })).finished
  const asked = await tableMetrics(t, db.url, ['worker', '--digest', 'weekly'])

  t.is(
    scheduled.stderr,
    'error: schedule weekly: ALERT_WEBHOOK_URL is not set, expected where that is sent\n',
  )
  t.is(asked.stderr, 'error: --digest: ALERT_WEBHOOK_URL is not set, expected where it is sent\n')
})

test('whoever adds jobs gets no digest of long ago', async (t) => {
  const { db, receiver } = await prepare(t)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  const payload = { digest: 'weekly', _cron: { ts: '2001-01-01T07:00:00Z', backfilled: false } }
  await addJob(db, payload, 'send_table_metrics_alerts')
  await untilEvent(worker, 'job_failed')
  await untilJobsAreDone(db)

  const [{ attempts, max_attempts, last_error } = {}, ...others] = await jobs(db)
  t.deepEqual([attempts, max_attempts, others], [1, 1, []])
  t.regex(last_error ?? '', /^slot 2001-01-01 .+: expected one of the last eight days$/)
  t.is(receiver.received.length, 0)
})

test('a payload that is none fails once, with one clear line', async (t) => {
  const { db, receiver } = await prepare(t)
  const worker = await startWorker(t, db, { env: tell(receiver) })
  for (const payload of [{}, { digest: 'hourly' }, { message: 41 }, { message: 'run 41', url: 'http://x' }]) {
    await addJob(db, payload, 'send_table_metrics_alerts')
  }
  await addJob(db, { message: 'run 999' }, 'send_table_metrics_alerts')
  await untilEvent(worker, 'job_failed', 4)
  await untilJobsAreDone(db)

  const failed = await jobs(db)
  t.is(failed.length, 4, 'a message that there is not is done')
  for (const { attempts, max_attempts, last_error } of failed) {
    t.deepEqual([attempts, max_attempts], [1, 1])
    t.regex(last_error ?? '', /^payload: saw .*, expected \{"digest": "weekly"\}$/)
  }
  t.is(receiver.received.length, 0)
})
