import ava, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, type PastRun, writeRuns } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

// Each starts processes of its own.
const test = ava.serial

async function createRuns(t: ExecutionContext, ago: number, runs: PastRun[]) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, runs, await daysAgo(db.sql, ago))
  await rebuildSnapshots(db.sql)
  return db
}

test('growth shows the periods, each schema and the tables that grew most', async (t) => {
  const db = await createRuns(t, 3, [
    { day: 0, counts: { 'sales.orders': 1000, 'sales.items': 500, 'hr.staff': 10 } },
    { day: 1, counts: { 'sales.orders': 1100, 'sales.items': 500, 'hr.staff': 10 } },
    { day: 3, counts: { 'sales.orders': 1500, 'sales.items': 400, 'hr.staff': 11 } },
  ])
  const [three, two, today] = await Promise.all([3, 2, 0].map((ago) => daysAgo(db.sql, ago)))

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['growth', '--by', 'day'], {
    COLUMNS: '80',
  })

  t.is(status, 0, stderr)
  t.is(
    stdout,
    `all tables  ▁▃█

day          rows  change        %  per day
──────────  ─────  ──────  ───────  ───────
${three}  1,510
${two}  1,610    +100   +6.6 %     +100
${today}  1,911    +301  +18.7 %     +151

+401 (+26.6 %) since ${three}, +134 a day

schema   rows  change        %  days
──────  ─────  ──────  ───────  ────
sales   1,900    +400  +26.7 %  ▁▃█
hr         11      +1  +10.0 %  ▁▁█

grew most:

table          rows  change        %  days
────────────  ─────  ──────  ───────  ────
sales.orders  1,500    +500  +50.0 %  ▁▂█
hr.staff         11      +1  +10.0 %  ▁▁█
`,
  )
})

test('growth of a schema, by week unless another period is named; a table has no others beside it', async (t) => {
  const db = await createHistory(t, {
    70: { sales: { orders: 5 }, hr: { staff: 7 } },
    0: { sales: { orders: 9 }, hr: { staff: 7 } },
  })

  const schema = await tableMetrics(t, db.url, ['growth', 'sales.*'])
  const table = await tableMetrics(t, db.url, ['growth', 'sales.orders', '--by', 'month'])

  t.regex(schema.stdout, /^sales\.\* {2}▁█\n\nweek {8}until /)
  t.regex(schema.stdout, /^\+4 \(\+80\.0 %\) since \S+, \+0\.1 a day$/m)
  t.regex(schema.stdout, /^grew most:$/m)
  t.notRegex(schema.stdout, /staff|^schema/m)
  t.regex(table.stdout, /^sales\.orders {2}▁█\n\nmonth {4}until /)
  t.notRegex(table.stdout, /grew most/)
})

test('--json prints the report of the server, exactly', async (t) => {
  const db = await createHistory(t, { 1: { a: { b: 1 } }, 0: { a: { b: '9007199254740993' } } })

  const { stdout } = await tableMetrics(t, db.url, [
    'growth',
    'a.b',
    '--json',
    '--by',
    'day',
    '--periods',
    '1',
  ])

  t.regex(stdout, /"rows": 9007199254740993\D/)
  t.like(JSON.parse(stdout), {
    by: 'day',
    schema_name: 'a',
    table_name: 'b',
    periods: [{ per_day: 2 ** 53 }],
  })
  t.is(JSON.parse(stdout).periods.length, 1)
})

test('a period of which the table was left out says so, and is a gap', async (t) => {
  const db = await createRuns(t, 2, [
    { day: 0, counts: { 'a.x': 10, 'b.y': 1 } },
    { day: 1, counts: { 'a.x': 10 }, exclude: ['b.y'] },
    { day: 2, counts: { 'a.x': 10, 'b.y': 3 } },
  ])

  const { stdout } = await tableMetrics(t, db.url, ['growth', 'b.y', '--by', 'day'])
  const all = await tableMetrics(t, db.url, ['growth', '--by', 'day'])

  t.regex(stdout, /^b\.y {2}▁ █\n/)
  t.regex(stdout, /^\S+ {2}left out$/m)
  t.regex(all.stdout, /^changes are of what both days counted: 2 have tables left out by request$/m)
})

test('what is made of an estimate has its mark', async (t) => {
  const db = await createRuns(t, 1, [
    { day: 0, counts: { 'a.x': { rows: 100, method: 'estimate', low: 90, high: 110 }, 'b.y': 5 } },
    { day: 1, counts: { 'a.x': { rows: 200, method: 'estimate', low: 190, high: 210 }, 'b.y': 5 } },
  ])

  const { stdout } = await tableMetrics(t, db.url, ['growth', '--by', 'day'])

  t.regex(stdout, /≈ 205 +≈ \+100 +≈ \+95\.2 % +≈ \+100$/m)
  t.regex(stdout, /^≈ \+100 \(\+95\.2 %\) since /m)
  t.regex(stdout, /^a +≈ 200 +≈ \+100 /m)
  t.regex(stdout, /^b +5 +=/m)
  t.regex(stdout, /^a\.x +≈ 200 +≈ \+100 /m)
})

test('names that would move the cursor are shown as they are spelled', async (t) => {
  const db = await createHistory(t, {
    1: { 'x\u001b[31m': { 'y\u0007': 1 } },
    0: { 'x\u001b[31m': { 'y\u0007': 2 }, z: { z: 1 } },
  })

  const { stdout } = await tableMetrics(t, db.url, ['growth', '--by', 'day'])
  const one = await tableMetrics(t, db.url, ['growth', 'x\u001b[31m.*', '--by', 'day'])

  t.notRegex(stdout + one.stdout, /[\p{Cc}--\n]/v)
  t.true(stdout.includes('x\\u001b[31m.y\\u0007'), stdout)
  t.true(one.stdout.startsWith('x\\u001b[31m.*  ▁█'), one.stdout)
})

test('when only one week has a result, days are offered; when none has, more periods', async (t) => {
  const db = await createHistory(t, { 40: { a: { gone: 1 } }, 0: { a: { b: 1 } } })

  const one = await tableMetrics(t, db.url, ['growth', 'a.b'])
  t.regex(one.stdout, /--by day/)
  failsClearly(
    t,
    await tableMetrics(t, db.url, ['growth', 'a.gone', '--periods', '2']),
    'last 2 weeks',
    await daysAgo(db.sql, 40),
  )
  failsClearly(t, await tableMetrics(t, db.url, ['growth', '--by', 'year']), 'day, week or month')
  failsClearly(t, await tableMetrics(t, db.url, ['growth', 'a.gome']), 'a.gone')
})
