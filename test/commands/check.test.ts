// What a monitor is told: one line, and an exit status, whatever happens.

import { createServer } from 'node:net'
import ava, { type ExecutionContext } from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, writeRuns } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

// As the guidelines of Monitoring Plugins have it: 'label'=value[UOM];[warn];[crit];[min];[max]
const perfdata = /^(\w+=-?\d+s?(;\d*){0,4})( \w+=-?\d+s?(;\d*){0,4})*$/

/** One line on standard output and nothing else; the status is that of the word. */
async function checks(t: ExecutionContext, url: string, args: string[], env?: Record<string, string>) {
  const { status, stdout, stderr } = await tableMetrics(t, url, args, env)
  const [, word = '', message = '', numbers] =
    /^TABLE METRICS (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+?)(?: \| ([^|\n]+))?\n$/.exec(stdout) ?? []
  t.is(stderr, '')
  t.is(status, ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'].indexOf(word), stdout)
  if (word === 'UNKNOWN') t.is(numbers, undefined)
  else t.regex(numbers ?? '', perfdata)
  return { word, message, numbers }
}

test('status: counted today is OK, with tables, rows, alerts and age', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(
    'create table public.a as select generate_series(1, 5) as id; create table public.b (id int)',
  )
  await collect(db.sql)

  const { word, message, numbers } = await checks(t, db.url, ['status', '--check'])

  t.is(word, 'OK')
  t.is(message, `${await daysAgo(db.sql, 0)} counted by run 1: 2 tables, 5 rows`)
  t.regex(numbers ?? '', /^tables=2;;;0 rows=5;;;0 alerts=0;;;0 age=\d+s;;\d+;0$/)
})

test('status: never counted is a WARNING, and so is a failed last run until the day has a result', async (t) => {
  const db = await createDatabase(t)
  t.is((await checks(t, db.url, ['status', '--check'])).word, 'WARNING')
  await db.sql`create table public.a (id int)`
  await collect(db.sql, { exclude: ['a|b\n'] })

  const failed = await checks(t, db.url, ['status', '--check'])
  await collect(db.sql)
  await collect(db.sql, { exclude: ['a'] })
  const counted = await checks(t, db.url, ['status', '--check'])

  t.is(failed.word, 'WARNING')
  t.regex(failed.message, /run 1 FAILED: exclude: saw/)
  t.is(counted.word, 'OK')
  t.regex(counted.message, /; run 3 FAILED/)
})

test('status: late is CRITICAL', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [0, 1, 2].map((day) => ({ day, counts: { 'public.a': 1 } })),
    await daysAgo(db.sql, 5),
  )
  await db.sql`select nms.rebuild_run_snapshot(run_id), nms.rebuild_daily_snapshot(snapshot_date) from nms.table_metrics_runs`

  const { word, message } = await checks(t, db.url, ['status', '--check'])

  t.is(word, 'CRITICAL')
  t.regex(message, new RegExp(`no result for ${await daysAgo(db.sql, 2)}`))
})

test('alerts: none is OK, a drop a WARNING, and an emptied table CRITICAL; a name breaks no line', async (t) => {
  const db = await createDatabase(t)
  t.like(await checks(t, db.url, ['alerts', '--check']), { word: 'OK', message: 'no open alert' })
  const open = (kind: string, name: string) => db.sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, opened_by_run)
    values (${kind}, 'public', ${name}, 'strange', now(), 1)
  `

  await open('drop', 'or|ders\n| rows=1')
  const warned = await checks(t, db.url, ['alerts', '--check'])
  for (const name of ['a', 'b', 'c', 'd']) await open('table_new', name)
  await open('dropped_to_zero', 'items')
  const critical = await checks(t, db.url, ['alerts', '--check'])

  t.is(warned.word, 'WARNING')
  t.is(warned.message, '1 open alert: drop public.or/ders / rows=1')
  t.is(warned.numbers, 'alerts=1;0;;0 critical=0;;0;0 acknowledged=0;;;0')
  t.is(critical.word, 'CRITICAL')
  t.regex(critical.message, /^6 open alerts: dropped_to_zero public\.items, .*, and 3 more$/)
  t.is(critical.numbers, 'alerts=6;0;;0 critical=1;;0;0 acknowledged=0;;;0')
})

test('alerts: what somebody has acknowledged is OK, and mentioned', async (t) => {
  const db = await createDatabase(t)
  await db.sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, detail, opened_at, acknowledged_at, acknowledged_by, acknowledgement
    )
    values ('dropped_to_zero', 'public', 'items', 'strange', now(), now(), 'me', 'moved')
  `

  const { word, message, numbers } = await checks(t, db.url, ['alerts', '--check'])

  t.is(word, 'OK')
  t.is(message, 'no open alert, 1 acknowledged')
  t.is(numbers, 'alerts=0;0;;0 critical=0;;0;0 acknowledged=1;;;0')
})

for (const [what, args, url, expected] of [
  ['no DATABASE_URL', ['status', '--check'], () => '', /DATABASE_URL/],
  ['no server', ['alerts', '--check'], () => 'postgres://127.0.0.1:1/shop', /ECONNREFUSED/],
  ['no such database', ['status', '--check'], (url: string) => url.replace(/test_\w+/, 'nowhere'), /nowhere/],
  [
    'nothing installed',
    ['status', '--check'],
    (url: string) => url.replace(/test_\w+/, 'postgres'),
    /migrate|nms/,
  ],
  ['an unknown option', ['status', '--check', '--fast'], (url: string) => url, /--fast/],
  ['a number that is none', ['status', '--check', '--runs', 'x'], (url: string) => url, /--runs/],
  ['--json as well', ['alerts', '--check', '--json'], (url: string) => url, /--json/],
] as const) {
  test(`UNKNOWN in one line: ${what}`, async (t) => {
    const db = await createDatabase(t)

    const { word, message } = await checks(t, url(db.url), [...args])

    t.is(word, 'UNKNOWN')
    t.regex(message, expected)
  })
}

test('UNKNOWN: no right to ask', async (t) => {
  const db = await createDatabase(t)
  const { url } = await db.createRole()

  t.is((await checks(t, url, ['status', '--check'])).word, 'UNKNOWN')
})

test('UNKNOWN: a server that takes the connection and never answers', async (t) => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }

  const { word, message } = await checks(
    t,
    `postgres://postgres@127.0.0.1:${port}/shop?connect_timeout=600`,
    ['status', '--check'],
  )

  t.is(word, 'UNKNOWN')
  t.regex(message, /no answer within 9 s/)
})

test('UNKNOWN: a lock that keeps the answer from being read', async (t) => {
  const db = await createHistory(t, { 0: { public: { orders: 1 } } })
  await db.connect().unsafe('begin; lock table nms.table_metrics_daily_snapshot in access exclusive mode')

  const { word, message } = await checks(t, db.url, ['status', '--check'])

  t.is(word, 'UNKNOWN')
  t.regex(message, /timeout|no answer/)
})
