// How a count was found stands beside it, wherever a report has one.

import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

type Entry = Record<string, unknown>
type Report = Record<string, Entry[]> & { totals: Entry }

/** Two days: on the second, one table of each method. */
async function createHistory(t: ExecutionContext) {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [
      { day: 0, counts: { 'public.a': 900, 'public.b': 50, 'public.c': 7, 'public.d': 3, 'public.e': 400 } },
      {
        day: 1,
        counts: {
          'public.a': { rows: 1000, method: 'estimate', low: 950, high: 1080 },
          'public.b': {
            rows: 50,
            method: 'carried',
            from: 1,
            bytes: { table: 8192, index: 16384, own: 24000 },
          },
          'public.c': { rows: 9, method: 'maintained' },
          'public.d': { rows: 4, filtered: { active: 3, 'no "more"': 0 }, bytes: { table: 100, index: 20 } },
          'public.e': { rows: 401, method: 'estimate', low: 380, high: 420 },
        },
      },
    ],
    await daysAgo(db.sql, 1),
  )
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

const described = {
  a: {
    row_count: 1000,
    method: 'estimate',
    previous_method: 'exact',
    row_count_low: 950,
    row_count_high: 1080,
    change: 100,
  },
  b: {
    row_count: 50,
    method: 'carried',
    previous_method: 'exact',
    carried_from_run: 1,
    total_bytes: 24576,
    change: 0,
  },
  c: { row_count: 9, method: 'maintained', previous_method: 'exact', change: 2 },
  d: { row_count: 4, method: 'exact', total_bytes: 120, filtered: { active: 3, 'no "more"': 0 }, change: 1 },
  e: {
    row_count: 401,
    method: 'estimate',
    previous_method: 'exact',
    row_count_low: 380,
    row_count_high: 420,
    change: 1,
  },
}
const asked = [
  'row_count',
  'method',
  'previous_method',
  'row_count_low',
  'row_count_high',
  'carried_from_run',
  'total_bytes',
  'filtered',
  'change',
]
const byName = (tables: Entry[]) =>
  Object.fromEntries(
    tables.map((table) => [
      table.table_name,
      Object.fromEntries(asked.flatMap((key) => (key in table ? [[key, table[key]]] : []))),
    ]),
  )

for (const call of ['run_report()', 'day_report()', 'overview_report()', 'tables_report()']) {
  test(`${call}: each table has its method, and what else there is to say of its count`, async (t) => {
    const { reader } = await createHistory(t)

    const { report } = await ask<Report>(reader, call)

    t.deepEqual(byName(report.tables ?? []), described)
  })
}

for (const call of ['run_report()', 'day_report()', 'overview_report()']) {
  test(`${call}: the totals say how much is estimated and carried; the change is then an estimate too`, async (t) => {
    const { reader } = await createHistory(t)

    const { report } = await ask<Report>(reader, call)

    t.deepEqual(report.totals, {
      tables: 5,
      rows: 1464,
      estimated_rows: 1401,
      carried_tables: 1,
      total_bytes: 24120,
    })
    t.is(report.is_change_estimated as unknown, true)
    // That e has one row more, nobody knows.
    t.deepEqual(
      report.changed_most?.map(({ table_name, method_after }) => [table_name, method_after]),
      [
        ['a', 'estimate'],
        ['c', 'maintained'],
        ['d', 'exact'],
      ],
    )
  })
}

test('of counts that are exact nothing is said but that', async (t) => {
  const { reader } = await createHistory(t)

  const { report } = await ask<Report>(reader, 'run_report(1)')

  t.deepEqual(report.totals, { tables: 5, rows: 1360 })
  t.deepEqual(byName(report.tables ?? []).a, { row_count: 900, method: 'exact', change: null })
})

test('lists of days and runs say how many rows of a total are estimates', async (t) => {
  const { reader } = await createHistory(t)

  const { runs } = (await ask<Report>(reader, 'runs_report()')).report
  const { days } = (await ask<Report>(reader, 'days_report()')).report
  const overview = (await ask<Report>(reader, 'overview_report(days => 2)')).report

  t.deepEqual(
    runs?.map(({ totals }) => totals),
    [
      { tables: 5, rows: 1464, estimated_rows: 1401, carried_tables: 1, total_bytes: 24120 },
      { tables: 5, rows: 1360 },
    ],
  )
  t.deepEqual(
    days?.map((day) => [day.rows, day.estimated_rows]),
    [
      [1464, 1401],
      [1360, undefined],
    ],
  )
  t.deepEqual(
    overview.days?.map((day) => [day.rows, day.estimated_rows]),
    [
      [1360, undefined],
      [1464, 1401],
    ],
  )
})

test('two runs beside each other say how each count was found, and what an estimate leaves open', async (t) => {
  const { reader } = await createHistory(t)

  const { report } = await ask<Report>(reader, `compare_report(fail_on => 'any')`)

  const tables = new Map(report.tables?.map((table) => [table.table_name, table]))
  t.like(tables.get('a'), {
    outcome: 'grew',
    method_before: 'exact',
    method_after: 'estimate',
    rows_before_low: null,
    rows_after_low: 950,
    rows_after_high: 1080,
  })
  t.like(tables.get('e'), { outcome: 'unclear', change: 1 })
  t.like(tables.get('b'), { outcome: 'unchanged', method_after: 'carried' })
  t.false('rows_after_low' in (tables.get('b') ?? {}))
  t.is(report.is_change_estimated as unknown, true)
  t.deepEqual(report.failing as unknown, ['public.a', 'public.c', 'public.d', 'public.e'])
})

for (const [title, before, after, outcome] of [
  ['below what it may have been', [100, 90, 110], [80, 70, 89], 'shrank'],
  ['as few as it may have been', [100, 90, 110], [80, 70, 90], 'unclear'],
  ['above what it may have been', [100, 90, 110], [120, 111, 130], 'grew'],
  ['the same number', [100, 90, 110], [100, 90, 110], 'unchanged'],
] as const) {
  test(`between two estimates: ${title}`, async (t) => {
    const { sql } = await createDatabase(t)
    const run = ([rows, low, high]: readonly [number, number, number], day: number) => ({
      day,
      counts: { 'public.a': { rows, low, high, method: 'estimate' as const } },
    })
    await writeRuns(sql, [run(before, 0), run(after, 1)])

    const [compared] = await sql`select outcome, change::integer from nms.compare_runs(1, 2)`

    t.deepEqual(compared, { outcome, change: after[0] - before[0] })
  })
}

test('fewer rows that only an estimate says are no failure of drop', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [
    { day: 0, counts: { 'public.a': 100, 'public.b': 100 } },
    {
      day: 1,
      counts: {
        'public.a': { rows: 95, low: 90, high: 100, method: 'estimate' },
        'public.b': { rows: 95, low: 90, high: 99, method: 'estimate' },
      },
    },
  ])

  const { report } = await ask<Report>(sql, `compare_report(1, 2, 'drop')`)

  t.deepEqual(report.failing as unknown, ['public.b'])
})

test('the runs of a table have their methods', async (t) => {
  const { reader } = await createHistory(t)

  const { report } = await ask<{ last_runs: { runs: Entry[] } }>(reader, `table_report('public', 'a')`)

  t.like(report.last_runs.runs[0], {
    run_id: 2,
    method: 'estimate',
    row_count_low: 950,
    row_count_high: 1080,
    carried_from_run: null,
    total_bytes: null,
  })
})
