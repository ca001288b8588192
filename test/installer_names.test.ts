import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { installScript } from '../src/install/install_script.ts'
import { migrate } from '../src/install/migrate.ts'
import { migrationsFolder } from '../src/install/migrations.ts'
import { createDatabase, type TestDatabase } from './_support/database.ts'
import { run } from './_support/process.ts'

// Each fills a catalogue with thousands of functions.
const test = ava.serial

const rolesScript = await readFile(`${migrationsFolder}/roles.sql`, 'utf8')

// How people install, each in a session that looks for names where the database says.
const installers: Record<string, (t: ExecutionContext, db: TestDatabase) => Promise<unknown>> = {
  migrate: (_, db) => migrate(db.url, 'Europe/Berlin'),
  'the script and the roles, through a driver': async (_, db) => {
    const sql = db.connect()
    await sql.unsafe(await installScript('Europe/Berlin'))
    await sql.unsafe(rolesScript)
  },
  'the script and the roles, through psql': async (t, db) => {
    const file = join(tmpdir(), `${db.name}.sql`)
    t.teardown(() => rm(file, { force: true }))
    await writeFile(file, await installScript('Europe/Berlin'))
    for (const path of [file, `${migrationsFolder}/roles.sql`]) {
      const psql = await run(t, 'psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', path, db.url])
      t.is(psql.status, 0, psql.stderr)
    }
  },
}

for (const [what, install] of Object.entries(installers)) {
  test(`nothing that is named like something built in is executed by ${what}`, async (t) => {
    const db = await createDatabase(t, 'empty_template')
    const mallory = await db.createRole()
    const sql = db.connect({ connection: { search_path: 'pg_catalog' } })
    await setTraps(sql, mallory.name)
    await sql.unsafe(`alter database ${db.name} set search_path = evil, public, pg_catalog`)
    const victim = db.connect()
    await t.throwsAsync(victim.unsafe('select lower($$A$$)'), { message: /sprung/ }, 'the traps do not work')
    await t.throwsAsync(victim.unsafe('select 1 + 1'), { message: /sprung/ }, 'the traps do not work')

    await install(t, db)
    await install(t, db) // what is there is found again

    const [installed] = await sql`
      select business_time_zone as zone from nms.table_metrics_settings
    `
    t.is(installed?.zone, 'Europe/Berlin')
    t.deepEqual(
      [
        ...(await sql`
          select obj.identity
          from (select * from pg_depend where classid <> 0) as dependency -- 14 has entries of nobody
          cross join lateral pg_identify_object(classid, objid, objsubid) as obj
          cross join lateral pg_identify_object(refclassid, refobjid, refobjsubid) as needed
          where needed.schema in ('evil', 'public') and obj.schema not in ('evil', 'public')
        `),
      ],
      [],
    )
  })
}

test('an exact match in public is not preferred to what is built in for any type', async (t) => {
  const db = await createDatabase(t, 'empty_template')
  const mallory = await db.createRole()
  await db.sql.unsafe(`grant create on schema public to ${mallory.name}`)
  const calls = [
    ...['text', 'name', 'oid', 'regclass', 'integer', 'bigint', 'jsonb', 'boolean', 'date'].flatMap(
      (type) => [
        `unnest(${type}[]) returns setof ${type}`,
        `cardinality(${type}[]) returns integer`,
        `array_position(${type}[], ${type}) returns integer`,
        `array_length(${type}[], integer) returns integer`,
        `array_append(${type}[], ${type}) returns ${type}[]`,
        `array_to_string(${type}[], text) returns text`,
        `num_nonnulls(${type}, ${type}) returns integer`,
        `format(text, ${type}) returns text`,
        `format(text, ${type}, ${type}) returns text`,
        `concat(${type}, ${type}) returns text`,
        `concat(text, text, ${type}) returns text`,
        `to_jsonb(${type}) returns jsonb`,
        `jsonb_build_object(text, ${type}) returns jsonb`,
        `pg_describe_object(oid, oid, ${type}) returns text`,
      ],
    ),
    'to_regclass(text) returns regclass',
    'pg_identify_object(oid, oid, integer) returns record',
  ]
  await db.sql.unsafe(`
    set role ${mallory.name};
    ${calls
      .map(
        (call) =>
          `create function public.${call} language plpgsql as 'begin raise exception ''sprung as %'', current_user; end';`,
      )
      .join('\n')}
    create function public.same(oid, regclass) returns boolean language plpgsql as 'begin raise exception ''sprung''; end';
    create operator public.= (function = public.same, leftarg = oid, rightarg = regclass);
    reset role;
  `)
  const victim = db.connect()
  await t.throwsAsync(victim.unsafe(`select unnest('{a}'::text[])`), { message: /sprung/ }, 'no trap')
  await t.throwsAsync(victim.unsafe(`select 1::oid = 'pg_class'::regclass`), { message: /sprung/ }, 'no trap')

  await migrate(db.url)
  await migrate(db.url)

  await victim.unsafe(await installScript())
  await victim.unsafe(rolesScript)
  t.pass()
})

/**
 * Fills a schema with a twin of every built-in function and operator, and a domain for every common
 * type. Each raises an error when it is used.
 */
async function setTraps(sql: import('./_support/database.ts').Sql, owner: string): Promise<void> {
  await sql.unsafe(`
    create schema evil authorization ${owner};
    grant usage on schema evil to public;
    set role ${owner};
    create function evil.spring() returns boolean language plpgsql as
      'begin raise exception ''sprung as %'', current_user; end';
    do $do$
    declare
      v_twin record;
    begin
      for v_twin in
        select
          format(
            'create function evil.%I(%s) returns %s%s language plpgsql as ''begin raise exception ''''sprung as %%'''', current_user; end''',
            routine.proname,
            coalesce((
              select string_agg(argument.oid::regtype::text, ', ' order by argument.n)
              from unnest(routine.proargtypes) with ordinality as argument (oid, n)
            ), ''),
            case when routine.proretset then 'setof ' end,
            routine.prorettype::regtype
          ) as statement
        from pg_proc as routine
        where
          routine.pronamespace = 'pg_catalog'::regnamespace
          and routine.prokind in ('f', 'a', 'w')
          and not exists (
            select from pg_type as type
            where type.oid = any (routine.proargtypes || routine.prorettype)
              and type.typtype = 'p' and type.typname not in ('record', 'void', 'trigger')
          )
          and routine.prorettype <> 'trigger'::regtype
          and not (routine.proargtypes::oid[] && array['record'::regtype, 'void'::regtype]::oid[])
      loop
        begin
          execute v_twin.statement;
        exception
          when duplicate_function or invalid_function_definition or feature_not_supported then null;
        end;
      end loop;
      for v_twin in
        select
          operator.oprname as name,
          format(
            'create operator evil.%s (function = evil.%I%s, rightarg = %s)',
            operator.oprname, routine.proname,
            case when operator.oprleft <> 0 then format(', leftarg = %s', operator.oprleft::regtype) end,
            operator.oprright::regtype
          ) as statement
        from pg_operator as operator
        join pg_proc as routine on routine.oid = operator.oprcode
        where operator.oprnamespace = 'pg_catalog'::regnamespace
      loop
        begin
          execute v_twin.statement;
        exception
          when undefined_function or duplicate_function or invalid_function_definition then null;
        end;
      end loop;
      for v_twin in
        select type.typname as name
        from pg_type as type
        where
          type.typname in (
            'text', 'name', 'oid', 'regclass', 'regproc', 'regtype', 'regrole', 'regnamespace', 'int4', 'int8', 'bool',
            'jsonb', 'json', 'date', 'timestamptz', 'interval', 'numeric'
          )
          and type.typnamespace = 'pg_catalog'::regnamespace
      loop
        execute format('create domain evil.%I as pg_catalog.%I check (evil.spring())', v_twin.name, v_twin.name);
      end loop;
    end
    $do$;
    reset role;
  `)
}
