// When a table has how many rows, as a reader is told.

import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, type Found, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Report {
  days_found: number
  days_needed: number
  last_date: string
  last_rows: number
  methods: Record<string, number>
  trend: {
    level: number
    per_day: number
    per_day_low: number
    per_day_high: number
    is_last_off_line: boolean
    ahead: { days: number; date: string; rows: number; rows_low: number; rows_high: number }[]
  } | null
  reaches: {
    rows: number
    outcome: string
    earliest: string | null
    middle: string | null
    latest: string | null
  } | null
  key: object | null
}

/** One run a day up to today with these counts of public.orders, and a reader. */
async function createHistory(t: ExecutionContext, counts: (number | Found | null)[]) {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    counts.flatMap((rows, day) => (rows === null ? [] : [{ day, counts: { 'public.orders': rows } }])),
    await daysAgo(db.sql, counts.length - 1),
  )
  await rebuildSnapshots(db.sql)
  const reader = await createReader(db)
  const forecast = async (options = '') =>
    (await ask<Report>(reader, `forecast_report('public', 'orders'${options})`)).report
  return { db, reader, forecast }
}

const counts = (days: number, count: (day: number) => number) =>
  Array.from({ length: days }, (_, day) => count(day))

test('ten more a day: rows per day, rows ahead, and the day on which a number is reached', async (t) => {
  const { db, forecast } = await createHistory(
    t,
    counts(60, (day) => 1000 + 10 * day),
  )

  const report = await forecast(', 2000')

  t.like(report, { days_found: 60, days_needed: 14, last_rows: 1590, methods: { exact: 60 }, key: null })
  t.like(report.trend, { level: 1590, per_day: 10, per_day_low: 10, per_day_high: 10 })
  t.deepEqual(
    report.trend?.ahead.map(({ days, rows }) => [days, rows]),
    [
      [30, 1890],
      [90, 2490],
      [365, 5240],
    ],
  )
  const [{ day }] = await db.sql<[{ day: string }]>`select (nms.business_date() + 41)::text as day`
  t.deepEqual(report.reaches, { rows: 2000, outcome: 'between', earliest: day, middle: day, latest: day })
})

test('a day of 0, days without a result and another pace before --days change nothing', async (t) => {
  const { forecast } = await createHistory(
    t,
    counts(100, (day) => (day < 70 ? 50_000 - 700 * day : 1000 + 10 * day)).map((count, day) =>
      day === 99 ? 0 : day === 80 || day === 93 ? null : count,
    ),
  )

  const report = await forecast(', 2500, 30')

  t.like(report, { days_found: 28, last_rows: 0 })
  t.like(report.trend, { level: 1990, per_day: 10 })
  t.is(report.reaches?.outcome, 'between')
})

for (const [what, count, rows, outcome] of [
  ['shrinks', (day: number) => 5000 - 10 * day, 6000, 'never'],
  ['stands still', () => 5000, 6000, 'never'],
  ['has as many', () => 5000, 5000, 'passed'],
  ['grows by a row a day', (day: number) => day, 1_000_000, 'not within 100 years'],
  ['goes up and down', (day: number) => 5000 + 400 * Math.sin(day / 5) + day, 6000, 'not before'],
] as const) {
  test(`a table that ${what}: ${outcome}`, async (t) => {
    const { forecast } = await createHistory(
      t,
      counts(60, (day) => Math.round(count(day))),
    )

    const { reaches, trend } = await forecast(`, ${rows}`)

    t.is(reaches?.outcome, outcome)
    t.is(reaches?.latest, null)
    t.is(reaches?.earliest !== null, outcome === 'not before')
    if (outcome === 'not before') t.true((trend?.per_day_low ?? 0) <= 0 && (trend?.per_day_high ?? 0) > 0)
  })
}

test('13 days are too few: there is no forecast, and how many there are is said; the 14th makes one', async (t) => {
  const few = await createHistory(
    t,
    counts(13, (day) => day),
  )
  const enough = await createHistory(
    t,
    counts(14, (day) => day),
  )

  t.like(await few.forecast(', 100'), { days_found: 13, days_needed: 14, trend: null, reaches: null })
  t.like((await enough.forecast(', 100')).trend, { per_day: 1 })
})

test('by how many days each method was used is said', async (t) => {
  const { forecast } = await createHistory(
    t,
    counts(20, (day) => day).map((rows, day) =>
      day < 4
        ? { rows, method: 'imported' as const }
        : day < 10
          ? { rows, method: 'estimate' as const, low: 0, high: 100 }
          : rows,
    ),
  )

  t.deepEqual((await forecast()).methods, { imported: 4, estimate: 6, exact: 10 })
})

test('counts beyond 2^53 stay exact', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    Array.from({ length: 20 }, (_, day) => ({
      day,
      counts: { 'public.orders': String(2n ** 62n + BigInt(day)) },
    })),
    await daysAgo(db.sql, 19),
  )
  await rebuildSnapshots(db.sql)

  const { text } = await ask(db.sql, `forecast_report('public', 'orders', ${2n ** 62n + 29n})`)

  t.regex(text, new RegExp(`"last_rows": ${2n ** 62n + 19n}\\b`))
  t.regex(text, new RegExp(`"level": ${2n ** 62n + 19n}\\b`))
  t.true(text.includes(`"latest": "${await daysAgo(db.sql, -10)}"`), text)
})

for (const [call, code, hint] of [
  [`forecast_report('public', 'orders', days => 13)`, '22023', /days => 90/],
  [`forecast_report('public', 'orders', days => 367)`, '22023', /days => 90/],
  [`forecast_report('public', 'orders', days => null)`, '22023', /days => 90/],
  [`forecast_report('public', 'orders', 0)`, '22023', /rows => 1000000/],
  [`forecast_report('public', 'ordres')`, 'P0002', /public\.orders/],
] as const) {
  test(`refused: ${call}`, async (t) => {
    const { reader } = await createHistory(t, [1])

    const error = await t.throwsAsync(ask(reader, call), { code })

    t.regex((error as unknown as { hint: string }).hint, hint)
  })
}

test('a last day off the line is said to be, and the range holds what comes of it', async (t) => {
  for (const [last, low, high] of [
    [0, 0, 5000],
    [9000, 5000, 9000],
  ] as const) {
    const { forecast } = await createHistory(t, [...counts(20, () => 5000), last])

    const { trend } = await forecast()

    t.like(trend, { level: 5000, per_day: 0, is_last_off_line: true })
    t.deepEqual(
      trend?.ahead.map(({ rows, rows_low, rows_high }) => [rows, rows_low, rows_high]),
      Array(3).fill([5000, low, high]),
    )
  }
  const { forecast } = await createHistory(
    t,
    counts(60, (day) => Math.round(5000 + 400 * Math.sin(day / 5))),
  )
  t.is((await forecast()).trend?.is_last_off_line, false)
})

test('a pace has the digits that are shown', async (t) => {
  const small = await createHistory(
    t,
    counts(20, () => 5000),
  )
  const large = await createHistory(
    t,
    counts(20, (day) => 1234 * day),
  )

  const { text } = await ask(small.db.sql, `forecast_report('public', 'orders')`)
  t.regex(text, /"per_day_low": 0\.00,/)
  t.regex(text, /"per_day_high": 0\.00,/)
  const { text: whole } = await ask(large.db.sql, `forecast_report('public', 'orders')`)
  t.regex(whole, /"per_day_low": 1234,/)
  t.regex(whole, /"per_day_high": 1234,/)
})
