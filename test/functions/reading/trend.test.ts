// How many rows tables, schemas and the whole database had, day by day and run by run.

import test, { type ExecutionContext } from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Point {
  snapshot_date: string
  run_id: string
  row_count: string | null
  change: string | null
  tables: string | null
  tables_left_out: string
}

/** Runs from so many days ago on, and a reader. */
async function createHistory(t: ExecutionContext, ago: number, runs: PastRun[]) {
  const db = await createDatabase(t)
  await writeRuns(db.sql, runs, await daysAgo(db.sql, ago))
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

const shop = (orders: number, items: number) => ({ 'public.orders': orders, 'public.items': items })

const numbers = (points: readonly Point[]) =>
  points.map(({ row_count, change, tables_left_out }) => [row_count, change, tables_left_out])

const trend = (sql: Sql, call: string) => sql.unsafe<Point[]>(`select * from nms.trend(${call})`)

test('a schema and the whole database have the sum of their tables, and a partition counts once', async (t) => {
  const { reader } = await createHistory(t, 2, [
    {
      day: 0,
      counts: { ...shop(100, 50), 'parts.tree': { rows: 7, own: 0 }, 'parts.leaf': 7 },
      partitions: ['parts.leaf'],
    },
    {
      day: 2,
      counts: { ...shop(120, 45), 'parts.tree': { rows: 9, own: 0 }, 'parts.leaf': 9 },
      partitions: ['parts.leaf'],
    },
  ])

  t.deepEqual(numbers(await trend(reader, '')), [
    ['157', null, '0'],
    ['174', '17', '0'],
  ])
  t.deepEqual(numbers(await trend(reader, `'parts'`)), [
    ['7', null, '0'],
    ['9', '2', '0'],
  ])
  t.deepEqual(numbers(await trend(reader, `'parts', 'tree'`)), [
    ['7', null, '0'],
    ['9', '2', '0'],
  ])
})

test('a total on a day that leaves a table out says so, and its change is of the tables that both days counted', async (t) => {
  const { sql, reader } = await createHistory(t, 3, [
    { day: 0, counts: { ...shop(100, 50), 'stage.big': 900 } },
    { day: 1, counts: shop(110, 50), skip: ['stage'] },
    { day: 2, counts: shop(115, 50), skip: ['stage'] },
    { day: 3, counts: { ...shop(120, 50), 'stage.big': 950 } },
  ])

  t.deepEqual(numbers(await trend(reader, '')), [
    ['1050', null, '0'],
    ['160', '10', '1'],
    ['165', '5', '0'],
    ['1120', '5', '1'],
  ])
  t.deepEqual(numbers(await trend(reader, `'stage'`)), [
    ['900', null, '0'],
    [null, null, '1'],
    [null, null, '0'],
    ['950', null, '1'],
  ])
  const { report } = await ask(reader, 'trend_report(days => 3)')
  t.like(report, {
    schema_name: null,
    table_name: null,
    alerts: [],
    summary: {
      days_found: 3,
      days_left_out: 0,
      first_rows: 160,
      last_rows: 1120,
      change: 10, // of orders; big was left out on the first of these days
      change_percent: 6.25,
      tables_left_out: 1,
      lowest: 160,
      lowest_date: await daysAgo(sql, 2),
      highest: 1120,
    },
  })
})

test('each run that succeeded is a point, also those that do not own their day', async (t) => {
  const runs: PastRun[] = [
    { day: 0, at: '03:00', counts: shop(1, 10) },
    { day: 1, at: '06:00', counts: shop(2, 20) },
    { day: 1, at: '07:00', counts: shop(999, 999), status: 'FAILED' },
    { day: 1, at: '12:00', counts: shop(4, 40) },
  ]
  const { sql, reader } = await createHistory(t, 1, runs)

  t.deepEqual(numbers(await trend(reader, `'public', 'orders', each_run => true`)), [
    ['1', null, '0'],
    ['2', '1', '0'],
    ['4', '2', '0'],
  ])
  t.deepEqual(numbers(await trend(reader, 'each_run => true, days => 1')), [
    ['22', null, '0'],
    ['44', '22', '0'],
  ])
  const { report } = await ask<{ runs: { collected_at: string }[]; days?: unknown; summary: object }>(
    reader,
    `trend_report('public', 'items', each_run => true)`,
  )
  t.like(report, {
    business_time_zone: 'America/New_York',
    summary: { runs_found: 3, runs_left_out: 0, change: 30, lowest: 10, highest: 40 },
  })
  t.is(report.days, undefined)
  const [{ last }] = await sql<[{ last: Date }]>`
    select collected_at as last from nms.table_metrics_runs order by run_id desc limit 1
  `
  t.is(new Date(report.runs.at(-1)?.collected_at ?? 0).getTime(), new Date(last).getTime())
})

test('the trend of a table has its alerts of these days, with the days on which they opened and closed', async (t) => {
  const { sql, reader } = await createHistory(t, 9, [
    { day: 0, counts: shop(100, 50) },
    { day: 4, counts: shop(0, 50) },
    { day: 5, counts: shop(100, 50) },
    { day: 9, counts: shop(100, 50) },
  ])
  await sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, row_count, detail, opened_at, opened_by_run, closed_at, closed_by_run, filter_name
    )
    select kind, 'public', 'orders', 0, 'none left', opened.finished_at, opened.run_id, closed.finished_at, closed.run_id, filter
    from (values ('table_new', 1, 2, null), ('dropped_to_zero', 2, 3, null), ('drop', 2, null, 'paid')) as given (kind, opening, closing, filter)
    join nms.table_metrics_runs as opened on opened.run_id = opening
    left join nms.table_metrics_runs as closed on closed.run_id = closing
  `
  interface Said {
    alerts: { kind: string; snapshot_date: string; closed_date: string | null }[]
  }
  const alerts = async (days: number, filter = '') =>
    (await ask<Said>(reader, `trend_report('public', 'orders', ${days}${filter})`)).report.alerts.map(
      ({ kind, snapshot_date, closed_date }) => [kind, snapshot_date, closed_date],
    )
  const [nine, five, four] = await Promise.all([9, 5, 4].map((ago) => daysAgo(sql, ago)))
  const [open, zero, fresh] = [
    ['drop', five, null],
    ['dropped_to_zero', five, four],
    ['table_new', nine, five],
  ]

  t.deepEqual(await alerts(30), [open, zero, fresh])
  t.deepEqual(await alerts(6), [open, zero])
  t.deepEqual(await alerts(1), [open], 'an open one is told of however old it is')
  t.deepEqual((await ask<Said>(reader, `trend_report('public', 'items')`)).report.alerts, [])
})

test('one argument is a table as people name it', async (t) => {
  const { reader } = await createHistory(t, 1, [
    { day: 0, counts: { 'Sales.Orders': 1, 'a.b.c': 5 } },
    { day: 1, counts: { 'Sales.Orders': 3, 'a.b.c': 5 } },
  ])
  const rows = async (call: string) =>
    (await reader.unsafe<{ row_count: string }[]>(`select row_count from nms.table_trend(${call})`)).map(
      ({ row_count }) => row_count,
    )

  t.deepEqual(await rows(`'Sales.Orders'`), ['1', '3'])
  t.deepEqual(await rows(`'"Sales"."Orders"'`), ['1', '3'])
  t.deepEqual(await rows(`'Sales.Orders', 1`), ['3'])
  t.deepEqual(await rows(`'Sales.Orders', days => 1`), ['3'])
  t.deepEqual(await rows(`named => 'Sales.Orders', days => 1`), ['3'])
  t.deepEqual(await rows(`'Sales', 'Orders'`), ['1', '3'], 'two texts are schema and table')
  t.deepEqual(await rows(`'Sales', 'Orders', 1`), ['3'])
  t.deepEqual(await rows(`schema_name => 'Sales', table_name => 'Orders'`), ['1', '3'])
  t.deepEqual(await rows(`'Sales', null`), [])
  for (const given of [
    ['Sales', 'Orders', 1],
    ['Sales', 'Orders'],
  ] as const) {
    const places = given.map((_, n) => `$${n + 1}`).join(', ')
    const found = await reader.unsafe(`select * from nms.table_trend(${places})`, [...given])
    t.is(found.length, given.length === 3 ? 1 : 2, 'parameters without a type are schema and table')
  }
})

for (const [name, code, hint] of [
  ['public.itmes', 'P0002', /public\.items/],
  ['nothing like it', 'P0002', /table_metrics_latest/],
  ['a.b.c', '22023', /a\."b\.c" or "a\.b"\.c/],
] as const) {
  test(`table_trend of ${name} is refused with ${code} and a hint`, async (t) => {
    const { sql, reader } = await createHistory(t, 0, [{ day: 0, counts: shop(1, 2) }])
    await sql`select nms.import_run(nms.business_date() - 1, '{"a.b": {"c": 1}, "a": {"b.c": 2}}')`

    const error = await t.throwsAsync(reader`select * from nms.table_trend(${name})`, { code })

    t.regex((error as unknown as { hint: string }).hint, hint)
  })
}

test('a name stands for a table, a schema or everything, spelled as the catalogue does or quoted', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  await db.sql`select nms.import_run(nms.business_date(), ${db.sql.json({ 'My "Shop".*': { t: 1 }, sales: { orders: 2 }, '*': { t: 3 } })})`
  const found = async (name: string) => {
    const [row] = await reader<[{ scope: { found: object[]; alike: string[] } }]>`
      select nms.find_scope(${name}) as scope
    `
    return row.scope
  }

  t.deepEqual((await found('*')).found, [{ schema_name: null, table_name: null, quoted: '*' }])
  t.like((await found('sales.*')).found, [{ schema_name: 'sales', table_name: null, quoted: 'sales.*' }])
  t.like((await found('"sales".*')).found, [{ schema_name: 'sales', table_name: null }])
  t.like((await found('My "Shop".*.*')).found, [{ schema_name: 'My "Shop".*', quoted: '"My ""Shop"".*".*' }])
  t.like((await found('"My ""Shop"".*".*')).found, [{ schema_name: 'My "Shop".*', table_name: null }])
  t.like((await found('*.*')).found, [{ schema_name: '*', table_name: null, quoted: '"*".*' }])
  t.like((await found('sales.orders')).found, [{ schema_name: 'sales', table_name: 'orders' }])
  t.deepEqual(await found('sales'), { named: 'sales', found: [], alike: ['sales.*'] })
  const error = await t.throwsAsync(found('sale.*'), { code: 'P0002' })
  t.regex((error as unknown as { hint: string }).hint, /sales/)
})

for (const [call, code] of [
  [`trend_report('pub')`, 'P0002'],
  [`trend_report(table_name => 'orders')`, '22023'],
  [`trend_report('public', filter_name => 'paid')`, '22023'],
] as const) {
  test(`${call} is refused with ${code} and a hint`, async (t) => {
    const { reader } = await createHistory(t, 0, [{ day: 0, counts: shop(1, 2) }])

    const error = await t.throwsAsync(ask(reader, call), { code })

    t.truthy((error as unknown as { hint: string }).hint)
  })
}

test('own_change of a day adds up to the change of the tables that both days counted', async (t) => {
  const tree = (rows: number) => ({ 'public.tree': { rows, own: 0 }, 'public.leaf': rows })
  const { reader } = await createHistory(t, 1, [
    { day: 0, counts: { ...shop(100, 50), ...tree(7) }, partitions: ['public.leaf'] },
    { day: 1, counts: { ...shop(90, 75), ...tree(10), 'public.fresh': 5 }, partitions: ['public.leaf'] },
  ])

  const rows = await reader`
    select table_name, change, own_change from nms.table_metrics_daily
    where snapshot_date = nms.business_date() order by table_name
  `

  t.deepEqual(
    rows.map((row) => [row.table_name, row.change, row.own_change]),
    [
      ['fresh', null, null],
      ['items', '25', '25'],
      ['leaf', '3', '3'],
      ['orders', '-10', '-10'],
      ['tree', '3', '0'],
    ],
  )
})
