import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { installScript } from '../src/install/install_script.ts'
import { migrate } from '../src/install/migrate.ts'
import { createDatabase, type Sql, type TestDatabase } from './_support/database.ts'
import { failsClearly, run, tableMetrics } from './_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

// What mallory puts where ours belongs: code of hers, which raises an error when it runs.
const trap = `
  create function public.spring() returns trigger language plpgsql as
    'begin raise exception ''sprung as %'', current_user; end';
  create function public.spring_too() returns boolean language plpgsql as
    'begin raise exception ''sprung as %'', current_user; end';
`
const emptyHistory = `
  create table graphile_migrate.migrations (
    hash text primary key, previous_hash text references graphile_migrate.migrations, filename text not null,
    date timestamptz not null default now()
  );
`

const places: { what: string; set: string; names: string[]; concernsScript?: false }[] = [
  { what: 'an empty schema', set: 'create schema nms', names: ['schema nms'] },
  { what: 'an empty inner schema', set: 'create schema nms_private', names: ['schema nms_private'] },
  {
    what: 'a trigger on the settings',
    set: `
      create schema nms;
      create table nms.table_metrics_settings (singleton boolean primary key, business_time_zone text);
      create trigger spring before insert on nms.table_metrics_settings execute function public.spring();
    `,
    names: ['schema nms'],
  },
  {
    what: 'a view instead of the history',
    set: `
      create schema graphile_migrate;
      create view graphile_migrate.migrations as
        select 'a' as hash, 'b' as previous_hash, 'c' as filename where public.spring_too();
    `,
    names: ['schema graphile_migrate'],
    concernsScript: false,
  },
  {
    what: 'a history with a trigger',
    set: `
      create schema graphile_migrate;
      ${emptyHistory}
      create trigger spring before insert on graphile_migrate.migrations execute function public.spring();
    `,
    names: ['schema graphile_migrate'],
    concernsScript: false,
  },
]

for (const { what, set, names, concernsScript = true } of places) {
  test(`${what} of somebody else is refused by its name and its owner's, and left as it is`, async (t) => {
    const db = await createDatabase(t, 'empty_template')
    const mallory = await plant(db, `${trap} ${set}`)
    const before = await everything(db.sql)

    const migrated = await tableMetrics(t, db.url, ['migrate'])
    const scripted = await throughPsql(t, db)

    failsClearly(t, migrated, ...names, mallory)
    t.notRegex(migrated.stderr, /sprung/)
    if (concernsScript) {
      t.is(scripted.status, 3, scripted.stderr)
      for (const name of [...names, mallory]) t.true(scripted.stderr.includes(name), scripted.stderr)
      t.deepEqual(await everything(db.sql), before)
    } else {
      t.is(scripted.status, 0, scripted.stderr)
    }
  })
}

// What lies in a schema of ours, made by somebody who was allowed to create there once.
const guests = [
  ['a table', 'create table nms.table_metrics_runs (id int)', 'table nms.table_metrics_runs'],
  ['a view', 'create view nms.table_metrics_daily as select 1 as id', 'view nms.table_metrics_daily'],
  [
    'a function',
    `create function nms_private.is_time_zone(text) returns boolean language sql as 'select true'`,
    'function nms_private.is_time_zone(text)',
  ],
  ['a type', 'create type nms_private.target as (id int)', 'type nms_private.target'],
  ['a table of the inner schema', 'create table nms_private.targets (id int)', 'table nms_private.targets'],
  ['a domain', 'create domain nms.mood as text', 'type nms.mood'],
] as const

for (const [what, set, named] of guests) {
  test(`${what} of somebody else in a schema of ours is refused by its name and its owner's`, async (t) => {
    const db = await createDatabase(t, 'empty_template')
    const mallory = await db.createRole()
    await db.sql.unsafe(`
      create schema nms;
      create schema nms_private;
      grant usage, create on schema nms, nms_private to ${mallory.name};
      set role ${mallory.name};
      ${set};
      reset role;
    `)
    const before = await everything(db.sql)

    const migrated = await tableMetrics(t, db.url, ['migrate'])
    const scripted = await throughPsql(t, db)

    failsClearly(t, migrated, named, mallory.name)
    t.is(scripted.status, 3)
    t.true(scripted.stderr.includes(named), scripted.stderr)
    t.deepEqual(await everything(db.sql), before)
  })
}

// What a member of table_metrics_owner can hang on an install, to have it executed by a superuser.
const hangers = [
  [
    'a trigger',
    'create trigger spring before insert on nms.table_metrics_settings execute function public.spring()',
    'trigger spring on table nms.table_metrics_settings',
  ],
  [
    'a trigger on the queue',
    'create trigger spring before insert on nms_private.targets execute function public.spring()',
    'trigger spring on table nms_private.targets',
  ],
  [
    'a deferred trigger',
    `create constraint trigger spring after update on nms.table_metrics_runs
       deferrable initially deferred for each row execute function public.spring()`,
    'trigger spring on table nms.table_metrics_runs',
  ],
  [
    'a rule',
    'create rule spring as on insert to nms.table_metrics_settings do also select public.spring_too()',
    'rule spring on table nms.table_metrics_settings',
  ],
  [
    'a policy',
    'create policy spring on nms.table_metrics_settings using (public.spring_too())',
    'policy spring on table nms.table_metrics_settings',
  ],
  [
    'a constraint',
    'alter table nms.table_metrics_settings add constraint spring check (public.spring_too()) not valid',
    'constraint spring on table nms.table_metrics_settings',
  ],
  [
    'a default',
    `alter table nms.table_metrics_settings alter yield_after set default case when public.spring_too() then interval '2 s' end`,
    'default value for column yield_after of table nms.table_metrics_settings',
  ],
  [
    'an index',
    `create function public.calm() returns boolean language plpgsql immutable as 'begin return true; end';
     create index spring on nms.table_metrics_settings (singleton) where public.calm()`,
    'index nms.spring',
  ],
  [
    'a child',
    'create table public.child () inherits (nms.table_metrics_settings)',
    'table nms.table_metrics_settings',
  ],
  [
    'row-level security',
    'alter table nms.table_metrics_settings enable row level security',
    'table nms.table_metrics_settings',
  ],
  [
    'a view in place of a table',
    `alter table nms.table_metrics_alert_rules rename to other;
     create view nms.table_metrics_alert_rules as select * from nms.other where public.spring_too()`,
    'view nms.table_metrics_alert_rules',
  ],
] as const

for (const [what, set, named] of hangers) {
  test(`${what} that is not ours, on a table of ours, is refused before anything is executed`, async (t) => {
    const db = await createDatabase(t, 'empty_template')
    await migrate(db.url)
    const member = await db.createRole('in role table_metrics_owner')
    await db.sql.unsafe(`
      ${trap}
      grant create on schema public to table_metrics_owner;
      grant execute on all functions in schema public to public;
    `)
    await member.connect().unsafe(`set role table_metrics_owner; ${set}`)
    const before = await everything(db.sql)

    const migrated = await tableMetrics(t, db.url, ['migrate'])
    const scripted = await throughPsql(t, db)

    failsClearly(t, migrated, named, 'table_metrics_owner')
    t.notRegex(migrated.stderr + scripted.stderr, /sprung/)
    t.is(scripted.status, 3)
    t.true(scripted.stderr.includes(named), scripted.stderr)
    t.deepEqual(await everything(db.sql), before)
  })
}

test('what our own functions have become is not executed when a superuser migrates', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url)
  await db.sql.unsafe(`
    create or replace function nms_private.is_time_zone(name text) returns boolean language plpgsql stable as
      'begin raise exception ''sprung as %'', current_user; end';
    create or replace function nms_private.forbid_deleting_the_settings() returns trigger language plpgsql as
      'begin raise exception ''sprung as %'', current_user; end';
  `)

  await t.notThrowsAsync(migrate(db.url))
  await t.notThrowsAsync(db.connect().unsafe(await installScript()))
})

test('a schema that the installer has made before is no obstacle', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  const installer = await db.createRole()
  await db.sql.unsafe(`
    grant create on database ${db.name} to ${installer.name};
    set role ${installer.name};
    create schema nms;
    create schema nms_private;
    create schema graphile_migrate;
  `)

  const { owner, keptBecause } = await migrate(installer.url)

  t.is(owner, installer.name)
  t.regex(keptBecause ?? '', /permission denied|must have/)
})

/** Has a role that may create schemas run something, and returns its name. */
async function plant(db: TestDatabase, statements: string): Promise<string> {
  const mallory = await db.createRole()
  await db.sql.unsafe(`
    grant create on database ${db.name} to ${mallory.name};
    grant create on schema public to ${mallory.name};
  `)
  await mallory.connect().unsafe(statements)
  return mallory.name
}

async function throughPsql(t: ExecutionContext, db: TestDatabase) {
  const file = join(tmpdir(), `${db.name}.sql`)
  await writeFile(file, await installScript())
  return run(t, 'psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', file, db.url])
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
