import test from 'ava'
import { createDatabase, rowCounts } from '../../_support/database.ts'
import { batch, cloudEvent, startEventService } from '../../_support/event_service.ts'
import { installJobs, jobs } from '../../_support/jobs.ts'
import { tableMetrics } from '../../_support/process.ts'
import { runs } from '../../_support/worker.ts'

const work = ['worker', '--once', '--crontab', 'test/empty_crontab']

test('an event is queued at once, known when it comes again, and leaves one run', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  await db.sql.unsafe(`
    create schema tmp;
    create table tmp.scratch (id int);
    create table public.orders as select generate_series(1, 5) as id;
  `)
  const { post, log } = await startEventService(t, db.url)

  const first = await post(...cloudEvent('1', { skipSchemas: ['tmp'] }))
  const again = await post(...cloudEvent('1', { skipSchemas: ['tmp'] }))

  t.deepEqual([first.status, await first.json()], [202, { queued: 1 }])
  t.deepEqual([again.status, await again.text()], [204, ''])
  t.deepEqual(log, [{ event: 'runs_queued', queued: 1, received: 1, caller: 'sender' }])
  t.deepEqual(await runs(db), [])
  const { status, stderr } = await tableMetrics(t, db.url, work)
  t.is(status, 0, stderr)
  const [run, ...others] = await runs(db)
  t.deepEqual(others, [])
  t.deepEqual(await rowCounts(db.sql, { run_id: run?.run_id as string }), { 'public.orders': 5 })
})

test('deliveries of one event at the same instant are one run', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const services = await Promise.all([startEventService(t, db.url), startEventService(t, db.url)])

  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => services[n % 2]?.post(...cloudEvent('1'))),
  )

  t.deepEqual(answers.map((answer) => answer?.status).sort(), [202, ...Array(19).fill(204)])
  t.is((await jobs(db)).length, 1)
})

test('a message of Pub/Sub is one run, delivered by push and by Eventarc', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const message = { data: Buffer.from('{"exclude": []}').toString('base64'), messageId: '7' }
  const body = { subscription: 'projects/p/subscriptions/s', message }
  const json = { 'content-type': 'application/json' }
  const eventarc = {
    ...json,
    'ce-id': '8',
    'ce-source': '//pubsub.googleapis.com/projects/p/topics/t',
    'ce-specversion': '1.0',
    'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
  }
  const unwrapped = { 'x-goog-pubsub-subscription-name': body.subscription, 'x-goog-pubsub-message-id': '7' }

  t.is((await post(eventarc, body)).status, 202)
  t.is((await post(json, body)).status, 204)
  t.is((await post(unwrapped, '{"exclude": []}')).status, 204)
  const payloads = await db.sql`select payload from graphile_worker._private_jobs`
  t.deepEqual([...payloads], [{ payload: { exclude: [] } }])
})

test('a batch is all or nothing, and counts what is new', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const [headers, events] = batch('a', 'b', 'a')

  t.deepEqual(await (await post(headers, events)).json(), { queued: 2 })
  t.deepEqual(await (await post(...batch('b', 'c'))).json(), { queued: 1 })
  t.is((await post(...batch('c', 'a'))).status, 204)
  t.is((await post(...batch())).status, 204)
  t.is((await post(headers, [...(events as object[]), { id: 'd' }])).status, 400)
  t.is((await jobs(db)).length, 3)

  // The last one cannot be queued, so the first is not known either.
  await db.sql.unsafe(`alter table nms_private.events add constraint not_z check (event_id <> 'z')`)
  t.is((await post(...batch('e', 'z'))).status, 500)
  t.is((await jobs(db)).length, 3)
  t.is((await post(...batch('e'))).status, 202)
})

test('batches in opposite orders get each other nowhere stuck', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const ids = Array.from({ length: 60 }, (_, n) => `event ${n}`)

  const answers = await Promise.all([
    post(...batch(...ids)),
    post(...batch(...ids.toReversed())),
    post(...batch(...ids)),
    post(...batch(...ids.toReversed())),
  ])

  t.deepEqual(answers.map(({ status }) => status).sort(), [202, 204, 204, 204])
  t.is((await jobs(db)).length, ids.length)
})

test('a well-formed event with a wrong request is accepted, and leaves one FAILED run', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const binary = (id: string) => ({ 'ce-id': id, 'ce-source': 's', 'ce-type': 't', 'ce-specversion': '1.0' })

  t.is((await post(...cloudEvent('1', { skipSchema: ['tmp'] }))).status, 202)
  t.is((await post(binary('2'), 'no JSON')).status, 202)
  t.is((await post(binary('3'), Buffer.from([0xff, 0x00]))).status, 202)
  t.is((await post(binary('4'), '"\\u0000"')).status, 202)
  t.is((await post(binary('5'), 'a\0b')).status, 202)
  await tableMetrics(t, db.url, work)

  const failed = await runs(db)
  t.deepEqual(
    failed.map(({ status }) => status),
    Array(5).fill('FAILED'),
  )
  t.regex(failed[0]?.error_message ?? '', /unknown key "skipSchema"/)
  t.true((await jobs(db)).every(({ attempts }) => attempts === 1))
})

test('what is no event, malformed or too large says what is expected, and queues nothing', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const [headers, event] = cloudEvent('1')
  const json = { 'content-type': 'application/json' }

  for (const [status, answer] of [
    [415, await post(json, '{}')],
    [415, await post({})],
    [415, await post({ 'content-type': 'nonsense' }, 'x')],
    [400, await post(headers, 'no JSON')],
    [400, await post(headers, { ...event, id: undefined })],
    [413, await post(headers, { ...event, data: 'x'.repeat(1_100_000) })],
    [413, await post(...batch(...Array.from({ length: 101 }, (_, n) => String(n))))],
  ] as const) {
    t.is(answer.status, status)
    t.regex(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
    t.regex(((await answer.json()) as { detail: string }).detail, /.{10}/)
  }
  t.deepEqual(await jobs(db), [])
})

test('who may read may not start runs, and is told so before the body is read', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url, {
    authentication: {
      identify: async ({ headers }) => ({
        name: 'somebody',
        mayRead: true,
        mayTrigger: headers.authorization === 'Bearer trigger',
      }),
    },
  })
  const [headers, event] = cloudEvent('1')

  t.is((await post({ ...headers, authorization: 'Bearer read' }, event)).status, 403)
  t.is((await post({ ...headers, authorization: 'Bearer read' }, 'x'.repeat(1_100_000))).status, 403)
  t.deepEqual(await jobs(db), [])
  t.is((await post({ ...headers, authorization: 'Bearer trigger' }, event)).status, 202)
})

test('before a worker has started, and where a stranger owns its schema, senders are told to try later', async (t) => {
  const db = await createDatabase(t)
  const { post, log } = await startEventService(t, db.url)

  const early = await post(...cloudEvent('1'))
  t.deepEqual([early.status, early.headers.get('retry-after')], [503, '5'])
  t.regex(JSON.stringify(log), /there is no schema graphile_worker.*table-metrics worker/)
  t.notRegex(await early.text(), /graphile_worker/)

  await installJobs(db.url)
  t.is((await post(...cloudEvent('1'))).status, 202)
  const mallory = await db.createRole()
  await db.sql.unsafe(`grant create on schema graphile_worker to ${mallory.name}`)
  t.is((await post(...cloudEvent('2'))).status, 503)
  t.is((await jobs(db)).length, 1)
})

test('an event that another transaction is storing for long is answered with: later', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  const other = db.connect()
  await other`begin`
  await other`select nms.queue_run(source => 'https://scheduler.example', event_id => '1')`

  const answer = await post(...cloudEvent('1'))

  t.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5'])
  await other`rollback`
  t.is((await post(...cloudEvent('1'))).status, 202)
})

test('a sender is told that it may send, and how', async (t) => {
  const db = await createDatabase(t)
  const authentication = { identify: () => Promise.reject(new Error('not asked')) }
  const { options } = await startEventService(t, db.url, { authentication })

  const agreed = await options({
    'webhook-request-origin': 'eventemitter.example.com',
    'webhook-request-rate': '120',
  })
  const plain = await options({})
  const preflight = await options({ origin: 'https://evil.example', 'access-control-request-method': 'POST' })

  t.is(agreed.status, 200)
  t.is(agreed.headers.get('webhook-allowed-origin'), 'eventemitter.example.com')
  t.is(agreed.headers.get('webhook-allowed-rate'), '120')
  t.is(agreed.headers.get('allow'), 'OPTIONS, POST')
  t.is(plain.headers.get('webhook-allowed-origin'), null)
  t.is(preflight.headers.get('access-control-allow-origin'), null)
})
