// Days, runs, tables and alerts in pages, as a reader gets them.

import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

const huge = '9007199254740993'

type Entry = Record<string, unknown>
interface Page {
  [entries: string]: Entry[] | string | number | null
  next: string | number | null
}

async function createHistory(t: ExecutionContext, ago: number, runs: PastRun[]) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, runs, await daysAgo(db.sql, ago))
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

/** Every page of a report, each asked for with the next of the one before. */
async function allPages(sql: Sql, name: string, list: string, given: string, cursor: string) {
  const pages: Entry[][] = []
  for (let next: string | number | null = null; pages.length < 20; ) {
    const [row] = await sql.unsafe<[{ text: string }]>(
      `select nms.${name}(${given}, ${cursor} => $1)::text as text`,
      [next as string],
    )
    const page = JSON.parse(row.text) as Page
    pages.push(page[list] as Entry[])
    next = page.next
    if (next === null) return pages
  }
  throw new Error('the pages have no end')
}

const pick = (entries: unknown, ...keys: string[]) =>
  (entries as Entry[]).map((entry) => keys.map((key) => entry[key]))

test('days come newest first, each with its rows and the change since the day before', async (t) => {
  const { sql, reader } = await createHistory(t, 6, [
    { day: 0, counts: { 'public.orders': 10 }, recorded: true },
    { day: 2, counts: { 'public.orders': 1 } }, // not the last one of its day
    { day: 2, counts: { 'public.orders': 30, 'stage.big': huge } },
    { day: 3, status: 'FAILED', counts: { 'public.orders': null } },
    { day: 4, counts: { 'public.orders': 60 }, skip: ['stage'] },
    { day: 6, counts: { 'public.orders': 45, 'stage.big': huge } },
  ])
  const days = await Promise.all([6, 4, 2, 0].map((ago) => daysAgo(sql, ago)))

  const { report, text } = await ask<Page>(reader, 'days_report()')

  t.deepEqual(pick(report.days, 'snapshot_date', 'run_id', 'is_imported', 'tables', 'tables_left_out'), [
    [days[3], 6, false, 2, 1],
    [days[2], 5, false, 1, 1],
    [days[1], 3, false, 2, 0],
    [days[0], 1, true, 1, 0],
  ])
  t.deepEqual(
    [...text.matchAll(/"rows": (\d+)/g)].map(([, rows]) => rows),
    ['9007199254741038', '60', '9007199254741023', '10'],
  )
  // 30 of 60; 30 of 30; 20 and what appeared
  t.deepEqual(
    [...text.matchAll(/"change": (-?\d+|null)/g)].map(([, change]) => change),
    ['-15', '30', '9007199254741013', 'null'],
  )
  t.deepEqual(pick(report.days, 'change_percent').slice(0, 2), [[-25], [100]])
  t.is(report.next, null)
  t.deepEqual(
    (await allPages(reader, 'days_report', 'days', '"limit" => 2', 'before')).flat(),
    report.days as Entry[],
  )
  t.deepEqual(pick((await ask<Page>(reader, `days_report(1, '${days[2]}')`)).report.days, 'snapshot_date'), [
    [days[1]],
  ])
})

test('runs come newest first, also those that failed or have not ended, with what the status says of them', async (t) => {
  const { reader } = await createHistory(t, 1, [
    { day: 0, counts: { 'public.orders': 10, 'public.big': huge } },
    { day: 0, status: 'FAILED', error: 'lost its way', counts: { 'public.orders': null } },
    { day: 1, counts: { 'public.orders': 12 }, skip: ['stage'] },
    { day: 1, status: 'RUNNING', counts: { 'public.orders': 13 } },
  ])

  const { report, text } = await ask<Page>(reader, 'runs_report()')

  t.deepEqual(pick(report.runs, 'run_id', 'status', 'error_message'), [
    [4, 'RUNNING', null],
    [3, 'SUCCEEDED', null],
    [2, 'FAILED', 'lost its way'],
    [1, 'SUCCEEDED', null],
  ])
  t.deepEqual(pick(report.runs, 'totals').flat().slice(0, 3), [
    { tables: 1, rows: null },
    { tables: 1, rows: 12 },
    { tables: 1, rows: null },
  ])
  t.true(text.includes('"totals": {"rows": 9007199254741003, "tables": 2}'), text)
  t.deepEqual(pick(report.runs, 'seconds').slice(1), [[60], [60], [60]])
  t.like((report.runs as Entry[])[1], { skip_schemas: ['stage'], is_imported: false, left_out_count: null })
  t.is(report.next, null)
  const pages = await allPages(reader, 'runs_report', 'runs', '"limit" => 3', 'before')
  t.deepEqual(
    pages.map((page) => pick(page, 'run_id').flat()),
    [[4, 3, 2], [1]],
  )
  const status = await ask<{ runs: Entry[] }>(reader, 'status_report(3)')
  t.deepEqual(status.report.runs.slice(1), (report.runs as Entry[]).slice(1, 3))
})

// In the order of their bytes.
const hostile: [schema: string, table: string][] = [
  ['50%_off', 'under_score'],
  ['50%_off', 'x"; drop table y; --'],
  ['A.b', 'c'],
  ['A.b', 'c.d'],
  ['order', 'select'],
  ['public', '"'],
  ['public', '".'],
  ['public', "'\\"],
  ['public', 'line\nbreak'],
  ['public', 'orders'],
  ['public', 'ÄÖÜ 行'],
]

test('tables come page by page, whatever they are called', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  const payload: Record<string, Record<string, number>> = {}
  for (const [index, [schema, table]] of hostile.entries()) {
    payload[schema] = { ...payload[schema], [table]: index }
  }
  await db.sql`select nms.import_run(nms.business_date(), ${db.sql.json(payload)})`

  for (const limit of [1, 3, hostile.length, hostile.length + 1]) {
    const pages = await allPages(reader, 'tables_report', 'tables', `"limit" => ${limit}`, 'after')

    t.deepEqual(pick(pages.flat(), 'schema_name', 'table_name'), hostile)
    t.deepEqual(pick(pages.flat(), 'row_count').flat(), [...hostile.keys()])
    t.is(pages.length, Math.ceil(hostile.length / limit))
  }
})

test('alike finds what has this text in its name, in either case, and each character is itself', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  const payload = Object.fromEntries(hostile.map(([schema]) => [schema, {} as Entry]))
  for (const [schema, table] of hostile) (payload[schema] ?? {})[table] = 1
  await db.sql`select nms.import_run(nms.business_date(), ${db.sql.json(payload as never)})`
  const found = async (alike: string | null, schema: string | null = null) => {
    const [row] = await reader<
      [{ text: string }]
    >`select nms.tables_report(${schema}, ${alike})::text as text`
    return pick((JSON.parse(row.text) as Page).tables, 'schema_name', 'table_name')
  }

  t.deepEqual(await found('ORDER'), [
    ['order', 'select'],
    ['public', 'orders'],
  ])
  t.deepEqual(await found('ic.ord'), [['public', 'orders']])
  t.deepEqual(await found('%_'), hostile.slice(0, 2))
  t.deepEqual(await found('_s'), [['50%_off', 'under_score']])
  t.deepEqual(await found('\\'), [['public', "'\\"]])
  t.deepEqual(await found('ÖÜ'), [['public', 'ÄÖÜ 行']])
  const [{ knows }] = await db.sql<[{ knows: boolean }]>`select lower('Ä') = 'ä' as knows` // not in the locale C
  t.is((await found('äöü')).length, knows ? 1 : 0)
  t.deepEqual(await found('a.B.C'), hostile.slice(2, 4))
  t.deepEqual(await found('order', 'public'), [['public', 'orders']])
  t.deepEqual(await found('nothing like it'), [])
  t.is((await found(null)).length, hostile.length)
  t.is((await found('', 'A.b')).length, 2)
})

test('a table is beside the day before, without a change when that did not count it', async (t) => {
  const { sql, reader } = await createHistory(t, 2, [
    { day: 0, counts: { 'public.orders': 100, 'public.empty': 0, 'public.gone': 1, 'stage.big': 5 } },
    { day: 2, counts: { 'public.orders': 90, 'public.empty': 2, 'public.fresh': huge, 'stage.big': 5 } },
    { day: 2, status: 'FAILED', counts: { 'public.orders': null } },
  ])

  const { report, text } = await ask<Page>(reader, `tables_report('public')`)

  t.like(report, {
    run_id: 2,
    snapshot_date: await daysAgo(sql, 0),
    previous_date: await daysAgo(sql, 2),
    next: null,
  })
  t.deepEqual(
    pick(report.tables, 'table_name', 'change', 'change_percent', 'method', 'table_kind', 'is_partition'),
    [
      ['empty', 2, null, 'exact', 'table', false],
      ['fresh', null, null, 'exact', 'table', false],
      ['orders', -10, -10, 'exact', 'table', false],
    ],
  )
  t.true(text.includes(`"own_row_count": ${huge}`), text)
  await sql`select nms.import_run(nms.business_date() - 1, '{"stage": {"big": 4}}')`
  t.like((await ask<Page>(reader, `tables_report(alike => 'orders')`)).report, {
    previous_date: await daysAgo(sql, 1),
    tables: [{ row_count: 90, change: null, change_percent: null }],
  })
})

test('partitions are marked, and their table has their rows', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  await db.sql.unsafe(`
    create table public.tree (id integer) partition by range (id);
    create table public.leaf partition of public.tree for values from (0) to (10);
    insert into public.tree select generate_series(1, 6);
  `)
  await collect(db.sql)

  const { report } = await ask<Page>(reader, 'tables_report()')

  t.deepEqual(pick(report.tables, 'table_name', 'table_kind', 'is_partition', 'row_count', 'own_row_count'), [
    ['leaf', 'table', true, 6, 6],
    ['tree', 'partitioned table', false, 6, 0],
  ])
})

test('a reader gets the open alerts, and on request the log of those opened and ended', async (t) => {
  const { sql, reader } = await createHistory(t, 0, [{ day: 0, counts: { 'public.orders': 5 } }])
  await sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, row_count, detail, opened_at, opened_by_run, closed_at, closed_by_run
    )
    values
      ('drop', 'public', 'orders', 5, 'fewer', now() - interval '3 days', 1, now() - interval '2 days', 1),
      ('spike', 'public', 'orders', ${huge}, 'more', now() - interval '1 day', 1, null, null),
      ('table_new', 'public', 'it''s "new"', 1, 'new', now() - interval '2 days', 1, null, null),
      ('drop', 'stage', 'big', 5, 'silenced', now(), 1, null, null)
  `
  await sql`insert into nms.table_metrics_alert_rules (schema_name, is_on) values ('stage', false)`

  const open = await ask<Page>(reader, 'alerts_report()')
  const logged = await ask<Page>(reader, 'alerts_report(history => true)')

  t.deepEqual(pick(open.report.open, 'kind', 'table_name', 'detail'), [
    ['table_new', `it's "new"`, 'new'],
    ['spike', 'orders', 'more'],
  ])
  t.like(open.report, { business_time_zone: 'America/New_York', history: null, next: null })
  t.true(open.text.includes(`"row_count": ${huge}`), open.text)
  t.deepEqual(logged.report.open, open.report.open)
  t.deepEqual(pick(logged.report.history, 'alert_id', 'kind', 'detail'), [
    [4, 'drop', 'silenced'],
    [3, 'table_new', 'new'],
    [2, 'spike', 'more'],
    [1, 'drop', 'fewer'],
  ])
  t.deepEqual(
    (logged.report.history as Entry[]).map(({ closed_at }) => closed_at !== null),
    [false, false, false, true],
  )
  t.is(logged.report.next, null)
  const pages = await allPages(reader, 'alerts_report', 'history', 'history => true, "limit" => 2', 'before')
  t.deepEqual(
    pages.map((page) => pick(page, 'alert_id').flat()),
    [
      [4, 3],
      [2, 1],
    ],
  )
  const status = await ask<{ alerts: Entry[] }>(reader, 'status_report()')
  t.deepEqual(status.report.alerts, open.report.open as Entry[])
})

test('before the first run there is nothing in any list', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)

  t.deepEqual((await ask(reader, 'days_report()')).report, { days: [], next: null })
  t.deepEqual((await ask(reader, 'runs_report()')).report, { runs: [], next: null })
  t.like((await ask(reader, 'tables_report()')).report, {
    run_id: null,
    snapshot_date: null,
    tables: [],
    next: null,
  })
  t.like((await ask(reader, 'alerts_report(true)')).report, { open: [], history: [], next: null })
  await t.throwsAsync(ask(reader, `tables_report('public')`), { code: 'P0002' })
})

const limited = ['days_report', 'runs_report', 'tables_report', 'alerts_report']
for (const [call, code, hint] of [
  ...limited.flatMap((name) =>
    ['0', '-1', '1001', 'null'].map((limit) => [`${name}("limit" => ${limit})`, '22023', /=> 30/] as const),
  ),
  [`tables_report(after => 'orders')`, '22023', /next/],
  [`tables_report(after => 'a.b.c')`, '22023', /next/],
  [`tables_report(after => '"a.b')`, '22023', /next/],
  [`tables_report(after => '')`, '22023', /next/],
  [`tables_report('pub')`, 'P0002', /^There are: public, stage$/],
] as const) {
  test(`${call} is refused with ${code} and a hint`, async (t) => {
    const { reader } = await createHistory(t, 0, [{ day: 0, counts: { 'public.orders': 1, 'stage.big': 3 } }])

    const error = await t.throwsAsync(ask(reader, call), { code })

    t.regex((error as unknown as { hint: string }).hint, hint)
    t.not((error as unknown as { detail: string }).detail, undefined)
  })
}
