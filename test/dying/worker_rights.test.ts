// Roles that may do little, and strangers in the schema of graphile-worker. Roles belong to the whole
// server, so these tests have one of their own.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { migrationsFolder } from '../../src/install/migrations.ts'
import type { TestDatabase } from '../_support/database.ts'
import { eventsOf, untilEvent } from '../_support/jobs.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'
import { startReceiver } from '../_support/receiver.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { addJob, startWorker, stopWorker } from '../_support/worker.ts'

let server: OwnServer
const workerScript = await readFile(`${migrationsFolder}/worker_roles.sql`, 'utf8')

test.before(async () => {
  server = await startOwnServer()
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined })
  await server.addRoles()
  const [role] = await sql`select to_regrole('table_metrics_worker') is null as is_missing`
  if (role?.is_missing) {
    await sql.unsafe(
      'create role table_metrics_worker nologin; grant table_metrics_collector to table_metrics_worker',
    )
  }
  await sql.end()
})
test.after.always(() => server.remove())

test.serial(
  'a worker of a role with its rights works on a graphile_worker that somebody else made',
  async (t) => {
    const db = await withJobs(t)
    const role = await createRole(t, db, 'in role table_metrics_worker')
    await db.connect().unsafe(workerScript)

    const worker = await startWorker(t, db, {
      url: role.url,
      crontab: '* * * * * collect_table_metrics ?id=each&fill=2m',
    })
    await untilEvent(worker, 'worker_started')
    await addJob(db, { online: true, jobs: 2 })
    await addJob(db)
    await untilEvent(worker, 'run_succeeded', 2)
    await addJob(db, { nope: 1 })
    await untilEvent(worker, 'job_failed')
    await stopWorker(t, worker)

    t.deepEqual(
      eventsOf(worker).filter(({ event }) => /restarting|upkeep/.test(event)),
      [],
    )
    const once = await startWorker(t, db, { url: role.url, args: ['--once'] })
    await addJob(db)
    t.is((await once.finished).status, 0)
  },
)

test.serial('a worker with these rights tells a webhook, and so does collect of a collector', async (t) => {
  const db = await withJobs(t)
  const receiver = await startReceiver(t)
  receiver.answers(500, 200)
  const env = { ALERT_WEBHOOK_URL: receiver.url }
  const role = await createRole(t, db, 'in role table_metrics_worker')
  const collector = await createRole(t, db, 'in role table_metrics_collector')
  await db.connect().unsafe(workerScript)

  const worker = await startWorker(t, db, { url: role.url, env })
  await addJob(db, { nope: 1 })
  await untilEvent(worker, 'message_failed')
  await db.sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null`
  await untilEvent(worker, 'message_sent')
  await stopWorker(t, worker)
  const { stderr } = await tableMetrics(t, collector.url, ['collect', '--quiet'], env)

  t.is(stderr, '')
  t.deepEqual(
    receiver.messages().map(({ type }) => type),
    ['run.failed', 'run.failed', 'run.succeeded'],
  )
})

test.serial('with these rights, jobs of others can be neither read nor taken nor added', async (t) => {
  const db = await withJobs(t)
  const role = await createRole(t, db, 'in role table_metrics_worker')
  await db.connect().unsafe(workerScript)
  await addJob(db, { secret: 'of others' }, 'send_mail')
  await addJob(db, { skipSchemas: [] })

  const sql = role.connect()
  const seen = await sql`select payload from graphile_worker._private_jobs`
  t.deepEqual(
    seen.map(({ payload }) => payload),
    [{ skipSchemas: [] }],
  )
  await t.throwsAsync(sql`select graphile_worker.add_job('send_mail')`, { code: '42501' })
  await t.throwsAsync(sql`select graphile_worker.add_job('delete_all')`, { code: '42501' })
  await sql`update graphile_worker._private_jobs set locked_by = 'nobody', locked_at = now()`
  const locked = await db.sql`select task_identifier from graphile_worker.jobs where locked_by is not null`
  t.deepEqual([...locked], [{ task_identifier: 'collect_table_metrics' }])
})

test.serial(
  'the script repeats without a change, and does nothing where there is no graphile_worker',
  async (t) => {
    const db = await withJobs(t)
    await db.connect().unsafe(workerScript)
    const before = await rights(db)
    await db.connect().unsafe(workerScript)
    t.deepEqual(await rights(db), before)
    t.is(before.length, 6)

    const empty = await server.createDatabase(t)
    await empty.connect().unsafe(workerScript)
    t.deepEqual(await rights(empty), [])
  },
)

test.serial('a worker may begin in an empty schema of somebody else in which it may create', async (t) => {
  const db = await server.createDatabase(t)
  const role = await createRole(t, db, 'in role table_metrics_worker')
  await db.sql.unsafe(`
    create schema graphile_worker;
    grant usage, create on schema graphile_worker to ${role.name};
    grant create on database ${databaseOf(db)} to ${role.name};
  `)

  for (const _ of ['it makes what it needs', 'it finds it']) {
    const { status, stderr } = await tableMetrics(t, role.url, ['worker', '--once'])
    t.is(status, 0, stderr)
  }
})

test.serial('a schema by another name is given to the script', async (t) => {
  const db = await withJobs(t, 'jobs')
  const role = await createRole(t, db, 'in role table_metrics_worker')
  const args = ['worker', '--once', '--schema', 'jobs']
  failsClearly(t, await tableMetrics(t, role.url, args), `-c "set nms.worker_schema = 'jobs'"`)

  const sql = db.connect()
  await sql.unsafe(`set nms.worker_schema = 'jobs'`)
  await sql.unsafe(workerScript)

  const { status, stderr } = await tableMetrics(t, role.url, args)
  t.is(status, 0, stderr)
})

for (const mode of [['--once'], ['--log', 'json']]) {
  for (const membership of ['table_metrics_collector', 'table_metrics_worker']) {
    test.serial(
      `worker ${mode.join(' ')}, with ${membership} alone: it says what is missing and what gives it`,
      async (t) => {
        const db = await withJobs(t)
        const role = await createRole(t, db, `in role ${membership}`)

        const finished = await tableMetrics(t, role.url, ['worker', ...mode])

        failsClearly(
          t,
          finished,
          'usage on schema graphile_worker',
          'delete on graphile_worker._private_jobs',
          `grant table_metrics_worker to ${role.name}`,
          'migrations/worker_roles.sql',
        )
        t.is(finished.stderr.trimEnd().split('\n').length, 1, finished.stderr)
      },
    )
  }

  test.serial(
    `worker ${mode.join(' ')}, with every privilege and no policy: it names the policies`,
    async (t) => {
      const db = await withJobs(t)
      const role = await createRole(t, db, 'in role table_metrics_collector')
      await db.sql.unsafe(`
      grant usage on schema graphile_worker to ${role.name};
      grant select, insert, update, delete on all tables in schema graphile_worker to ${role.name};
    `)

      const finished = await tableMetrics(t, role.url, ['worker', ...mode])

      failsClearly(
        t,
        finished,
        'a policy for insert on graphile_worker._private_known_crontabs',
        'worker_roles.sql',
      )
    },
  )

  test.serial(
    `worker ${mode.join(' ')}, in a database where its role may create no schema: it says so`,
    async (t) => {
      const db = await server.createDatabase(t)
      const role = await createRole(t, db, 'in role table_metrics_worker')

      const finished = await tableMetrics(t, role.url, ['worker', ...mode])

      failsClearly(t, finished, 'there is no schema graphile_worker', 'grant create on database', role.name)
      t.is(finished.stderr.trimEnd().split('\n').length, 1, finished.stderr)
    },
  )

  test.serial(
    `worker ${mode.join(' ')}, where a stranger made graphile_worker: it refuses and reads nothing there`,
    async (t) => {
      const db = await server.createDatabase(t)
      const mallory = await createRole(t, db)
      await db.sql.unsafe(`
      grant create on database ${databaseOf(db)} to ${mallory.name};
      create table public.rights (name text);
      grant insert on public.rights to public;
    `)
      const sql = mallory.connect()
      await sql.unsafe(`
      create schema graphile_worker;
      grant all on schema graphile_worker to public;
      create function graphile_worker.spring() returns int language plpgsql as $$
      begin
        insert into public.rights values (current_user);
        return 1000;
      end
      $$;
      create view graphile_worker.migrations as select graphile_worker.spring() as id, now() as ts, false as breaking;
    `)

      const finished = await tableMetrics(t, db.url, ['worker', ...mode])

      failsClearly(t, finished, 'schema graphile_worker belongs to', mallory.name, '--schema')
      t.deepEqual([...(await db.sql`select name from public.rights`)], [])
    },
  )
}

const tamperings: Record<string, { statements: string; words: string[]; mended?: true }> = {
  'a trigger': {
    statements: `
      grant usage on schema graphile_worker to mallory;
      grant trigger on graphile_worker._private_jobs to mallory;
      set role mallory;
      create trigger "Spring" before insert or update on graphile_worker._private_jobs for each row execute function trap.spring();
      reset role;
      revoke trigger on graphile_worker._private_jobs from mallory;
    `,
    words: [
      'trigger "Spring" on graphile_worker._private_jobs belongs to mallory',
      'drop trigger "Spring" on',
    ],
    mended: true,
  },
  'a function': {
    statements: `
      grant create, usage on schema graphile_worker to mallory;
      set role mallory;
      create function graphile_worker.add_job(text, json) returns int language sql as 'select 1';
      reset role;
      revoke create on schema graphile_worker from mallory;
    `,
    words: ['function graphile_worker.add_job(text,json) belongs to mallory'],
  },
  'the right to create there': {
    statements: 'grant create on schema graphile_worker to public;',
    words: ['everybody', 'revoke create on schema graphile_worker from public'],
    mended: true,
  },
  'the right to create triggers': {
    statements: 'grant all on all tables in schema graphile_worker to mallory;',
    words: ['mallory', 'revoke trigger on graphile_worker._private_job_queues from mallory'],
  },
  'a table': {
    statements: 'alter table graphile_worker._private_jobs owner to mallory;',
    words: ['table graphile_worker._private_jobs belongs to mallory'],
  },
}

for (const [what, { statements, words, mended }] of Object.entries(tamperings)) {
  test.serial(`a worker refuses a graphile_worker in which a stranger has ${what}`, async (t) => {
    const db = await withJobs(t)
    const mallory = await createRole(t, db)
    await db.sql.unsafe(
      `
        create schema trap authorization mallory;
        set role mallory;
        create function trap.spring() returns trigger language plpgsql as 'begin return new; end';
        reset role;
        ${statements}
      `.replaceAll('mallory', mallory.name),
    )

    const finished = await tableMetrics(t, db.url, ['worker', '--once'])

    failsClearly(t, finished, ...words.map((word) => word.replace('mallory', mallory.name)))
    const [, remedy = ''] = /mend it with: (.*)/.exec(finished.stderr) ?? []
    if (!mended) return
    await db.sql.unsafe(remedy)
    t.is((await tableMetrics(t, db.url, ['worker', '--once'])).status, 0)
  })
}

test.serial(
  'an ordinary role trusts a graphile_worker of the owner of the database, or of a role that it was made a member of',
  async (t) => {
    const db = await server.createDatabase(t)
    const owner = await createRole(t, db)
    const role = await createRole(t, db, 'in role table_metrics_worker')
    await db.sql.unsafe(`
    grant create on database ${databaseOf(db)} to ${owner.name};
    grant table_metrics_worker to ${owner.name};
  `)
    t.is((await tableMetrics(t, owner.url, ['worker', '--once'])).status, 0)
    await db.connect().unsafe(workerScript)
    failsClearly(t, await tableMetrics(t, role.url, ['worker', '--once']), owner.name)

    await db.sql.unsafe(`grant ${owner.name} to ${role.name}`)
    t.is((await tableMetrics(t, role.url, ['worker', '--once'])).status, 0)
    await db.sql.unsafe(
      `revoke ${owner.name} from ${role.name}; alter database ${databaseOf(db)} owner to ${owner.name}`,
    )
    t.is((await tableMetrics(t, role.url, ['worker', '--once'])).status, 0)

    await db.sql.unsafe(`grant pg_read_all_data to ${role.name}`)
    failsClearly(
      t,
      await tableMetrics(t, role.url, ['worker', '--once']),
      'schema graphile_worker belongs to',
      owner.name,
    )
    failsClearly(
      t,
      await tableMetrics(t, db.url, ['worker', '--once']),
      'who would get the rights of postgres',
    )
  },
)

test.serial('doctor tells what a worker of that role lacks, and what belongs to strangers', async (t) => {
  const db = await withJobs(t)
  const mallory = await createRole(t, db)
  const role = await createRole(t, db, 'in role table_metrics_collector')
  await db.sql.unsafe(`grant create on schema graphile_worker to ${mallory.name}`)

  const problems = JSON.parse((await tableMetrics(t, role.url, ['doctor', '--json'])).stdout)

  t.deepEqual(
    problems
      .filter(({ problem }: { problem: string }) => /^worker/.test(problem))
      .map(({ severity, problem }: { severity: string; problem: string }) => [severity, problem]),
    [
      ['warning', 'worker_schema_of_stranger'],
      ['warning', 'worker_not_permitted'],
    ],
  )
})

/** A database with a graphile_worker of its superuser. */
async function withJobs(t: ExecutionContext, schema = 'graphile_worker'): Promise<TestDatabase> {
  const db = await server.createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  const { status, stderr } = await tableMetrics(t, db.url, ['worker', '--once', '--schema', schema])
  t.is(status, 0, stderr)
  return db
}

async function createRole(t: ExecutionContext, db: TestDatabase, attributes = '') {
  const name = `test_${randomBytes(6).toString('hex')}`
  await db.sql.unsafe(`create role ${name} login password 'secret' ${attributes}`)
  const url = new URL(db.url)
  url.username = name
  url.password = 'secret'
  return {
    name,
    url: url.href,
    connect() {
      const sql = postgres(url.href, { max: 1, onnotice: () => undefined })
      t.teardown(() => sql.end({ timeout: 1 }))
      return sql
    },
  }
}

const databaseOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1)

/** Policies, and what the role may do with which table. */
async function rights({ sql }: TestDatabase): Promise<unknown[]> {
  return [
    ...(await sql`
      select
        relation.relname,
        array(select acl::text from unnest(relacl) as acl where acl::text like 'table_metrics_worker%') as granted,
        array(select pg_get_expr(polqual, polrelid) || pg_get_expr(polwithcheck, polrelid) from pg_policy where polrelid = relation.oid) as policies
      from pg_class as relation
      where relnamespace = to_regnamespace('graphile_worker') and relacl::text like '%table_metrics_worker%'
      order by relname
    `),
  ]
}
