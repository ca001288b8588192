import { createHash } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import test from 'ava'
import { compile } from 'graphile-migrate'
import { differences, fingerprint } from '../scripts/_migrations/fingerprint.ts'
import { committedMigrations, migrationsFolder } from '../src/install/migrations.ts'
import { collect, createDatabase, type Sql, type TestDatabase } from './_support/database.ts'

test('each fixture alone reproduces body, comment and privileges of the installed function or view', async (t) => {
  const db = await createDatabase(t)
  const { sql } = db
  await sql.unsafe(await compileCurrent(db))
  const installed = await fingerprint(sql)
  await sql.unsafe(`
    do $$
    declare
      v_function regprocedure;
    begin
      for v_function in select oid from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) loop
        execute format('comment on function %s is null', v_function);
        execute format('grant execute on function %s to public', v_function);
      end loop;
    end
    $$;
    do $$
    declare
      v_view regclass;
    begin
      for v_view in select oid from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'v' loop
        execute format('comment on view %s is null', v_view);
        execute format('grant select on %s to public', v_view);
      end loop;
    end
    $$
  `)

  for (const file of await fixtureFiles()) await sql.unsafe(await readFile(file, 'utf8'))

  t.deepEqual(differences(installed, await fingerprint(sql)), [])
  t.true(installed.length > 100)
})

test('current.sql loads twice with the result of once', async (t) => {
  const db = await createDatabase(t)
  const compiled = await compileCurrent(db)
  await db.sql.unsafe(compiled)
  const once = await fingerprint(db.sql)

  await db.sql.unsafe(compiled)

  t.deepEqual(differences(once, await fingerprint(db.sql)), [])
})

test('the committed migrations load again over an install in use and change nothing', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders as select generate_series(1, 7) as id;
    update nms.table_metrics_settings set business_time_zone = 'Asia/Kolkata', lock_timeout = '9 s';
  `)
  await collect(sql)
  await collect(sql, { skip: ['nowhere'] })
  const before = await fingerprint(sql)
  const rows = await contents(sql)

  for (const { body } of await committedMigrations()) await sql.unsafe(body)

  t.deepEqual(differences(before, await fingerprint(sql)), [])
  t.deepEqual(await contents(sql), rows)
  t.is((await collect(sql)).run_id, '3')
})

test('the committed migrations are a chain of valid hashes', async (t) => {
  let previous = ''
  for (const file of await committedFiles()) {
    const text = await readFile(file, 'utf8')
    const header = (name: string) => new RegExp(`^--! ${name}: (.+)$`, 'm').exec(text)?.[1]
    const body = text.slice(text.indexOf('\n\n')).trim()
    const hash = createHash('sha1').update(`${previous}\n${body}`.trimStart()).update('\n').digest('hex')

    t.is(header('Hash'), `sha1:${hash}`, file)
    t.is(header('Previous'), previous || '-', file)
    previous = `sha1:${hash}`
  }
  t.truthy(previous)
})

test('every line of SQL ends in a line feed', async (t) => {
  const files = [
    ...(await committedFiles()),
    ...(await fixtureFiles()),
    `${migrationsFolder}/current.sql`,
    `${migrationsFolder}/roles.sql`,
  ]
  for (const file of files) {
    const text = await readFile(file, 'utf8')
    t.false(text.includes('\r'), file)
    t.true(text.endsWith('\n'), file)
  }
})

test('graphile-migrate finds current.sql at the top level', async (t) => {
  t.is(await readlink(`${migrationsFolder}/current.sql`), '../current.sql')
})

async function compileCurrent({ url }: TestDatabase): Promise<string> {
  const current = await readFile(`${migrationsFolder}/current.sql`, 'utf8')
  return compile({ connectionString: url, migrationsFolder }, current)
}

async function committedFiles(): Promise<string[]> {
  const folder = `${migrationsFolder}/committed`
  return (await readdir(folder)).sort().map((file) => `${folder}/${file}`)
}

async function fixtureFiles(): Promise<string[]> {
  const folder = `${migrationsFolder}/fixtures`
  const files = await readdir(folder, { recursive: true })
  return files.filter((file) => file.endsWith('.sql')).map((file) => `${folder}/${file}`)
}

async function contents(sql: Sql): Promise<unknown[]> {
  const tables = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind = 'r'
    order by 1
  `
  return Promise.all(
    tables.map(async ({ name }) => [
      name,
      ...(await sql.unsafe(`select to_jsonb(t) as row from ${name} t order by 1`)),
    ]),
  )
}
