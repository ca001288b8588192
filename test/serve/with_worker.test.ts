import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { cloudEvent } from '../_support/event_service.ts'
import { inTime } from '../_support/eventually.ts'
import { eventsOf, installJobs, untilEvent } from '../_support/jobs.ts'
import { failsClearly, type Running, startTableMetrics, tableMetrics } from '../_support/process.ts'
import { runs, untilSuccess } from '../_support/worker.ts'

const args = ['serve', '--port', '0', '--log', 'json', '--with-worker', '--crontab', 'test/empty_crontab']

test('one process takes an event and makes its run, and SIGTERM ends all of it', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  const process = startTableMetrics(t, db.url, args)
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

  const finished = await inTime(30, tableMetrics(t, db.url, args), 'it has ended')

  t.is(finished.status, 1)
  t.regex(finished.stderr, /^error: table metrics is not installed/)
})

test('without a worker, a run is queued for one elsewhere; a schedule is for a worker', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url, 'jobs')
  const process = startTableMetrics(t, db.url, ['serve', '--port', '0', '--log', 'json', '--schema', 'jobs'])

  t.is((await post(await addressOf(t, process))).status, 202)

  t.is((await db.sql`select from jobs.jobs`).length, 1)
  failsClearly(
    t,
    await tableMetrics(t, db.url, ['serve', '--crontab', 'test/empty_crontab']),
    '--crontab',
    'add --with-worker',
  )
})

async function addressOf(t: ExecutionContext, process: Running): Promise<string> {
  await untilEvent(process, 'serving')
  const serving = eventsOf(process).find(({ event }) => event === 'serving')
  t.truthy(serving)
  return (serving as { url: string }).url
}

function post(url: string): Promise<Response> {
  const [headers, body] = cloudEvent('1')
  return fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(body) })
}
