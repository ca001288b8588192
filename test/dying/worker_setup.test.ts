import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createDatabase, createDatabase as createEmptyDatabase, withDatabase } from '../_support/database.ts'
import { eventsOf, untilEvent } from '../_support/jobs.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'
import { addJob, startWorker, untilSuccess } from '../_support/worker.ts'

const wrongPassword = (url: string) => {
  const changed = new URL(url)
  changed.password = 'wrong'
  return changed.href
}

const places: Record<string, { url: (url: string) => string; words: string[] }> = {
  'the database does not exist': {
    url: (url) => withDatabase(url, 'nowhere'),
    words: ['nowhere', 'DATABASE_URL'],
  },
  'the password is wrong': { url: wrongPassword, words: ['password', 'DATABASE_URL'] },
}

for (const [what, { url, words }] of Object.entries(places)) {
  test(`a worker says at once that ${what}`, async (t) => {
    const db = await createDatabase(t)

    failsClearly(t, await tableMetrics(t, url(db.url), ['worker', '--log', 'json']), ...words)
  })
}

test('once, a worker says that the server does not answer', async (t) => {
  const nobody = 'postgres://postgres@127.0.0.1:1/shop'

  failsClearly(t, await tableMetrics(t, nobody, ['worker', '--once']), '127.0.0.1:1', 'DATABASE_URL')
})

test('a worker says at once that nothing is installed', async (t) => {
  const db = await createEmptyDatabase(t, 'empty_template')

  failsClearly(t, await tableMetrics(t, db.url, ['worker', '--log', 'json']), 'table-metrics migrate')
  const schemas = await db.sql`select from pg_namespace where nspname = 'graphile_worker'`
  t.is(schemas.length, 0, 'nothing was installed beside it')
})

const crontabs: Record<string, { text: string; words: string[] }> = {
  'a line without a task': { text: '# daily\n15 5 * * *\n', words: ["line '2'", '15 5 * * *'] },
  'an hour that there is not': {
    text: '15 25 * * * collect_table_metrics',
    words: ['line 1', "'25'", '0-23'],
  },
  'an option that there is not': {
    text: '\n15 5 * * * collect_table_metrics ?every=1d',
    words: ['line 2', "'every'", 'fill'],
  },
  'a payload that is no JSON': {
    text: '15 5 * * * collect_table_metrics {online: }',
    words: ['line 1', 'JSON5'],
  },
  'a task that there is not': {
    text: '15 5 * * * collect_table_metrics\n15 6 * * * tidy_up',
    words: ['tidy_up', 'collect_table_metrics', 'prune_table_metrics'],
  },
  'a name that comes twice': {
    text: '15 5 * * * collect_table_metrics\n15 6 * * * collect_table_metrics',
    words: ['duplicate', '?id='],
  },
  'a local time that there is not': {
    text: '*/15 * * * * collect_table_metrics ?id=local {localTime: "5:15"}',
    words: ['local', 'localTime', '"5:15"', '"05:15"'],
  },
  'an unknown key in its payload': {
    text: '15 5 * * * collect_table_metrics ?id=daily {skip: ["tmp"]}',
    words: ['daily', '"skip"', 'skipSchemas'],
  },
  'a line that prunes, and says not what': {
    text: '15 5 * * 0 prune_table_metrics ?id=weekly',
    words: ['weekly', 'keepRuns', '"90 days"'],
  },
  'a line that prunes, and keeps days for a shorter time than runs': {
    text: '15 5 * * 0 prune_table_metrics ?id=weekly {keepRuns: "2 years", keepDaily: "90 days"}',
    words: ['weekly', '2 years', '90 days', 'no shorter'],
  },
}

for (const [what, { text, words }] of Object.entries(crontabs)) {
  test(`a worker refuses a crontab with ${what}`, async (t) => {
    const db = await createDatabase(t)
    const folder = await mkdtemp(join(tmpdir(), 'crontab-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const file = join(folder, 'crontab')
    await writeFile(file, text)

    const finished = await tableMetrics(t, db.url, ['worker', '--log', 'json', '--crontab', file])

    failsClearly(t, finished, 'crontab', ...words)
    t.is(finished.stderr.trimEnd().split('\n').length, 1, finished.stderr)
  })
}

test('a worker refuses a crontab that is not there, and one that is a folder', async (t) => {
  const db = await createDatabase(t)

  for (const file of ['/nowhere/crontab', tmpdir()]) {
    failsClearly(t, await tableMetrics(t, db.url, ['worker', '--crontab', file]), file)
  }
})

test('a worker refuses a log format that there is not', async (t) => {
  const db = await createDatabase(t)

  const { status, stderr } = await tableMetrics(t, db.url, ['worker', '--log', 'xml'])

  t.is(status, 1)
  for (const word of ['xml', 'json', 'text']) t.true(stderr.includes(word), stderr)
})

test('a worker with a schema of its own says how to leave it out of runs, until it is', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1`
  const schema = `it's "mine"`
  const args = ['--schema', schema]

  const first = await startWorker(t, db, { args })
  await untilEvent(first, 'worker_started')

  const [warning] = eventsOf(first).flatMap((event) => (event.event === 'schema_not_skipped' ? [event] : []))
  t.is(warning?.schema, schema)
  await db.sql.unsafe(warning?.remedy ?? '')
  const second = await startWorker(t, db, { args })
  await untilEvent(second, 'worker_started')
  t.false(eventsOf(second).some(({ event }) => event === 'schema_not_skipped'))
  await db.sql`select ${db.sql(schema)}.add_job('collect_table_metrics')`
  await untilSuccess(db)
  const tables = await db.sql`select schema_name, table_name from nms.table_metrics_measurements`
  t.deepEqual([...tables], [{ schema_name: 'public', table_name: 'orders' }])
  const others = await db.sql`select from pg_namespace where nspname = 'graphile_worker'`
  t.is(others.length, 0)
})

test('malformed payloads fail once in a schema of its own, too', async (t) => {
  const db = await createDatabase(t)
  const worker = await startWorker(t, db, { args: ['--schema', 'jobs'] })
  await untilEvent(worker, 'worker_started')

  await db.sql`select jobs.add_job('collect_table_metrics', '{"nope": 1}')`

  await untilEvent(worker, 'job_failed')
  t.like(eventsOf(worker).at(-1), { event: 'job_failed', attempt: 1, is_final: true })
  const [{ max_attempts }] = await db.sql<[{ max_attempts: number }]>`select max_attempts from jobs.jobs`
  t.is(max_attempts, 1)
})

test('a worker writes lines for people to standard error unless asked for JSON', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1`
  const worker = await startWorker(t, db, { args: ['--log', 'text'] })
  await addJob(db)
  await untilSuccess(db)
  worker.kill('SIGTERM')

  const { stdout, stderr } = await worker.finished

  t.is(stdout, '')
  const words = ['worker started', 'run started', 'run succeeded', 'worker stopped']
  t.deepEqual(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => words.find((word) => line.includes(word))),
    words,
  )
})
