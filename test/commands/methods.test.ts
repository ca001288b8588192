import ava, { type ExecutionContext } from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { addFilter } from '../_support/filters.ts'
import { daysAgo, writeRuns } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

// Each starts processes of its own.
const test = ava.serial

/** Yesterday everything was counted; today one table in each way, or all of them again. */
async function createHistory(t: ExecutionContext, isExact = false) {
  const db = await createDatabase(t)
  const exact = { 'public.a': 1000000, 'public.b': 50, 'public.c': 7, 'public.d': 30 }
  await writeRuns(
    db.sql,
    [
      { day: 0, counts: exact },
      {
        day: 1,
        counts: isExact
          ? exact
          : {
              'public.a': { rows: 1234000, method: 'estimate', low: 1200000, high: 1270000 },
              'public.b': { rows: 50, method: 'carried', from: 1, bytes: { table: 8192, index: 16384 } },
              'public.c': { rows: 9, method: 'maintained' },
              'public.d': { rows: 31, method: 'estimate', low: 25, high: 40, filtered: { active: 3 } },
            },
      },
    ],
    await daysAgo(db.sql, 1),
  )
  await rebuildSnapshots(db.sql)
  return db
}

const cells = (stdout: string, table: string) =>
  stdout
    .split('\n')
    .find((line) => line.startsWith(`public.${table} `))
    ?.split(/ {2,}/)

test('daily marks what was not counted row by row, and says what the marks mean', async (t) => {
  const db = await createHistory(t)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['daily'])

  t.is(status, 0, stderr)
  t.deepEqual(
    ['a', 'b', 'c', 'd'].map((table) => cells(stdout, table)),
    [
      ['public.a', '≈ 1,234,000', '≈ +234,000', '+23.4 %', '1,200,000 to 1,270,000'],
      ['public.b', 'c 50', '='],
      ['public.c', 'm 9', '+2', '+28.6 %'],
      ['public.d', '≈ 31', '≈ +1', '+3.3 %', '25 to 40'],
    ],
  )
  t.regex(stdout, /^c: counted in an earlier run, unchanged since$/m)
  t.regex(stdout, /^m: kept by triggers$/m)
  t.regex(stdout, /^≈: estimated from a sample/m)
  t.regex(
    stdout,
    /^4 tables, 1 of them carried, ≈ 1,234,090 rows, each counted once, of which ≈ 1,234,031 are estimated \(≈ \+234,003 since /m,
  )
})

test('daily and diff say nothing of methods where everything was counted', async (t) => {
  const db = await createHistory(t, true)

  for (const command of [['daily'], ['diff', '--all'], ['status']]) {
    const { stdout } = await tableMetrics(t, db.url, command)

    t.notRegex(stdout, /≈|range|carried|estimated|^[cm]:/m)
  }
})

test('daily --json has either version of the payload', async (t) => {
  const db = await createHistory(t)
  const json = async (...args: string[]) =>
    JSON.parse((await tableMetrics(t, db.url, ['daily', '--json', ...args])).stdout)

  t.deepEqual(await json(), { public: { a: 1234000, b: 50, c: 9, d: 31 } })
  t.deepEqual(await json('--payload-version', '2'), {
    _version: 2,
    public: {
      a: { count: 1234000, method: 'estimate', low: 1200000, high: 1270000 },
      b: {
        count: 50,
        method: 'carried',
        from_run: 1,
        bytes: 24576,
        table_bytes: 8192,
        index_bytes: 16384,
      },
      c: { count: 9, method: 'maintained' },
      d: { count: 31, method: 'estimate', low: 25, high: 40, filtered: { active: 3 } },
    },
  })
  const { status, stderr } = await tableMetrics(t, db.url, ['daily', '--json', '--payload-version', '3'])
  t.is(status, 1)
  t.regex(stderr, /payload-version: saw 3, expected 1 or 2/)
})

test('diff marks estimates on both sides, with their ranges, and calls what they leave open unclear', async (t) => {
  const db = await createHistory(t)

  const there = await tableMetrics(t, db.url, ['diff', '--all'])
  const back = await tableMetrics(t, db.url, ['diff', '2', '1'])

  t.deepEqual(
    ['a', 'b', 'd'].map((table) => cells(there.stdout, table)),
    [
      ['public.a', 'grew', '1,000,000', '≈ 1,234,000', '≈ +234,000', '+23.4 %', '1,200,000 to 1,270,000'],
      ['public.b', 'unchanged', '50', 'c 50', '='],
      ['public.d', 'unclear', '30', '≈ 31', '≈ +1', '+3.3 %', '25 to 40'],
    ],
  )
  t.regex(there.stdout, /range after$/m)
  t.regex(there.stdout, /^≈ \+234,003 rows in all/m)
  t.regex(there.stdout, /^c: counted/m)
  t.deepEqual(cells(back.stdout, 'a')?.slice(1), [
    'shrank',
    '≈ 1,234,000',
    '1,000,000',
    '≈ -234,000',
    '-19.0 %',
    '1,200,000 to 1,270,000',
  ])
  t.regex(back.stdout, /range before$/m)
})

test('status says how many rows of a run are estimates, and how many tables were carried', async (t) => {
  const db = await createHistory(t)

  const { stdout } = await tableMetrics(t, db.url, ['status'])

  t.regex(stdout, /rows +of which estimated +tables carried$/m)
  t.regex(stdout, /^ *2 .* 4 +≈ 1,234,090 +≈ 1,234,031 +1$/m)
  t.regex(stdout, /^ *1 .* 4 +1,000,087$/m)
})

test('a trend marks the last count and the change when they are estimates', async (t) => {
  const db = await createHistory(t)

  const { stdout } = await tableMetrics(t, db.url, ['trend', 'public.a'])

  t.regex(stdout, /^≈ 1,234,000 /m)
  t.regex(stdout, /^≈ \+234,000 \(\+23\.4 %\) since /m)
})

test('an export has how each count was found, and what was measured beside it', async (t) => {
  const db = await createHistory(t)

  const { stdout } = await tableMetrics(t, db.url, ['export', '--json'])
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const csv = (await tableMetrics(t, db.url, ['export'])).stdout.split('\n')

  t.like(
    lines.find((line) => line.run_id === 2 && line.table_name === 'b'),
    {
      method: 'carried',
      carried_from_run: 1,
      row_count_low: null,
      total_bytes: 24576,
      table_bytes: 8192,
      index_bytes: 16384,
      own_total_bytes: 24576,
    },
  )
  t.true(
    csv[0]?.endsWith(
      ',error_message,row_count_low,row_count_high,carried_from_run,total_bytes,table_bytes,index_bytes,own_total_bytes,dead_rows,frozen_age,last_vacuum,last_analyze,filtered',
    ),
  )
  t.true(csv.some((line) => line.endsWith(',,,1200000,1270000,,,,,,,,,,')))
})

test('collect names the filters that it could not count, and says where the reason is', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  await addFilter(db.sql, 'public.orders', 'gone', { column: 'deleted_at', is: 'null' })
  await addFilter(db.sql, 'public.orders', 'kept', { column: 'id', is: 'not null' })

  const { status, stderr } = await tableMetrics(t, db.url, ['collect'])

  t.is(status, 0)
  t.regex(stderr, /^filter not counted: public\.orders \(gone\)\nwhy: table-metrics doctor$/m)
})

test('diff leaves out filters that neither run has counted', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select 1 as id`
  await addFilter(db.sql, 'public.orders', 'gone', { column: 'deleted_at', is: 'null' })
  for (let run = 0; run < 2; run++) await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['diff', '1', '2'])

  t.notRegex(stdout, /gone/)
  t.regex((await tableMetrics(t, db.url, ['diff', '1', '2', '--all'])).stdout, /public\.orders \(gone\)/)
})
