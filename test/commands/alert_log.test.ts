// alerts --history, ack, silence and rules, as somebody types them.

import ava, { type ExecutionContext } from 'ava'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { writeRuns } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** An alert that is closed, one that is open, and one of a schema whose alerts are off. */
async function createAlerts(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await writeRuns(db.sql, [
    { day: 0, counts: { 'sales.orders': 5, 'staging.loads': 5, 'a.b\n\u001b[31m': 1 } },
  ])
  await db.sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, detail, opened_at, opened_by_run, closed_at, closed_by_run
    )
    values
      ('drop', 'sales', 'orders', 'fewer', '2026-01-05 12:00Z', 1, '2026-01-06 12:00Z', 2),
      ('spike', 'sales', 'orders', 'more', '2026-01-07 12:00Z', 3, null, null),
      ('drop', 'staging', 'loads', 'fewer', '2026-01-08 12:00Z', 4, null, null)
  `
  await db.sql`
    insert into nms.table_metrics_alert_rules (schema_name, kind, is_on)
    values ('staging', '*', false), ('*', 'run_late', false)
  `
  return db
}

const lines = (text: string) => text.trimEnd().split('\n')

test('the history has the last one first, with how long, in which runs, what hides it and who has taken it on', async (t) => {
  const { url, sql } = await createAlerts(t)
  await sql`select nms.acknowledge_alert(2, 'a fair')`

  const { stdout } = await tableMetrics(t, url, ['alerts', '--history'])

  const [, , , , by = '', ...others] = lines(stdout)
  t.deepEqual(lines(stdout).slice(0, 4), [
    '3 drop staging.loads, 2026-01-08 07:00 switched off by a rule (run 4)',
    '  fewer',
    '2 spike sales.orders, 2026-01-07 07:00 still open (run 3)',
    '  more',
  ])
  t.regex(by, /^ {2}acknowledged by \w+, [\d-]+ [\d:]+: a fair$/)
  t.deepEqual(others, [
    '1 drop sales.orders, 2026-01-05 07:00 until 2026-01-06 07:00 (run 1 to 2)',
    '  fewer',
  ])

  const limited = await tableMetrics(t, url, ['alerts', '--history', '--limit', '1'])
  t.deepEqual(lines(limited.stdout).slice(2), ['… for older ones type --limit 4'])
  const json = await tableMetrics(t, url, ['alerts', '--history', '--json', '--limit', '2'])
  t.deepEqual(
    JSON.parse(json.stdout).map(({ alert_id }: { alert_id: number }) => alert_id),
    [3, 2],
  )
})

test('ack says whose alert it is, and status counts it no longer', async (t) => {
  const { url } = await createAlerts(t)

  const { stdout } = await tableMetrics(t, url, ['alerts', 'ack', '2', 'a fair'])

  t.regex(stdout, /^2 spike sales\.orders: acknowledged by \w+\n$/)
  t.regex(
    (await tableMetrics(t, url, ['alerts'])).stdout,
    /\n {2}more\n {2}acknowledged by \w+, .*: a fair\n$/,
  )
  t.regex((await tableMetrics(t, url, ['status'])).stdout, /^open alerts: none, 1 acknowledged$/m)
  t.regex(
    (await tableMetrics(t, url, ['status'])).stdout,
    /^2026-01-07 07:00 +spike, acknowledged +sales\.orders +more$/m,
  )
})

test('silence says until when, and --off that it is over', async (t) => {
  const { url } = await createAlerts(t)
  const say = async (...words: string[]) =>
    (await tableMetrics(t, url, ['alerts', 'silence', ...words])).stdout

  t.is(
    await say('sales.orders', '--until', '2999-12-01', 'a fair'),
    'sales.orders: no alerts until 2999-12-01, 1 open one hidden\n',
  )
  t.is((await tableMetrics(t, url, ['alerts'])).stdout, 'no open alerts\n')
  t.regex(
    (await tableMetrics(t, url, ['alerts', '--history'])).stdout,
    /^2 spike sales\.orders, 2026-01-07 07:00 silenced until 2999-12-01 \(run 3\)$/m,
  )
  t.is(await say('sales.orders', '--off'), 'sales.orders: alerts again, 1 open one\n')
  t.is(
    await say('*', '--until', '2999-12-01', '--kind', 'drop'),
    '*: no alerts of the kind drop until 2999-12-01, 1 open one hidden\n',
  )
  t.is(
    await say('staging.*', '--until', '2999-12-01'),
    'staging.*: no alerts, a rule has switched them off\n',
  )
})

test('rules are told in words, and for a table which of them decides', async (t) => {
  const { url, sql } = await createAlerts(t)
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, drop_percent, silenced_until, comment)
    values ('sales', 'orders', 50, '2999-12-01', 'moved')
  `

  const all = await tableMetrics(t, url, ['alerts', 'rules'])
  const one = await tableMetrics(t, url, ['alerts', 'rules', 'sales.orders'])
  const json = await tableMetrics(t, url, ['alerts', 'rules', 'sales.orders', '--json'])

  t.deepEqual(lines(all.stdout).slice(0, 4), [
    'sales.orders: silent until 2999-12-01; drop from 50 %; “moved”',
    'staging.*: no alerts',
    '* (run_late): no alerts',
    'by default: on; drop from 15 %; spike from 30 %; tables of 50 rows or more;',
  ])
  t.true(all.stdout.split('\n').every((line) => line.length <= 80))
  t.is(lines(one.stdout)[0], 'sales.orders')
  t.regex(
    one.stdout,
    /^drop: on; silent until 2999-12-01 \(by sales\.orders\);\n {2}drop from 50 % \(by sales\.orders\);/m,
  )
  t.is(JSON.parse(json.stdout).kinds.length, 7)
})

for (const [words, said] of [
  [['ack', '99', 'x'], /^error: no such alert: 99: .*; type table-metrics alerts to see the open ones\n$/],
  [
    ['ack', '1', 'x'],
    /^error: alert 1 is closed: it held no longer on 2026-01-06; type table-metrics alerts/,
  ],
  [['ack', '2', ''], /^error: an acknowledgement has 1 to 500 characters: saw 0; .*\n$/],
  [['ack', 'sales.orders', 'x'], /saw sales\.orders, expected a number such as 12/],
  [
    ['silence', 'sales.ordres', '--until', '7d'],
    /^error: no run has met a table sales\.ordres: .*; did you mean sales\.orders\?\n$/,
  ],
  [
    ['silence', 'sales.orders', '--until', '2020-01-01'],
    /^error: a silence cannot end on 2020-01-01: .*; name a day to come .*\n$/,
  ],
  [
    ['silence', 'a.b\n', '--until', '7d'],
    /^error: no run has met a table a\.b\\u000a: .*; did you mean a\.b\\u000a\\u001b\[31m\?\n$/,
  ],
  [['silence', 'sales.orders'], /^error: expected one of --until and --off: .*\n$/],
  [['silence', 'sales.orders', '--off', '--until', '7d'], /^error: expected one of --until and --off: .*\n$/],
  [
    ['silence', 'sales.orders', '--off'],
    /^error: no silence of sales\.orders to end: .*; type table-metrics alerts rules .*\n$/,
  ],
  [
    ['silence', '*', '--until', '7d', '--kind', 'droop'],
    /^error: no such kind of alert: droop: expected one of .*spike.*\n$/,
  ],
  [
    ['rules', 'sales.ordres'],
    /^error: no run has met a table sales\.ordres: did you mean sales\.orders\?\n$/,
  ],
] as [string[], RegExp][]) {
  test(`alerts ${words.join(' ')} is refused in one line`, async (t) => {
    const { url } = await createAlerts(t)

    const { status, stdout, stderr } = await tableMetrics(t, url, ['alerts', ...words])

    t.is(status, 1)
    t.is(stdout, '')
    t.regex(stderr, said)
  })
}

test('a table is silenced as it is displayed, whatever it is called', async (t) => {
  const { url, sql } = await createAlerts(t)
  await writeRuns(sql, [{ day: 1, counts: { 'Odd.Order "x.y"': 1 } }])

  const { stdout, stderr } = await tableMetrics(t, url, [
    'alerts',
    'silence',
    'Odd.Order "x.y"',
    '--until',
    '2999-12-01',
  ])

  t.is(stdout, 'Odd.Order "x.y": no alerts until 2999-12-01\n', stderr)
  t.deepEqual(
    [...(await sql`select table_name from nms.table_metrics_alert_rules where schema_name = 'Odd'`)],
    [{ table_name: 'Order "x.y"' }],
  )
})
