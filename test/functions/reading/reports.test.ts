// What each report has: asked by somebody who may read and nothing else, as `--json` and HTTP give it.

import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

const huge = '9007199254740993'

type Report = Record<string, unknown>

/** Two days, of which the second has what a JavaScript number would round, and a table left out. */
async function createHistory(t: ExecutionContext) {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [
      { day: 0, counts: { 'public.orders': 100, 'public.items': 50, 'public.gone': 7, 'stage.big': 900 } },
      {
        day: 1,
        counts: { 'public.orders': 110, 'public.items': 20, 'public.fresh': huge },
        skip: ['stage'],
      },
    ],
    await daysAgo(db.sql, 1),
  )
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

const names = (tables: unknown) => (tables as { table_name: string }[]).map(({ table_name }) => table_name)

test('a reader gets the report of a run: what was found, most rows first, and what changed since the run before', async (t) => {
  const { sql, reader } = await createHistory(t)

  const { report, text } = await ask(reader, 'run_report()')

  t.like(report, {
    run_id: 2,
    snapshot_date: await daysAgo(sql, 0),
    previous_run_id: 1,
    previous_date: await daysAgo(sql, 1),
    failures: [],
    alerts: [],
  })
  t.like(report.run, { run_id: 2, status: 'SUCCEEDED', skip_schemas: ['stage'], seconds: 60 })
  t.deepEqual(names(report.tables), ['fresh', 'orders', 'items'])
  t.deepEqual(names(report.changed_most), ['fresh', 'items', 'orders', 'gone'])
  t.true(text.includes(`"totals": {"rows": 9007199254741123, "tables": 3}`), text)
  // 10 more, 30 fewer, 7 gone, and the fresh ones; nothing for what was left out.
  t.true(text.includes('"change": 9007199254740966,'), text)
  t.true(text.includes(`"payload": {"public": {"fresh": ${huge}, "items": 20, "orders": 110}}`), text)
  t.like((await ask(reader, 'run_report(1)')).report, { run_id: 1, previous_run_id: null, change: null })
})

test('the report of a run tells which tables failed, and what is strange about it', async (t) => {
  const { sql, reader } = await createHistory(t)
  await writeRuns(
    sql,
    [{ day: 0, status: 'FAILED', counts: { 'public.orders': 5, 'public.items': null } }],
    await daysAgo(sql, 0),
  )
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, opened_by_run)
    values ('drop', 'public', 'orders', 'fewer', now(), 3)
  `

  const { report } = await ask<{ [name: string]: Report[] }>(reader, 'run_report(3)')

  t.is(report.payload, null as never)
  t.deepEqual(names(report.tables), ['items', 'orders'])
  t.like(report.tables?.[0], { row_count: null, error_sqlstate: '42501', change: null })
  t.like(report.failures, [
    { table_name: 'items', error_sqlstate: '42501', error_message: 'permission denied' },
  ])
  t.regex(String(report.failures?.[0]?.remedy), /^let the owner of the nms functions, .+ select from it/)
  t.like(report.alerts, [{ kind: 'drop', table_name: 'orders', run_id: 3 }])
})

test('a reader gets the report of a day beside the day before', async (t) => {
  const { sql, reader } = await createHistory(t)
  const [yesterday, today] = [await daysAgo(sql, 1), await daysAgo(sql, 0)]

  const last = await ask(reader, 'day_report()')
  const first = await ask(reader, `day_report('${yesterday}')`)

  t.like(last.report, {
    run_id: 2,
    snapshot_date: today,
    previous_date: yesterday,
    business_time_zone: 'America/New_York',
  })
  t.deepEqual(names(last.report.tables), ['fresh', 'orders', 'items', 'gone'])
  t.like((last.report.tables as Report[])[1], { row_count: 110, change: 10, change_percent: 10 })
  t.true(last.text.includes('"change": 9007199254740966,'), last.text)
  t.true(last.text.includes(`"payload": {"public": {"fresh": ${huge}, `), last.text)
  t.like(first.report, {
    snapshot_date: yesterday,
    previous_date: null,
    change: null,
    payload: { public: { orders: 100, items: 50, gone: 7 }, stage: { big: 900 } },
  })
})

test('a reader gets the JSON of a day and of a run as it is stored', async (t) => {
  const { sql, reader } = await createHistory(t)
  const [yesterday, today] = [await daysAgo(sql, 1), await daysAgo(sql, 0)]
  await writeRuns(sql, [{ day: 0, status: 'FAILED', error: 'lost its way' }], today)

  const first = { run_id: 1, snapshot_date: yesterday }
  const payload = { public: { orders: 100, items: 50, gone: 7 }, stage: { big: 900 } }
  const last = await ask(reader, 'day_snapshot()')
  t.like(last.report, { run_id: 2, snapshot_date: today })
  t.true(
    last.text.includes(`"payload": {"public": {"fresh": ${huge}, "items": 20, "orders": 110}}`),
    last.text,
  )
  const ofDay = (await ask(reader, `day_snapshot('${yesterday}')`)).report
  t.deepEqual(Object.keys(ofDay).sort(), ['collected_at', 'payload', 'run_id', 'snapshot_date'])
  t.like(ofDay, { ...first, payload })
  const ofRun = (await ask(reader, 'run_snapshot(1)')).report
  t.like(ofRun, { ...first, payload, status: 'SUCCEEDED', error_message: null })
  t.is(Date.parse(String(ofRun.finished_at)) - Date.parse(String(ofRun.collected_at)), 60_000)
  t.like((await ask(reader, 'run_snapshot()')).report, { run_id: 2, status: 'SUCCEEDED' })
  t.like((await ask(reader, 'run_snapshot(3)')).report, {
    run_id: 3,
    status: 'FAILED',
    error_message: 'lost its way',
    payload: null,
  })
})

test('a reader gets the days of a table, oldest first, and their summary', async (t) => {
  const { sql, reader } = await createHistory(t)
  const [yesterday, today] = [await daysAgo(sql, 1), await daysAgo(sql, 0)]

  const { report } = await ask(reader, `trend_report('public', 'items', 2)`)

  t.like(report, {
    schema_name: 'public',
    table_name: 'items',
    days: [
      { snapshot_date: yesterday, row_count: 50, method: 'exact', run_id: 1, change: null },
      { snapshot_date: today, row_count: 20, method: 'exact', run_id: 2, change: -30, change_percent: -60 },
    ],
    summary: {
      days_found: 2,
      days_left_out: 0,
      first_date: yesterday,
      first_rows: 50,
      last_date: today,
      last_rows: 20,
      lowest: 20,
      lowest_date: today,
      highest: 50,
      highest_date: yesterday,
      change: -30,
      change_percent: -60,
    },
  })
  const { text } = await ask(reader, `trend_report('public', 'fresh')`)
  t.true(text.includes(`"row_count": ${huge}`) && text.includes(`"highest": ${huge}`), text)
})

test('the trend of a table that these days do not have says how many days have it', async (t) => {
  const { sql, reader } = await createHistory(t)

  const { report } = await ask(reader, `trend_report('public', 'gone', 1)`)

  t.like(report, {
    days: [],
    summary: { days_found: 0, last_date_with_result: await daysAgo(sql, 1), days_needed: 2 },
  })
  t.like((await ask(reader, `trend_report('stage', 'big', 1)`)).report, { summary: { days_left_out: 1 } })
})

test('a reader gets the comparison of the last two days, most changed first, and a verdict', async (t) => {
  const { reader } = await createHistory(t)

  const { report, text } = await ask(reader, 'compare_report()')

  t.like(report, { before: { run_id: 1 }, after: { run_id: 2 }, failing: [], verdict: null, fail_on: null })
  t.deepEqual(names(report.tables), ['fresh', 'items', 'orders', 'gone', 'big'])
  t.deepEqual(report.outcomes, { appeared: 1, disappeared: 1, grew: 1, shrank: 1, 'left out': 1 })
  t.true(text.includes('"change": 9007199254740966,'), text)
  for (const [failOn, failing, verdict] of [
    ['missing', ['public.gone'], 'failed'],
    ['drop', ['public.gone', 'public.items'], 'failed'],
    ['any', ['public.fresh', 'public.gone', 'public.items', 'public.orders'], 'failed'],
  ] as const) {
    const judged = await ask(reader, `compare_report(fail_on => '${failOn}')`)
    t.like(judged.report, { fail_on: failOn, verdict })
    t.deepEqual(judged.report.failing, failing)
  }
  t.like((await ask(reader, `compare_report(2, 2, 'any')`)).report, { failing: [], verdict: 'passed' })
  t.like((await ask(reader, `compare_report(nms.find_run('yesterday'), 2)`)).report, {
    before: { run_id: 1 },
  })
})

test('a reader gets the status: today, the last runs, newest first, and the open alerts', async (t) => {
  const { sql, reader } = await createHistory(t)
  const today = await daysAgo(sql, 0)

  const { report, text } = await ask(reader, 'status_report(1)')

  t.like(report, {
    business_date: today,
    business_time_zone: 'America/New_York',
    today: { run_id: 2, snapshot_date: today },
    last_day: { run_id: 2, snapshot_date: today },
    alerts: [],
  })
  t.like(report.runs, [{ run_id: 2, seconds: 60, totals: { tables: 3 } }])
  t.is((report.runs as unknown[]).length, 1)
  t.true(text.includes('"totals": {"rows": 9007199254741123, "tables": 3}'), text)
})

test('a reader finds tables by either spelling, runs by number and day, and what a typing error is like', async (t) => {
  const { reader } = await createHistory(t)
  const items = { schema_name: 'public', table_name: 'items', quoted: 'public.items' }

  t.like((await ask(reader, `find_table('public.items')`)).report, { found: [items], alike: [] })
  t.like((await ask(reader, `find_table('"public".items')`)).report, { found: [items], alike: [] })
  t.like((await ask(reader, `find_table('itmes')`)).report, { found: [], alike: ['public.items'] })
  t.is((await ask(reader, `find_run('yesterday')`)).text, '1')
  t.is((await ask(reader, `find_run('2')`)).text, '2')
})

test('before the first run the reports say that there is nothing, and what to do', async (t) => {
  const { sql } = await createDatabase(t)

  t.like((await ask(sql, 'status_report()')).report, { today: null, last_day: null, runs: [], alerts: [] })
  for (const call of [
    'run_report()',
    'day_report()',
    'run_snapshot()',
    'run_snapshot(1)',
    'day_snapshot()',
    'compare_report()',
    `find_run('today')`,
    `find_run('1')`,
  ]) {
    const error = await t.throwsAsync(ask(sql, call), { code: 'P0002' }, call)
    t.regex((error as unknown as { hint: string }).hint, /nms\.collect_table_metrics\(\)/, call)
  }
})

for (const [call, code, hint] of [
  ['run_report(99)', 'P0002', /nms\.table_metrics_runs/],
  [`day_report('2020-02-20')`, 'P0002', /Ask for \d{4}-\d\d-\d\d/],
  ['run_snapshot(0)', 'P0002', /nms\.table_metrics_runs/],
  ['run_snapshot(9223372036854775807)', 'P0002', /nms\.table_metrics_runs/],
  [`day_snapshot('2020-02-20')`, 'P0002', /Ask for \d{4}-\d\d-\d\d/],
  [`day_snapshot('infinity')`, 'P0002', /Ask for \d{4}-\d\d-\d\d/],
  [`find_run('99')`, 'P0002', /nms\.table_metrics_runs/],
  [`find_run('2020-02-20')`, 'P0002', /Ask for \d{4}-\d\d-\d\d/],
  [`find_run(null)`, 'P0002', /nms\.table_metrics_runs/],
  [`find_day('tomorrow')`, '22007', /2026-11-20/],
  [`find_day('2026-02-31')`, '22008', undefined],
  ['compare_report(99, 1)', 'P0002', /nms\.table_metrics_runs/],
  ['compare_report(after => 99)', 'P0002', /nms\.table_metrics_runs/],
  ['compare_report(after => 1)', 'P0002', /nms\.table_metrics_runs/],
  [`compare_report(fail_on => 'growth')`, '22023', /missing: .* drop: .* any: /],
  [`trend_report('public', 'itmes')`, 'P0002', /public\.items/],
] as const) {
  test(`${call} is refused with ${code} and a hint`, async (t) => {
    const { reader } = await createHistory(t)

    const error = await t.throwsAsync(ask(reader, call), { code })

    if (hint) t.regex((error as unknown as { hint: string }).hint, hint)
  })
}
