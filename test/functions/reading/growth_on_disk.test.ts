// How tables grow on disk, and by which method the rows of each point were found.

import test, { type ExecutionContext } from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader, rebuildSnapshots } from '../../_support/reader.ts'

/** Bytes of a table, or how else its rows were found. */
type Storage = Partial<{
  total_bytes: number
  method: string
  row_count_low: number
  row_count_high: number
  carried_from_run: number
}>

/** A run of so many days ago, what it found of the tables beside their rows, and a reader. */
async function createHistory(t: ExecutionContext, days: (PastRun & { storage: Record<string, Storage> })[]) {
  const db = await createDatabase(t)
  const last = days.at(-1)?.day ?? 0
  for (const { storage, ...run } of days) {
    const run_id = await writeRuns(db.sql, [run], await daysAgo(db.sql, last))
    for (const [name, found] of Object.entries(storage))
      await db.sql`
        update nms.table_metrics_measurements
        set ${db.sql({ ...found, ...(found.total_bytes !== undefined && { own_total_bytes: found.total_bytes }) })}
        where run_id = ${run_id} and schema_name || '.' || table_name = ${name}
      `
  }
  await rebuildSnapshots(db.sql)
  return { sql: db.sql, reader: await createReader(db) }
}

async function growth(sql: Sql, schema: string | null = null, table: string | null = null) {
  const rows = await sql<Record<'bytes' | 'bytes_change' | 'bytes_per_day', string | null>[]>`
    select bytes, bytes_change, bytes_per_day from nms.growth('day', ${schema}::text, ${table}::text)
  `
  return rows.map(({ bytes, bytes_change, bytes_per_day }) => [bytes, bytes_change, bytes_per_day])
}

const bytes = (total_bytes: number): Storage => ({ total_bytes })

test('bytes of a database, a schema and a table by day; without those of one table there is no sum', async (t) => {
  const { reader } = await createHistory(t, [
    { day: 0, counts: { 'a.x': 1, 'b.y': 2 }, storage: { 'a.x': bytes(8_000), 'b.y': bytes(100) } },
    { day: 2, counts: { 'a.x': 1, 'b.y': 2 }, storage: { 'a.x': bytes(7_000), 'b.y': bytes(1_600) } },
    { day: 3, counts: { 'a.x': 1, 'b.y': 2 }, storage: { 'a.x': bytes(7_500) } },
  ])

  t.deepEqual(await growth(reader), [
    ['8100', null, null],
    ['8600', '500', '250.00'],
    [null, null, null],
  ])
  t.deepEqual(await growth(reader, 'a'), [
    ['8000', null, null],
    ['7000', '-1000', '-500.00'],
    ['7500', '500', '500.00'],
  ])
  t.deepEqual(await growth(reader, 'b', 'y'), [
    ['100', null, null],
    ['1600', '1500', '750.00'],
    [null, null, null],
  ])
  const { report } = await ask<{ summary: object }>(reader, 'growth_report()')
  t.like(report.summary, { bytes: { first_bytes: 8100, last_bytes: 8600, change: 500, per_day: 250 } })
})

test('what a request leaves out is no change on disk', async (t) => {
  const { reader } = await createHistory(t, [
    { day: 0, counts: { 'a.x': 1, 'b.y': 2 }, storage: { 'a.x': bytes(10), 'b.y': bytes(1_000) } },
    {
      day: 1,
      counts: { 'a.x': 1, 'a.new': 5 },
      skip: ['b'],
      storage: { 'a.x': bytes(12), 'a.new': bytes(30) },
    },
  ])

  t.deepEqual(await growth(reader), [
    ['1010', null, null],
    ['42', '32', '32.00'],
  ])
  const { report } = await ask<{ fastest: object }>(reader, 'growth_report()')
  t.deepEqual(report.fastest, {
    rows: [
      {
        schema_name: 'a',
        table_name: 'new',
        before: null,
        after: 5,
        change: 5,
        change_percent: null,
        method: 'exact',
        rows: [null, 5],
      },
    ],
    bytes: [
      {
        schema_name: 'a',
        table_name: 'new',
        before: null,
        after: 30,
        change: 30,
        change_percent: null,
        method: 'exact',
      },
      {
        schema_name: 'a',
        table_name: 'x',
        before: 10,
        after: 12,
        change: 2,
        change_percent: 20,
        method: 'exact',
      },
    ],
  })
})

test('the fastest growing tables are ten, the fastest first, none of them a partition or shrinking', async (t) => {
  const tables = Array.from({ length: 12 }, (_, n) => `s.t${n}`)
  const of = (value: (n: number) => number) => Object.fromEntries(tables.map((name, n) => [name, value(n)]))
  const sizes = (value: (n: number) => number) =>
    Object.fromEntries(tables.map((name, n) => [name, bytes(value(n))]))
  // One without bytes on the last day, and one that is a partition, would be the first of all.
  const { reader } = await createHistory(t, [
    {
      day: 0,
      counts: { ...of(() => 100), 's.part': 1, 's.locked': 1, 'z.other': 1 },
      partitions: ['s.part'],
      storage: { ...sizes(() => 1_000), 's.part': bytes(1), 's.locked': bytes(1), 'z.other': bytes(1) },
    },
    {
      day: 1,
      counts: { ...of((n) => 100 - n), 's.part': 900, 's.locked': 1, 'z.other': 1 },
      partitions: ['s.part'],
      storage: { ...sizes((n) => 1_000 + 10 * n), 's.part': bytes(99_999), 'z.other': bytes(50_000) },
    },
  ])

  const { report } = await ask<{
    fastest: Record<'rows' | 'bytes', { table_name: string; change: number }[]>
  }>(reader, `growth_report(schema_name => 's')`)

  t.deepEqual(
    report.fastest.rows.map(({ table_name }) => table_name),
    [],
  )
  t.deepEqual(
    report.fastest.bytes.map(({ table_name, change }) => [table_name, change]),
    [11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((n) => [`t${n}`, 10 * n]),
  )
  const { report: all } = await ask<typeof report>(reader, 'growth_report()')
  t.like(all.fastest.bytes[0], { table_name: 'other', change: 49_999 })
  t.is(all.fastest.bytes.length, 10)
})

test('each point says how its rows were found: of a total, by the least sure method and how many are estimated', async (t) => {
  const { reader } = await createHistory(t, [
    { day: 0, counts: { 's.a': 10, 's.b': 20 }, storage: {} },
    {
      day: 1,
      counts: { 's.a': 10, 's.b': 20 },
      storage: { 's.a': { method: 'carried', carried_from_run: 1 } },
    },
    {
      day: 2,
      counts: { 's.a': 10, 's.b': 25 },
      storage: {
        's.a': { method: 'carried', carried_from_run: 1 },
        's.b': { method: 'estimate', row_count_low: 22, row_count_high: 31, total_bytes: 8_192 },
      },
    },
  ])

  t.deepEqual(
    [...(await reader`select method, estimated_rows from nms.growth('day', 's')`)],
    [
      { method: 'exact', estimated_rows: null },
      { method: 'carried', estimated_rows: null },
      { method: 'estimate', estimated_rows: '25' },
    ],
  )
  const { report } = await ask<{ days: object[] }>(reader, `trend_report('s', 'b')`)
  t.like(report.days[0], { method: 'exact', row_count_low: null, row_count_high: null, total_bytes: null })
  t.like(report.days[2], { method: 'estimate', row_count_low: 22, row_count_high: 31, total_bytes: 8_192 })
  t.deepEqual(
    [...(await reader`select carried_from_run from nms.table_trend('s', 'a')`)].map(
      (day) => day.carried_from_run,
    ),
    [null, '1', '1'],
  )
})
