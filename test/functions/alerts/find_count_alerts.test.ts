import test from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { createDatabase } from '../../_support/database.ts'
import { daily, type PastRun, writeRuns } from '../../_support/history.ts'

const repeat = (times: number, ...counts: number[]) => Array(times).fill(counts).flat() as number[]
const flat = (days: number) => repeat(Math.ceil(days / 4), 1000, 1004, 997, 1001).slice(0, days)
/** Monday to Sunday. */
const week = [1000, 1012, 995, 1004, 1009, 205, 198]
const weeks = (times: number) => repeat(times, ...week)
const growing = (days: number, step = 10) => Array.from({ length: days }, (_, day) => 1000 + step * day)
const byTenths = (days: number) => Array.from({ length: days }, (_, day) => Math.round(100 * 1.1 ** day))
/** A retention job on Sundays takes away what the week has brought. */
const sawTooth = (times: number) => repeat(times, 700, 800, 900, 1000, 1100, 1200, 600)
/** The last days of January, February and March are 26, 54 and 85. */
const monthEnds = (days: number) =>
  flat(days).map((rows, day) => ([26, 54, 85].includes(day) ? 2 * rows : rows))
const withOutlier = (day: number, rows: number, days = 60) => flat(days).with(day, rows)

type Case = [what: string, kind: string, counts: (number | null)[]]
const cases: Case[] = [
  ['a table that is empty after 3 days', 'dropped_to_zero', [1000, 1000, 1000, 0]],
  ['a table that is empty after 2 days', '', [1000, 1000, 0]],
  ['a table that is empty after 3 days of which one was not counted', '', [1000, null, 1000, 0]],
  ['a table that is empty after months', 'dropped_to_zero', [...flat(90), 0]],
  ['a table that is still empty', 'dropped_to_zero', [...flat(20), 0, 0, 0]],
  ['a table that was always empty', '', repeat(20, 0)],
  ['a tiny table that is empty', '', [...repeat(20, 49), 0]],
  ['a small table that is empty', 'dropped_to_zero', [...repeat(20, 50), 0]],
  ['a staging table that is emptied every other day', '', [...repeat(10, 1000, 0), 1000, 0]],
  [
    'a staging table that is emptied every week',
    '',
    [...repeat(5, 900, 950, 1000, 980, 970, 990, 0), 900, 0],
  ],
  ['a table that was emptied once before', 'dropped_to_zero', [...flat(20), 0, ...flat(20), 0]],

  ['half of a flat table after 14 days', 'drop', [...flat(14), 500]],
  ['half of a flat table after 13 days', '', [...flat(13), 500]],
  ['80 % of a flat table', 'drop', [...flat(40), 800]],
  ['90 % of a flat table', '', [...flat(40), 900]],
  ['half of a table of 49 rows', '', [...repeat(20, 49), 24]],
  ['half of a table of 50 rows', 'drop', [...repeat(20, 50), 25]],
  ['19 rows less of 60', '', [...repeat(20, 60), 41]],
  ['20 rows less of 60', 'drop', [...repeat(20, 60), 40]],
  ['a count that failed', '', [...flat(40), null]],
  ['half of a table after a count that failed', 'drop', [...flat(40), null, 500]],

  ['twice a flat table after 14 days', 'spike', [...flat(14), 2000]],
  ['twice a flat table after 13 days', '', [...flat(13), 2000]],
  ['140 % of a flat table', 'spike', [...flat(40), 1400]],
  ['120 % of a flat table', '', [...flat(40), 1200]],
  ['49 rows instead of 20', '', [...repeat(20, 20), 49]],
  ['50 rows instead of 20', 'spike', [...repeat(20, 20), 50]],
  ['19 rows more than 40', '', [...repeat(20, 40), 59]],
  ['20 rows more than 40', 'spike', [...repeat(20, 40), 60]],
  ['rows in a table that was always empty', 'spike', [...repeat(20, 0), 1000]],

  ['a weekend like any other', '', [...weeks(6), ...week.slice(0, 6)]],
  ['a Monday like any other', '', [...weeks(6), 1000]],
  ['a Wednesday like a weekend', 'drop', [...weeks(6), 1000, 1000, 200]],
  ['a Wednesday below any weekend', 'drop', [...weeks(6), 1000, 1000, 100]],
  ['a weekend beyond any weekday', 'spike', [...weeks(6), ...week.slice(0, 5), 2000]],
  ['the third month end', '', monthEnds(86)],
  ['the day after the third month end', '', monthEnds(87)],
  ['far beyond a month end', 'spike', [...monthEnds(85), 5000]],
  ['half of it at a month end', 'drop', [...monthEnds(85), 500]],
  ['steady growth', '', growing(60)],
  ['fast growth', '', growing(60, 100)],
  ['growth of a tenth a day', '', byTenths(40)],
  // 4526 rows were to be expected.
  ['less growth than a tenth a day', '', [...byTenths(40), 4150]],
  ['78 % of what has grown by a tenth a day', 'drop', [...byTenths(40), 3530]],
  ['half of a growing table', 'drop', [...growing(60), 800]],
  ['twice a growing table', 'spike', [...growing(60), 3200]],
  ['a saw-tooth that falls', '', sawTooth(7)],
  ['a saw-tooth that rises', '', [...sawTooth(7), 700, 800]],
  ['less than a saw-tooth ever falls to', 'drop', [...sawTooth(7), 700, 800, 300]],
  ['a flat table that was emptied once', '', [...withOutlier(30, 0), 1000]],
  ['a flat table the day after an outlier', '', [...flat(40), 10_000, 1000]],
  ['80 % of a table that was ten times as large one day', 'drop', [...withOutlier(30, 10_000), 800]],
  ['140 % of a table that was nearly empty one day', 'spike', [...withOutlier(30, 60), 1400]],
  ['a level that has been there for a week', '', [...flat(40), ...repeat(8, 500)]],
]
for (const [what, kind, counts] of cases) {
  test(`${what}: ${kind || 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)

    t.deepEqual(await kinds(sql, await writeRuns(sql, daily(counts))), kind ? [`${kind} public.orders`] : [])
  })
}

test('an alert has the count, what was to be expected, and both in words', async (t) => {
  const { sql } = await createDatabase(t)
  const usual = { 'public.a': 10_000, 'public.b': 10_000, 'public.c': 10_000 }
  const last = await writeRuns(sql, [
    ...Array.from({ length: 20 }, (_, day) => ({ day, counts: usual })),
    { day: 20, counts: { 'public.a': 0, 'public.b': 5000, 'public.c': 20_000 } },
  ])

  const alerts = await findAlerts(sql, last)

  t.deepEqual(
    alerts.map(({ kind, row_count }) => [kind, row_count]),
    [
      ['dropped_to_zero', '0'],
      ['drop', '5000'],
      ['spike', '20000'],
    ],
  )
  for (const { expected_low, expected_high } of alerts) {
    // By default a count may be 15 % below and 30 % above what is usual.
    t.is(expected_low, '8500')
    t.is(expected_high, '13000')
  }
  t.deepEqual(
    alerts.map(({ detail }) => detail),
    [
      'empty, 10,000 rows on 2026-01-24 (-100 %), usually about 10,000 rows',
      '5,000 rows, 10,000 rows on 2026-01-24 (-50 %), expected 8,500 to 13,000',
      '20,000 rows, 10,000 rows on 2026-01-24 (+100 %), expected 8,500 to 13,000',
    ],
  )
})

for (const [what, before, today, detail] of [
  ['no result of the day before', [{}, {}], 5000, /^5,000 rows, 10,000 rows on 2026-01-24 \(-50 %\), /],
  [
    'a count that failed',
    [{ counts: { 'public.a': null } }],
    1,
    /^1 row, 10,000 rows on 2026-01-24 \(-99\.9 %\), /,
  ],
  [
    'a run of the same day',
    [{ counts: { 'public.a': 7000 } }, { day: 21, counts: { 'public.a': 10 } }],
    3,
    /^3 rows, 7,000 rows on 2026-01-25 \(-99\.9 %\), /,
  ],
  [
    'what it was already',
    [{ counts: { 'public.a': 5000 } }],
    5000,
    /^5,000 rows as on 2026-01-25, expected /,
  ],
  [
    'emptied already',
    [{ counts: { 'public.a': 0 } }],
    0,
    /^empty as on 2026-01-25, usually about 10,000 rows$/,
  ],
  [
    'empty the day before',
    [{ counts: { 'public.a': 0 } }],
    90_000,
    /^90,000 rows, empty on 2026-01-25, expected /,
  ],
  [
    'more than a bigint of per cent',
    [{ counts: { 'public.a': 3 } }],
    '9007199254740993',
    /^9,007,199,254,740,993 rows, 3 rows on 2026-01-25 \(\+300,239,975,158,033,000 %\), /,
  ],
] as [string, Partial<PastRun>[], number | string, RegExp][]) {
  test(`the text of an alert has the last count before it: ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    const last = await writeRuns(sql, [
      ...Array.from({ length: 20 }, (_, day) => ({ day, counts: { 'public.a': 10_000 } })),
      ...before.map((run) => ({ day: 20, counts: {}, ...run })),
      { day: 21, counts: { 'public.a': today } },
    ])

    const [alert] = await findAlerts(sql, last)

    t.regex(alert?.detail ?? '', detail)
  })
}

test('a partition has no spike, and drops as any table', async (t) => {
  const { sql } = await createDatabase(t)
  const run = (day: number, ahead: number, past: number): PastRun => ({
    day,
    counts: { 'public.ahead': ahead, 'public.past': past },
    partitions: ['public.ahead', 'public.past'],
  })
  const days = Array.from({ length: 20 }, (_, day) => run(day, 0, 1000))

  t.deepEqual(await kinds(sql, await writeRuns(sql, [...days, run(20, 90_000, 500)])), ['drop public.past'])
})

test('each table is judged by itself', async (t) => {
  const { sql } = await createDatabase(t)
  const names = ['public.a', 'public.b', 'other.a', 'Other.A']
  const all = (rows: Record<string, number>) =>
    Object.fromEntries(names.map((name, n) => [name, rows[name] ?? 1000 * 10 ** n]))
  const days = Array.from({ length: 20 }, (_, day) => ({ day, counts: all({}) }))

  const last = await writeRuns(sql, [...days, { day: 20, counts: all({ 'other.a': 40_000, 'public.b': 0 }) }])

  t.deepEqual(await kinds(sql, last), ['drop other.a', 'dropped_to_zero public.b'])
})
