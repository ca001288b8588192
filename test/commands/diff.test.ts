import ava from 'ava'
import { createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const days = {
  9: { public: { orders: 1 } },
  3: { public: { orders: 1000, items: 50, same: 5 }, shop: { gone: 7 } },
  1: { public: { orders: 1100, items: 20, same: 5 }, shop: { fresh: '9007199254740993' } },
}

test('diff without arguments shows what changed between the last two days, most first', async (t) => {
  const db = await createHistory(t, days)
  const [before, after] = [await daysAgo(db.sql, 3), await daysAgo(db.sql, 1)]

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['diff'])

  t.is(status, 0, stderr)
  const [title, , , , ...lines] = stdout.split('\n')
  t.is(title, `run 2 of ${before} → run 3 of ${after}`)
  t.deepEqual(
    lines.slice(0, 4).map((line) => line.split(/ {2,}/)),
    [
      ['shop.fresh', 'appeared', '9,007,199,254,740,993'],
      ['public.orders', 'grew', '1,000', '1,100', '+100', '+10.0 %'],
      ['public.items', 'shrank', '50', '20', '-30', '-60.0 %'],
      ['shop.gone', 'disappeared', '7'],
    ],
  )
  t.regex(stdout, /^1 appeared, 1 disappeared, 1 grew, 1 shrank, 1 unchanged$/m)
  t.regex(stdout, /^\+9,007,199,254,741,056 rows in all/m)
  t.notRegex(stdout, /public\.same/)
})

test('--all shows unchanged tables as well', async (t) => {
  const db = await createHistory(t, days)

  const { stdout } = await tableMetrics(t, db.url, ['diff', '--all'])

  t.regex(stdout, /^public\.same +unchanged +5 +5 +=$/m)
})

test('of many tables diff shows those that changed most and says how to see the others', async (t) => {
  const counts = (factor: number) =>
    Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`t${n}`, 100 + factor * n]))
  const db = await createHistory(t, { 2: { public: counts(0) }, 1: { public: counts(3) } })

  const { stdout } = await tableMetrics(t, db.url, ['diff'])

  const shown = [...stdout.matchAll(/^public\.t(\d+) +grew /gm)].map(([, n]) => Number(n))
  t.deepEqual(
    shown,
    Array.from({ length: 40 }, (_, n) => 49 - n),
  )
  t.regex(stdout, /^… and 9 more tables: --all /m)
  t.regex(stdout, /^49 grew, 1 unchanged$/m)
})

test('diff takes days and runs, and the last day for what is not named', async (t) => {
  const db = await createHistory(t, days)
  const [first, second] = [await daysAgo(db.sql, 9), await daysAgo(db.sql, 3)]

  for (const [args, before, after] of [
    [['1', '2'], 1, 2],
    [['3', '1'], 3, 1],
    [[first, second], 1, 2],
    [[first, '3'], 1, 3],
    [[second, 'yesterday'], 2, 3],
    [[first], 1, 3],
    [[], 2, 3],
  ] as const) {
    const { stdout, stderr } = await tableMetrics(t, db.url, ['diff', ...args, '--json'])

    t.is(stderr, '')
    const compared = JSON.parse(stdout)
    t.deepEqual([compared.before.run_id, compared.after.run_id], [before, after], args.join(' '))
  }
})

test('diff takes days back from today, and says which day stands for one without a result', async (t) => {
  const db = await createHistory(t, days)
  const [nine, seven, three] = await Promise.all([9, 7, 3].map((n) => daysAgo(db.sql, n)))

  const about = await tableMetrics(t, db.url, ['diff', '1w', '3d'])
  const none = await tableMetrics(t, db.url, ['diff', '3m'])

  t.true(
    about.stdout.startsWith(
      `run 1 of ${nine} → run 2 of ${three}\n${nine}, the last day before ${seven} that has a result\n`,
    ),
    about.stdout,
  )
  failsClearly(t, none, 'no result for', `type table-metrics diff ${nine}`)
})

test('diff --json prints every table with exact counts', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout } = await tableMetrics(t, db.url, ['diff', '--json'])

  t.is(status, 0)
  t.regex(stdout, /"rows_after": 9007199254740993\D/)
  t.regex(stdout, /"change": 9007199254741056\D/)
  const { outcomes, tables, failing } = JSON.parse(stdout)
  t.deepEqual(outcomes, { appeared: 1, disappeared: 1, grew: 1, shrank: 1, unchanged: 1 })
  t.deepEqual(
    tables.map(({ table_name, outcome }: Record<string, string>) => [table_name, outcome]),
    [
      ['fresh', 'appeared'],
      ['orders', 'grew'],
      ['items', 'shrank'],
      ['gone', 'disappeared'],
      ['same', 'unchanged'],
    ],
  )
  t.deepEqual(failing, [])
})

const before = { public: { a: 1, b: 2 } }

// What a restore has left of these tables, and with which --fail-on the comparison exits with 1.
for (const { what, after, fails } of [
  { what: 'the same rows', after: before, fails: [] },
  { what: 'more rows', after: { public: { a: 1, b: 3 } }, fails: ['any'] },
  { what: 'another table', after: { public: { a: 1, b: 2, c: 0 } }, fails: ['any'] },
  { what: 'fewer rows', after: { public: { a: 1, b: 1 } }, fails: ['drop', 'any'] },
  { what: 'one table less', after: { public: { a: 1 } }, fails: ['missing', 'drop', 'any'] },
  { what: 'nothing', after: {}, fails: ['missing', 'drop', 'any'] },
]) {
  test(`a restore that leaves ${what} fails on: ${fails.join(', ') || 'nothing'}`, async (t) => {
    const db = await createHistory(t, { 2: before, 1: after })

    for (const failOn of ['missing', 'drop', 'any']) {
      const { status, stdout, stderr } = await tableMetrics(t, db.url, [
        'diff',
        '1',
        '2',
        '--fail-on',
        failOn,
      ])

      t.is(status, fails.includes(failOn) ? 1 : 0, failOn)
      t.is(stderr !== '', fails.includes(failOn), stderr)
      t.regex(stdout, /^run 1 of .* → run 2 of /)
    }
    t.is((await tableMetrics(t, db.url, ['diff', '1', '2'])).status, 0, 'without --fail-on')
  })
}

test('a table that could not be counted is missing from a restore', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders as select 1 as id;
    create table public.items as select 1 as id;
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.sql`select from nms.collect_table_metrics()`
  const holder = db.connect()
  await holder.unsafe('begin; lock table public.orders in access exclusive mode')
  await db.sql`select from nms.collect_table_metrics()`
  await holder`rollback`

  const { status, stdout, stderr } = await tableMetrics(t, db.url, [
    'diff',
    '1',
    '2',
    '--fail-on',
    'missing',
    '--json',
  ])

  t.is(status, 1)
  t.deepEqual(JSON.parse(stdout).failing, ['public.orders'])
  t.regex(stderr, /public\.orders/)
})

for (const [args, words] of [
  [
    ['99', '1'],
    ['no run 99', 'the last one is 2', 'table-metrics status'],
  ],
  [
    ['1', '1.5'],
    ['1.5', '2026-11-20', '42'],
  ],
  [
    ['--fail-on', 'growth'],
    ['growth', 'missing', 'drop', 'any'],
  ],
] as const) {
  test(`"diff ${args.join(' ')}" gives one clear message that says what to type instead`, async (t) => {
    const db = await createHistory(t, { 2: before, 1: before })

    failsClearly(t, await tableMetrics(t, db.url, ['diff', ...args]), ...words)
  })
}

test('while only one day has a result, diff says so', async (t) => {
  const db = await createHistory(t, { 0: before })

  failsClearly(t, await tableMetrics(t, db.url, ['diff']), await daysAgo(db.sql, 0), 'table-metrics status')
})
