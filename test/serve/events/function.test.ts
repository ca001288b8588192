// The real framework, with functions/ as it is deployed; in place of the packed package stand its sources.
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createDatabase, rowCounts } from '../../_support/database.ts'
import { batch, cloudEvent } from '../../_support/event_service.ts'
import { eventually, inTime } from '../../_support/eventually.ts'
import { installJobs, jobs } from '../../_support/jobs.ts'
import { reservePort } from '../../_support/ports.ts'
import { type Running, start, tableMetrics } from '../../_support/process.ts'
import { runs } from '../../_support/worker.ts'

const project = fileURLToPath(new URL('../../..', import.meta.url))
const token = 'the-token-of-a-scheduler'
const authorization = `Bearer ${token}`

test('scheduler, Pub/Sub, function, worker: one run, with what the message asks for', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  await db.sql.unsafe(`
    create table public.orders as select generate_series(1, 5) as id;
    create table public.scratch (id int);
  `)
  const { post } = await startFunction(t, db.url)
  const push = {
    subscription: 'projects/p/subscriptions/table-metrics',
    message: {
      data: Buffer.from('{"exclude": ["public.scratch"]}').toString('base64'),
      messageId: '2070443601311540',
      message_id: '2070443601311540',
      publishTime: '2026-11-20T05:15:00.679Z',
      publish_time: '2026-11-20T05:15:00.679Z',
    },
  }

  const first = await post({ authorization, 'content-type': 'application/json' }, push)
  const again = await post({ authorization, 'content-type': 'application/json' }, push)

  t.deepEqual([first.status, await first.json()], [202, { queued: 1 }])
  t.is(again.status, 204)
  const worked = await tableMetrics(t, db.url, ['worker', '--once', '--crontab', 'test/empty_crontab'])
  t.is(worked.status, 0, worked.stderr)
  const [run, ...others] = await runs(db)
  t.deepEqual(others, [])
  t.deepEqual(await rowCounts(db.sql, { run_id: run?.run_id as string }), { 'public.orders': 5 })
})

test('every kind of event arrives as it does over HTTP', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  const { post } = await startFunction(t, db.url)
  const [structured, event] = cloudEvent('1')
  const [batched, events] = batch('1', '2')
  const binary = { 'ce-id': 'Euro%20%E2%82%AC', 'ce-source': 's', 'ce-type': 't', 'ce-specversion': '1.0' }

  t.is((await post({ authorization, ...structured }, event)).status, 202)
  t.deepEqual(await (await post({ authorization, ...batched }, events)).json(), { queued: 1 })
  t.is((await post({ authorization, ...binary })).status, 202)
  t.is((await post({ authorization, ...binary, 'content-type': 'text/plain' }, 'no JSON')).status, 204)
  t.is((await post({ authorization, ...structured }, { ...event, id: 7 })).status, 400)
  t.is((await post({ authorization }, 'x')).status, 415)
  t.is((await post({ authorization, ...structured }, { ...event, data: 'x'.repeat(1_100_000) })).status, 413)
  const refused = await post({ ...structured }, event)
  t.is(refused.status, 401)
  t.regex(refused.headers.get('content-type') ?? '', /^application\/problem\+json/)

  t.is((await jobs(db)).length, 3)
  const names = await db.sql`select event_id from nms_private.events order by event_id`
  t.deepEqual(
    names.map(({ event_id }) => event_id),
    ['1', '2', 'Euro €'],
  )
})

test('without anybody to be let in it does not start', async (t) => {
  const db = await createDatabase(t)
  const framework = await startFramework(t, db.url, await reservePort(), {})

  const { stdout, stderr } = await inTime(60, framework.finished, 'the framework has ended')

  t.regex(stdout + stderr, /saw no method of authentication, expected SERVE_EVENTS_OIDC_ISSUER/)
})

async function startFunction(t: ExecutionContext, databaseUrl: string) {
  const port = await reservePort()
  const folder = await mkdtemp(join(tmpdir(), 'tokens-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'tokens'), `${token} trigger\n`, { mode: 0o600 })
  const framework = await startFramework(t, databaseUrl, port, { SERVE_TOKENS_FILE: join(folder, 'tokens') })
  const post = (headers: Record<string, string>, body: unknown = '') =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  await eventually(async () => (await post({})).status === 401, 'the function answers')
  t.teardown(() => {
    if (!t.passed) t.log(framework.stdout(), framework.stderr())
  })
  return { post }
}

async function startFramework(
  t: ExecutionContext,
  databaseUrl: string,
  port: number,
  env: Record<string, string>,
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'function-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [deployed, installed] = [join(folder, 'functions'), join(folder, 'package')]
  await cp(join(project, 'functions'), deployed, { recursive: true })
  await mkdir(join(deployed, 'node_modules'))
  await mkdir(installed)
  await writeFile(join(installed, 'package.json'), '{"type": "module", "exports": "./src/index.ts"}')
  await symlink(join(project, 'src'), join(installed, 'src'))
  await symlink(installed, join(deployed, 'node_modules/nms-table-metrics'))
  const framework = join(project, 'node_modules/.bin/functions-framework')
  const args = [framework, '--target=events', `--source=${deployed}`, `--port=${port}`]
  return start(t, process.execPath, args, { env: { DATABASE_URL: databaseUrl, ...env } })
}
