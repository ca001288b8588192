import test from 'ava'
import { createDatabase, rowCounts, type Sql, untilItWaits } from '../../_support/database.ts'
import { installJobs, jobs } from '../../_support/jobs.ts'
import { tableMetrics } from '../../_support/process.ts'
import { runs } from '../../_support/worker.ts'

interface Queueing {
  source?: string | null
  id?: string | null
  request?: string
  schema?: string
}

async function queue(
  sql: Sql,
  { source = 'cron', id = '1', request = '{}', schema = 'graphile_worker' }: Queueing = {},
): Promise<boolean> {
  const [{ is_new }] = await sql<[{ is_new: boolean }]>`
    select nms.queue_run(
      source => ${source}, event_id => ${id}, request => ${request}, worker_schema => ${schema}
    ) as is_new
  `
  return is_new
}

test('an event queues one job, which is tried eight times, however often it is delivered', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)

  t.true(await queue(db.sql))
  t.false(await queue(db.sql, { request: '{"skipSchemas": ["tmp"]}' }))
  t.true(await queue(db.sql, { id: '2' }))
  t.true(await queue(db.sql, { source: 'other' }))

  t.deepEqual(
    (await jobs(db)).map(({ max_attempts }) => max_attempts),
    [8, 8, 8],
  )
})

for (const [ending, isNew] of [
  ['commit', false],
  ['rollback', true],
] as const) {
  test(`of two deliveries at the same instant the second waits for the first: ${ending}`, async (t) => {
    const db = await createDatabase(t)
    await installJobs(db.url)
    const [first, second] = [db.connect(), db.connect()]
    const [{ pid }] = await second<[{ pid: number }]>`select pg_backend_pid() as pid`

    await first`begin`
    t.true(await queue(first))
    const waiting = queue(second)
    await untilItWaits(db.sql, pid)
    await first.unsafe(ending)

    t.is(await waiting, isNew)
    t.is((await jobs(db)).length, 1)
  })
}

test('twenty deliveries at once queue one job', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)

  const answers = await Promise.all(Array.from({ length: 20 }, () => queue(db.connect())))

  t.is(answers.filter((isNew) => isNew).length, 1)
  t.is((await jobs(db)).length, 1)
})

test('a worker makes one run of it, with what it asks for', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create schema tmp;
    create table tmp.scratch (id int);
    create table public.orders as select generate_series(1, 5) as id;
  `)
  await installJobs(db.url)
  await queue(db.sql, { request: '{"skipSchemas": ["tmp"]}' })
  await queue(db.sql, { request: '{"skipSchemas": ["tmp"]}' })

  const { status, stderr } = await tableMetrics(t, db.url, [
    'worker',
    '--once',
    '--crontab',
    'test/empty_crontab',
  ])

  t.is(status, 0, stderr)
  const [run, ...others] = await runs(db)
  t.deepEqual(others, [])
  t.is(run?.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, { run_id: run?.run_id as string }), { 'public.orders': 5 })
})

test('a malformed request is queued as it is, and leaves one FAILED run that says what is wrong', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const requests = ['{"skipSchema": []}', 'hello', '"\\u0000"', '['.repeat(20_000), '']
  for (const [n, request] of requests.entries()) t.true(await queue(db.sql, { id: String(n), request }))

  await tableMetrics(t, db.url, ['worker', '--once', '--crontab', 'test/empty_crontab'])

  const failed = await runs(db)
  t.deepEqual(
    failed.map(({ status }) => status),
    requests.map(() => 'FAILED'),
  )
  t.regex(failed[0]?.error_message ?? '', /unknown key "skipSchema", expected only skipSchemas/)
  t.regex(failed[1]?.error_message ?? '', /saw .*hello.*, expected an object/)
  t.true((await jobs(db)).every(({ attempts, max_attempts }) => attempts === 1 && max_attempts === 1))
})

test('a source or an id that is no text of 1 to 1,000 bytes is refused', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)

  for (const value of [null, '', 'x'.repeat(1001), 'é'.repeat(501)]) {
    const refused = { code: '22023', message: /expected a text of 1 to 1,000 bytes$/ }
    await t.throwsAsync(queue(db.sql, { source: value }), { ...refused, message: /^source: saw / })
    await t.throwsAsync(queue(db.sql, { id: value }), { ...refused, message: /^event_id: saw / })
  }
  const long = 'é'.repeat(500)
  t.true(await queue(db.sql, { source: long, id: long }))
  t.false(await queue(db.sql, { source: long, id: long }))
})

test('events are kept for 31 days, and older ones go little by little', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  await db.sql`
    insert into nms_private.events (source, event_id, received_at)
    select 'old', n, now() - interval '31 days 1 hour' from generate_series(1, 150) as n
    union all
    select 'young', n, now() - interval '30 days 23 hours' from generate_series(1, 7) as n
  `
  const left = async () => [
    ...(await db.sql`select source, count(*)::int from nms_private.events group by source order by source`),
  ]

  await queue(db.sql)
  t.deepEqual(await left(), [
    { source: 'cron', count: 1 },
    { source: 'old', count: 50 },
    { source: 'young', count: 7 },
  ])
  t.false(await queue(db.sql, { source: 'young' }))
  t.deepEqual(await left(), [
    { source: 'cron', count: 1 },
    { source: 'young', count: 7 },
  ])
})

test('before a worker has started once, nothing is queued nor remembered', async (t) => {
  const db = await createDatabase(t)

  const error = await t.throwsAsync(queue(db.sql), { code: '3F000' })

  t.regex((error as Error & { hint?: string }).hint ?? '', /table-metrics worker/)
  await installJobs(db.url)
  t.true(await queue(db.sql))
})

test('jobs go to the schema that is named', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url, "My 'jobs'")

  t.true(await queue(db.sql, { schema: "My 'jobs'" }))

  t.is((await db.sql`select from "My 'jobs'".jobs`).length, 1)
  await t.throwsAsync(queue(db.sql, { schema: 'x; drop schema nms' }), { code: '3F000' })
})

const rights = 'usage on schema nms, nms_private, graphile_worker'

test('nothing runs in a graphile_worker that a stranger has made, nor is the event remembered', async (t) => {
  const db = await createDatabase(t)
  const mallory = await db.createRole()
  await db.sql.unsafe(`grant create on database ${db.name} to ${mallory.name}`)
  await mallory.connect().unsafe(`
    create schema graphile_worker;
    grant usage on schema graphile_worker to public;
    create function graphile_worker.add_job(identifier text, payload json, max_attempts integer)
    returns void language plpgsql as $$ begin raise 'sprung as %', current_user; end $$;
  `)

  const error = await t.throwsAsync(queue(db.sql), { code: '42501' })

  t.true((error as Error & { detail?: string }).detail?.includes(mallory.name))
  t.is((await db.sql`select from nms_private.events`).length, 0)
})

test('a role that the session gives up counts as well: code there could take it back', async (t) => {
  const db = await createDatabase(t)
  const owner = await db.createRole()
  await db.sql.unsafe(`alter database ${db.name} owner to ${owner.name}`)
  await installJobs(owner.url)
  const web = await db.createRole()
  await db.sql.unsafe(`
    grant ${rights} to ${web.name};
    grant execute on all functions in schema nms, nms_private to ${web.name};
    grant all on all tables in schema graphile_worker to ${web.name};
    alter table graphile_worker._private_jobs disable row level security;
    alter table graphile_worker._private_tasks disable row level security;
  `)
  const superuser = db.connect()
  await superuser.unsafe(`set role ${web.name}`)

  await t.throwsAsync(queue(superuser), { code: '42501' })
  // What grants it all lets it leave triggers, too.
  await db.sql.unsafe(`revoke trigger on all tables in schema graphile_worker from ${web.name}`)
  t.true(await queue(web.connect()))
  await t.throwsAsync(queue(superuser, { id: '2' }), { code: '42501' })
})
