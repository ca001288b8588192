// What the page of a day shows, as a reader gets it.

import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

const huge = '9007199254740993'

interface Overview {
  snapshot_date: string
  has_result: boolean
  run: { run_id: number; status: string } | null
  earlier_date: string | null
  later_date: string | null
  totals: { tables: number; rows: number }
  change: number | null
  change_percent: number | null
  changed_most: { table_name: string; change: number | null; change_percent: number | null }[]
  tables: {
    schema_name: string
    table_name: string
    row_count: number | null
    error_sqlstate: string | null
  }[]
  days: { snapshot_date: string; rows: number | null; counts: (number | null)[] | null }[]
  runs: { run_id: number }[]
  last_run: {
    run_id: number
    counted: number
    failures: { table_name: string; error_sqlstate: string }[]
  } | null
  today: { succeeded: number; failed: number; running: number }
  next_due: { next_date: string } | null
}

async function createHistory(t: ExecutionContext, ago: number, runs: PastRun[]) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, runs, await daysAgo(db.sql, ago))
  await rebuildSnapshots(db.sql)
  const reader = await createReader(db)
  return {
    sql: db.sql,
    overview: (given = '') => ask<Overview>(reader, `overview_report(${given})`),
    reader,
  }
}

test('each day has a count for each table in their order; what was not counted is null, never 0', async (t) => {
  const { sql, overview } = await createHistory(t, 4, [
    { day: 0, counts: { 'shop.orders': 10, 'shop.gone': 1000 } },
    { day: 1, status: 'FAILED', counts: { 'shop.orders': 11, 'shop.lines': null } },
    { day: 2, counts: { 'shop.lines': 5 } }, // not the last one of its day
    { day: 2, counts: { 'shop.orders': 0, 'shop.lines': 7 } },
    { day: 4, counts: { 'shop.orders': 40, 'shop.lines': 9, 'a.huge': huge } },
  ])
  const dates = await Promise.all([4, 3, 2, 1, 0].map((ago) => daysAgo(sql, ago)))

  const { report, text } = await overview('days => 5')

  t.deepEqual(
    report.tables.map(({ schema_name, table_name }) => `${schema_name}.${table_name}`),
    ['a.huge', 'shop.orders', 'shop.lines'],
  )
  t.deepEqual(
    report.days.map(({ snapshot_date, rows, counts }) => [snapshot_date, rows, counts?.slice(1) ?? null]),
    [
      [dates[0], 1010, [10, null]],
      [dates[1], null, null],
      [dates[2], 7, [0, 7]],
      [dates[3], null, null],
      [dates[4], report.totals.rows, [40, 9]],
    ],
  )
  t.true(text.includes(`[${huge}, 40, 9]`)) // as the server writes it: JavaScript rounds it
  t.deepEqual(
    report.days.map(({ counts }) => counts?.[0] === null),
    [true, false, true, false, false],
  )
  t.is((await overview()).report.days.length, 30)
})

test('it is of the last day with a result, and says what the last run could not count', async (t) => {
  const { sql, overview } = await createHistory(t, 3, [
    { day: 0, counts: { 'shop.orders': 1 } },
    { day: 2, counts: { 'shop.orders': 3 } },
    { day: 3, status: 'FAILED', counts: { 'shop.orders': 4, 'shop.lines': null } },
  ])
  const [first, none, second, today] = await Promise.all([3, 2, 1, 0].map((ago) => daysAgo(sql, ago)))

  const { report } = await overview()
  t.like(report, {
    snapshot_date: second,
    has_result: true,
    run: { run_id: 2, status: 'SUCCEEDED' },
    earlier_date: first,
    later_date: null,
    totals: { tables: 1, rows: 3 },
    last_run: { run_id: 3, counted: 1, failures: [{ table_name: 'lines', error_sqlstate: '42501' }] },
    today: { succeeded: 0, failed: 1, running: 0 },
    next_due: { next_date: today },
  })

  const failed = await overview(`snapshot_date => '${today}'`)
  t.like(failed.report, { has_result: false, run: { run_id: 3, status: 'FAILED' }, earlier_date: second })
  t.deepEqual(
    failed.report.tables.map((table) => [table.table_name, table.row_count, table.error_sqlstate]),
    [
      ['lines', null, '42501'],
      ['orders', 4, null],
    ],
  )
  t.like(failed.report.runs, { length: 1, 0: { run_id: 3 } })

  const empty = await overview(`snapshot_date => '${none}'`)
  t.like(empty.report, {
    has_result: false,
    run: null,
    earlier_date: first,
    later_date: second,
    tables: [],
    runs: [],
  })
  t.is(empty.report.change, null)
})

test('per cent are of what both days have counted, as in nms.growth', async (t) => {
  const { overview, reader } = await createHistory(t, 1, [
    { day: 0, counts: { 'shop.orders': 100 }, exclude: ['shop.lines'] },
    { day: 1, counts: { 'shop.orders': 110, 'shop.lines': 50 } },
  ])

  const { report } = await overview()

  t.like(report, { change: 10, change_percent: 10 })
  t.like(report.changed_most, { length: 1, 0: { table_name: 'orders', change: 10, change_percent: 10 } })
  const { report: growth } = await ask<{ periods: object[] }>(reader, 'growth_report()')
  t.like(growth.periods.at(-1), { change: 10, change_percent: 10 })
})

test('before the first run there is nothing, and no error', async (t) => {
  const { sql, overview } = await createHistory(t, 0, [])

  t.like((await overview()).report, {
    snapshot_date: await daysAgo(sql, 0),
    has_result: false,
    run: null,
    last_run: null,
    next_due: null,
    tables: [],
  })
})

test('a number of days or a date that makes no sense is refused', async (t) => {
  const { overview } = await createHistory(t, 0, [])
  for (const given of ['days => 0', 'days => 367', 'days => null']) {
    await t.throwsAsync(overview(given), { code: '22023' }, given)
  }
  for (const given of ["snapshot_date => 'infinity'", "snapshot_date => '-infinity'"]) {
    await t.throwsAsync(overview(given), { code: '22008' }, given)
  }
})
