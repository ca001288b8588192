import { readFile } from 'node:fs/promises'
import ava from 'ava'
import { stateStatement } from '../scripts/_migrations/state.ts'
import { collectTableMetrics } from '../src/index.ts'
import { stateIn } from '../src/install/state.ts'
import { createDatabase, type TestDatabase } from './_support/database.ts'
import { failsClearly, tableMetrics } from './_support/process.ts'
import { startTestService } from './_support/service.ts'

// Each starts processes of its own.
const test = ava.serial

const updating = 'npm install nms-table-metrics@latest'

/** What an install of another version says of itself, and what is to be typed. */
const versions = [
  ['an older version', 'State 2001-01-01T00:00:00Z 0123456789ab.', 'type table-metrics migrate\n'],
  ['a version from before there was one to tell', 'Nobody has to look here.', 'type table-metrics migrate\n'],
  ['a newer version', 'State 2999-01-01T00:00:00Z 0123456789ab.', `type ${updating}\n`],
] as const

const called = (db: TestDatabase, comment: string) =>
  db.sql.unsafe(`comment on schema nms_private is '${comment}'`)

for (const [which, comment, typed] of versions) {
  test(`every command says in one line that the database has ${which}, and what to type`, async (t) => {
    const db = await createDatabase(t)
    await called(db, comment)
    await db.sql`alter table nms.table_metrics_runs rename column left_out_count to left_out`

    for (const args of [['status'], ['daily'], ['collect'], ['collect', '--dry-run'], ['worker', '--once']]) {
      const finished = await tableMetrics(t, db.url, args)

      failsClearly(t, finished, 'this database has a', 'version of table metrics', typed)
      t.is(finished.stderr.split('\n').length, 2, finished.stderr)
    }
    await t.throwsAsync(collectTableMetrics(db.url), {
      message: /^this database has a.* version of table metrics/,
    })
    t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
  })
}

test('docs/operations.md has the sentence as it is said', async (t) => {
  const db = await createDatabase(t)
  await called(db, versions[0][1])

  const { stderr } = await tableMetrics(t, db.url, ['daily'])

  t.true(
    (await readFile('docs/operations.md', 'utf8')).includes(`$ table-metrics daily\n${stderr}\`\`\``),
    stderr,
  )
})

test('two states that were made in the same second are another version, and either may be brought along', async (t) => {
  const db = await createDatabase(t)
  const [{ comment }] = await db.sql<[{ comment: string }]>`
    select obj_description('nms_private'::regnamespace, 'pg_namespace') as comment
  `
  await called(db, comment.replace(/[0-9a-f]{12}\.$/, '0123456789ab.'))

  const finished = await tableMetrics(t, db.url, ['status'])

  failsClearly(t, finished, 'another version', `type table-metrics migrate, or ${updating}`)
})

test('a login without any right is told the version as well, and nothing of a stranger is called or shown', async (t) => {
  const db = await createDatabase(t)
  const login = await db.createRole()
  await called(db, versions[0][1])
  failsClearly(t, await tableMetrics(t, login.url, ['status']), 'an older version', 'table-metrics migrate')

  const empty = await createDatabase(t, 'empty_template')
  await empty.sql.unsafe(`
    create schema nms_private;
    comment on schema nms_private is e'State 2999-01-01T00:00:00Z 0123456789ab. \\u001b[31mrm -rf';
  `)
  const { stderr } = await tableMetrics(t, empty.url, ['status'])
  t.notRegex(stderr, /rm -rf/)
  t.regex(stderr, /a newer version/)
})

test('the service is not ready for another version, and says what to type', async (t) => {
  const db = await createDatabase(t)
  const { get } = await startTestService(t, db.url)
  t.is((await get('/ready')).status, 200)
  await called(db, versions[2][1])

  const ready = await get('/ready')

  t.is(ready.status, 503)
  t.regex(await ready.text(), /this database has a newer version of table metrics .*npm install/)
  t.is((await get('/live')).status, 200)
})

test('doctor names another version as an error, with what to type', async (t) => {
  const db = await createDatabase(t)
  await called(db, versions[0][1])

  const { status, stdout } = await tableMetrics(t, db.url, ['doctor', '--json'])

  t.is(status, 1)
  t.like(JSON.parse(stdout), [
    { severity: 'error', problem: 'install_differs', remedy: 'table-metrics migrate' },
  ])
})

test('migrate does not take an install for up to date that was made anew by another version', async (t) => {
  const db = await createDatabase(t)
  await called(db, versions[0][1])

  failsClearly(t, await tableMetrics(t, db.url, ['migrate']), 'table-metrics sql | psql')

  const { stdout: script } = await tableMetrics(t, '', ['sql'])
  await db.connect().unsafe(script)
  t.is((await tableMetrics(t, db.url, ['status'])).status, 0)
})

test('SQL that has changed is newer, also by a clock that is slow; SQL that has not stays what it was', (t) => {
  const first = stateIn(stateStatement('select 1', undefined, Date.UTC(2026, 0, 2)))
  const same = stateIn(stateStatement('select 1', first, Date.UTC(2026, 0, 3)))
  const changed = stateIn(stateStatement('select 2', first, Date.UTC(2025, 0, 1)))

  t.is(first?.madeAt, '2026-01-02T00:00:00Z')
  t.deepEqual(same, first)
  t.is(changed?.madeAt, '2026-01-02T00:00:01Z')
  t.not(changed?.hash, first?.hash)
})

test('what is installed tells its state to everybody, after either way to install', async (t) => {
  const db = await createDatabase(t)
  const login = await db.createRole()
  const migration = await readFile('migrations/committed/000001-table-metrics.sql', 'utf8')

  const [{ comment }] = await login.connect()<[{ comment: string }]>`
    select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = 'nms_private'
  `

  t.truthy(stateIn(comment))
  t.deepEqual(stateIn(comment), stateIn(migration))
})
