import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import postgres, { type Notice } from 'postgres'
import { startTemporaryServer } from '../demo/embedded/server.ts'
import { installScript } from '../src/install/install_script.ts'
import { migrate } from '../src/install/migrate.ts'
import { migrationsFolder } from '../src/install/migrations.ts'
import { findAlerts, openAlerts } from './_support/alerts.ts'
import {
  collect,
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
  withDatabase,
} from './_support/database.ts'
import { daysAgo, writeRuns } from './_support/history.ts'
import { tableMetrics } from './_support/process.ts'

// The roles belong to the whole server: one test at a time.
const rolesScript = await readFile(`${migrationsFolder}/roles.sql`, 'utf8')

const readingCalls = [
  'alert_rule',
  'current_count',
  'list_maintained',
  'alerts_report',
  'alert_rules_report',
  'business_date',
  'check_report',
  'compare_days',
  'compare_report',
  'compare_runs',
  'complete_table',
  'day_report',
  'day_snapshot',
  'days_report',
  'estimate_count',
  'find_alerts',
  'find_day',
  'find_run',
  'find_scope',
  'find_table',
  'forecast_report',
  'growth',
  'growth_report',
  'metrics_report',
  'overview_report',
  'period_report',
  'run_report',
  'run_snapshot',
  'runs_report',
  'status_report',
  'table_report',
  'table_trend',
  'table_trend',
  'tables_report',
  'trend',
  'trend_report',
]
const startingCalls = [
  'abandon_silent_runs',
  'alert_changes',
  'call_filter_function',
  'count_elsewhere',
  'close_run',
  'collect_table_metrics',
  'counting_sessions',
  'terminate_counting',
  'cancel_if_client_is_gone',
  'filter_functions',
  'find_problems',
  'find_worker_problems',
  'find_strange_jobs',
  'is_misspelt',
  'next_slot',
  'fold_counts',
  'give_up_run',
  'yield_target',
  'job_payload',
  'validate_job',
  'measure_targets',
  'open_job',
  'open_run',
  'preview_run',
  'record_alerts',
  'record_missing_run',
  'write_messages',
  'write_digest',
  'take_message',
  'settle_message',
  'request_problem',
  'validate_prune_job',
  'validate_deadline',
  'parse_duration',
  'is_retryable',
  'failed_after_counting',
  'worker_trusts',
  'only_reads_and_requests',
  ...readingCalls,
]
const executes = {
  table_metrics_collector: startingCalls,
  table_metrics_worker: [...startingCalls, 'prunable_runs', 'prune_table_metrics', 'validate_keep_time'],
  table_metrics_maintainer: [
    'is_time_zone',
    'maintain_count',
    'stop_maintaining',
    'fold_counts',
    'why_not_maintained',
    'register_maintained',
    'forget_maintained',
    'note_changes',
    'use_lock_timeout',
    'prune_table_metrics',
    'rebuild_daily_snapshot',
    'rebuild_run_snapshot',
    'resume_carrying',
    'silence_alerts',
    'acknowledge_alert',
    'record_alerts',
    'import_run',
    'prunable_runs',
    'parse_duration',
    'validate_keep_time',
    ...readingCalls,
  ],
  table_metrics_reader: readingCalls,
  table_metrics_requester: [
    'find_worker_problems',
    'job_payload',
    'only_reads_and_requests',
    'queue_run',
    'remember_event',
    'worker_trusts',
  ],
}
/** Who owns what is ours: one function is called without any rights. */
const ours = ['table_metrics_nobody', 'table_metrics_owner']
const readers = Object.keys(executes).filter((role) => role !== 'table_metrics_requester')
// What else than reading a role may do with a table.
const writes: Record<string, Record<string, string[]>> = {
  table_metrics_maintainer: {
    'nms.table_metrics_settings': ['update'],
    'nms.table_metrics_alert_rules': ['insert', 'update', 'delete'],
    'nms.table_metrics_count_rules': ['insert', 'update', 'delete'],
    'nms.table_metrics_filters': ['insert', 'update', 'delete'],
  },
}

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

for (const role of readers) {
  test.serial(
    `a member of ${role} reads every table of nms, and writes to ${role in writes ? 'two' : 'none'}`,
    async (t) => {
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
        // Nothing is strange.
        const found =
          /(alerts|alert_log|_rules|filters|filtered_counts|comparisons|differences|maintained)$/.test(name)
            ? '0'
            : '1'
        t.is(rows?.found, found, name)
        if (!is_table) continue // nobody can write through it
        const statements = {
          insert: `insert into ${name} default values`,
          update: `update ${name} set ${assigned} = ${assigned}`,
          delete: `delete from ${name}`,
          truncate: `truncate ${name} cascade`,
          alter: `alter table ${name} add column forged int`,
        }
        for (const [kind, statement] of Object.entries(statements)) {
          if (!writes[role]?.[name]?.includes(kind)) await refused(t, sql, statement)
        }
      }
      t.true(tables.length >= 13)
      await refused(t, sql, 'select from nms_private.targets')
      await refused(t, sql, `select setval('nms.table_metrics_runs_run_id_seq', 1000)`)
      await refused(t, sql, 'create table nms.forged ()')
      await refused(t, sql, 'select from public.orders')
      t.deepEqual(await rowCounts(sql, run), { 'public.orders': 5 })
    },
  )
}

for (const [role, calls] of Object.entries(executes)) {
  test.serial(`a member of ${role} executes its functions of nms and no other`, async (t) => {
    const db = await withRoles(t)
    const { sql, name } = await member(db, role)
    const functions = await db.sql<{ name: string; call: string; is_granted: boolean }[]>`
      select
        proname as name,
        format(
          'select %I.%I(%s)',
          pronamespace::regnamespace,
          proname,
          array_to_string(array(select format('null::%s', replace(type::regtype::text, 'anyelement', 'text')) from unnest(proargtypes) as type), ', ')
        ) as call,
        has_function_privilege(${name}, oid, 'execute') as is_granted
      from pg_proc
      where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      order by 1
    `

    t.deepEqual(
      functions.filter(({ is_granted }) => is_granted).map(({ name }) => name),
      [...calls].sort(),
    )
    for (const { name, call } of functions) if (!calls.includes(name)) await refused(t, sql, call)
  })
}

test.serial(
  'a maintainer imports, rebuilds, prunes, changes settings, rules and silences, and starts no run',
  async (t) => {
    const db = await withRoles(t)
    const { sql } = await member(db, 'table_metrics_maintainer')
    await db.sql`create table public.orders as select generate_series(1, 5) as id`
    const run = await collect(db.sql)
    const yesterday = await daysAgo(db.sql, 1)

    await sql`select nms.import_run(${yesterday}, '{"public": {"orders": 4}}')`
    await sql`select nms.rebuild_run_snapshot(${run.run_id})`
    await sql`select nms.rebuild_daily_snapshot(${yesterday})`
    await sql`select nms_private.validate_keep_time('400 days')`
    await sql`select * from nms.prunable_runs(keep_runs => '400 days', keep_daily => '400 days')`
    await sql`select * from nms.prune_table_metrics(keep_runs => '400 days', keep_daily => '400 days')`
    await sql`update nms.table_metrics_settings set business_time_zone = 'Europe/Berlin', lock_timeout = '2 s'`
    await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, silenced_until)
    values ('public', 'orders', current_date + 1)
  `
    await sql`update nms.table_metrics_alert_rules set is_on = false`
    await sql`delete from nms.table_metrics_alert_rules`

    t.deepEqual(
      [...(await sql`select payload from nms.table_metrics_daily_snapshot order by snapshot_date`)],
      [{ payload: { public: { orders: 4 } } }, { payload: { public: { orders: 5 } } }],
    )
    await t.throwsAsync(sql.unsafe(`update nms.table_metrics_settings set business_time_zone = 'Mars'`), {
      code: '23514',
    })
    await refused(t, sql, 'select nms.open_run()')
    await refused(t, sql, 'select nms.collect_table_metrics()')
  },
)

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

  t.deepEqual([...(await sql`select nms_private.record_missing_run() as is_news`)], [{ is_news: true }])
  t.deepEqual([...(await sql`select nms.record_alerts(1) as opened`)], [{ opened: '1' }])

  t.deepEqual((await openAlerts(sql)).sort(), ['no_tables', 'run_late'])
})

test.serial('a requester reads nothing', async (t) => {
  const db = await withRoles(t)
  const { sql } = await member(db, 'table_metrics_requester')
  const tables = await db.sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind in ('r', 'v')
  `
  t.true(tables.length > 10)
  for (const { name } of tables) await refused(t, sql, `select from ${name}`)
  await refused(t, sql, `insert into nms_private.events (source, event_id) values ('cron', '1')`)
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
  t.deepEqual(await owners(db.sql), ours)
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
    revoke execute on all routines in schema nms, nms_private from public;
  `)
  t.true((await owners(db.sql)).length > 1)

  await runRolesScript(db)

  t.deepEqual(await owners(db.sql), ours)
  const { sql } = await member(db, 'table_metrics_reader')
  t.deepEqual([...(await sql`select * from nms.later natural join nms.newer`)], [])
})

test.serial('an installer who is no superuser is told what is missing, and can migrate again', async (t) => {
  const db = await createDatabaseWithoutRoles(t)
  const installer = await db.createRole('createrole')
  const other = await db.createRole()
  const sql = installer.connect()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(installer.name)}`
  await sql.unsafe(await installScript())

  const warnings = await runRolesScript(db, installer)

  const [lacks] = await db.sql<[{ reading: boolean; bypassing: boolean; watching: boolean }]>`
    select
      not pg_has_role('table_metrics_owner', 'pg_read_all_data', 'usage') as reading,
      not rolbypassrls as bypassing,
      not pg_has_role('table_metrics_owner', 'pg_read_all_stats', 'usage') as watching
    from pg_roles where rolname = 'table_metrics_owner'
  `
  const reading = 'grant pg_read_all_data to table_metrics_owner'
  const bypassing = 'alter role table_metrics_owner bypassrls'
  const watching = 'grant pg_read_all_stats to table_metrics_owner'
  t.true(lacks.bypassing)
  t.deepEqual(
    warnings.map(({ severity, message }) => `${severity} ${message}`),
    [...(lacks.reading ? [reading] : []), bypassing, ...(lacks.watching ? [watching] : [])].map(
      (statement) => `WARNING not permitted: ${statement}`,
    ),
  )
  for (const { detail, hint } of warnings) {
    t.regex(detail ?? '', /\(42501\)/)
    t.regex(hint ?? '', /administrator.*(not counted.*FAILED|every table is counted)/)
  }
  t.deepEqual(await owners(db.sql), ours)

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

for (const attributes of ['createrole', 'superuser']) {
  test.serial(
    `migrate as a ${attributes} makes the roles, hands the schema over, and can be repeated`,
    async (t) => {
      const db = await createDatabaseWithoutRoles(t)
      const installer = await db.createRole(attributes)
      await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(installer.name)}`
      await db.sql`create table public.orders as select generate_series(1, 5) as id`

      const first = await migrate(installer.url)
      const before = await rights(db.sql)
      const second = await migrate(installer.url)

      t.deepEqual(first.created, [
        'schema nms',
        'schema nms_private',
        'schema graphile_migrate',
        'role table_metrics_owner',
        'role table_metrics_collector',
        'role table_metrics_worker',
        'role table_metrics_maintainer',
        'role table_metrics_reader',
        'role table_metrics_requester',
        'role table_metrics_nobody',
      ])
      t.is(first.owner, 'table_metrics_owner')
      t.is(first.keptBecause, null)
      t.deepEqual(await owners(db.sql), ours)
      t.like(second, { applied: [], created: [], owner: 'table_metrics_owner', keptBecause: null })
      t.deepEqual(await rights(db.sql), before)
      // A role that may not read everything can only be made by one that does not read everything either.
      t.is(first.warnings.length > 0, attributes === 'createrole')
      t.deepEqual(second.warnings, first.warnings)
      const { sql } = await member(db, 'table_metrics_collector')
      // Before 16, who may create roles may also let them read everything.
      const [{ lets }] = await db.sql<[{ lets: boolean }]>`
        select current_setting('server_version_num')::integer < 160000 as lets
      `
      t.is((await collect(sql)).status, attributes === 'superuser' || lets ? 'SUCCEEDED' : 'FAILED')
    },
  )
}

test.serial('an ordinary owner installs for itself, and is told why', async (t) => {
  const db = await createDatabaseWithoutRoles(t)
  const installer = await db.createRole()
  await db.sql`grant create on database ${db.sql(db.name)} to ${db.sql(installer.name)}`

  const first = await migrate(installer.url)
  const second = await migrate(installer.url)

  t.is(first.owner, installer.name)
  t.regex(first.keptBecause ?? '', /role/)
  t.deepEqual(first.created, ['schema nms', 'schema nms_private', 'schema graphile_migrate'])
  t.deepEqual(first.warnings, [])
  t.like(second, { applied: [], created: [], owner: installer.name })
  t.deepEqual([...(await db.sql`select from pg_roles where rolname like 'table_metrics%'`)], [])
})

test.serial(
  'with --keep-owner a superuser keeps the schema, is warned, and the next migrate hands it over',
  async (t) => {
    const db = await createDatabaseWithoutRoles(t)

    const kept = await tableMetrics(t, db.url, ['migrate', '--keep-owner'])
    const collected = await tableMetrics(t, db.url, ['collect'])
    const advice = await tableMetrics(t, db.url, ['doctor'])
    const made = await db.sql`select from pg_roles where rolname like 'table_metrics%'`
    const handed = await tableMetrics(t, db.url, ['migrate'])
    const later = await tableMetrics(t, db.url, ['collect'])

    t.is(kept.status, 0, kept.stderr)
    t.regex(
      kept.stderr,
      /schema nms belongs to postgres\nwarning: .* superuser postgres.*table-metrics migrate/,
    )
    t.regex(collected.stderr, /warning: .* superuser postgres/)
    t.regex(advice.stderr, /owned_by_superuser/)
    t.deepEqual([...made], [])
    t.is(handed.status, 0, handed.stderr)
    t.notRegex(handed.stderr, /warning/)
    t.notRegex(later.stderr, /superuser/)
    t.deepEqual(await owners(db.sql), ours)
  },
)

test.serial('databases of one server that migrate at once make the roles together', async (t) => {
  const db = await createDatabaseWithoutRoles(t)
  const names = [1, 2, 3, 4].map((n) => `beside_${n}`)
  for (const name of names) await db.sql`create database ${db.sql(name)}`

  const results = await Promise.all(names.map((name) => migrate(withDatabase(db.url, name))))

  for (const { owner, applied } of results) {
    t.is(owner, 'table_metrics_owner')
    t.is(applied.length, 1)
  }
})

test.serial('a table_metrics_owner who is a superuser is refused', async (t) => {
  const db = await createDatabaseWithoutRoles(t)
  await db.sql`create role table_metrics_owner superuser`

  const error = await t.throwsAsync(migrate(db.url), { code: '55000' })

  t.regex(error?.message ?? '', /table_metrics_owner is a superuser/)
  t.deepEqual([...(await db.sql`select from pg_namespace where nspname in ('nms', 'nms_private')`)], [])
})

test.serial(
  'what somebody else has put among our objects is not handed the rights of the owner',
  async (t) => {
    const db = await createDatabase(t)
    const mallory = await db.createRole()
    await db.sql.unsafe(`
    grant create on schema nms to ${mallory.name};
    set role ${mallory.name};
    create function nms.helper() returns void language sql security definer as 'select';
    reset role;
  `)
    const before = await owners(db.sql)

    const error = await t.throwsAsync(runRolesScript(db), { code: '55000' })

    t.true(error?.message.includes(`function nms.helper() belongs to ${mallory.name}`), error?.message)
    t.deepEqual(await owners(db.sql), before)
  },
)

/** A database on a server of its own, where nobody has made the roles. */
async function createDatabaseWithoutRoles(t: ExecutionContext): Promise<TestDatabase> {
  const server = await startTemporaryServer({
    ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
    settings: { fsync: 'off' },
  })
  t.teardown(server.stop)
  const admin = postgres(server.url('postgres'), { max: 1 })
  await admin`create database empty_template`
  await admin.end()
  return createDatabase(t, 'empty_template', server.url('postgres'))
}

async function withRoles(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
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
    select nspowner::regrole::text as owner from pg_namespace where nspname in ('nms', 'nms_private')
    union select relowner::regrole::text from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
    union select typowner::regrole::text from pg_type where typnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
    union select proowner::regrole::text from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
    order by 1
  `
  return rows.map(({ owner }) => owner)
}

/** Owner and privileges of everything in nms, and the attributes and memberships of the roles. */
async function rights(sql: Sql): Promise<unknown[]> {
  return [
    ...(await sql`
      select nspname::text as name, nspowner::regrole::text as owner, nspacl::text as acl
      from pg_namespace where nspname in ('nms', 'nms_private')
      union all
      select relname, relowner::regrole::text, relacl::text from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      union all
      select typname, typowner::regrole::text, typacl::text from pg_type where typnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      union all
      select proname, proowner::regrole::text, proacl::text from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
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
