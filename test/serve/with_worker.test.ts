import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { cloudEvent } from '../_support/event_service.ts'
import { inTime } from '../_support/eventually.ts'
import { eventsOf, installJobs, jobs, untilEvent } from '../_support/jobs.ts'
import { failsClearly, type Running, startTableMetrics, tableMetrics } from '../_support/process.ts'
import { runs, untilSuccess } from '../_support/worker.ts'

const token = 'the-token-of-a-scheduler'
const serve = ['serve', '--port', '0', '--log', 'json']
const work = ['--with-worker', '--crontab', 'test/empty_crontab']

test('one process takes an event and makes its run, and SIGTERM ends all of it', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  const process = startTableMetrics(t, db.url, [...serve, ...work, ...(await tokenFile(t))])
  await untilEvent(process, 'worker_started')
  const url = await addressOf(t, process)

  t.is((await post(url)).status, 202)
  t.is((await post(url)).status, 204)
  await untilSuccess(db)

  process.kill('SIGTERM')
  t.is((await inTime(15, process.finished, 'both have ended')).status, 0)
  t.is((await runs(db)).length, 1)
  t.deepEqual(
    eventsOf(process)
      .map(({ event }) => event)
      .filter((event) => /stopped|restarting|failed/.test(event))
      .sort(),
    ['serving_stopped', 'worker_stopped'],
  )
})

test('a worker that cannot start ends the service, and says why', async (t) => {
  const db = await createDatabase(t, 'empty_template')

  const finished = await inTime(30, tableMetrics(t, db.url, [...serve, ...work]), 'it has ended')

  t.is(finished.status, 1)
  t.regex(finished.stderr, /^error: table metrics is not installed/)
})

test('without any method of authentication nobody starts a run, and it listens on loopback only', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const process = startTableMetrics(t, db.url, serve)

  t.is((await post(await addressOf(t, process))).status, 403)

  t.deepEqual(await jobs(db), [])
  failsClearly(t, await tableMetrics(t, db.url, [...serve, '--host', '0.0.0.0']), '0.0.0.0', '--token-file')
})

test('without a worker, a run is queued for one elsewhere; a schedule is for a worker', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url, 'jobs')
  const process = startTableMetrics(t, db.url, [...serve, ...(await tokenFile(t)), '--schema', 'jobs'])

  t.is((await post(await addressOf(t, process))).status, 202)

  t.is((await db.sql`select from jobs.jobs`).length, 1)
  failsClearly(
    t,
    await tableMetrics(t, db.url, ['serve', '--crontab', 'test/empty_crontab']),
    '--crontab',
    'add --with-worker',
  )
})

// Rejects at this signal, as a mistake in a dependency would.
const rejecting = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    "process.on('SIGWINCH', () => Promise.reject(new Error('nobody handles this')))",
  )}`,
}

test('a rejection that nobody handles is for the worker, which starts again', async (t) => {
  const db = await createDatabase(t)
  const process = startTableMetrics(t, db.url, [...serve, ...work], rejecting)
  await untilEvent(process, 'serving')
  await untilEvent(process, 'worker_started')

  process.kill('SIGWINCH')

  await untilEvent(process, 'worker_started', 2)
  t.like(
    eventsOf(process).find(({ event }) => event === 'worker_restarting'),
    { reason: 'nobody handles this' },
  )
  t.is((await fetch(`${await addressOf(t, process)}/ready`)).status, 200)
})

test('without a worker such a rejection is told, and ends nothing', async (t) => {
  const db = await createDatabase(t)
  const process = startTableMetrics(t, db.url, serve, rejecting)
  await untilEvent(process, 'serving')

  process.kill('SIGWINCH')

  await untilEvent(process, 'request_failed')
  t.is((await fetch(`${await addressOf(t, process)}/ready`)).status, 200)
})

async function tokenFile(t: ExecutionContext): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tokens-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'tokens'), `${token} trigger\n`, { mode: 0o600 })
  return ['--token-file', join(folder, 'tokens')]
}

async function addressOf(t: ExecutionContext, process: Running): Promise<string> {
  await untilEvent(process, 'serving')
  const serving = eventsOf(process).find(({ event }) => event === 'serving')
  t.truthy(serving)
  return (serving as { url: string }).url
}

function post(url: string): Promise<Response> {
  const [headers, body] = cloudEvent('1')
  return fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  })
}
