import { spawn } from 'node:child_process'
import ava from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { failsClearly, startTableMetrics, tableMetrics } from '../_support/process.ts'
import { startProxy } from '../_support/proxy.ts'

// Each starts processes of its own.
const test = ava.serial

const [enter, leave] = ['\u001b[?1049h', '\u001b[?1049l']

const looks = (text: string) => text.match(/^today, /gm)?.length ?? 0

test('status --watch survives a database that goes away and comes back, and Ctrl-C ends it well', async (t) => {
  const db = await createDatabase(t)
  await collect(db.sql)
  const link = await startProxy(t, db.url)
  const watching = startTableMetrics(t, link.url, ['status', '--watch', '1'])
  await eventually(async () => looks(watching.stdout()) >= 2, 'it has shown it twice')

  await link.refuse()
  await eventually(async () => /^error: .*ECONNREFUSED/m.test(watching.stderr()), 'it has said what is wrong')
  await collect(db.sql)
  await link.heal()
  await eventually(
    async () => /^last run: 2,/m.test(watching.stdout()),
    'it shows what has happened meanwhile',
  )

  watching.kill('SIGINT')
  const { status, stdout } = await watching.finished
  t.is(status, 0)
  t.false(stdout.includes('\u001b'))
})

test('on a terminal it redraws in place, and leaves the terminal as it was, with the last of it', async (t) => {
  const db = await createDatabase(t)
  await collect(db.sql)
  const child = spawn(
    'script',
    ['-qefc', `exec ${process.execPath} src/cli.ts status --watch 1`, '/dev/null'],
    {
      env: { PATH: process.env.PATH, TERM: 'xterm', DATABASE_URL: db.url },
    },
  )
  t.teardown(() => child.kill('SIGKILL'))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await eventually(async () => looks(shown) >= 2, 'it has shown it twice')

  child.stdin.write('\u0003')
  t.is(await ended, 0)

  const [before = '', during = '', after = ''] = shown.replace(leave, enter).split(enter)
  t.is(before, '')
  t.true(during.startsWith('\u001b[?25l\u001b[H\u001b[Jevery 1 s, seen at '), during)
  t.true(during.split('\u001b[H\u001b[J').length > 2)
  t.true(during.endsWith('\u001b[?25h'), during)
  t.regex(after, /^today, .*counted by run 1\r\n/)
})

test('status --watch --json prints a line for each look', async (t) => {
  const db = await createDatabase(t)
  const watching = startTableMetrics(t, db.url, ['status', '--watch', '1', '--json'])
  await eventually(async () => watching.stdout().split('\n').length > 2, 'there are two lines')

  watching.kill('SIGTERM')
  const { stdout } = await watching.finished

  for (const line of stdout.trimEnd().split('\n')) t.deepEqual(JSON.parse(line).runs, [])
})

test('what is wrong at the first look is an error as ever', async (t) => {
  const refused = await tableMetrics(t, 'postgres://root@127.0.0.1:1/orchard', ['status', '--watch'])
  failsClearly(t, refused, 'ECONNREFUSED', 'hint: check DATABASE_URL')

  const seconds = await tableMetrics(t, '', ['status', '--watch', 'soon'])
  failsClearly(t, seconds, '--watch: saw soon, expected a whole number from 1 to 86400')
})
