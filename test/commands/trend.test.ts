import ava from 'ava'
import { drawChart } from '../../src/terminal/chart.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'

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
  t.regex(stdout, /^1,890 ┤─/m, 'the first day is at the left end')
  t.regex(stdout, /^1,000 ┤ {40}╰──$/m, 'the last day is at the right end')
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

test('what a line falls through is drawn', (t) => {
  const chart = { levels: [0, 2, 2, 0, null, 1], height: 3, top: '9', bottom: '1', first: 'a', last: 'z' }

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
