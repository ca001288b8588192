// Roles belong to the whole server, so these tests have one of their own.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { migrationsFolder } from '../../src/install/migrations.ts'
import type { Sql, TestDatabase } from '../_support/database.ts'
import { cloudEvent, startEventService } from '../_support/event_service.ts'
import { installJobs } from '../_support/jobs.ts'
import { tableMetrics } from '../_support/process.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'
import { runs } from '../_support/worker.ts'

let server: OwnServer
const script = await readFile(`${migrationsFolder}/requester_roles.sql`, 'utf8')
const work = ['worker', '--once', '--crontab', 'test/empty_crontab']

test.before(async () => {
  server = await startOwnServer()
  await server.addRoles()
})
test.after.always(() => server.remove())

test('once a worker that owns the schema has started, a requester queues runs', async (t) => {
  const db = await withTable(t)
  const { sql } = await createRole(t, db, 'in role table_metrics_requester')
  await t.throwsAsync(queue(sql, '1'), { code: '3F000' })
  t.is((await tableMetrics(t, db.url, work)).status, 0)

  t.true(await queue(sql, '1'))
  t.false(await queue(sql, '1'))

  const { status, stderr } = await tableMetrics(t, db.url, work)
  t.is(status, 0, stderr)
  t.deepEqual(
    (await runs(db)).map(({ status }) => status),
    ['SUCCEEDED'],
  )
})

test('where somebody else owns the schema, the script gives the right, and the error names it', async (t) => {
  const db = await withTable(t)
  await installJobs(db.url, 'jobs')
  const { sql } = await createRole(t, db, 'in role table_metrics_requester')
  const error = await t.throwsAsync(queue(sql, '1', 'jobs'), { code: '42501' })
  t.is((error as Error & { hint?: string }).hint, 'Run migrations/requester_roles.sql as postgres.')

  const owner = db.connect()
  await owner`set nms.worker_schema = 'jobs'`
  await owner.unsafe(script)

  t.true(await queue(sql, '1', 'jobs'))
})

test('a requester adds jobs that collect, and neither adds, sees nor changes any other', async (t) => {
  const db = await withTable(t)
  await installJobs(db.url)
  await db.sql`select graphile_worker.add_job('prune_table_metrics', '{"keepRuns": "90 days"}')`
  await db.sql`select graphile_worker.add_job('send_mail', '{"to": "somebody"}')`
  await db.connect().unsafe(script)
  const { sql } = await createRole(t, db, 'in role table_metrics_requester')
  await queue(sql, '1')

  const seen = await sql`select payload from graphile_worker._private_jobs`
  t.deepEqual([...seen], [{ payload: {} }])
  for (const statement of [
    `select graphile_worker.add_job('prune_table_metrics', '{"keepRuns": "30 days"}')`,
    `select graphile_worker.add_job('send_mail')`,
    `select graphile_worker.add_job('delete_all')`,
    `select graphile_worker.add_job('collect_table_metrics', queue_name => 'theirs')`,
    'delete from graphile_worker._private_jobs',
    'select from graphile_worker.jobs',
    'select graphile_worker.complete_jobs(array[1::bigint])',
    'create table graphile_worker.forged ()',
  ]) {
    await t.throwsAsync(sql.unsafe(statement), { code: '42501' }, statement)
  }
  const changed = await sql`update graphile_worker._private_jobs set payload = '{"jobs": 2}', task_id = 1`
  t.is(changed.count, 0)
})

test('the script repeats without a change, and does nothing where there is no such schema', async (t) => {
  const db = await withTable(t)
  await installJobs(db.url)
  await db.connect().unsafe(script)
  const before = await rights(db)
  await db.connect().unsafe(script)
  t.deepEqual(await rights(db), before)
  t.is(before.length, 3)

  const empty = await server.createDatabase(t)
  await empty.connect().unsafe(script)
  t.deepEqual(await rights(empty), [])
})

test('workers that start at once give the right once', async (t) => {
  const db = await withTable(t)

  const finished = await Promise.all([1, 2, 3].map(() => tableMetrics(t, db.url, work)))

  t.deepEqual(
    finished.map(({ status, stderr }) => [status, stderr.replace(/^\S+ info {2}nothing is due\n$/, '')]),
    finished.map(() => [0, '']),
  )
  t.is((await rights(db)).length, 3)
})

test('two logins: one works and owns the schema, the other serves and takes events', async (t) => {
  const db = await withTable(t)
  const counting = await createRole(t, db, 'in role table_metrics_worker')
  const serving = await createRole(t, db, 'in role table_metrics_reader, table_metrics_requester')
  await db.sql.unsafe(`
    grant create on database ${databaseOf(db)} to ${counting.name};
    grant connect on database ${databaseOf(db)} to ${serving.name};
  `)
  t.is((await tableMetrics(t, counting.url, work)).status, 0)
  const { post } = await startEventService(t, serving.url)

  t.is((await post(...cloudEvent('1'))).status, 202)
  t.is((await post(...cloudEvent('1'))).status, 204)

  const { status, stderr } = await tableMetrics(t, counting.url, work)
  t.is(status, 0, stderr)
  t.deepEqual(
    (await runs(db)).map(({ status }) => status),
    ['SUCCEEDED'],
  )
  for (const more of [
    `grant select on public.orders to ${serving.name}`,
    `create schema ${serving.name} authorization ${serving.name}`,
    `grant create on database ${databaseOf(db)} to ${serving.name}`,
    `alter role ${serving.name} createdb`,
    `grant table_metrics_maintainer to ${serving.name}`,
  ]) {
    await db.sql.unsafe(more)
    t.is((await post(...cloudEvent(more))).status, 503, more)
    await db.sql.unsafe(`
      drop owned by ${serving.name};
      revoke table_metrics_maintainer from ${serving.name};
      alter role ${serving.name} nocreatedb;
      grant table_metrics_requester to ${serving.name};
    `)
    t.is((await post(...cloudEvent(more))).status, 202, more)
  }
})

test('a requester trusts the owner of the database, or a superuser, and no other who owns the schema', async (t) => {
  const db = await withTable(t)
  const owner = await createRole(t, db)
  const { sql, name } = await createRole(t, db, 'in role table_metrics_requester, table_metrics_reader')
  await db.sql.unsafe(`grant create on database ${databaseOf(db)} to ${owner.name}`)
  await installJobs(owner.url)
  await owner.sql.unsafe(script)

  const error = await t.throwsAsync(queue(sql, '1'), { code: '42501' })
  t.true((error as Error & { detail?: string }).detail?.includes(owner.name))

  await db.sql.unsafe(`alter database ${databaseOf(db)} owner to ${owner.name}`)
  t.true(await queue(sql, '1'))
  await db.sql.unsafe(`grant pg_read_all_data to ${name}`)
  await t.throwsAsync(queue(sql, '2'), { code: '42501' })
})

test('the service queues as a requester, also when it connects as a superuser, and never beyond that', async (t) => {
  const db = await withTable(t)
  await installJobs(db.url)
  await db.connect().unsafe(script)
  await db.sql.unsafe(`
    create table public.seen (name text);
    grant insert on public.seen to public;
    create function graphile_worker.note() returns trigger language plpgsql as
      $$ begin insert into public.seen values (current_user); return new; end $$;
    create trigger note before insert on graphile_worker._private_jobs for each row execute function graphile_worker.note();
  `)
  const web = await createRole(t, db, 'in role table_metrics_requester, table_metrics_reader')
  const reader = await createRole(t, db, 'in role table_metrics_reader')

  t.is((await (await startEventService(t, db.url)).post(...cloudEvent('1'))).status, 202)
  t.is((await (await startEventService(t, web.url)).post(...cloudEvent('2'))).status, 202)
  t.is((await (await startEventService(t, reader.url)).post(...cloudEvent('3'))).status, 503)

  const seen = await db.sql`select name from public.seen`
  t.deepEqual(
    seen.map(({ name }) => name),
    ['table_metrics_requester', 'table_metrics_requester'],
  )
})

async function queue(sql: Sql | postgres.Sql, id: string, schema = 'graphile_worker'): Promise<boolean> {
  const [{ is_new }] = await sql<[{ is_new: boolean }]>`
    select nms.queue_run(source => 'test', event_id => ${id}, worker_schema => ${schema}) as is_new
  `
  return is_new
}

async function withTable(t: ExecutionContext): Promise<TestDatabase> {
  const db = await server.createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  return db
}

async function createRole(t: ExecutionContext, db: TestDatabase, attributes = '') {
  const name = `test_${randomBytes(6).toString('hex')}`
  await db.sql.unsafe(`create role ${name} login password 'secret' ${attributes}`)
  const url = new URL(db.url)
  url.username = name
  url.password = 'secret'
  const sql = postgres(url.href, { max: 1, onnotice: () => undefined })
  t.teardown(() => sql.end({ timeout: 1 }))
  return { name, url: url.href, sql }
}

const databaseOf = ({ url }: TestDatabase) => new URL(url).pathname.slice(1)

/** What the role may do with which table, and its policies. */
async function rights({ sql }: TestDatabase): Promise<unknown[]> {
  return [
    ...(await sql`
      select
        relation.relname,
        array(select acl::text from unnest(relacl) as acl where acl::text like 'table_metrics_requester%') as granted,
        array(
          select concat(polname, polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
          from pg_policy where polrelid = relation.oid order by polname
        ) as policies
      from pg_class as relation
      where relnamespace = to_regnamespace('graphile_worker') and relacl::text like '%table_metrics_requester%'
      order by relname
    `),
  ]
}
