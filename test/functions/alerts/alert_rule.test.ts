import test from 'ava'
import { kinds } from '../../_support/alerts.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { type PastRun, writeRuns } from '../../_support/history.ts'

type Rule = Record<string, string | number | boolean>

const usual = { 'public.orders': 1000, 'public.lines': 1000, 'staging.loads': 1000 }
const strange = { 'public.orders': 600, 'public.lines': 600, 'staging.loads': 0 }
const history: PastRun[] = Array.from({ length: 20 }, (_, day) => ({ day, counts: usual }))
const [orders, lines, loads] = ['drop public.orders', 'drop public.lines', 'dropped_to_zero staging.loads']
const all = [lines, orders, loads]

const addRules = async (sql: Sql, rules: Rule[]) => {
  for (const rule of rules) await sql`insert into nms.table_metrics_alert_rules ${sql(rule)}`
}

const table = { schema_name: 'public', table_name: 'orders' }
const cases: [what: string, expected: (string | undefined)[], ...rules: Rule[]][] = [
  ['no rule: everything', all],
  ['no alerts about a schema', [lines, orders], { schema_name: 'staging', is_on: false }],
  ['no alerts about a table', [lines, loads], { ...table, is_on: false }],
  ['no alerts of a kind', [loads], { kind: 'drop', is_on: false }],
  ['no alerts of a kind about a schema', all, { schema_name: 'staging', kind: 'drop', is_on: false }],
  ['no alerts at all', [], { is_on: false }],
  ['alerts about one table only', [orders], { is_on: false }, { ...table, is_on: true }],
  [
    'alerts about one table, although not about its schema',
    [orders, loads],
    { schema_name: 'public', is_on: false },
    { ...table, is_on: true },
  ],
  [
    'alerts about one schema, although not about a kind',
    [lines, orders, loads],
    { kind: 'drop', is_on: false },
    { schema_name: 'public', is_on: true },
  ],
  [
    'a table before a schema, although that is for the kind',
    [orders, loads],
    { schema_name: 'public', kind: 'drop', is_on: false },
    { ...table, is_on: true },
  ],
  [
    'of two rules for a table, that of the kind',
    [lines, loads],
    { ...table, is_on: true },
    { ...table, kind: 'drop', is_on: false },
  ],
  [
    'a schema before a kind, and a table with another kind is none',
    all,
    { kind: 'drop', is_on: false },
    { schema_name: 'public', is_on: true },
    { ...table, kind: 'spike', is_on: false },
  ],
  ['a table that may drop by 50 %', [lines, loads], { ...table, kind: 'drop', drop_percent: 50 }],
  ['a table that may drop by 39 %', all, { ...table, kind: 'drop', drop_percent: 39 }],
  [
    'a table that may drop by 30 %, in a schema that may by 50 %',
    [orders, loads],
    { schema_name: 'public', drop_percent: 50 },
    { ...table, drop_percent: 30 },
  ],
  [
    'each column by itself: one rule for the table decides another one',
    [loads],
    { drop_percent: 50 },
    { ...table, min_change: 1 },
  ],
  ['what a drop may be says nothing about an empty table', [loads], { drop_percent: 100 }],
  ['tables of more rows only', [], { min_rows: 1001 }],
  ['tables of as many rows', all, { min_rows: 1000 }],
  ['changes of more rows only', [loads], { min_change: 401 }],
  ['changes of as many rows', all, { min_change: 400 }],
  ['a rule for another table', all, { schema_name: 'Public', table_name: 'orders', is_on: false }],
  ['silenced until the next day', [lines, loads], { ...table, silenced_until: '2026-01-26' }],
  ['silenced until the day of the run', all, { ...table, silenced_until: '2026-01-25' }],
  ['a schema silenced until the next day', [loads], { schema_name: 'public', silenced_until: '2026-01-26' }],
  [
    'a schema silenced, and a table no longer',
    [orders, loads],
    { schema_name: 'public', silenced_until: '2026-01-26' },
    { ...table, silenced_until: '2026-01-25' },
  ],
]
for (const [what, expected, ...rules] of cases) {
  test(what, async (t) => {
    const { sql } = await createDatabase(t)
    await addRules(sql, rules)

    t.deepEqual(await kinds(sql, await writeRuns(sql, [...history, { day: 20, counts: strange }])), expected)
  })
}

for (const [what, found, rows, rule] of [
  ['a spike of 90 % where 100 % are usual', [], 1900, { spike_percent: 100 }],
  ['a spike of 110 % where 100 % are usual', ['spike public.orders'], 2100, { spike_percent: 100 }],
  ['a drop of 6 % where 5 % are too many', ['drop public.orders'], 940, { drop_percent: 5 }],
  ['a spike of 6 % where 5 % are too many', ['spike public.orders'], 1060, { spike_percent: 5 }],
  ['a drop of 4 % where 5 % are too many', [], 960, { drop_percent: 5 }],
] as const) {
  test(what, async (t) => {
    const { sql } = await createDatabase(t)
    await addRules(sql, [{ ...table, ...rule }])
    const last = { day: 20, counts: { ...usual, 'public.orders': rows } }

    t.deepEqual(await kinds(sql, await writeRuns(sql, [...history, last])), [...found])
  })
}

test('sensitivity says how closely a table is held to its habit', async (t) => {
  // Every ninth day a fifth is missing: 28 % are less than double of that, and more than half.
  const restless = Array.from({ length: 67 }, (_, day) => (day % 9 === 4 ? 800 : 1000))
  const answers = []
  for (const sensitivity of [0.5, 1, 2]) {
    const { sql } = await createDatabase(t)
    await addRules(sql, [{ sensitivity }])
    const runs = [...restless, 720].map((rows, day) => ({ day, counts: { 'public.orders': rows } }))
    answers.push(await kinds(sql, await writeRuns(sql, runs)))
  }

  t.deepEqual(answers, [[], [], ['drop public.orders']])
})

for (const kind of ['no_tables', 'run_late', 'repeated_failures', 'table_missing', 'table_new']) {
  test(`${kind} can be turned off`, async (t) => {
    const { sql } = await createDatabase(t)
    const counts = { 'public.orders': 5 }
    const failed: PastRun = { day: 3, status: 'FAILED' }
    const runs: Record<string, PastRun[]> = {
      no_tables: [{ day: 0 }],
      run_late: [{ day: 0, counts }, failed],
      repeated_failures: [failed, failed, failed],
      table_missing: [
        { day: 0, counts: { ...counts, 'public.lines': 7 } },
        { day: 1, counts },
      ],
      table_new: [
        { day: 0, counts },
        { day: 1, counts: { ...counts, 'public.lines': 7 } },
      ],
    }
    const last = await writeRuns(sql, runs[kind] as PastRun[])
    t.is((await kinds(sql, last)).length, 1)

    await addRules(sql, [{ kind, is_on: false }])

    t.deepEqual(await kinds(sql, last), [])
  })
}

test('a table that is silenced speaks again on that day', async (t) => {
  const { sql } = await createDatabase(t)
  await addRules(sql, [{ ...table, silenced_until: '2026-03-08' }])
  const counts = { 'public.orders': 600 }
  const answers = []
  await writeRuns(
    sql,
    Array.from({ length: 60 }, (_, day) => ({ day, counts: { 'public.orders': 1000 } })),
  )
  for (const day of [60, 61, 62, 63]) answers.push(await kinds(sql, await writeRuns(sql, [{ day, counts }])))

  t.deepEqual(answers, [[], [], ['drop public.orders'], ['drop public.orders']])
})

test('without rules the defaults hold, and the columns name them', async (t) => {
  const { sql } = await createDatabase(t)
  const decided = await sql<{ name: string; value: string | null; named: string }[]>`
    select name, value, substring(col_description(attrelid, attnum) from 'Default: (.*)\\.$') as named
    from nms_private.alert_rule(schema_name => 'public', table_name => 'orders', kind => 'drop') as rule
    cross join jsonb_each_text(to_jsonb(rule)) as decided (name, value)
    join pg_attribute on attrelid = 'nms.table_metrics_alert_rules'::regclass and attname = name
    order by attnum
  `

  t.deepEqual(
    decided.map(({ name, value }) => [name, value]),
    [
      ['is_on', 'true'],
      ['silenced_until', null],
      ['drop_percent', '15'],
      ['spike_percent', '30'],
      ['min_rows', '50'],
      ['min_change', '20'],
      ['sensitivity', '1'],
      ['failures_in_a_row', '3'],
      ['late_after', '01:00:00'],
    ],
  )
  t.deepEqual(
    decided.map(({ named }) => named),
    decided.map(({ value }) => (value === '01:00:00' ? '1 hour' : (value ?? 'none are silenced'))),
  )
})
