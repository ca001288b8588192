// How tables, schemas and the whole database grow, as a reader is told.

import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

interface Period {
  period_start: string
  snapshot_date: string
  rows: string | null
  change: string | null
  change_percent: string | null
  per_day: string | null
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

/** Of each period the numbers, as text. */
async function growth(sql: Sql, ...given: (string | number | null)[]) {
  const [by = 'day', schema = null, table = null, periods = 30] = given
  const rows = await sql<Period[]>`
    select * from nms.growth(${by}::text, ${schema}::text, ${table}::text, ${periods}::integer)
  `
  return rows.map(({ rows, tables, change, change_percent, per_day }) => [
    rows,
    tables,
    change,
    change_percent,
    per_day,
  ])
}

const shop = (orders: number, items: number) => ({ 'public.orders': orders, 'public.items': items })

test('the whole database, a schema and a table by day: a day without a result is absent, and rows per day span it', async (t) => {
  const { sql, reader } = await createHistory(t, 3, [
    { day: 0, counts: { ...shop(100, 50), 'stage.big': 850 } },
    { day: 1, counts: { ...shop(1, 1), 'stage.big': 1 } }, // not the last one of its day
    { day: 1, counts: { ...shop(110, 50), 'stage.big': 850 } },
    { day: 3, counts: { ...shop(170, 40), 'stage.big': 850 } },
  ])

  t.deepEqual(await growth(reader), [
    ['1000', '3', null, null, null],
    ['1010', '3', '10', '1.00', '10.00'],
    ['1060', '3', '50', '4.95', '25.00'],
  ])
  t.deepEqual(await growth(reader, 'day', 'public'), [
    ['150', '2', null, null, null],
    ['160', '2', '10', '6.67', '10.00'],
    ['210', '2', '50', '31.25', '25.00'],
  ])
  t.deepEqual(await growth(reader, 'day', 'public', 'items'), [
    ['50', '1', null, null, null],
    ['50', '1', '0', '0.00', '0.00'],
    ['40', '1', '-10', '-20.00', '-5.00'],
  ])
  // The first one is compared with the last result before it.
  t.deepEqual(await growth(reader, 'day', null, null, 2), [['1060', '3', '50', '4.95', '25.00']])
  const { report } = await ask(reader, `growth_report(schema_name => 'public')`)
  t.like(report, {
    by: 'day',
    schema_name: 'public',
    table_name: null,
    summary: {
      periods_found: 3,
      periods_left_out: 0,
      first_date: await daysAgo(sql, 3),
      first_rows: 150,
      last_date: await daysAgo(sql, 0),
      last_rows: 210,
      change: 60,
      change_percent: 40,
      per_day: 20,
      tables_left_out: 0,
    },
  })
  t.is((report.periods as unknown[]).length, 3)
})

for (const [by, startOf] of [
  ['week', (day: Date) => addDays(day, -((day.getUTCDay() + 6) % 7))],
  ['month', (day: Date) => new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1))],
] as const) {
  test(`by ${by}, each has its last day with a result`, async (t) => {
    const ago = 100
    const days = Array.from({ length: ago + 1 }, (_, n) => n).filter((n) => n % 5 !== 0 && n % 31 > 8)
    const { sql, reader } = await createHistory(
      t,
      ago,
      days.map((day) => ({ day, counts: { 'public.orders': 1000 + day * day } })),
    )
    const zero = new Date(`${await daysAgo(sql, ago)}T00:00:00Z`)
    const lastOf = new Map(days.map((day) => [iso(startOf(addDays(zero, day))), day]))
    const expected = [...lastOf].map(([start, day], index) => {
      const before = [...lastOf.values()][index - 1]
      const change = before === undefined ? null : day * day - before * before
      const perDay = change === null || before === undefined ? null : (change / (day - before)).toFixed(2)
      return [start, iso(addDays(zero, day)), String(1000 + day * day), change && String(change), perDay]
    })

    const rows = await reader<Period[]>`select * from nms.growth(${by}, periods => 1000)`
    const last = await reader<Period[]>`select * from nms.growth(${by}, 'public', 'orders', 2)`

    const flat = (periods: readonly Period[]) =>
      periods.map((row) => [row.period_start, row.snapshot_date, row.rows, row.change, row.per_day])
    t.true(expected.length > 3)
    t.deepEqual(flat(rows), expected)
    const since = iso(startOf(addDays(startOf(addDays(zero, ago)), -1)))
    t.deepEqual(
      flat(last),
      expected.filter(([start]) => (start ?? '') >= since),
    )
  })
}

test('what a request leaves out is null, and no total falls by it', async (t) => {
  const { reader } = await createHistory(t, 4, [
    { day: 0, counts: { ...shop(100, 50), 'stage.big': 900 } },
    { day: 1, counts: shop(110, 50), skip: ['stage'] },
    { day: 2, counts: { ...shop(120, 40), 'stage.big': 950 } },
    { day: 3, counts: { 'public.orders': 130, 'stage.big': 960 }, exclude: ['public.items'] },
    { day: 4, counts: { 'public.orders': 130, 'stage.big': 990 }, exclude: ['public.items', 'stage.other'] },
  ])

  // 10 of 150, 0 of 160, 10 + 10 of 1070, 30 of 1090
  t.deepEqual(await growth(reader), [
    ['1050', '3', null, null, null],
    ['160', '2', '10', '6.67', '10.00'],
    ['1110', '3', '0', '0.00', '0.00'],
    ['1090', '2', '20', '1.87', '20.00'],
    ['1120', '2', '30', '2.75', '30.00'],
  ])
  t.deepEqual(await growth(reader, 'day', 'stage'), [
    ['900', '1', null, null, null],
    [null, null, null, null, null],
    ['950', '1', null, null, null],
    ['960', '1', '10', '1.05', '10.00'],
    ['990', '1', '30', '3.13', '30.00'],
  ])
  t.deepEqual(await growth(reader, 'day', 'public', 'items'), [
    ['50', '1', null, null, null],
    ['50', '1', '0', '0.00', '0.00'],
    ['40', '1', '-10', '-20.00', '-10.00'],
    [null, null, null, null, null],
    [null, null, null, null, null],
  ])
  const left = await reader<Period[]>`select * from nms.growth()`
  t.deepEqual(
    left.map(({ tables_left_out }) => tables_left_out),
    ['0', '1', '1', '1', '0'],
  )
  // orders 30 and big 90; items are left out at the end, and were 50 of the 1050
  t.like((await ask(reader, 'growth_report()')).report.summary, {
    periods_found: 5,
    first_rows: 1050,
    last_rows: 1120,
    change: 120,
    change_percent: 12,
    per_day: 30,
    tables_left_out: 1,
  })
  t.like((await ask(reader, `growth_report('day', 'public', 'items')`)).report.summary, {
    periods_found: 3,
    periods_left_out: 2,
    change: -10,
    per_day: -5,
  })
})

test('a schema all of whose tables are excluded by name is left out, and one that is gone is absent', async (t) => {
  const { reader } = await createHistory(t, 3, [
    { day: 0, counts: { ...shop(100, 50), 'stage.big': 900 } },
    { day: 1, counts: { 'stage.big': 900 }, exclude: ['public.orders', '"public"."items"'] },
    { day: 2, counts: { 'stage.big': 900 } },
    { day: 3, counts: { ...shop(7, 0), 'stage.big': 900 } },
  ])

  t.deepEqual(await growth(reader, 'day', 'public'), [
    ['150', '2', null, null, null],
    [null, null, null, null, null],
    ['7', '2', null, null, null],
  ])
  // The tables are gone on the day after, when nothing left them out, and that day does not know of them.
  t.deepEqual(await growth(reader), [
    ['1050', '3', null, null, null],
    ['900', '1', '0', '0.00', '0.00'],
    ['900', '1', '0', '0.00', '0.00'],
    ['907', '3', '7', '0.78', '7.00'],
  ])
})

test('whatever comes, goes and is left out: the change is of what both days have counted', async (t) => {
  const random = randomNumbers(17)
  const names = ['a.1', 'a.2', 'b.1', 'b.2', 'b.3', 'c.1']
  const runs = Array.from({ length: 25 }, (_, day): PastRun => {
    const skip = ['a', 'b', 'c'].filter(() => random(6) === 0)
    const exclude = names.filter(() => random(8) === 0)
    const counted = names.filter(
      (name) => random(5) > 0 && !exclude.includes(name) && !skip.includes(schemaOf(name)),
    )
    return { day, skip, exclude, counts: Object.fromEntries(counted.map((name) => [name, random(1000)])) }
  })
  const { reader } = await createHistory(t, runs.length - 1, runs)
  /** Its rows in a run; null when there was no such table, undefined when the run left it out. */
  const rowsOf = ({ counts = {}, skip = [], exclude = [] }: PastRun, name: string) =>
    name in counts
      ? (counts[name] as number)
      : skip.includes(schemaOf(name)) || exclude.includes(name)
        ? undefined
        : null
  /** What both have counted, of the one and of the other; undefined when that is nothing. */
  const compare = (before: PastRun, after: PastRun) => {
    const both = names
      .map((name) => [rowsOf(before, name), rowsOf(after, name)] as const)
      .filter((rows) => !rows.includes(undefined) && rows.some((found) => found !== null))
    const sum = (rows: (number | null | undefined)[]) =>
      rows.reduce<number>((one, other) => one + (other ?? 0), 0)
    return both.length > 0 ? [sum(both.map(([rows]) => rows)), sum(both.map(([, rows]) => rows))] : undefined
  }

  const all = await reader<Period[]>`select * from nms.growth()`

  t.is(all.length, runs.length)
  for (const [index, { rows, tables, change, change_percent }] of all.entries()) {
    const [before, run] = [runs[index - 1], runs[index] as PastRun]
    const counts = Object.values(run.counts ?? {}) as number[]
    const [from = 0, to = 0] = (before && compare(before, run)) ?? []
    t.is(tables, String(counts.length))
    t.is(rows, String(counts.reduce((one, other) => one + other, 0)))
    t.is(change, before && compare(before, run) ? String(to - from) : null, `day ${index}`)
    const percent = change_percent === null ? 0 : Number(change_percent)
    if (from > 0) t.true(Math.abs(percent - (100 * (to - from)) / from) < 0.006, `day ${index}`)
  }
})

test('a day of which everything was left out has no rows, an empty database has none', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  await collect(db.sql)
  t.deepEqual(await growth(reader), [['0', '0', null, null, null]])

  await db.sql`create table public.orders as select generate_series(1, 3) as id`
  await collect(db.sql, { skip: ['public'] })

  t.deepEqual(await growth(reader), [[null, null, null, null, null]])
  t.deepEqual(await growth(reader, 'month', 'public').catch(({ code }) => code), 'P0002')
})

test('tables that appear and disappear are growth, also beside counts that were imported', async (t) => {
  const { reader } = await createHistory(t, 3, [
    { day: 0, counts: { 'public.old': 10 }, recorded: true, machinery: [] },
    { day: 1, counts: shop(100, 50) },
    { day: 2, counts: { 'public.items': 60, 'stage.big': 1000 } },
    { day: 3, counts: { 'public.items': 60, 'stage.big': 1000 } },
  ])

  t.deepEqual(await growth(reader), [
    ['10', '1', null, null, null],
    ['150', '2', '140', '1400.00', '140.00'],
    ['1060', '2', '910', '606.67', '910.00'],
    ['1060', '2', '0', '0.00', '0.00'],
  ])
  t.deepEqual(await growth(reader, 'day', 'stage'), [
    ['1000', '1', null, null, null],
    ['1000', '1', '0', '0.00', '0.00'],
  ])
})

test('the rows of partitions are counted once, and are those of their table', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  await db.sql.unsafe(`
    create table public.tree (id integer) partition by range (id);
    create table public.low partition of public.tree for values from (0) to (10);
    create schema leaves;
    create table leaves.high partition of public.tree for values from (10) to (100);
    insert into public.tree select generate_series(7, 13);
    create table public.plain as select generate_series(1, 5) as id;
  `)
  await collect(db.sql)

  const rows = async (...of: (string | null)[]) => (await growth(reader, 'day', ...of)).map(([rows]) => rows)
  t.deepEqual(await rows(), ['12'])
  t.deepEqual(await rows('public'), ['8'])
  t.deepEqual(await rows('leaves'), ['4'])
  t.deepEqual(await rows('public', 'tree'), ['7'])
})

test('sums beyond the largest bigint are exact', async (t) => {
  const most = '9223372036854775807'
  const { reader } = await createHistory(t, 1, [
    { day: 0, counts: { 'public.one': most, 'public.two': '9007199254740993' } },
    { day: 1, counts: { 'public.one': most, 'public.two': most } },
  ])

  const { text } = await ask(reader, 'growth_report()')

  t.true(text.includes('"rows": 18446744073709551614'), text)
  t.true(text.includes('"change": 9214364837600034814'), text)
})

test('names are taken as they are', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)
  const [schema, table] = ['Ein "Schema".von', `ta%_ble".'; drop — ÄÖ`]
  await db.sql`
    select nms.import_run(nms.business_date(), ${db.sql.json({ [schema]: { [table]: 7, other: 1 }, von: { [table]: 9 } })})
  `

  t.deepEqual(await growth(reader, 'month', schema, table), [['7', '1', null, null, null]])
  t.deepEqual(await growth(reader, 'week', schema), [['8', '2', null, null, null]])
})

test('when none of the periods has a result, the report says which day was the last with one', async (t) => {
  const { sql, reader } = await createHistory(t, 5, [
    { day: 0, counts: { 'public.orders': 1 } },
    { day: 1, counts: { 'stage.big': 1 } },
  ])
  const [five, four] = [await daysAgo(sql, 5), await daysAgo(sql, 4)]

  for (const [of, day] of [
    ['null, null', four],
    [`'public', null`, five],
    [`'public', 'orders'`, five],
  ]) {
    const { report } = await ask(reader, `growth_report('day', ${of}, 3)`)
    t.like(report, { periods: [], summary: { periods_found: 0, last_date_with_result: day, change: null } })
  }
})

test('before the first run there is no growth, and no name is known', async (t) => {
  const db = await createDatabase(t)
  const reader = await createReader(db)

  t.like((await ask(reader, 'growth_report()')).report, {
    periods: [],
    summary: { last_date_with_result: null },
  })
  const error = await t.throwsAsync(ask(reader, `growth_report('day', 'public')`), { code: 'P0002' })
  t.regex((error as unknown as { hint: string }).hint, /nms\.collect_table_metrics\(\)/)
  await t.throwsAsync(ask(reader, `growth_report('day', 'public', 'orders')`), { code: 'P0002' })
})

test('the report of the whole database has each schema and the fastest tables beside the periods', async (t) => {
  const { reader } = await createHistory(t, 3, [
    { day: 0, counts: { ...shop(100, 50), 'stage.big': 900, 'gone.old': 5 } },
    { day: 1, counts: { ...shop(150, 50), 'stage.big': 901 } },
    { day: 2, counts: shop(160, 50), skip: ['stage'] },
    { day: 3, counts: { 'public.orders': 170, 'stage.big': 900, 'new.one': 7 }, exclude: ['public.items'] },
  ])

  const { report } = await ask<{ schemas: object[]; fastest: { rows: object[] } }>(reader, 'growth_report()')

  t.deepEqual(report.schemas, [
    { schema_name: 'stage', rows: [900, 901, null, 900], change: 0, change_percent: 0, is_estimated: false },
    // 70 of the 100 orders: the items are left out at the end.
    {
      schema_name: 'public',
      rows: [150, 200, 210, 170],
      change: 70,
      change_percent: 70,
      is_estimated: false,
    },
    { schema_name: 'new', rows: [null, null, null, 7], change: 7, change_percent: null, is_estimated: false },
    {
      schema_name: 'gone',
      rows: [5, null, null, null],
      change: -5,
      change_percent: -100,
      is_estimated: false,
    },
  ])
  t.like(report.fastest.rows, [
    { table_name: 'orders', rows: [100, 150, 160, 170] },
    { table_name: 'one', rows: [null, null, null, 7] },
  ])
  t.is((await ask(reader, `growth_report(schema_name => 'public')`)).report.schemas, null)
})

for (const [call, code, hint] of [
  [`growth_report('year')`, '22023', /Monday/],
  ['growth_report(null)', '22023', /Monday/],
  [`growth_report(table_name => 'orders')`, '22023', /schema/],
  ['growth_report(periods => 0)', '22023', /periods => 30/],
  ['growth_report(periods => 1001)', '22023', /periods => 30/],
  ['growth_report(periods => null)', '22023', /periods => 30/],
  [`growth_report('day', 'pub')`, 'P0002', /^There are: public, stage$/],
  [`growth_report('day', 'public', 'ordres')`, 'P0002', /public\.orders/],
] as const) {
  test(`${call} is refused with ${code} and a hint`, async (t) => {
    const { reader } = await createHistory(t, 0, [{ day: 0, counts: { ...shop(1, 2), 'stage.big': 3 } }])

    const error = await t.throwsAsync(ask(reader, call), { code })

    t.regex((error as unknown as { hint: string }).hint, hint)
    t.not((error as unknown as { detail: string }).detail, undefined)
  })
}

const schemaOf = (name: string) => name.slice(0, name.indexOf('.'))

/** Whole numbers below a bound, the same ones for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

function addDays(day: Date, days: number): Date {
  return new Date(day.getTime() + days * 86_400_000)
}

function iso(day: Date): string {
  return day.toISOString().slice(0, 10)
}
