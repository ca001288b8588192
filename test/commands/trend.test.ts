import ava from 'ava'
import { drawChart } from '../../src/terminal/chart.ts'
import { createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, writeRuns } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

// Each starts processes of its own.
const test = ava.serial

const orders = (count: number | string) => ({ public: { orders: count } })

test('trend draws each day, shows a gap where there is no result, and says how it has grown', async (t) => {
  const db = await createHistory(t, { 5: orders(1000), 4: orders(1900), 2: orders(1300), 0: orders(1200) })
  const [first, last, lowest, highest] = await Promise.all([5, 0, 5, 4].map((ago) => daysAgo(db.sql, ago)))

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['trend', 'public.orders'], {
    COLUMNS: '80',
  })

  t.is(status, 0, stderr)
  t.is(
    stdout,
    `public.orders

1,900 ┤    ╭───
      │    │
      │    │
      │    │
      │    │
      │    │
      │    │       ────
      │    │               ────
      │    │
1,000 ┤────╯
      └────────────────────────
       ${first}    ${last}

1,200 rows on ${last}
+200 (+20.0 %) since ${first}
lowest 1,000 on ${lowest}
highest 1,900 on ${highest}
4 of the last 30 days have a result
`,
  )
})

test('--bytes draws what the table occupied, on the days that measured it', async (t) => {
  const db = await createHistory(t, { 3: orders(1), 2: orders(2), 1: orders(3), 0: orders(4) })
  await db.sql`
    update nms.table_metrics_measurements as measurement
    set total_bytes = 8192 * (3 - (nms.business_date() - run.snapshot_date))
    from nms.table_metrics_runs as run
    where run.run_id = measurement.run_id and run.snapshot_date > nms.business_date() - 3
  `
  const [first, last] = await Promise.all([2, 0].map((ago) => daysAgo(db.sql, ago)))

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['trend', 'public.orders', '--bytes'])

  t.is(status, 0, stderr)
  t.regex(stdout, /^24,576 ┤/m)
  t.regex(stdout, new RegExp(`^24,576 bytes on ${last}\n\\+16,384 \\(\\+200\\.0 %\\) since ${first}$`, 'm'))
  t.regex(stdout, /^3 of the last 30 days have measured them$/m)
  const json = await tableMetrics(t, db.url, ['trend', 'public.orders', '--bytes', '--json'])
  t.like(JSON.parse(json.stdout).summary_of_bytes, {
    days_found: 3,
    first_date: first,
    first_bytes: 8192,
    last_date: last,
    last_bytes: 24576,
    lowest: 8192,
    lowest_date: first,
    highest: 24576,
    highest_date: last,
    change: 16384,
    change_percent: 200,
  })
})

test('--bytes says how to have them where no run has measured any', async (t) => {
  const db = await createHistory(t, { 0: orders(1) })

  failsClearly(t, await tableMetrics(t, db.url, ['trend', 'public.orders', '--bytes']), 'measure_storage')
})

test('a table that never changes is one flat line', async (t) => {
  const db = await createHistory(t, { 2: orders(7), 1: orders(7), 0: orders(7) })

  const { stdout } = await tableMetrics(t, db.url, ['trend', 'public.orders'])

  t.regex(stdout, /^7 ┤─{12}$/m)
  t.regex(stdout, /^unchanged since /m)
})

test('a chart is as wide as the terminal at most, however many days it has', async (t) => {
  const days = Object.fromEntries(Array.from({ length: 90 }, (_, ago) => [ago, orders(1000 + 10 * ago)]))
  const db = await createHistory(t, days)

  const { stdout } = await tableMetrics(t, db.url, ['trend', 'public.orders', '--days', '90'], {
    COLUMNS: '50',
  })

  t.true(
    stdout.split('\n').every((line) => line.length <= 50),
    stdout,
  )
  t.regex(stdout, /^1,890 ┤[╮┬─]/m, 'the first day is at the left end')
  t.regex(stdout, /^1,000 ┤ {40,42}[╰├└┴─]+$/m, 'the last day is at the right end')
})

test('--days decides how far back; --json prints exact counts', async (t) => {
  const db = await createHistory(t, { 2: orders(1), 1: orders(2), 0: orders('9007199254740993') })

  const { status, stdout, stderr } = await tableMetrics(t, db.url, [
    'trend',
    'public.orders',
    '--days',
    '2',
    '--json',
  ])

  t.is(status, 0, stderr)
  t.is(stderr, '')
  t.regex(stdout, /"row_count": 9007199254740993\D/)
  const { schema_name, table_name, days } = JSON.parse(stdout)
  t.is(`${schema_name}.${table_name}`, 'public.orders')
  t.deepEqual(
    days.map((day: { snapshot_date: string }) => day.snapshot_date),
    [await daysAgo(db.sql, 1), await daysAgo(db.sql, 0)],
  )
})

test('a table is named as the catalogue spells it, or quoted as in SQL, also when it is gone', async (t) => {
  const db = await createHistory(t, { 0: { 'My.Shop': { 'Order "Items"': 3 } } })

  for (const name of ['My.Shop.Order "Items"', '"My.Shop"."Order ""Items"""', '"My.Shop".Order "Items"']) {
    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['trend', name, '--json'])

    t.is(status, 0, stderr)
    t.like(JSON.parse(stdout), { schema_name: 'My.Shop', table_name: 'Order "Items"' })
  }
})

test('a name that stands for two tables gives one line with a spelling of each', async (t) => {
  const db = await createHistory(t, { 0: { 'a.b': { c: 1 }, a: { 'b.c': 2 } } })

  failsClearly(t, await tableMetrics(t, db.url, ['trend', 'a.b.c']), 'a."b.c"', '"a.b".c')
})

for (const [name, nearest] of [
  ['public.ordres', 'public.orders'],
  ['orders', 'public.orders'],
  ['Public.Orders', 'public.orders'],
  ['public.customer', 'shop.customers'],
] as const) {
  test(`an unknown table ${name} gives one line that offers ${nearest}`, async (t) => {
    const db = await createHistory(t, { 0: { public: { orders: 1, zebra: 2 }, shop: { customers: 3 } } })

    const finished = await tableMetrics(t, db.url, ['trend', name])

    failsClearly(t, finished, name, nearest)
    t.is(finished.stderr.trim().split('\n').length, 1)
    t.notRegex(finished.stderr, /zebra/)
  })
}

test('a table without a result in these days gives one line with the days to ask for', async (t) => {
  const db = await createHistory(t, { 40: orders(1), 0: { public: { items: 1 } } })

  const finished = await tableMetrics(t, db.url, ['trend', 'public.orders'])

  failsClearly(t, finished, await daysAgo(db.sql, 40), '--days 41')
  t.is((await tableMetrics(t, db.url, ['trend', 'public.orders', '--days', '41'])).status, 0)
})

test('days that are no number give one clear message', async (t) => {
  failsClearly(
    t,
    await tableMetrics(t, '', ['trend', 'public.orders', '--days', 'all']),
    'saw all',
    'whole number',
  )
})

test('no day is left out of a chart, however narrow: one of 0, one of 90,000, each weekend; alerts are marked', async (t) => {
  const db = await createHistory(
    t,
    Object.fromEntries(
      Array.from({ length: 365 }, (_, ago) => [
        ago,
        orders(ago === 300 ? 0 : ago === 100 ? 90_000 : ago % 7 < 2 ? 30_000 : 50_000),
      ]),
    ),
  )
  const zero = await daysAgo(db.sql, 300)
  const spike = await daysAgo(db.sql, 100)
  await db.sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, row_count, detail, opened_at, opened_by_run, closed_at
    )
    select
      alert.kind, 'public', 'orders', alert.rows, 'so many', run.finished_at, run.run_id,
      case when run.snapshot_date = ${zero}::date then run.finished_at end
    from (values ('dropped_to_zero', ${zero}::date, 0), ('spike', ${spike}::date, 90000)) as alert (kind, day, rows)
    join nms.table_metrics_runs as run on run.snapshot_date = alert.day
  `

  const year = await tableMetrics(t, db.url, ['trend', 'public.orders', '--days', '365'], { COLUMNS: '80' })
  const half = await tableMetrics(t, db.url, ['trend', 'public.orders', '--days', '180'], { COLUMNS: '80' })

  // 72 columns of 365 days: the 65th day is in column 12, the 265th in column 52.
  t.regex(year.stdout, /^90,000 ┤ {52}[╷│╭╮]/m)
  t.regex(year.stdout, /^ {5}0 ┤ {12}[╵│╯╰]/m)
  t.regex(year.stdout, /^ {7}└─{12}●─{39}●─{19}$/m)
  t.regex(year.stdout, new RegExp(`^● alerts: ${zero} dropped_to_zero, ${spike} spike$`, 'm'))
  const weekends = half.stdout.split('\n').find((line) => line.startsWith('30,000'))
  t.is(weekends?.match(/[╵╰]/g)?.length, 26, half.stdout)
  t.regex(half.stdout, new RegExp(`^● alerts: ${spike} spike$`, 'm'))
})

test('more alerts than a person reads are counted, and one that is older than the chart has no mark', async (t) => {
  const db = await createHistory(t, Object.fromEntries([0, 1, 2, 3, 4, 5].map((ago) => [ago, orders(9)])))
  await db.sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, opened_by_run, closed_at)
    select 'drop', 'public', 'orders', 'fewer', run.finished_at, run.run_id,
      case when run.snapshot_date < nms.business_date() then run.finished_at end
    from nms.table_metrics_runs as run
    cross join generate_series(1, 2)
    where run.snapshot_date < nms.business_date()
    union all
    select 'spike', 'public', 'orders', 'more', '2026-01-05 12:00Z', null, null
  `

  const { stdout } = await tableMetrics(t, db.url, ['trend', 'public.orders'], { COLUMNS: '60' })

  t.regex(stdout, /└(?:──●─){5}────$/m)
  t.regex(stdout, /^● alerts: 6 earlier ones, /m)
  t.is(stdout.match(/ drop\b/g)?.length, 5)
  t.true(
    stdout.split('\n').every((line) => line.length <= 60),
    stdout,
  )
})

test('a schema and all tables are the sum of their tables, each row counted once', async (t) => {
  const db = await createHistory(t, {
    1: { 'My shop': { orders: 10, 'line.items': 20 }, stage: { big: 5 } },
    0: { 'My shop': { orders: 12, 'line.items': 22 }, stage: { big: 5 } },
  })

  for (const name of ['My shop.*', '"My shop".*']) {
    const { stdout } = await tableMetrics(t, db.url, ['trend', name])
    t.regex(stdout, /^My shop\.\*\n/)
    t.regex(stdout, /^34 rows on .*\n\+4 \(\+13\.3 %\) since /m)
  }
  const all = await tableMetrics(t, db.url, ['trend', '*'])
  t.regex(all.stdout, /^all tables\n/)
  t.regex(all.stdout, /^39 rows on .*\n\+4 \(\+11\.4 %\) since /m)
  const json = await tableMetrics(t, db.url, ['trend', '*', '--json'])
  t.like(JSON.parse(json.stdout), { schema_name: null, table_name: null, summary: { last_rows: 39 } })
})

test('a total says on how many days other tables were counted, and changes by what both have', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [
      { day: 0, counts: { 'a.x': 10, 'b.y': 100 } },
      { day: 1, counts: { 'a.x': 13 }, exclude: ['b.y'] },
    ],
    await daysAgo(db.sql, 1),
  )
  await rebuildSnapshots(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['trend', '*'])

  t.regex(stdout, /^\+3 \(\+30\.0 %\) since \S+, without 1 that one of both leaves out$/m)
  t.regex(stdout, /^1 day counted other tables than the one before, by request$/m)
})

test('several names are lines of one chart, told apart without colour', async (t) => {
  const db = await createHistory(t, {
    2: { public: { orders: 10, items: 90 } },
    1: { public: { orders: 20, items: 90 } },
    0: { public: { orders: 100, items: 90 } },
  })
  const [first, last] = await Promise.all([2, 0].map((ago) => daysAgo(db.sql, ago)))

  const { status, stdout, stderr } = await tableMetrics(
    t,
    db.url,
    ['trend', 'public.orders', 'public.items'],
    { COLUMNS: '80' },
  )

  t.is(status, 0, stderr)
  t.is(
    stdout,
    `100 ┤        oooo
    │xxxxxxxxoxxx
    │        o
    │        o
    │        o
    │        o
    │        o
    │        o
    │    ooooo
 10 ┤ooooo
    └────────────
     ${first} … ${last}

o public.orders: 100 rows on ${last}, +90 (+900.0 %) since ${first}
x public.items: 90 rows on ${last}, unchanged since ${first}
`,
  )
  const json = await tableMetrics(t, db.url, ['trend', 'public.orders', 'public.*', '--json'])
  t.like(JSON.parse(json.stdout), [
    { table_name: 'orders', summary: { last_rows: 100 } },
    { table_name: null, summary: { last_rows: 190 } },
  ])
})

test('more names than can be told apart are refused', async (t) => {
  const names = ['a.a', 'a.b', 'a.c', 'a.d', 'a.e', 'a.f', 'a.g']

  failsClearly(t, await tableMetrics(t, '', ['trend', ...names]), 'saw 7 names', 'at most 6')
})

test('--runs draws each run, with times at the axis', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [
      { day: 0, at: '05:01', counts: { 'public.orders': 10 } },
      { day: 0, at: '06:01', counts: { 'public.orders': 30 } },
      { day: 0, at: '07:01', status: 'FAILED', counts: { 'public.orders': 77 } },
      { day: 0, at: '08:01', counts: { 'public.orders': 20 } },
    ],
    await daysAgo(db.sql, 0),
  )
  await rebuildSnapshots(db.sql)
  await db.sql`select nms.import_run(nms.business_date() - 1, '{"public": {"orders": 5}}')`
  const [today, yesterday] = await Promise.all([0, 1].map((ago) => daysAgo(db.sql, ago)))

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['trend', 'public.orders', '--runs'])

  t.is(status, 0, stderr)
  t.regex(
    stdout,
    new RegExp(`^ *${yesterday} … ${today} 08:00$`, 'm'),
    'nobody knows when imported rows were counted',
  )
  t.regex(stdout, new RegExp(`^20 rows at ${today} 08:00\n\\+15 \\(\\+300.0 %\\) since ${yesterday}$`, 'm'))
  t.regex(stdout, new RegExp(`^highest 30 at ${today} 06:00$`, 'm'))
  t.regex(stdout, /└─{4}┬─{11}$/m, 'a tick where a day begins')
  t.regex(stdout, /^4 runs of the last 2 days have counted it$/m)
})

for (const [name, ...advice] of [
  ['public', 'public.*'],
  ['publik.*', 'publik', 'there are public'],
] as const) {
  test(`${name} gives one line that names what there is`, async (t) => {
    const db = await createHistory(t, { 0: orders(1) })

    const finished = await tableMetrics(t, db.url, ['trend', name])

    failsClearly(t, finished, ...advice)
    t.is(finished.stderr.trim().split('\n').length, 1)
  })
}

test('what a line falls through is drawn', (t) => {
  const columns = [0, 2, 2, 0, null, 1].map((level) =>
    level === null ? null : { first: level, last: level, low: level, high: level },
  )
  const chart = { lines: [{ columns }], height: 3, top: '9', bottom: '1', first: 'a', last: 'z' }

  t.is(
    drawChart(chart, 9),
    [
      '9 ┤ ╭─╮', //
      '  │ │ │ ─',
      '1 ┤─╯ ╰',
      '  └──────',
      '   a    z',
    ].join('\n'),
  )
})

test('a name can be given back as it was shown, whatever is in it', async (t) => {
  const names = ['Stock Movements', 'dots.in.it', 'say "hi"', 'esc\u001b[2J', "it's"]
  const db = await createHistory(t, { 0: { Warehouse: Object.fromEntries(names.map((name) => [name, 1])) } })
  const { stdout } = await tableMetrics(t, db.url, ['daily', '--sort', 'name'])
  const shown = stdout.split('\n').flatMap((line) => line.match(/^(Warehouse\..*?) {2,}/)?.[1] ?? [])

  t.is(shown.length, names.length)
  for (const name of shown) {
    const trend = await tableMetrics(t, db.url, ['trend', name])

    t.is(trend.status, 0, trend.stderr)
    t.true(trend.stdout.startsWith(`${name}\n`), trend.stdout)
  }
})
