import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type JobHelpers, Logger, runMigrations, runOnce, type TaskList } from 'graphile-worker'
import postgres from 'postgres'
import { migrate } from '../src/install/migrate.ts'
import { migrationsFolder } from '../src/install/migrations.ts'
import * as worker from '../src/private_parts/graphile_worker.ts'
import * as driver from '../src/private_parts/postgres.ts'
import { createDatabase } from './_support/database.ts'
import { eventually } from './_support/eventually.ts'
import { run } from './_support/process.ts'

/** The folder of an installed package. */
function folderOf(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.resolve(name)))
  while (!folder.endsWith(`node_modules/${name}`)) folder = dirname(folder)
  return folder
}

for (const [name, { readIn }] of Object.entries({ 'graphile-worker': worker, postgres: driver })) {
  test(`${name} has the version in which its private parts were read`, (t) => {
    t.is(JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')).version, readIn)
  })
}

test('the table of jobs is the one that the last attempt is written to', async (t) => {
  const { url, sql } = await createDatabase(t)
  await runMigrations({ connectionString: url, logger: silent })

  const columns = await sql`
    select attname as name, format_type(atttypid, atttypmod) as type
    from pg_attribute
    where attrelid = 'graphile_worker._private_jobs'::regclass and attname in ('id', 'attempts', 'max_attempts', 'run_at')
    order by attname
  `

  t.deepEqual(
    [...columns],
    [
      { name: 'attempts', type: 'smallint' },
      { name: 'id', type: 'bigint' },
      { name: 'max_attempts', type: 'smallint' },
      { name: 'run_at', type: 'timestamp with time zone' },
    ],
  )
})

test('a job whose attempt was made the last has failed for good, as graphile-worker sees it', async (t) => {
  const { url, sql } = await createDatabase(t)
  const give_up = async (_: unknown, helpers: JobHelpers) => {
    await worker.makeAttemptTheLast(helpers, 'graphile_worker')
    throw new Error('in vain')
  }
  const settings = { connectionString: url, logger: silent, noHandleSignals: true }
  await runMigrations(settings)
  await sql`select graphile_worker.add_job('give_up')`
  let failures = 0
  const events = new EventEmitter().on('job:failed', () => failures++)

  await runOnce({ ...settings, taskList: { give_up } as TaskList, events })

  const [job] = await sql`select attempts::int, max_attempts::int, last_error from graphile_worker.jobs`
  t.deepEqual({ ...job }, { attempts: 1, max_attempts: 1, last_error: 'in vain' })
  t.is(failures, 1)
})

for (const [attempts, seconds, least, most] of [
  [1, 0, 1, 10],
  [20, 0, 900, 1110],
  [20, 3600, 4500, 4710],
] as const) {
  test(`attempt ${attempts} is followed by another one, ${seconds} s and 18 minutes later at most`, async (t) => {
    const { url, sql } = await createDatabase(t)
    const wait = async (_: unknown, helpers: JobHelpers) => {
      await worker.delayRetry(helpers, 'graphile_worker', seconds)
      throw new Error('not yet')
    }
    const settings = { connectionString: url, logger: silent, noHandleSignals: true }
    await runMigrations(settings)
    await sql`select graphile_worker.add_job('wait')`
    await sql`update graphile_worker._private_jobs set attempts = ${attempts - 1}`

    await runOnce({ ...settings, taskList: { wait } as TaskList })

    const [job] = await sql<[{ pause: number; last_error: string }]>`
      select extract(epoch from run_at - updated_at)::float8 as pause, last_error from graphile_worker.jobs
    `
    t.is(job.last_error, 'not yet')
    t.true(job.pause >= least && job.pause <= most, `${job.pause} s`)
  })
}

test('a schedule that fails again says to the log how often, and why', (t) => {
  const source = readFileSync(join(folderOf('graphile-worker'), 'dist/cron.js'), 'utf8')

  t.regex(source, /\+\+attempts;[^}]*\n.*logger\.error\(`Cron hit an error.*`, \{ error, attempts \}\);/)
  const error = new Error('no')
  t.is(worker.cronFailure({ error, attempts: 5 }), error)
  t.is(worker.cronFailure({ error, attempts: 4 }), undefined)
})

test('a transaction whose session is lost rejects, throws nothing where nobody can catch it, and is followed by others', async (t) => {
  const { connect, sql } = await createDatabase(t)
  const begin = driver.safeBegin(connect({ backoff: false }))

  await t.throwsAsync(
    begin(async (transaction) => {
      const [{ pid }] = await transaction<[{ pid: number }]>`select pg_backend_pid() as pid`
      await sql`select pg_terminate_backend(${pid}, 60000)`
      await transaction`select 1`
    }),
    { message: /terminating connection|CONNECTION_/ },
  )

  await eventually(
    async () => (await begin((transaction) => transaction`select 1`)).length === 1,
    'there is another session',
  )
  await t.throwsAsync(
    begin((transaction) => transaction`select 1 / 0`),
    { code: '22012' },
  )
})

test('a statement after the session was lost rejects as well', async (t) => {
  const { url, sql } = await createDatabase(t)
  const { hostname, port, username, password, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  const client = driver.openOnStreams(
    {
      host: hostname,
      port: Number(port),
      user: username,
      pass: password,
      database: pathname.slice(1),
      max: 1,
    },
    () => socket,
  )

  await t.throwsAsync(
    driver.safeBegin(client)(async (transaction) => {
      const [{ pid }] = await transaction<[{ pid: number }]>`select pg_backend_pid() as pid`
      const closed = once(socket, 'close')
      await sql`select pg_terminate_backend(${pid}, 60000)`
      await closed
      await transaction`select 1`
    }),
    { message: /terminating connection|CONNECTION_|lost/ },
  )
  await new Promise(setImmediate) // when the driver would write
})

test.serial('a client opens the streams that it is given, whatever PGTARGETSESSIONATTRS says', async (t) => {
  process.env.PGTARGETSESSIONATTRS = 'any'
  t.teardown(() => {
    delete process.env.PGTARGETSESSIONATTRS
  })
  t.throws(() => postgres('postgres://nobody@127.0.0.1:1/none'), { message: /target_session_attrs any/ })
  let opened = 0

  const client = driver.openOnStreams({ host: '127.0.0.1', port: 1 }, () => {
    opened++
    throw Object.assign(new Error('no stream'), { code: 'ECONNREFUSED' })
  })

  await t.throwsAsync(async () => client`select`, { message: 'no stream' })
  t.is(opened, 1)
  t.is(process.env.PGTARGETSESSIONATTRS, 'any')
})

test('the history that an install makes is the one that graphile-migrate makes', async (t) => {
  const ours = await createDatabase(t, 'empty_template')
  const theirs = await createDatabase(t, 'empty_template')
  await migrate(ours.url)
  // In a process of its own, which ends when a session of it is cut.
  const settings = JSON.stringify({ connectionString: theirs.url, migrationsFolder })
  const program = `import { migrate } from 'graphile-migrate'; await migrate(${settings})`
  const { status, stderr } = await run(t, process.execPath, ['--input-type=module', '-e', program])
  t.is(status, 0, stderr)
  const shape = ({ sql }: typeof ours) => sql`
    select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as is_required
    from pg_attribute
    where attrelid = 'graphile_migrate.migrations'::regclass and attnum > 0
    order by attnum
  `

  const rows = ({ sql }: typeof ours) => sql`
    select hash, previous_hash, filename from graphile_migrate.migrations order by filename
  `

  t.deepEqual([...(await shape(ours))], [...(await shape(theirs))])
  t.deepEqual([...(await rows(ours))], [...(await rows(theirs))])
})

const silent = new Logger(() => () => undefined)
