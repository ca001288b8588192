import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { diagnose } from '../../src/doctor/doctor.ts'
import { installScript } from '../../src/install/install_script.ts'
import { migrate } from '../../src/install/migrate.ts'
import { collect, createDatabase, rowCounts, type Sql, type TestDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { startPgbouncer } from '../_support/pgbouncer.ts'
import { failsClearly, run, startTableMetrics, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const allMigrations = ['000001.sql']

const emptyDatabase = (t: ExecutionContext) => createDatabase(t, 'empty_template')

test('migrate installs, and a run works right after', async (t) => {
  const db = await emptyDatabase(t)
  await db.sql`create table public.apples as select generate_series(1, 3) as id`

  const result = await migrate(db.url)

  t.like(result, {
    applied: allMigrations,
    owner: 'table_metrics_owner',
    keptBecause: null,
    warnings: [],
    businessTimeZone: 'America/New_York',
  })
  // Roles belong to the whole server, and other tests make them, too.
  t.deepEqual(
    result.created.filter((object) => !object.startsWith('role')),
    ['schema nms', 'schema nms_private', 'schema graphile_migrate'],
  )
  const installed = await db.sql<{ name: string }[]>`
    select object.name
    from (
      select oid::regclass::text
      from pg_class
      where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'r'
      union all
      select oid::regproc::text
      from pg_proc
      where
        pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        and proname in ('business_date', 'close_run', 'collect_table_metrics', 'open_run', 'preview_run', 'fail_run')
    ) as object (name)
    order by object.name collate "C"
  `
  t.deepEqual(
    installed.map(({ name }) => name),
    [
      'nms.business_date',
      'nms.close_run',
      'nms.collect_table_metrics',
      'nms.open_run',
      'nms.preview_run',
      'nms.table_metrics_alert_log',
      'nms.table_metrics_alert_rules',
      'nms.table_metrics_comparisons',
      'nms.table_metrics_count_rules',
      'nms.table_metrics_daily_snapshot',
      'nms.table_metrics_differences',
      'nms.table_metrics_filtered_counts',
      'nms.table_metrics_filters',
      'nms.table_metrics_measurements',
      'nms.table_metrics_run_snapshot',
      'nms.table_metrics_runs',
      'nms.table_metrics_settings',
      'nms_private.alert_turn',
      'nms_private.bases',
      'nms_private.carrying_runs',
      'nms_private.count_deltas',
      'nms_private.count_sums',
      'nms_private.events',
      'nms_private.fail_run',
      'nms_private.foreign_counts',
      'nms_private.job_turn',
      'nms_private.key_positions',
      'nms_private.maintained_counts',
      'nms_private.messages',
      'nms_private.readings',
      'nms_private.targets',
      'nms_private.trigger_changes',
      'nms_private.vouching',
    ],
  )
  const counted = await collect(db.sql)
  t.is(counted.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, counted), { 'public.apples': 3 })
})

test('migrate changes nothing the second time', async (t) => {
  const db = await emptyDatabase(t)
  await migrate(db.url)
  const before = await fingerprint(db.sql)
  const historyBefore = await history(db.sql)

  const result = await migrate(db.url)

  t.deepEqual(result.applied, [])
  t.true(before.length > 100)
  t.deepEqual(await fingerprint(db.sql), before)
  t.is(historyBefore.length, allMigrations.length)
  t.deepEqual(await history(db.sql), historyBefore)
})

test('SNAPSHOT_TZ sets the business time zone at the first install, later ones say how to change it', async (t) => {
  const db = await emptyDatabase(t)

  const first = await tableMetrics(t, db.url, ['migrate'], { SNAPSHOT_TZ: 'Europe/Berlin' })
  const second = await tableMetrics(t, db.url, ['migrate'], { SNAPSHOT_TZ: 'Asia/Kolkata' })

  t.is(first.status, 0, first.stderr)
  t.regex(
    first.stderr,
    /created schema nms\ncreated schema nms_private\ncreated schema graphile_migrate\n(created role \w+\n)*installed 000001\.sql\nschema nms belongs to table_metrics_owner\nbusiness time zone: Europe\/Berlin\n$/,
  )
  t.is(second.status, 0, second.stderr)
  t.regex(
    second.stderr,
    /^already up to date\nschema nms belongs to table_metrics_owner\nbusiness time zone: Europe\/Berlin\n/,
  )
  const [update] = /update nms\.table_metrics_settings .*;/.exec(second.stderr) ?? ['']
  t.is(await businessTimeZone(db.sql), 'Europe/Berlin')
  await db.sql.unsafe(update)
  t.is(await businessTimeZone(db.sql), 'Asia/Kolkata')
})

// JavaScript knows the second one, Postgres does not.
for (const zone of ['Mars/Olympus', '+05:00']) {
  test(`migrate refuses the time zone ${zone} in one line and leaves nothing behind`, async (t) => {
    const db = await emptyDatabase(t)
    const before = await everything(db.sql)

    const finished = await tableMetrics(t, db.url, ['migrate'], { SNAPSHOT_TZ: zone })

    failsClearly(t, finished, 'SNAPSHOT_TZ', zone, 'Europe/Berlin')
    t.is(finished.stderr.trim().split('\n').length, 1)
    t.deepEqual(await everything(db.sql), before)
    await t.throwsAsync(migrate(db.url, zone), { message: /SNAPSHOT_TZ/ })
    t.deepEqual(await everything(db.sql), before)
  })
}

for (const filename of ['000001.sql', '000123.sql']) {
  test(`migrate refuses the graphile-migrate history of another project, names the way out and changes nothing: ${filename}`, async (t) => {
    const db = await emptyDatabase(t)
    await createHistory(db.sql)
    await db.sql`insert into graphile_migrate.migrations (hash, filename) values ('sha1:theirs', ${filename})`
    const before = await everything(db.sql)
    const historyBefore = await history(db.sql)

    const finished = await tableMetrics(t, db.url, ['migrate'])

    failsClearly(t, finished, filename, 'table-metrics sql')
    t.deepEqual(await everything(db.sql), before)
    t.deepEqual(await history(db.sql), historyBefore)

    await db.connect().unsafe((await tableMetrics(t, db.url, ['sql'])).stdout)
    t.is((await collect(db.sql)).status, 'SUCCEEDED', 'the way out works')
    t.deepEqual(await history(db.sql), historyBefore)
  })
}

test('migrate refuses an install by a newer version and says to use that', async (t) => {
  const db = await createDatabase(t)
  await db.sql`
    insert into graphile_migrate.migrations (hash, previous_hash, filename)
    select 'sha1:later', max(hash), '999999.sql' from graphile_migrate.migrations
  `
  const before = await everything(db.sql)

  const finished = await tableMetrics(t, db.url, ['migrate'])

  failsClearly(t, finished, '999999.sql', 'newer version')
  t.deepEqual(await everything(db.sql), before)
})

for (const processes of [2, 5]) {
  test(`${processes} that migrate at once end with one install and no error`, async (t) => {
    const db = await emptyDatabase(t)

    const finished = await Promise.all(
      Array.from({ length: processes }, () => tableMetrics(t, db.url, ['migrate', '--json'])),
    )

    t.deepEqual(
      finished.map(({ status }) => status),
      Array(processes).fill(0),
      finished.map(({ stderr }) => stderr).join('\n'),
    )
    const applied = finished.map(({ stdout }) => JSON.parse(stdout).applied.length)
    t.deepEqual(applied.sort(), [...Array(processes - 1).fill(0), allMigrations.length])
    t.is((await history(db.sql)).length, allMigrations.length)
    t.is((await collect(db.sql)).status, 'SUCCEEDED')
  })
}

test('migrate may be called five times at once in one process', async (t) => {
  const db = await emptyDatabase(t)

  const results = await Promise.all(Array.from({ length: 5 }, () => migrate(db.url)))

  t.deepEqual(results.map(({ applied }) => applied.length).sort(), [0, 0, 0, 0, allMigrations.length])
  t.is((await history(db.sql)).length, allMigrations.length)
})

// What another session does to stop a migration half-way, and the statement that then waits.
const halts = {
  'at its first statement': async (session: Sql) => {
    await session.unsafe('begin; create schema nms')
  },
  'before its commit': async (session: Sql) => {
    await createHistory(session)
    await session.unsafe('begin; lock table graphile_migrate.migrations in share mode')
  },
}

for (const [moment, halt] of Object.entries(halts)) {
  test(`an install whose process is killed ${moment} can be repeated`, async (t) => {
    const db = await emptyDatabase(t)
    const holder = db.connect()
    await halt(holder)
    const first = startTableMetrics(t, db.url, ['migrate'])
    await waitingBackend(db)
    first.kill('SIGKILL')
    t.is((await first.finished).signal, 'SIGKILL')
    await holder`rollback`

    const second = await tableMetrics(t, db.url, ['migrate', '--json'])

    t.is(second.status, 0, second.stderr)
    t.deepEqual(JSON.parse(second.stdout).applied, allMigrations)
    t.is((await collect(db.sql)).status, 'SUCCEEDED')
  })

  test(`an install whose session is terminated ${moment} fails clearly and can be repeated`, async (t) => {
    const db = await emptyDatabase(t)
    const holder = db.connect()
    await halt(holder)
    const first = startTableMetrics(t, db.url, ['migrate'])
    await db.sql`select pg_terminate_backend(${await waitingBackend(db)})`

    failsClearly(t, await first.finished, 'run this again')

    await holder`rollback`
    t.deepEqual((await migrate(db.url)).applied, allMigrations)
    t.is((await collect(db.sql)).status, 'SUCCEEDED')
  })
}

test('nobody who holds advisory locks keeps migrate from its work', async (t) => {
  const db = await emptyDatabase(t)
  const stranger = (await db.createRole()).connect()
  await stranger.unsafe(`
    select
      pg_advisory_lock(4727445306447283), -- that of graphile-migrate
      pg_advisory_lock(hashtextextended('nms-table-metrics migrate', 0))
  `)

  const result = await migrate(db.url, undefined, { timeout: 0 })

  t.deepEqual(result.applied, allMigrations)
})

test('whoever is in the way of migrate is named, and nothing is left', async (t) => {
  const db = await createDatabase(t)
  const before = await fingerprint(db.sql)
  const other = db.connect({ connection: { application_name: 'billing' } })
  const [{ pid }] = await other<[{ pid: number }]>`select pg_backend_pid() as pid`
  await other.unsafe('begin; lock table graphile_migrate.migrations')

  const error = await t.throwsAsync(migrate(db.url, undefined, { timeout: 0 }), { code: '55P03' })

  t.true(error?.message.includes(`process ${pid} of postgres (billing)`), error?.message)
  t.deepEqual(await fingerprint(db.sql), before)
  await other`rollback`
})

test('behind a pooler in transaction mode migrate installs, and leaves no setting to other clients', async (t) => {
  const db = await emptyDatabase(t)
  const pooler = await startPgbouncer(t, db.url, 1) // one session, for whoever comes next

  t.deepEqual((await migrate(pooler.url, 'Europe/Berlin')).applied, allMigrations)
  t.deepEqual((await migrate(pooler.url)).applied, [])

  const sql = postgres(pooler.url, { max: 1, prepare: false })
  const [next] = await sql`
    select current_setting('search_path') as path, current_setting('nms.keeps_history') as flag
  `
  await sql.end()
  t.deepEqual(next, { path: '"$user", public', flag: '' })
})

test('an install that lacks a function is reported, and the script restores it', async (t) => {
  const db = await createDatabase(t)
  const complete = await fingerprint(db.sql)
  await db.sql`drop function nms.preview_run`

  const finished = await tableMetrics(t, db.url, ['migrate'])

  failsClearly(t, finished, 'it lacks preview_run:', 'table-metrics sql')
  await db.connect().unsafe(await installScript())
  t.deepEqual((await migrate(db.url, undefined, { keepOwner: true })).applied, [])
  t.deepEqual(await fingerprint(db.sql), complete)
})

test('the script gives the same objects as migrate, through a driver and through psql', async (t) => {
  const [migrated, driven, piped] = [await createDatabase(t), await emptyDatabase(t), await emptyDatabase(t)]
  const script = await tableMetrics(t, migrated.url, ['sql'])
  t.is(script.status, 0, script.stderr)
  const expected = await fingerprint(migrated.sql)

  await driven.connect().unsafe(script.stdout)

  t.deepEqual(await fingerprint(driven.sql), expected)
  t.is((await collect(driven.sql)).status, 'SUCCEEDED')

  const file = join(tmpdir(), `${piped.name}.sql`)
  t.teardown(() => rm(file, { force: true }))
  await writeFile(file, script.stdout)
  const psql = await run(t, 'psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', file, piped.url]).catch(
    (error: Error) => error,
  )
  if (psql instanceof Error) {
    t.log(`not run through psql: ${psql.message}`)
    return
  }
  t.is(psql.status, 0, psql.stderr)
  t.is(psql.stderr, '')
  t.deepEqual(await fingerprint(piped.sql), expected)
})

test('a psql that takes its time gets the whole script', async (t) => {
  const { stdout } = await tableMetrics(t, '', ['sql'])

  const read = await run(t, 'sh', ['-c', `${process.execPath} src/cli.ts sql | (sleep 2; cat)`])

  t.is(read.stdout.length, stdout.length)
})

test('the script changes nothing the second time, whatever time zone it names', async (t) => {
  const db = await emptyDatabase(t)
  await db.connect().unsafe(await installScript('Asia/Kolkata'))
  await collect(db.sql)
  const before = await fingerprint(db.sql)

  await db.connect().unsafe(await installScript('Europe/Berlin'))

  t.is(await businessTimeZone(db.sql), 'Asia/Kolkata')
  t.deepEqual(await fingerprint(db.sql), before)
  t.is((await db.sql`select from nms.table_metrics_runs`).length, 1)
})

test('SNAPSHOT_TZ sets the business time zone of the script', async (t) => {
  const db = await emptyDatabase(t)

  const script = await tableMetrics(t, '', ['sql'], { SNAPSHOT_TZ: 'Pacific/Auckland' })
  await db.connect().unsafe(script.stdout)

  t.is(await businessTimeZone(db.sql), 'Pacific/Auckland')
})

test('a script that fails leaves nothing behind', async (t) => {
  const db = await emptyDatabase(t)
  const before = await everything(db.sql)
  const session = db.connect()

  await t.throwsAsync(session.unsafe(await installScript("Mars/O'lympus")), { code: '23514' })

  await session`rollback`
  t.deepEqual(await everything(db.sql), before)
})

test('migrate works after an install by script', async (t) => {
  const db = await emptyDatabase(t)
  await db.connect().unsafe(await installScript('Asia/Kolkata'))
  await collect(db.sql)
  const before = await fingerprint(db.sql)

  const result = await migrate(db.url, 'Europe/Berlin', { keepOwner: true })

  t.like(result, { applied: allMigrations, businessTimeZone: 'Asia/Kolkata' })
  t.deepEqual(await fingerprint(db.sql), before)
  t.is((await db.sql`select from nms.table_metrics_runs`).length, 1)
})

/** Process id of the session in which a migration waits for a lock. */
async function waitingBackend({ sql }: TestDatabase): Promise<number> {
  let pid: number | undefined
  await eventually(async () => {
    const [waiting] = await sql<{ pid: number }[]>`
      select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    `
    pid = waiting?.pid
    return pid !== undefined
  }, 'the migration waits')
  return pid as number
}

/** What graphile-migrate creates before its first migration. */
async function createHistory(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema graphile_migrate;
    create table graphile_migrate.migrations (
      hash text primary key,
      previous_hash text references graphile_migrate.migrations,
      filename text not null,
      date timestamptz not null default now()
    );
    create table graphile_migrate.current (
      filename text primary key default 'current.sql',
      content text not null,
      date timestamptz not null default now()
    );
  `)
}

async function history(sql: Sql): Promise<unknown[]> {
  return [...(await sql`select * from graphile_migrate.migrations order by filename`)]
}

async function businessTimeZone(sql: Sql): Promise<string | undefined> {
  const [settings] = await sql<{ zone: string }[]>`
    select business_time_zone as zone from nms.table_metrics_settings
  `
  return settings?.zone
}

/** Every object of the database that did not come with it: which, and in which version. */
async function everything(sql: Sql): Promise<unknown[]> {
  return [
    ...(await sql`
      select 'relation' as kind, oid, xmin::text from pg_class where oid >= 16384
      union all
      select 'function', oid, xmin::text from pg_proc where oid >= 16384
      union all
      select 'type', oid, xmin::text from pg_type where oid >= 16384
      union all
      select 'schema', oid, xmin::text from pg_namespace where oid >= 16384
      order by kind, oid
    `),
  ]
}

/** Schema nms, object for object: definition, comment, owner and privileges of each, and the settings. */
async function fingerprint(sql: Sql): Promise<unknown[]> {
  return [
    ...(await sql`
      with object (catalog, oid, part, name, owner, definition, privileges) as (
        select
          'pg_namespace', oid, 0, nspname::text, nspowner, null, nspacl
        from pg_namespace
        where nspname in ('nms', 'nms_private')
        union all
        select
          'pg_class', oid, 0, relname, relowner,
          format('%s %s %s %s', relkind, relpersistence, relrowsecurity, reloptions), relacl
        from pg_class
        where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        union all
        select
          'pg_class', attrelid, attnum, format('%s.%s', attrelid::regclass, attname), null,
          format(
            '%s %s not null %s identity %s collation %s default %s', attnum, format_type(atttypid, atttypmod),
            attnotnull, attidentity, attcollation::regcollation, pg_get_expr(adbin, adrelid)
          ),
          attacl
        from pg_attribute
        join pg_class on pg_class.oid = attrelid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and attnum > 0 and not attisdropped
        union all
        select 'pg_class', indexrelid, -1, indexrelid::regclass::text, null, pg_get_indexdef(indexrelid), null
        from pg_index
        join pg_class on pg_class.oid = indexrelid
        where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        union all
        select
          'pg_constraint', oid, 0, conname, null,
          format('%s %s %s', conrelid::regclass, convalidated, pg_get_constraintdef(oid)), null
        from pg_constraint
        where connamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        union all
        select 'pg_trigger', pg_trigger.oid, 0, tgname, null, format('%s %s', tgenabled, pg_get_triggerdef(pg_trigger.oid)), null
        from pg_trigger
        join pg_class on pg_class.oid = tgrelid
        where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and not tgisinternal
        union all
        select
          'pg_proc', oid, 0, oid::regprocedure::text, proowner, pg_get_functiondef(oid), proacl
        from pg_proc
        where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        union all
        select 'pg_type', oid, 0, typname, typowner, typtype::text, typacl
        from pg_type
        where typnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      )
      select
        catalog, name, owner::regrole::text, definition, privileges::text,
        case when part > 0 then col_description(oid, part) else obj_description(oid, catalog) end as comment
      from object
      union all
      select 'settings', null, null, to_jsonb(settings)::text, null, null
      from nms.table_metrics_settings as settings
      order by catalog, name, definition
    `),
  ]
}

// Tables that lack what this version has: of a state with one schema, and of one with both.
const oneSchema = `
  create schema nms;
  create table nms.table_metrics_settings (business_time_zone text);
  insert into nms.table_metrics_settings values ('Asia/Kolkata');
  create table nms.table_metrics_runs (run_id bigint primary key);
  create table nms.table_metrics_daily_snapshot (snapshot_date date primary key, payload jsonb not null);
  insert into nms.table_metrics_daily_snapshot values
    ('2025-03-01', '{"public": {"orders": 7}}'), ('2025-03-02', '{"public": {"orders": 8}}');
`
const bothSchemas = `
  select nms.import_run('2025-03-01', '{"public": {"orders": 7}}'), nms.import_run('2025-03-02', '{"public": {"orders": 8}}');
  alter table nms.table_metrics_runs rename is_imported to is_recorded;
`

const earlier: Record<string, (db: TestDatabase) => Promise<unknown>> = {
  'by migrate': async ({ sql }) => {
    await createHistory(sql)
    await sql`insert into graphile_migrate.migrations (hash, filename) values ('sha1:earlier', '000001.sql')`
    await sql.unsafe(oneSchema)
  },
  'by the script': ({ sql }) => sql.unsafe(oneSchema),
  'by migrate, in both schemas': async ({ sql, url }) => {
    await migrate(url, 'Asia/Kolkata')
    await sql.unsafe(bothSchemas)
    await sql`update graphile_migrate.migrations set hash = 'sha1:earlier'`
  },
}

for (const [how, make] of Object.entries(earlier)) {
  test(`an install of an earlier state, made ${how}, is told how to keep its days, and not touched`, async (t) => {
    const db = await emptyDatabase(t)
    await make(db)
    const before = await everything(db.sql)

    const migrated = await tableMetrics(t, db.url, ['migrate'])
    const scripted = await t.throwsAsync<Error & { code: string; hint: string }>(
      db.connect().unsafe(await installScript()),
      { code: '55000' },
    )
    const { problems } = await diagnose(db.url)

    failsClearly(t, migrated, 'earlier state', 'nms_before', 'import_run', 'SNAPSHOT_TZ=Asia/Kolkata')
    t.regex(scripted?.hint ?? '', /nms_before/)
    const hint = /^hint: (.*)$/m.exec(migrated.stderr)?.[1] ?? ''
    t.deepEqual(
      problems.map(({ severity, problem, remedy }) => [severity, problem, remedy]),
      [['error', 'install_earlier', hint]],
    )
    t.deepEqual(await everything(db.sql), before)

    // What the hint says, as it says it.
    const statements = hint.match(/(alter|delete|select|drop) [^;]*;/g) ?? []
    const keeping = statements.findIndex((statement) => statement.startsWith('select'))
    for (const statement of statements.slice(0, keeping)) await db.sql.unsafe(statement)
    await migrate(db.url, 'Asia/Kolkata')
    for (const statement of statements.slice(keeping)) await db.sql.unsafe(statement)
    t.deepEqual(
      [...(await db.sql`select payload from nms.table_metrics_daily_snapshot order by snapshot_date`)],
      [{ payload: { public: { orders: 7 } } }, { payload: { public: { orders: 8 } } }],
    )
  })
}

test('beside an install of an earlier state, the history of another project is not to be deleted', async (t) => {
  const db = await emptyDatabase(t)
  await createHistory(db.sql)
  await db.sql`
    insert into graphile_migrate.migrations (hash, filename) values ('sha1:a', '000001.sql'), ('sha1:b', '000002.sql')
  `
  await db.sql.unsafe(oneSchema)

  const migrated = await tableMetrics(t, db.url, ['migrate'])

  failsClearly(t, migrated, 'earlier state', 'nms_before')
  t.notRegex(migrated.stderr, /delete from/)
})

for (const dropped of ['nms', 'nms, nms_private']) {
  test(`after "drop schema ${dropped} cascade" doctor says to migrate, and migrate installs anew`, async (t) => {
    const db = await createDatabase(t)
    const complete = await fingerprint(db.sql)
    await db.sql`select nms.open_run()`
    await db.sql`select nms.measure_targets(1)`
    await db.sql.unsafe(`drop schema ${dropped} cascade`)

    const { problems } = await diagnose(db.url)
    const { applied, created } = await migrate(db.url, undefined, { keepOwner: true })

    t.deepEqual(
      problems.map(({ problem, remedy }) => [problem, remedy]),
      [['not_installed', 'table-metrics migrate']],
    )
    t.deepEqual(applied, allMigrations)
    t.true(created.includes('schema nms'))
    t.deepEqual(await fingerprint(db.sql), complete)
    t.is((await history(db.sql)).length, allMigrations.length)
    t.deepEqual((await migrate(db.url, undefined, { keepOwner: true })).applied, [])
  })
}

test('the script installs anew as well after "drop schema nms cascade"', async (t) => {
  const db = await createDatabase(t)
  const complete = await fingerprint(db.sql)
  await db.sql`drop schema nms cascade`

  await db.connect().unsafe(await installScript())

  t.deepEqual(await fingerprint(db.sql), complete)
})

test('an uninstall leaves nothing, and a later migrate installs anew', async (t) => {
  const db = await emptyDatabase(t)
  await migrate(db.url)
  const before = await fingerprint(db.sql)
  await db.sql.unsafe(`
    drop schema nms, nms_private cascade;
    delete from graphile_migrate.migrations;
  `)
  t.deepEqual(
    [...(await db.sql`select nspname from pg_namespace where nspname in ('nms', 'nms_private')`)],
    [],
  )

  t.deepEqual((await migrate(db.url)).applied, allMigrations)

  t.deepEqual(await fingerprint(db.sql), before)
})
