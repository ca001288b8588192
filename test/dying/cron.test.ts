import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { startTemporaryServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { reservePort } from '../_support/ports.ts'
import { run } from '../_support/process.ts'

const page = await readFile('docs/deploy.md', 'utf8')
const debian = '/usr/lib/postgresql/15'

test('the line for cron is silent after a run that SUCCEEDED', async (t) => {
  const db = await databaseWithCollector(t)

  const { status, stdout, stderr } = await asCron(t, db.collectorUrl)

  t.is(stdout + stderr, '')
  t.is(status, 0)
  t.deepEqual(await statuses(db), ['SUCCEEDED'])
})

test('the line for cron says why a run FAILED', async (t) => {
  const db = await databaseWithCollector(t)
  await db.sql`create table public.apples (id integer)`
  await db.sql`update nms.table_metrics_settings set lock_timeout = '10 ms'`
  const holder = db.connect()
  await holder`begin`
  await holder`lock table public.apples`

  const { stdout } = await asCron(t, db.collectorUrl)

  t.regex(stdout, /public\.apples/)
  t.deepEqual(await statuses(db), ['FAILED'])
})

test('the line for cron says that there is no server', async (t) => {
  const { status, stderr } = await asCron(t, `postgres://127.0.0.1:${await reservePort()}/shop`)

  t.regex(stderr, /Connection refused/)
  t.not(status, 0)
})

test('the line for pg_cron counts', async (t) => {
  if (!existsSync(`${debian}/lib/pg_cron.so`)) {
    t.fail('pg_cron is not installed: apt-get install postgresql-15-cron')
    return
  }
  const settings = { shared_preload_libraries: 'pg_cron', 'cron.use_background_workers': 'on' }
  const server = await startTemporaryServer({ binaries: debian, settings })
  t.teardown(server.stop)
  await migrate(server.url('postgres'))
  const sql = postgres(server.url('postgres'), { max: 1, onnotice: () => undefined })
  t.teardown(() => sql.end())
  await sql`create extension pg_cron`
  await sql`create table public.apples as select generate_series(1, 3) as id`

  const scheduled = await sql.unsafe(block('pgsql'))
  const [job] = await sql`select * from cron.job`
  await sql`select cron.alter_job(${job?.jobid}, schedule => '* * * * *')` // instead of tomorrow
  await eventually(async () => (await runs(sql)).length > 0, 'pg_cron has counted', 90)
  await eventually(async () => (await details(sql)).includes('succeeded'), 'pg_cron knows', 90)

  t.is(scheduled.length, 1)
  t.is(job?.schedule, '15 5 * * *')
  const [first] = await runs(sql)
  t.is(first?.status, 'SUCCEEDED')
  t.is(first?.row_count, '3')
})

interface CollectedDatabase extends TestDatabase {
  /** As a login that may collect and nothing else. */
  collectorUrl: string
}

async function databaseWithCollector(t: ExecutionContext): Promise<CollectedDatabase> {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url)
  const { name, url } = await db.createRole()
  await db.sql.unsafe(`grant table_metrics_collector to ${name}`)
  return { ...db, collectorUrl: url }
}

/** As cron does: the shell gets what follows the five fields. */
function asCron(t: ExecutionContext, url: string) {
  const [line = ''] = block('crontab')
    .split('\n')
    .filter((line) => /^\d/.test(line))
  t.false(line.includes('%'), 'to cron, % is the end of the line')
  const [command = ''] = /(?<=^(\S+\s+){5})\S.*/.exec(line) ?? []
  return run(t, 'sh', ['-c', command], { env: { DATABASE_URL: url, HOME: '/nonexistent' } })
}

function block(language: string): string {
  const [, code = ''] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(page) ?? []
  if (!code) throw new Error(`docs/deploy.md has no block in ${language}`)
  return code
}

async function statuses({ sql }: TestDatabase): Promise<string[]> {
  return (await sql`select status from nms.table_metrics_runs order by run_id`).map(({ status }) => status)
}

async function runs(sql: postgres.Sql) {
  return sql<{ status: string; row_count: string }[]>`
    select run.status, measurement.row_count
    from nms.table_metrics_runs as run
    join nms.table_metrics_measurements as measurement using (run_id)
    where measurement.table_name = 'apples' and run.status <> 'RUNNING'
    order by run_id
  `
}

async function details(sql: postgres.Sql): Promise<string[]> {
  return (await sql`select status from cron.job_run_details`).map(({ status }) => status)
}
