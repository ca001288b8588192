import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { writeRuns } from '../../_support/history.ts'
import { ask, createReader } from '../../_support/reader.ts'

interface Report {
  rules: { named: string; decides: string[]; comment: string | null }[]
  defaults: Record<string, unknown> & { decides: string[] }
  kinds: { kind: string; decides: Decision[] }[] | null
}
interface Decision {
  decision: string
  value: string
  in_words: string
  rule: string | null
}

async function createRules(t: ExecutionContext, rules: string) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, [
    { day: 0, counts: { 'sales.orders': 1, 'sales.Odd "one"': 1, 'staging.loads': 1 } },
  ])
  if (rules) await db.sql.unsafe(`insert into nms.table_metrics_alert_rules ${rules}`)
  return { sql: db.sql, reader: await createReader(db) }
}

test('a reader sees each rule with what it decides in words, the most specific first, and the defaults', async (t) => {
  const { reader } = await createRules(
    t,
    `(schema_name, table_name, kind, is_on, silenced_until, drop_percent, min_rows, sensitivity, late_after, comment)
    values
      ('*', '*', 'run_late', null, null, null, null, null, '90 min', 'slow mornings'),
      ('staging', '*', '*', false, null, null, null, null, null, null),
      ('sales', 'orders', '*', null, '2999-12-01', 50, null, null, null, 'moved'),
      ('sales', 'orders', 'spike', true, '2001-12-01', null, 1234567, 0.50, null, null)`,
  )

  const { report } = await ask<Report>(reader, 'alert_rules_report()')

  t.deepEqual(
    report.rules.map(({ named, decides, comment }) => [named, ...decides, comment]),
    [
      [
        'sales.orders (spike)',
        'on',
        'was silent until 2001-12-01',
        'tables of 1,234,567 rows or more',
        'sensitivity 0.5',
        null,
      ],
      ['sales.orders', 'silent until 2999-12-01', 'drop from 50 %', 'moved'],
      ['staging.*', 'no alerts', null],
      ['* (run_late)', 'late 1 hour 30 mins after the usual time', 'slow mornings'],
    ],
  )
  t.deepEqual(report.defaults.decides, [
    'on',
    'drop from 15 %',
    'spike from 30 %',
    'tables of 50 rows or more',
    'changes of 20 rows or more',
    'sensitivity 1',
    'after 3 failed runs in a row',
    'late 1 hour after the usual time',
  ])
  t.is(report.kinds, null)
})

test('of one table it says which rule decides what about each kind of alert', async (t) => {
  const { reader } = await createRules(
    t,
    `(schema_name, table_name, kind, is_on, drop_percent, min_change)
    values ('sales', 'orders', 'drop', null, 50, null), ('sales', '*', '*', null, 40, 7), ('*', '*', 'table_new', false, null, null)`,
  )

  const { report } = await ask<Report>(reader, `alert_rules_report('sales', 'orders')`)

  const decided = (report.kinds ?? []).map(({ kind, decides }) => [
    kind,
    ...decides.map(({ in_words, rule }) => `${in_words} <- ${rule ?? 'default'}`),
  ])
  t.deepEqual(decided, [
    ['table_missing', 'on <- default'],
    ['table_new', 'no alerts <- * (table_new)'],
    ['dropped_to_zero', 'on <- default', 'tables of 50 rows or more <- default'],
    [
      'drop',
      'on <- default',
      'drop from 50 % <- sales.orders (drop)',
      'tables of 50 rows or more <- default',
      'changes of 7 rows or more <- sales.*',
      'sensitivity 1 <- default',
    ],
    [
      'spike',
      'on <- default',
      'spike from 30 % <- default',
      'tables of 50 rows or more <- default',
      'changes of 7 rows or more <- sales.*',
      'sensitivity 1 <- default',
    ],
    ['count_differs', 'on <- default'],
    ['triggers_changed', 'on <- default'],
  ])
  t.is(report.rules.length, 3)
  t.is((await ask<Report>(reader, `alert_rules_report('staging', 'loads')`)).report.rules.length, 1)
})

test('what it says of a table is what alerts are judged by, whichever rules there are', async (t) => {
  const { sql } = await createRules(
    t,
    `(schema_name, table_name, kind, is_on, silenced_until, drop_percent, spike_percent, min_rows, min_change, sensitivity)
    select
      scope.schema_name, scope.table_name, kind, number % 2 = 0, case when number % 2 = 0 then date '2030-01-01' + number end,
      nullif(number % 5, 0) + 10, nullif(number % 4, 0), number, nullif(number % 7, 0), nullif(number % 6, 0)
    from (values ('*', '*'), ('sales', '*'), ('sales', 'orders')) as scope (schema_name, table_name)
    cross join unnest('{*,drop,spike,dropped_to_zero}'::text[]) with ordinality as given (kind, place)
    cross join lateral (select place::integer * 5 + length(scope.table_name) + length(scope.schema_name)) as n (number)
    where number % 4 <> 1`,
  )

  const wrong = await sql`
    select explained.kind, decided.*, to_jsonb(rule) ->> decided.decision as judged
    from nms_private.explain_alert_rules('sales', 'orders') as explained
    cross join jsonb_to_recordset(explained.decides) as decided (decision text, value text)
    cross join nms_private.alert_rule('sales', 'orders', explained.kind) as rule
    where (to_jsonb(rule) ->> decided.decision)::text is distinct from decided.value
  `
  const [{ decisions }] = await sql<[{ decisions: string }]>`
    select sum(jsonb_array_length(explained.decides)) as decisions
    from nms_private.explain_alert_rules('sales', 'orders') as explained
  `

  t.deepEqual([...wrong], [])
  t.true(Number(decisions) > 20, decisions)
})

test('rules of a table that no run has met are refused, with those most alike', async (t) => {
  const { reader } = await createRules(t, '')

  const error = await t.throwsAsync(ask(reader, `alert_rules_report('sales', 'ordres')`), { code: 'P0002' })

  t.regex((error as unknown as { hint: string }).hint, /sales\.orders/)
})
