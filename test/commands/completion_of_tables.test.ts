import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ava, { type ExecutionContext } from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { tableMetrics } from '../_support/process.ts'
import { startProxy } from '../_support/proxy.ts'

// Each starts processes of its own.
const test = ava.serial

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** A shop whose owner names tables to harm whoever completes them. */
async function createShop(t: ExecutionContext) {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create schema sales; create schema sales_old; create schema "Support Desk"; create schema evil;
    create table sales_old.orders (); create table sales.orders (); create table sales.order_lines (); create table "Support Desk"."Open Tickets" ();
    create table evil."a$(touch pwned)" (); create table evil."b\`touch pwned\`" (); create table evil."c;touch pwned;" ();
    create table evil."d'""\\ !e" (); create table evil.e$HOME (); create table evil."~" ();
    create table evil.${'"g\ntouch pwned\n"'} (); create table evil."h\u001b[31m" ();
  `)
  await collect(db.sql)
  return db
}

/** A folder to work in, with a `table-metrics` and a `npx` that are found by their names. */
async function createFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'completion-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [name, script] of [
    ['table-metrics', `exec '${process.execPath}' '${cli}' "$@"`],
    ['npx', '[ "$1" = --no-install ] && shift && exec "$@"'],
  ] as const) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(folder, name), 0o755)
  }
  return folder
}

/** Types lines into a bash on a terminal, Tab and all, and tells the words that a command would get. */
async function type(
  t: ExecutionContext,
  folder: string,
  url: string,
  lines: readonly string[],
): Promise<string[]> {
  const child = spawn('script', ['-qefc', 'exec bash --norc --noprofile -i', '/dev/null'], {
    cwd: folder,
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      TERM: 'dumb',
      LC_ALL: 'C.UTF-8',
      DATABASE_URL: url,
      HOME: folder,
    },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const found = () => [...shown.matchAll(/^words:(\S.*\])/gm)].map(([, words = '']) => words)
  child.stdin.write("unset HISTFILE; source <(table-metrics completion bash); echo re''ady\n")
  await eventually(async () => /^ready/m.test(shown), 'bash is ready')
  for (const [n, line] of lines.entries()) {
    // To the beginning of the line, where the command is put that tells its words.
    child.stdin.write(`${line}\u0001printf 'words:'; printf '[%s]' \necho\n`)
    await eventually(async () => found().length > n, `it tells the words of ${line}`)
  }
  child.stdin.write('exit\n')
  await ended
  return found()
}

// What is typed, and the words that it is then.
const completions = [
  ['table-metrics trend sal\t', '[table-metrics][trend][sales]'],
  ['table-metrics trend sales.ord\t', '[table-metrics][trend][sales.order]'],
  ['table-metrics trend Sup\t', '[table-metrics][trend][Support Desk.Open Tickets]'],
  ['table-metrics trend Support\\ Desk.O\t', '[table-metrics][trend][Support Desk.Open Tickets]'],
  ["table-metrics trend 'Support Desk.O\t", '[table-metrics][trend][Support Desk.Open Tickets]'],
  ['table-metrics trend "Support Desk.O\t', '[table-metrics][trend][Support Desk.Open Tickets]'],
  ['table-metrics collect --exclude sales.orders\t', '[table-metrics][collect][--exclude][sales.orders]'],
  ['table-metrics export --table sales.order_\t', '[table-metrics][export][--table][sales.order_lines]'],
  ['table-metrics alerts silence sales.order_\t', '[table-metrics][alerts][silence][sales.order_lines]'],
  ['npx table-metrics trend sales.order_\t', '[npx][table-metrics][trend][sales.order_lines]'],
  ['npx tab\t', '[npx][table-metrics]'],
  ['table-metrics trend evil.a\t', '[table-metrics][trend][evil.a$(touch pwned)]'],
  ['table-metrics trend evil.b\t', '[table-metrics][trend][evil.b`touch pwned`]'],
  ['table-metrics trend evil.c\t', '[table-metrics][trend][evil.c;touch pwned;]'],
  ['table-metrics trend evil.d\t', `[table-metrics][trend][evil.d'"\\ !e]`],
  ['table-metrics trend evil.e\t', '[table-metrics][trend][evil.e$home]'],
  ['table-metrics trend "evil.a\t"', '[table-metrics][trend][evil.a]'],
  ["table-metrics trend 'evil.a\t", '[table-metrics][trend][evil.a$(touch pwned)]'],
] as const

test('bash completes names of tables, whatever they are, and executes none of them', async (t) => {
  const db = await createShop(t)
  const folder = await createFolder(t)
  const lines = completions.map(([typed]) => typed)

  const words = await type(t, folder, db.url, lines)

  t.deepEqual(
    words.map((each, n) => [lines[n], each]),
    completions.map((each) => [...each]),
  )
  t.deepEqual((await readdir(folder)).sort(), ['npx', 'table-metrics'])
})

test('names that no line can hold are left out', async (t) => {
  const db = await createShop(t)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['complete-tables', '--', 'evil.'])

  t.like({ status, stderr }, { status: 0, stderr: '' })
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'evil.a$(touch pwned)',
    'evil.b`touch pwned`',
    'evil.c;touch pwned;',
    `evil.d'"\\ !e`,
    'evil.e$home',
    'evil.~',
  ])
})

test('without a database, an install or an answer it says nothing, and soon', async (t) => {
  const db = await createDatabase(t)
  const empty = await createDatabase(t, 'empty_template')
  const silent = await startProxy(t, db.url)
  silent.silenceNew(true)
  const silentAndPatient = `${silent.url}?connect_timeout=100`

  for (const url of ['', 'nonsense', 'postgres://root@127.0.0.1:1/orchard', empty.url, silentAndPatient]) {
    t.like(await tableMetrics(t, url, ['complete-tables', 's']), { status: 0, stdout: '', stderr: '' }, url)
  }
})
