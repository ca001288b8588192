// What became of all tables in a period, as a reader is told.

import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Report {
  since: string
  until: string
  before: { snapshot_date: string; rows: number; tables: number } | null
  after: { snapshot_date: string; rows: number; tables: number } | null
  change: number | null
  change_percent: number | null
  tables_left_out: number | null
  is_change_estimated: boolean
  outcomes: Record<string, number>
  grew: Changed[]
  shrank: Changed[]
  appeared: Changed[]
  disappeared: Changed[]
  tables: (Changed & { days: (number | null)[] })[]
  more_tables: number
  daily: { snapshot_date: string; rows: number | null; tables: number | null; left_out_count?: number }[]
  days: { calendar: number; expected: number; with_result: number; without_result: string[] }
  runs: {
    succeeded: number
    imported: number
    failed: number
    running: number
    reasons: { error_message: string; runs: number; first_date: string; last_date: string }[]
    more_reasons: number
  }
  alerts: Record<'opened' | 'closed' | 'open', { alerts: number; groups: Group[] }>
}

interface Changed {
  schema_name: string
  table_name: string
  outcome: string | null
  rows_before: number | null
  rows_after: number | null
  change: number | null
  change_percent: number | null
}

interface Group {
  kind: string
  schema_name: string | null
  table_name: string | null
  alerts: number
}

/** Runs from so many days ago on, and a reader who asks for a period by how many days ago it begins and ends. */
async function createHistory(t: ExecutionContext, ago: number, runs: PastRun[]) {
  const db = await createDatabase(t)
  if (runs.length > 0) await writeRuns(db.sql, runs, await daysAgo(db.sql, ago))
  await rebuildSnapshots(db.sql)
  const reader = await createReader(db)
  return {
    sql: db.sql,
    reader,
    date: (ago: number) => daysAgo(db.sql, ago),
    period: (since: number, until = 0, more = '') =>
      ask<Report>(
        reader,
        `period_report(nms.business_date() - ${since}, nms.business_date() - ${until}${more})`,
      ),
  }
}

const named = (tables: readonly Changed[]) =>
  tables.map(({ schema_name, table_name, rows_before, rows_after, change, change_percent }) => [
    `${schema_name}.${table_name}`,
    rows_before,
    rows_after,
    change,
    change_percent,
  ])

test('a week is from the last result on or before its beginning to its last one, each row counted once', async (t) => {
  const { period, reader, date } = await createHistory(t, 9, [
    { day: 0, counts: { 'shop.orders': 1, 'shop.gone': 1 } },
    { day: 1, counts: { 'shop.orders': 100, 'shop.gone': 7, 'shop.same': 5, 'shop.items': 80 } },
    { day: 2, status: 'FAILED', counts: { 'shop.orders': null } },
    { day: 4, counts: { 'shop.orders': 110, 'shop.same': 5, 'shop.items': 0 } },
    {
      day: 8,
      counts: {
        'shop.orders': { rows: 150, own: 0 },
        'shop.orders_1': 150,
        'shop.same': 5,
        'shop.items': 60,
        'shop.fresh': 3,
      },
      partitions: ['shop.orders_1'],
    },
  ])

  // day 2 is the seventh before today, and failed
  const { report } = await ask<Report>(reader, 'period_report()')

  t.is(report.since, await date(7))
  t.is(report.until, await date(0))
  t.like(report.before, { snapshot_date: await date(8), tables: 4, rows: 192 })
  t.like(report.after, { snapshot_date: await date(1), tables: 5, rows: 218 })
  t.is(report.change, 26)
  t.is(report.change_percent, 13.54)
  t.deepEqual(named(report.grew), [['shop.orders', 100, 150, 50, 50]])
  t.deepEqual(named(report.shrank), [['shop.items', 80, 60, -20, -25]])
  t.deepEqual(named(report.appeared), [['shop.fresh', null, 3, null, null]])
  t.deepEqual(named(report.disappeared), [['shop.gone', 7, null, null, null]])
  t.deepEqual(report.outcomes, { grew: 1, shrank: 1, appeared: 1, disappeared: 1, unchanged: 1 })
  t.deepEqual(
    report.daily.map(({ snapshot_date, rows, tables }) => [snapshot_date, rows, tables]),
    await Promise.all(
      [192, null, null, 115, null, null, null, 218, null].map(async (rows, n) => [
        await date(8 - n),
        rows,
        rows === 192 ? 4 : rows === 115 ? 3 : rows === 218 ? 5 : null,
      ]),
    ),
  )
  t.deepEqual(
    report.tables.map(({ table_name, days }) => [table_name, days]),
    [
      ['orders', [100, null, null, 110, null, null, null, 150, null]],
      ['items', [80, null, null, 0, null, null, null, 60, null]],
      ['gone', [7, null, null, null, null, null, null, null, null]],
      ['fresh', [null, null, null, null, null, null, null, 3, null]],
      ['same', [5, null, null, 5, null, null, null, 5, null]],
    ],
  )
  t.is((await period(8)).report.change, 26)
  t.is((await period(9, 1)).report.change, 216)
})

test('of many tables those that changed most are told, and how many others there are', async (t) => {
  const counts = (factor: number) =>
    Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`shop.t${n}`, 100 + factor * n]))
  const { period } = await createHistory(t, 1, [
    { day: 0, counts: counts(1) },
    { day: 1, counts: { ...counts(3), 'shop.huge': '9007199254740993' } },
  ])

  const { report, text } = await period(1, 0, ', at_most => 4')

  t.deepEqual(
    report.tables.map(({ table_name }) => table_name),
    ['huge', 't29', 't28', 't27'],
  )
  t.is(report.more_tables, 27)
  t.deepEqual(
    report.grew.map(({ table_name }) => table_name),
    Array.from({ length: 10 }, (_, n) => `t${29 - n}`),
  )
  t.deepEqual(report.outcomes, { grew: 29, appeared: 1, unchanged: 1 })
  t.true(text.includes('"days": [null, 9007199254740993]')) // as the server writes it: JavaScript rounds it
  t.is((await period(1)).report.tables.length, 31)
  t.is((await period(1, 0, ', at_most => null')).report.more_tables, 0)
})

test('what a request leaves out has neither shrunk nor disappeared, and a total without it is compared without it', async (t) => {
  const { period } = await createHistory(t, 3, [
    { day: 0, counts: { 'shop.orders': 100, 'stage.big': 900 } },
    { day: 3, counts: { 'shop.orders': 120 }, skip: ['stage'] },
  ])

  const { report } = await period(3)

  t.like(report, { change: 20, change_percent: 20, tables_left_out: 1, disappeared: [], shrank: [] })
  t.deepEqual(report.outcomes, { grew: 1, 'left out': 1 })
})

test('a change that an estimate allows to be none is neither', async (t) => {
  const estimate = (rows: number) => ({
    rows,
    method: 'estimate' as const,
    low: rows - 10,
    high: rows + 10,
  })
  const { period } = await createHistory(t, 1, [
    { day: 0, counts: { 'a.vague': estimate(100), 'a.sure': estimate(100) } },
    { day: 1, counts: { 'a.vague': estimate(105), 'a.sure': estimate(300) } },
  ])

  const { report } = await period(1)

  t.deepEqual(report.outcomes, { grew: 1, unclear: 1 })
  t.deepEqual(named(report.grew), [['a.sure', 100, 300, 200, 200]])
  t.true(report.is_change_estimated)
  t.like(report.after, { rows: 405, estimated_rows: 405 })
})

test('the first result is what a period begins with when there is none before it', async (t) => {
  const { period, date } = await createHistory(t, 3, [
    { day: 0, at: '23:59', counts: { 'shop.orders': 100 } },
    { day: 2, at: '23:59', counts: { 'shop.orders': 130 } },
  ])

  const { report } = await period(30)

  t.is(report.since, await date(30))
  t.is(report.before?.snapshot_date, await date(3))
  t.is(report.change, 30)
  t.is(report.daily[0]?.snapshot_date, await date(3))
  // Before the first result none was expected, and today's may still come.
  t.deepEqual(report.days, { calendar: 30, expected: 3, with_result: 2, without_result: [await date(2)] })
})

test('on the first day there is nothing to compare with, and without a result nothing at all', async (t) => {
  const first = await createHistory(t, 0, [{ day: 0, counts: { 'shop.orders': 100 } }])
  const { report } = await first.period(7)
  t.like(report, { before: null, change: null, change_percent: null, outcomes: {} })
  t.deepEqual(named(report.tables), [['shop.orders', null, 100, null, null]])
  t.is(report.daily.length, 8)

  const none = await createHistory(t, 0, [])
  const nothing = (await none.period(7)).report
  t.like(nothing, { before: null, after: null, change: null, tables: [], grew: [], more_tables: 0 })
  t.like(nothing.days, { calendar: 7, expected: 0, with_result: 0, without_result: [] })
  t.like(nothing.runs, { succeeded: 0, failed: 0, reasons: [] })
  t.like(nothing.alerts, { opened: { alerts: 0, groups: [] }, open: { alerts: 0 } })
})

test('a period without a result says so, and what the last one was', async (t) => {
  const { period, date } = await createHistory(t, 20, [
    { day: 0, at: '23:59', counts: { 'shop.orders': 100 } },
    { day: 2, at: '23:59', counts: { 'shop.orders': 120 } },
  ])

  const { report } = await period(7)

  t.like(report, { after: null, change: null, tables: [] })
  t.is(report.before?.snapshot_date, await date(18))
  // That of today may still come.
  t.deepEqual(report.days.without_result, await Promise.all([6, 5, 4, 3, 2, 1].map((ago) => date(ago))))
})

test('today has no result once it is late', async (t) => {
  const runs = [0, 1].map((day) => ({ day, at: '00:00', counts: { 'shop.orders': 100 } }))
  const { sql, period, date } = await createHistory(t, 2, runs)
  t.deepEqual((await period(7, 1)).report.days.without_result, [])

  await sql`insert into nms.table_metrics_alert_rules (kind, late_after) values ('run_late', '0')`

  t.deepEqual((await period(7)).report.days.without_result, [await date(0)])
})

test('days of the week that never have a result are not expected to have one', async (t) => {
  const db = await createDatabase(t)
  // Five weeks from Monday, 5 January 2026, without weekends, one Wednesday and the last Friday.
  const days = [...Array(35).keys()].filter((day) => day % 7 < 5 && day !== 30 && day !== 32)
  await writeRuns(
    db.sql,
    days.map((day) => ({ day, counts: { 'shop.orders': 100 + day } })),
  )
  await rebuildSnapshots(db.sql)
  const reader = await createReader(db)

  const { report } = await ask<Report>(reader, `period_report('2026-01-25', '2026-02-08')`)

  t.like(report.days, { calendar: 14, expected: 10, with_result: 8 })
  t.deepEqual(report.days.without_result, ['2026-02-04', '2026-02-06'])
  t.is(report.change, 33 - 18 - 2) // from Friday, 23 January, to Thursday, 5 February
})

test('runs are counted by how they ended, failures by their reason, the last one first', async (t) => {
  const { period, date } = await createHistory(t, 8, [
    { day: 0, status: 'FAILED', error: 'before the period' },
    { day: 1, counts: { 'shop.orders': 1 } },
    { day: 2, status: 'FAILED', error: 'cannot connect' },
    { day: 3, status: 'FAILED', error: 'cannot count' },
    { day: 4, status: 'FAILED', error: 'cannot connect' },
    { day: 5, counts: { 'shop.orders': 1 } },
    { day: 6, counts: { 'shop.orders': 1 }, recorded: true },
    { day: 7, status: 'RUNNING' },
  ])

  const { report } = await period(7)

  t.deepEqual(
    { ...report.runs, reasons: report.runs.reasons.map(({ error_message, runs }) => [error_message, runs]) },
    {
      succeeded: 1,
      imported: 1,
      failed: 3,
      running: 1,
      reasons: [
        ['cannot connect', 2],
        ['cannot count', 1],
      ],
      more_reasons: 0,
    },
  )
  t.like(report.runs.reasons[0], { first_date: await date(6), last_date: await date(4) })
})

test('alerts belong to the business day of the run that opened or closed them', async (t) => {
  const { sql, period, date } = await createHistory(t, 0, [])
  for (const day of Array(21).keys()) {
    const counts = { 'shop.orders': day === 15 ? 10 : 1000, 'shop.items': day >= 19 ? 10 : 1000 }
    const run = { day, at: '23:59:59', counts } // the next day in UTC
    const run_id = await writeRuns(sql, [run], await date(20))
    await sql`select nms.record_alerts(run_id => ${run_id})`
  }
  const told = async (since: number, until = 0) => {
    const { alerts } = (await period(since, until)).report
    return (['opened', 'closed', 'open'] as const).map((state) =>
      alerts[state].groups.map(({ kind, table_name }) => `${kind} ${table_name}`),
    )
  }

  t.deepEqual(await told(6), [['drop orders', 'drop items'], ['drop orders'], ['drop items']])
  t.deepEqual(await told(5), [['drop items'], ['drop orders'], ['drop items']])
  t.deepEqual(await told(6, 5), [['drop orders'], [], []])
  t.deepEqual(await told(6, 4), [['drop orders'], ['drop orders'], []])
})

test('a period that makes no sense is refused', async (t) => {
  const { reader, period } = await createHistory(t, 0, [])
  for (const refused of [period(1, 1), period(1, 2), period(0), period(1, 0, ', at_most => -1')]) {
    t.is((await t.throwsAsync<Error & { code: string }>(refused)).code, '22023')
  }
  const endless = await t.throwsAsync<Error & { code: string }>(ask(reader, `period_report('-infinity')`))
  t.is(endless.code, '22008')
})
