import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import type { Notice } from 'postgres'
import { installScript } from '../src/install_script.ts'
import { migrationsFolder } from '../src/migrations.ts'
import { findAlerts, openAlerts, writeRuns } from './_alerts.ts'
import { collect, createDatabase, type Run, rowCounts, type Sql, type TestDatabase } from './_database.ts'
import { daysAgo } from './_days.ts'

// The three roles belong to the whole server: one test at a time.
const rolesScript = await readFile(`${migrationsFolder}/roles.sql`, 'utf8')

const readingCalls = [
  'business_date',
  'compare_days',
  'compare_runs',
  'find_alerts',
  'run_of_day',
  'table_trend',
]
const calls = [
  'abandon_silent_runs',
  'close_run',
  'collect_table_metrics',
  'counting_sessions',
  'terminate_counting',
  'end_with_client',
  'find_problems',
  'find_worker_problems',
  'give_up_run',
  'give_way',
  'job_payload',
  'job_problem',
  'measure_targets',
  'open_job',
  'open_run',
  'preview_run',
  'prune_table_metrics',
  'rebuild_daily_snapshot',
  'rebuild_run_snapshot',
  'record_alerts',
  'record_missing_run',
  'record_run',
  'retention_problem',
  'retry_helps',
  'was_counted_in_vain',
  'worker_trusts',
  ...readingCalls,
].sort()

test.serial('a collector gets true counts of tables that it may not read', async (t) => {
  const db = await withRoles(t)
  const other = await db.createRole()
  const collector = await member(db, 'table_metrics_collector')
  await db.sql.unsafe(`
    create schema private authorization ${other.name};
    create table private.salaries as select generate_series(1, 17) as id;
    alter table private.salaries owner to ${other.name};
    create table public.orders as select generate_series(1, 5) as id;
  `)
  await refused(t, collector.sql, 'select from private.salaries')
  await refused(t, collector.sql, 'select from public.orders')

  const run = await collect(collector.sql)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.is(run.requested_by, collector.name)
  t.deepEqual(await rowCounts(collector.sql, run), { 'private.salaries': 17, 'public.orders': 5 })
  t.deepEqual(await dailyPayload(collector.sql), { private: { salaries: 17 }, public: { orders: 5 } })
})

test.serial('a collector drives a run piece by piece and previews one', async (t) => {
  const db = await withRoles(t)
  const collector = await member(db, 'table_metrics_collector')
  await db.sql`create table public.orders as select generate_series(1, 5) as id`

  const [opened] = await collector.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const [run] = await collector.sql<[Run]>`
    select * from nms.collect_table_metrics(run_id => ${opened.run_id})
  `
  const [uncounted] = await collector.sql<[Run]>`select * from nms.close_run(nms.open_run())`
  const preview =
    await collector.sql`select table_name, outcome from nms.preview_run() where schema_name = 'public'`
  const [today] =
    await collector.sql`select nms.business_date() = snapshot_date as is_today from nms.table_metrics_daily_snapshot`

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.is(run.run_id, opened.run_id)
  t.is(uncounted.status, 'FAILED')
  t.deepEqual([...preview], [{ table_name: 'orders', outcome: 'counted' }])
  t.true(today?.is_today)
})

for (const { role, executes } of [
  { role: 'table_metrics_collector', executes: calls },
  { role: 'table_metrics_reader', executes: readingCalls },
]) {
  test.serial(`a member of ${role} reads every table of nms and writes to none`, async (t) => {
    const db = await withRoles(t)
    const { sql } = await member(db, role)
    await db.sql`create table public.orders as select generate_series(1, 5) as id`
    const run = await collect(db.sql)
    const tables = await db.sql<{ name: string; assigned: string; is_table: boolean }[]>`
      select format('nms.%I', relname) as name, attname as assigned, relkind = 'r' as is_table
      from pg_class join pg_attribute on attrelid = pg_class.oid and attnum = 2
      where relnamespace = 'nms'::regnamespace and relkind in ('r', 'p', 'v', 'm')
    `

    for (const { name, assigned, is_table } of tables) {
      const [rows] = await sql.unsafe(`select count(*) as found from ${name}`)
      // No online run is under way, and nothing is strange.
      const found = /(targets|alerts|alert_rules|alert_log)$/.test(name) ? '0' : '1'
      t.is(rows?.found, found, name)
      if (!is_table) continue // nobody can write through it
      await refused(t, sql, `insert into ${name} default values`)
      await refused(t, sql, `update ${name} set ${assigned} = ${assigned}`)
      await refused(t, sql, `delete from ${name}`)
      await refused(t, sql, `truncate ${name} cascade`)
      await refused(t, sql, `alter table ${name} add column forged int`)
    }
    t.is(tables.length, 14)
    await refused(t, sql, `select setval('nms.table_metrics_runs_run_id_seq', 1000)`)
    await refused(t, sql, 'create table nms.forged ()')
    await refused(t, sql, 'select from public.orders')
    t.deepEqual(await rowCounts(sql, run), { 'public.orders': 5 })
  })

  test.serial(`a member of ${role} executes ${executes.length} functions of nms and no other`, async (t) => {
    const db = await withRoles(t)
    const { sql, name } = await member(db, role)
    const functions = await db.sql<{ name: string; call: string; is_granted: boolean }[]>`
      select
        proname as name,
        format(
          'select nms.%I(%s)',
          proname,
          array_to_string(array(select format('null::%s', type::regtype) from unnest(proargtypes) as type), ', ')
        ) as call,
        has_function_privilege(${name}, oid, 'execute') as is_granted
      from pg_proc
      where pronamespace = 'nms'::regnamespace
      order by 1
    `

    t.deepEqual(
      functions.filter(({ is_granted }) => is_granted).map(({ name }) => name),
      executes,
    )
    for (const { name, call } of functions) if (!executes.includes(name)) await refused(t, sql, call)
  })
}

test.serial('execute on collect_table_metrics is all that a caller needs', async (t) => {
  const db = await createDatabase(t)
  const role = await db.createRole()
  const sql = role.connect()
  await db.sql.unsafe(`
    create table public.orders as select generate_series(1, 5) as id;
    grant usage on schema nms to ${role.name};
    grant execute on function nms.collect_table_metrics to ${role.name};
  `)

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.is(run.requested_by, role.name)
  t.deepEqual(await rowCounts(db.sql, run), { 'public.orders': 5 })
  await refused(t, sql, 'select from nms.table_metrics_runs')
  await refused(t, sql, 'select nms.open_run()')
})

for (const granted of ['membership of table_metrics_collector', 'execute on collect_table_metrics']) {
  test.serial(`a run with ${granted} records alerts, which readers see`, async (t) => {
    const db = await withRoles(t)
    const caller = await db.createRole()
    await db.sql.unsafe(
      granted.startsWith('membership')
        ? `grant table_metrics_collector to ${caller.name}`
        : `
            grant usage on schema nms to ${caller.name};
            grant execute on function nms.collect_table_metrics to ${caller.name};
          `,
    )
    const reader = await member(db, 'table_metrics_reader')
    await db.sql`create table public.orders as select generate_series(1, 40) as id`
    const history = Array.from({ length: 20 }, (_, n) => ({ day: n - 20, counts: { 'public.orders': 100 } }))
    await writeRuns(db.sql, history, await daysAgo(db.sql, 0))

    const run = await collect(caller.connect())

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await openAlerts(reader.sql), ['drop public.orders'])
    t.like((await findAlerts(reader.sql, run.run_id))[0], { kind: 'drop', row_count: '40' })
  })
}

test.serial('a collector has alerts recorded again, and announces that a run is missing', async (t) => {
  const db = await withRoles(t)
  const { sql } = await member(db, 'table_metrics_collector')
  await writeRuns(db.sql, [{ day: -2 }], await daysAgo(db.sql, 0))

  t.deepEqual([...(await sql`select nms.record_missing_run() as is_news`)], [{ is_news: true }])
  t.deepEqual([...(await sql`select nms.record_alerts(1) as opened`)], [{ opened: '1' }])

  t.deepEqual((await openAlerts(sql)).sort(), ['no_run_today', 'no_tables'])
})

test.serial('a role that was granted nothing gets nowhere', async (t) => {
  const db = await withRoles(t)
  const sql = (await db.createRole()).connect()
  for (const statement of [
    'select from nms.table_metrics_daily_snapshot',
    'select nms.collect_table_metrics()',
    'select nms.preview_run()',
    'select nms.business_date()',
    'set role table_metrics_collector',
    'set role table_metrics_owner',
  ]) {
    await refused(t, sql, statement)
  }
  t.deepEqual([...(await db.sql`select run_id from nms.table_metrics_runs`)], [])
})

test.serial('everything in nms belongs to a role that is no superuser and cannot log in', async (t) => {
  const db = await withRoles(t)
  const [owner] = await db.sql`
    select rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
    from pg_roles where rolname = 'table_metrics_owner'
  `
  t.deepEqual(owner, {
    rolsuper: false,
    rolcanlogin: false,
    rolcreaterole: false,
    rolcreatedb: false,
    rolreplication: false,
    rolbypassrls: true,
  })
  t.deepEqual(await owners(db.sql), ['table_metrics_owner'])
})

test.serial('row-level security, also forced, and foreign ownership thin no count', async (t) => {
  const db = await withRoles(t)
  const other = await db.createRole()
  await db.sql.unsafe(`
    create table public.hidden as select generate_series(1, 80) as id;
    create table public.forced as select generate_series(1, 90) as id;
    create table public.partial as select generate_series(1, 100) as id;
    create policy only_ten on public.partial using (id <= 10);
    alter table public.hidden owner to ${other.name};
    alter table public.forced owner to table_metrics_owner;
    alter table public.partial owner to ${other.name};
    alter table public.hidden enable row level security;
    alter table public.forced enable row level security, force row level security;
    alter table public.partial enable row level security, force row level security;
  `)

  const run = await collect((await member(db, 'table_metrics_collector')).sql)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.forced': 90,
    'public.hidden': 80,
    'public.partial': 100,
  })
})

test.serial('code in the index of a table runs without the rights of a superuser', async (t) => {
  const db = await withRoles(t)
  const mallory = await db.createRole()
  const spoken: string[] = []
  await db.sql.unsafe(`
    create schema trap authorization ${mallory.name};
    set role ${mallory.name};
    create function trap.spring() returns boolean language plpgsql immutable as $$
    begin
      raise warning 'sprung as % with superuser %', current_user, rolsuper from pg_roles where rolname = current_user;
      return true;
    end
    $$;
    create table trap.bait (id int);
    insert into trap.bait values (1), (2);
    create index on trap.bait (id) where trap.spring();
    reset role;
  `)
  const superuser = db.connect({ onnotice: ({ message }) => spoken.push(message ?? '') })

  const run = await collect(superuser)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(db.sql, run), { 'trap.bait': 2 })
  t.true(spoken.length > 0)
  t.deepEqual([...new Set(spoken)], ['sprung as table_metrics_owner with superuser f'])
})

test.serial('the roles script repeats without a change and without a word', async (t) => {
  const db = await withRoles(t)
  const before = await rights(db.sql)

  const notices = await runRolesScript(db)

  t.deepEqual(notices, [])
  t.deepEqual(await rights(db.sql), before)
  t.true(before.length > 20)
})

test.serial('run again after a migration, it takes what that one created', async (t) => {
  const db = await withRoles(t)
  await db.sql.unsafe(`
    create table nms.later (id int generated always as identity);
    create view nms.newer as select * from nms.later;
    create type nms.mood as enum ('good');
    create function nms.helper() returns int language sql as 'select 1';
    create procedure nms.step() language sql as 'select 1';
    revoke execute on all routines in schema nms from public;
  `)
  t.true((await owners(db.sql)).length > 1)

  await runRolesScript(db)

  t.deepEqual(await owners(db.sql), ['table_metrics_owner'])
  const { sql } = await member(db, 'table_metrics_reader')
  t.deepEqual([...(await sql`select * from nms.later natural join nms.newer`)], [])
})

test.serial('an installer who is no superuser is told what is missing, and can migrate again', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  dropRolesAfterwards(t, db)
  const installer = await db.createRole('createrole')
  const other = await db.createRole()
  const sql = installer.connect()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(installer.name)}`
  await sql.unsafe(await installScript())

  const warnings = await runRolesScript(db, installer)

  const [lacks] = await db.sql<[{ reading: boolean; bypassing: boolean }]>`
    select
      not pg_has_role('table_metrics_owner', 'pg_read_all_data', 'usage') as reading,
      not rolbypassrls as bypassing
    from pg_roles where rolname = 'table_metrics_owner'
  `
  const reading = 'grant pg_read_all_data to table_metrics_owner'
  const bypassing = 'alter role table_metrics_owner bypassrls'
  t.true(lacks.bypassing)
  t.deepEqual(
    warnings.map(({ severity, message }) => `${severity} ${message}`),
    [...(lacks.reading ? [reading] : []), bypassing].map(
      (statement) => `WARNING not permitted: ${statement}`,
    ),
  )
  for (const { detail, hint } of warnings) {
    t.regex(detail ?? '', /\(42501\)/)
    t.regex(hint ?? '', /administrator.*not counted.*FAILED/)
  }
  t.deepEqual(await owners(db.sql), ['table_metrics_owner'])

  await sql.unsafe(await installScript())
  t.is((await runRolesScript(db, installer)).length, warnings.length)

  await db.sql.unsafe(`
    create table public.hidden as select generate_series(1, 80) as id;
    alter table public.hidden enable row level security;
    alter table public.hidden owner to ${other.name};
  `)
  const collector = await member(db, 'table_metrics_collector')
  const before = await collect(collector.sql)
  await db.sql.unsafe(`${reading}; ${bypassing};`)
  const after = await collect(collector.sql)

  t.is(before.status, 'FAILED')
  t.regex(before.error_message ?? '', /public\.hidden.*42501.*table_metrics_owner/)
  t.deepEqual(await rowCounts(db.sql, before), { 'public.hidden': null })
  t.is(after.status, 'SUCCEEDED', after.error_message ?? '')
  t.deepEqual(await rowCounts(db.sql, after), { 'public.hidden': 80 })
})

test.serial('an installer from whom a superuser takes the schema is named', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  dropRolesAfterwards(t, db)
  const installer = await db.createRole()
  const sql = installer.connect()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(installer.name)}`
  await sql.unsafe(await installScript())

  const [warning, ...others] = await runRolesScript(db)
  await refused(t, sql, 'create table nms.later ()')
  await db.sql.unsafe(/grant .* to \w+;/.exec(warning?.hint ?? '')?.[0] ?? 'the hint has no statement')

  t.deepEqual(others, [])
  t.regex(warning?.message ?? '', new RegExp(installer.name))
  await t.notThrowsAsync(async () => sql.unsafe(await installScript()))
})

async function withRoles(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  dropRolesAfterwards(t, db)
  await runRolesScript(db)
  return db
}

/** Runs the script as one string, as a driver does, and returns what the server had to say. */
async function runRolesScript(db: TestDatabase, { url }: { url: string } = db): Promise<Notice[]> {
  const notices: Notice[] = []
  const { username, password } = new URL(url)
  const sql = db.connect({ username, password, onnotice: (notice) => notices.push(notice) })
  await sql.unsafe(rolesScript)
  return notices
}

function dropRolesAfterwards(t: ExecutionContext, { sql }: TestDatabase): void {
  const roles = ['table_metrics_owner', 'table_metrics_collector', 'table_metrics_reader'].join(', ')
  t.teardown(async () => {
    await sql.unsafe(`
      reassign owned by ${roles} to postgres;
      drop owned by ${roles};
      drop role ${roles};
    `)
  })
}

async function member(db: TestDatabase, role: string): Promise<{ name: string; sql: Sql }> {
  const { name, connect } = await db.createRole(`in role ${role}`)
  return { name, sql: connect() }
}

async function refused(t: ExecutionContext, sql: Sql, statement: string): Promise<void> {
  await t.throwsAsync(sql.unsafe(statement), { code: '42501' }, statement)
}

async function dailyPayload(sql: Sql): Promise<unknown> {
  const [daily] = await sql`select payload from nms.table_metrics_daily_snapshot`
  return daily?.payload
}

/** Who owns the schema nms or anything in it. */
async function owners(sql: Sql): Promise<string[]> {
  const rows = await sql<{ owner: string }[]>`
    select nspowner::regrole::text as owner from pg_namespace where nspname = 'nms'
    union select relowner::regrole::text from pg_class where relnamespace = 'nms'::regnamespace
    union select typowner::regrole::text from pg_type where typnamespace = 'nms'::regnamespace
    union select proowner::regrole::text from pg_proc where pronamespace = 'nms'::regnamespace
    order by 1
  `
  return rows.map(({ owner }) => owner)
}

/** Owner and privileges of everything in nms, and the attributes and memberships of the roles. */
async function rights(sql: Sql): Promise<unknown[]> {
  return [
    ...(await sql`
      select nspname::text as name, nspowner::regrole::text as owner, nspacl::text as acl
      from pg_namespace where nspname = 'nms'
      union all
      select relname, relowner::regrole::text, relacl::text from pg_class where relnamespace = 'nms'::regnamespace
      union all
      select typname, typowner::regrole::text, typacl::text from pg_type where typnamespace = 'nms'::regnamespace
      union all
      select proname, proowner::regrole::text, proacl::text from pg_proc where pronamespace = 'nms'::regnamespace
      order by 1, 2, 3
    `),
    ...(await sql`select * from pg_roles where rolname like 'table\\_metrics\\_%' order by rolname`),
    ...(await sql`
      select roleid::regrole::text, member::regrole::text, admin_option
      from pg_auth_members where member::regrole::text like 'table\\_metrics\\_%'
      order by 1, 2
    `),
  ]
}
