import { existsSync } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { blank, copyCheckout } from '../_support/checkout.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const first = 'migrations/committed/000001-table-metrics.sql'
const silent = 'migrations/fixtures/functions/run/is_silent.sql'
// Called by PL/pgSQL alone, which does not mind until it is run.
const turn = 'migrations/fixtures/functions/run/take_turn.sql'

test('nothing changed: it says so', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  const before = await checkout.contents()

  const { status, stdout } = await checkout.commit()

  t.is(status, 0)
  t.regex(stdout, /^nothing has changed: .*\n$/)
  t.deepEqual(await checkout.contents(), before)
})

test('without a message, it says what is missing', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  await checkout.edit(silent, (text) => text.replace('Null for any other run.', 'Null for others.'))
  const before = await checkout.contents()

  const { status, stderr } = await checkout.commit()

  t.is(status, 1)
  t.is(stderr, 'error: what is missing is why it changes: npm run db:commit -- "why"\n')
  t.deepEqual(await checkout.contents(), before)
})

test('an edited function, a new one and a deleted one are folded into the one migration', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  await checkout.edit(silent, (text) => text.replace('Null for any other run.', 'Null for others.'))
  await checkout.edit('migrations/fixtures/views/table_metrics_today.sql', (text) =>
    text.replace('Today, in the', 'This day, in the'),
  )
  await checkout.write(
    'migrations/fixtures/functions/reading/the_answer.sql',
    newFunction('nms', 'the_answer'),
  )
  await checkout.write('migrations/fixtures/functions/run/alone.sql', newFunction('nms_private', 'alone'))
  await checkout.write('migrations/fixtures/functions/run/called.sql', newFunction('nms_private', 'called'))
  await checkout.edit('migrations/fixtures/functions/run/alone.sql', (text) =>
    text.replace('select 42', 'select nms_private.called()'),
  )
  await checkout.remove('migrations/fixtures/functions/schedule/latest_slot.sql')

  await checkout.write('current.sql', '--!include functions/run/is_silent.sql\n')

  const { status, stdout, stderr } = await checkout.commit('a sentence is shorter')

  t.is(stderr, '')
  t.is(status, 0)
  for (const line of [
    'changed  functions/run/is_silent.sql',
    'new      functions/reading/the_answer.sql',
    'gone     functions/schedule/latest_slot.sql',
    `${first}: made anew`,
    'no role may call nms.the_answer yet: add a line to migrations/roles.sql',
    'nothing in the database calls nms_private.alone, and no role may call it yet: if the runner does, add a line to migrations/roles.sql',
  ]) {
    t.true(stdout.split('\n').includes(line), `${line} is not in\n${stdout}`)
  }
  t.notRegex(stdout, /nms_private\.called/)
  t.deepEqual(await readdir(join(checkout.folder, 'migrations/committed')), ['000001-table-metrics.sql'])
  const migration = await checkout.read(first)
  t.true(migration.includes('Null for others.'))
  t.true(migration.includes('--! Included functions/reading/the_answer.sql'))
  t.is(migration.match(/^--! Included functions\/run\/is_silent\.sql$/gm)?.length, 1)
  t.false(migration.includes('function nms_private.latest_slot('))
  t.is(await checkout.read('current.sql'), blank)
  t.is(await readlink(join(checkout.folder, 'migrations/current.sql')), '../current.sql')
  t.true((await checkout.read('docs/reference.md')).includes('This day, in the'))
  t.is((await checkout.commit()).stdout.slice(0, 19), 'nothing has changed')
  t.true(madeAt(migration) > madeAt(await readFile(join(project, first), 'utf8')))
})

test('an error of Postgres comes with file and line, and nothing is written', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  const broken: [file: string, change: (text: string) => string, expected: RegExp][] = [
    [
      silent,
      (text) => text.replace('from nms.table_metrics_runs as run\n', 'from nms.table_metrics_rums as run\n'),
      /^error: migrations\/fixtures\/functions\/run\/is_silent\.sql:22: relation "nms\.table_metrics_rums" does not exist\n/,
    ],
    [
      'migrations/fixtures/functions/run/open_run.sql',
      (text) => text.replace('  return nms_private', '  retrun nms_private'),
      /^error: migrations\/fixtures\/functions\/run\/open_run\.sql:11: syntax error at or near "retrun"\n/,
    ],
    [
      first,
      (text) => text.replace("'30 days'\n", "'30 days' nut null\n"),
      /^error: migrations\/committed\/000001-table-metrics\.sql:51: syntax error at or near "nut"\n/,
    ],
    [
      'current.sql',
      () =>
        "-- A column.\nalter table nms.table_metrics_runs\n  add column word text;\nselect 'a''b;c', \"d;\";\n",
      /^error: current\.sql:4: column "d;" does not exist\n/,
    ],
    [
      'migrations/roles.sql',
      (text) => text.replace('  nms.find_run,', '  nms.find_fun,'),
      /^error: migrations\/roles\.sql:\d+: could not find a function named "nms\.find_fun"\n/,
    ],
  ]
  for (const [file, change, expected] of broken) {
    const text = await checkout.read(file)
    await checkout.edit(file, change)
    // Without which there would be nothing to commit.
    await checkout.edit(
      'migrations/fixtures/views/table_metrics_today.sql',
      (view) => `${view}\n-- ${file}\n`,
    )
    const before = await checkout.contents()

    const { status, stderr } = await checkout.commit('broken')

    t.is(status, 1, file)
    t.regex(stderr, expected)
    t.deepEqual(await checkout.contents(), before, file)
    await checkout.write(file, text)
  }
})

test('what does not load twice, or means something else the second time, is not committed', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  const pending: [sql: string, expected: RegExp][] = [
    [
      'create table nms.noted (note text);\n',
      /^error: current\.sql:1: relation "noted" already exists \(when it/,
    ],
    [
      "-- A note.\ndo $$ begin execute format('comment on schema nms is %L', txid_current()); end $$;\n",
      /^error: loading it a second time changes something:\n *- schema nms: \d+\n *\+ schema nms: \d+\n/,
    ],
    [
      'create function nms_private.stray() returns int language sql as $$ select 1 $$;\n'.replace(
        'create',
        'create or replace',
      ),
      /^error: made by no file of its own: nms_private\.stray\(\)\nhint: .*migrations\/fixtures/,
    ],
    // Seen only when it is installed, after it was written.
    [
      'drop function nms_private.take_turn(regclass);\n',
      /^error: the install is incomplete, it lacks take_turn:/,
    ],
  ]
  for (const [sql, expected] of pending) {
    await checkout.write('current.sql', sql)
    const before = await checkout.contents()

    const { status, stderr } = await checkout.commit('twice')

    t.is(status, 1, sql)
    t.regex(stderr, expected)
    t.deepEqual(await checkout.contents(), before, sql)
  }
})

test('after a release, it makes the next migration, and never leaves an old function behind', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  await checkout.edit('CHANGELOG.md', (text) => text.replace('## [Unreleased]', '## [0.1.0] - 2026-12-01'))
  const released = await checkout.read(first)
  t.regex((await checkout.commit()).stdout, /^nothing has changed: /)

  await checkout.write('current.sql', 'create table if not exists nms_private.noted (note text);\n')
  await checkout.edit(turn, (text) => text.replace('of regclass', 'of regclass, since text'))
  await checkout.edit(turn, (text) => text.replaceAll('(regclass)', '(regclass, text)'))
  const refused = await checkout.commit('Turns have a beginning')
  t.is(refused.status, 1)
  t.regex(
    refused.stderr,
    /^error: released, and made by no file any more: nms_private\.take_turn\(regclass\)\nhint: .*drop function nms_private\.take_turn\(regclass\);\n$/,
  )

  await checkout.edit(
    'current.sql',
    (text) => `drop function if exists nms_private.take_turn(regclass);\n${text}`,
  )
  const { status, stdout, stderr } = await checkout.commit('Turns have a beginning')

  t.is(stderr, '')
  t.is(status, 0)
  t.regex(stdout, /^migrations\/committed\/000002-turns-have-a-beginning\.sql: new$/m)
  t.is(await checkout.read(first), released)
  const second = await checkout.read('migrations/committed/000002-turns-have-a-beginning.sql')
  const hash = /^--! Hash: (\S+)$/m.exec(released)?.[1]
  t.true(second.startsWith(`--! Previous: ${hash}\n`))
  t.regex(second, /^--! Message: Turns have a beginning$/m)
  t.regex(second, /^--! Included functions\/run\/take_turn\.sql$/m)
  t.true(madeAt(second) > madeAt(released))
  t.is(await checkout.read('current.sql'), blank)
  t.true((await lstat(join(checkout.folder, 'migrations/current.sql'))).isSymbolicLink())
  t.is(await readlink(join(checkout.folder, 'migrations/current.sql')), '../current.sql')
  t.regex((await checkout.commit()).stdout, /^nothing has changed: /)

  await checkout.remove(turn)
  const gone = await checkout.commit('nobody takes turns')
  t.is(gone.status, 1)
  t.regex(gone.stderr, /hint: .*drop function nms_private\.take_turn\(regclass,text\);\n$/)

  await checkout.edit(first, (text) => text.replace('how many rows', 'how few rows'))
  const edited = await checkout.commit('history is rewritten')
  t.is(edited.status, 1)
  t.regex(
    edited.stderr,
    /^error: migrations\/committed\/000001-table-metrics\.sql was released, and is not what/,
  )
})

/** When a migration was made, as installs tell an older one from a newer one. */
const madeAt = (migration: string) => /\bState (\S+Z) [0-9a-f]{12}\./.exec(migration)?.[1] ?? ''

function newFunction(schema: string, name: string): string {
  return `create or replace function ${schema}.${name}()
returns int
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 42
$$;
comment on function ${schema}.${name}() is 'A number.';
revoke execute on function ${schema}.${name}() from public;
`
}

test('CONTRIBUTING.md shows what it prints, and names what there is', async (t) => {
  t.timeout(600_000)
  const checkout = await copyCheckout(t)
  const guide = await readFile(join(project, 'CONTRIBUTING.md'), 'utf8')
  const [, message = '', printed = ''] =
    /npm run db:commit -- "(.*?)"\n```\n\n```text\n(.*?)```/s.exec(guide) ?? []
  const remedy = 'migrations/fixtures/functions/run/remedy.sql'
  const text = await checkout.read(remedy)

  await checkout.write(remedy, text.replace('select case', 'select csae'))
  const { stderr } = await checkout.commit(message)
  await checkout.write(remedy, text.replace("'mend the cause and", "'look at the cause and"))
  const { stdout } = await checkout.commit(message)

  t.true(guide.includes(`\`\`\`text\n${stderr}\`\`\``), stderr)
  // Both are remade after a merge.
  const comparable = (lines: string) => lines.replace(/^(docs|migrations)(.*): (remade|as it was)$/gm, '$1$2')
  t.is(comparable(stdout), comparable(printed))

  const folders: string[] = []
  const [, tree = ''] = /```\n(migrations\/\n.*?)```/s.exec(guide) ?? []
  const paths = tree.split('\n').flatMap((line) => {
    const [, indent = '', names = ''] = /^( *)([^\s,]+(?:, [^\s,]+)*)/.exec(line) ?? []
    const depth = indent.length / 2
    return names.split(', ').map((name) => {
      folders[depth] = name
      return join(project, ...folders.slice(0, depth), name)
    })
  })
  const links = [...guide.matchAll(/\]\((\S+)\)/g)].map(([, path = '']) => join(project, path))
  t.true(paths.length > 30)
  t.deepEqual(
    [...paths, ...links].filter((path) => !existsSync(path)),
    [],
  )
})
