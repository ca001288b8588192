import ava from 'ava'
import { uninstallScript } from '../../src/install/install_script.ts'
import { migrate } from '../../src/install/migrate.ts'
import { collect, createDatabase, rowCounts, type Sql, type TestDatabase } from '../_support/database.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

test('after an uninstall nothing is left, and migrate installs afresh', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  await db.sql`create table public.apples as select generate_series(1, 3) as id`
  const before = await objects(db.sql)
  await migrate(db.url)
  await collect(db.sql)
  t.not((await objects(db.sql)).length, before.length)

  await uninstall(db)

  t.deepEqual(await objects(db.sql), before)
  t.deepEqual(await grants(db.sql), [])
  t.deepEqual((await migrate(db.url)).applied, ['000001.sql'])
  const run = await collect(db.sql)
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, run), { 'public.apples': 3 })
})

test('it removes what is left when somebody has dropped the schema nms, and a second time changes nothing', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  const before = await objects(db.sql)
  await migrate(db.url)
  await db.sql`drop schema nms cascade`

  await uninstall(db)
  await uninstall(db)

  t.deepEqual(await objects(db.sql), before)
  t.deepEqual((await migrate(db.url)).applied, ['000001.sql'])
})

test('whoever installed may uninstall', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  const { name, url, connect } = await db.createRole()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(name)}`
  const before = await objects(db.sql)
  await migrate(url)

  await connect().unsafe(await uninstallScript())

  t.deepEqual(await objects(db.sql), before)
})

test('history and jobs of others stay', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url)
  t.is((await tableMetrics(t, db.url, ['worker', '--once'])).status, 0)
  await db.sql`select graphile_worker.add_job('collect_table_metrics', run_at => now() + interval '1 day')`
  await db.sql`select graphile_worker.add_job('send_mail')`
  await db.sql`insert into graphile_migrate.migrations (hash, filename) values ('sha1:theirs', '000001.sql')`

  await uninstall(db)

  const tasks = await db.sql`select task_identifier as task from graphile_worker.jobs`
  t.deepEqual([...tasks], [{ task: 'send_mail' }])
  const known = await db.sql`select identifier from graphile_worker._private_tasks`
  t.deepEqual([...known], [{ identifier: 'send_mail' }])
  const history = await db.sql`select hash from graphile_migrate.migrations`
  t.deepEqual([...history], [{ hash: 'sha1:theirs' }])
})

test('what somebody else has built on it is named, and nothing is removed', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url)
  const dependents = {
    'view dashboard': 'create view public.dashboard as select * from nms.table_metrics_daily',
    'table days': 'create table public.days (day date default nms.business_date())',
    'table notes': 'create table public.notes (run_id bigint references nms.table_metrics_runs)',
    'function last_run()': `create function public.last_run() returns bigint
      begin atomic; select max(run_id) from nms.table_metrics_runs; end`,
  }
  for (const [object, statement] of Object.entries(dependents)) {
    await db.sql.unsafe(statement)
    const installed = await objects(db.sql)

    const error = await t.throwsAsync(uninstall(db), { code: '2BP01' })

    const [kind, name] = object.split(' ')
    t.true(error?.message.startsWith(`${kind} public.${name} needs `), error?.message)
    t.deepEqual(await objects(db.sql), installed)
    await db.sql.unsafe(`drop ${kind} public.${name} cascade`)
  }
})

test('tables of somebody else in the place of a worker are left alone, and their code does not run', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url)
  const { name, connect } = await db.createRole()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(name)}`
  await connect().unsafe(`
    create schema graphile_worker;
    create table graphile_worker._private_tasks (id integer, identifier text);
    create table graphile_worker._private_jobs (task_id integer);
    insert into graphile_worker._private_tasks values (1, 'collect_table_metrics');
    create function graphile_worker.trap() returns trigger language plpgsql as
      $$ begin raise 'ran as %', current_user; end $$;
    create trigger trap before delete on graphile_worker._private_tasks for each row
      execute function graphile_worker.trap();
  `)

  await uninstall(db)

  t.is((await db.sql`select from graphile_worker._private_tasks`).length, 1)
  t.is((await db.sql`select from pg_namespace where nspname in ('nms', 'nms_private')`).length, 0)
})

async function uninstall(db: TestDatabase): Promise<void> {
  await db.connect().unsafe(await uninstallScript())
}

/** Everything that is not built in, apart from what comes and goes with it. */
async function objects(sql: Sql): Promise<string[]> {
  const rows = await sql<{ object: string }[]>`
    select format('schema %I', schema.nspname) as object
    from pg_namespace as schema
    where schema.nspname !~ '^pg_'
    union all
    select format('%s %s', relation.relkind, relation.oid::regclass)
    from pg_class as relation
    where relation.relnamespace <> all (${builtIn(sql)})
    union all
    select routine.oid::regprocedure::text
    from pg_proc as routine
    where routine.pronamespace <> all (${builtIn(sql)})
    union all
    select type.oid::regtype::text
    from pg_type as type
    where type.typnamespace <> all (${builtIn(sql)})
    order by object
  `
  return rows.map(({ object }) => object)
}

function builtIn(sql: Sql) {
  return sql`select schema.oid from pg_namespace as schema where schema.nspname ~ '^pg_|^information_schema$'`
}

/** What depends on our roles in this database. */
async function grants(sql: Sql): Promise<unknown[]> {
  const rows = await sql`
    select pg_describe_object(dependency.classid, dependency.objid, dependency.objsubid) as object
    from pg_shdepend as dependency
    join pg_roles as role on role.oid = dependency.refobjid
    where
      dependency.dbid = (select db.oid from pg_database as db where db.datname = current_database())
      and role.rolname ~ '^table_metrics_'
  `
  return [...rows]
}
