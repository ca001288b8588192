import ava, { type ExecutionContext } from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { daysAgo, writeRuns } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** Three tables of which two were large yesterday, and today's run, which leaves the large ones out. */
async function createShop(t: ExecutionContext) {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create schema stage;
    create table public.orders as select generate_series(1, 12) as id;
    create table stage.big as select generate_series(1, 50) as id;
    create table stage.other as select generate_series(1, 40) as id;
  `)
  const yesterday = await daysAgo(db.sql, 1)
  await writeRuns(
    db.sql,
    [{ day: 0, counts: { 'public.orders': 10, 'stage.big': 5_000_000, 'stage.other': 2_000_000 } }],
    yesterday,
  )
  await db.sql`select nms.rebuild_daily_snapshot(${yesterday}::date)`
  await collect(db.sql, { skip: ['stage'] })
  return db
}

test('daily names how many tables the request left out, and compares without them', async (t) => {
  const db = await createShop(t)

  const today = await tableMetrics(t, db.url, ['daily'])

  t.is(today.status, 0, today.stderr)
  t.regex(today.stdout, /^public\.orders +12 +\+2 +\+20\.0 %$/m)
  t.regex(today.stdout, /^1 table, 12 rows, each counted once \(\+2 since \d{4}-\d\d-\d\d\)$/m)
  t.regex(today.stdout, /^2 tables left out by request$/m)
  t.is((await tableMetrics(t, db.url, ['daily', '--json'])).stdout, '{"public": {"orders": 12}}\n')
  const yesterday = await tableMetrics(t, db.url, ['daily', 'yesterday'])
  t.notRegex(yesterday.stdout, /left out/)
})

test('a table that is back after it was left out has no change', async (t) => {
  const db = await createShop(t)
  await db.sql`update nms.table_metrics_daily_snapshot set snapshot_date = snapshot_date - 2`
  await collect(db.sql, { exclude: ['stage.other'] })

  const { stdout } = await tableMetrics(t, db.url, ['daily'])

  t.regex(stdout, /^stage\.big +50$/m)
  t.regex(stdout, /^public\.orders +12 +=$/m)
  t.regex(stdout, /^2 tables, 62 rows, each counted once \(= since /m)
  t.regex(stdout, /^1 table left out by request$/m)
})

test('diff tells what was left out, after what has changed, and no --fail-on minds it', async (t) => {
  const db = await createShop(t)

  for (const [from, to] of [
    ['1', '2'],
    ['2', '1'],
  ] as const) {
    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['diff', from, to])

    t.is(status, 0, stderr)
    const rows = stdout.split('\n').filter((line) => /^(public|stage)\./.test(line))
    t.deepEqual(
      rows.map((row) => row.split(/ {2,}/).slice(0, 2)),
      [
        ['public.orders', from === '1' ? 'grew' : 'shrank'],
        ['stage.big', 'left out'],
        ['stage.other', 'left out'],
      ],
    )
    t.regex(stdout, from === '1' ? /^1 grew, 2 left out$/m : /^2 left out, 1 shrank$/m)
    t.regex(stdout, from === '1' ? /^\+2 rows in all/m : /^-2 rows in all/m)
  }
  t.is((await tableMetrics(t, db.url, ['diff', '1', '2', '--fail-on', 'missing'])).status, 0)
  t.is((await tableMetrics(t, db.url, ['diff', '1', '2', '--fail-on', 'drop'])).status, 0)
  const any = await tableMetrics(t, db.url, ['diff', '1', '2', '--fail-on', 'any', '--json'])
  t.deepEqual(JSON.parse(any.stdout).failing, ['public.orders'])
  t.deepEqual(JSON.parse(any.stdout).outcomes, { grew: 1, 'left out': 2 })
  t.is(JSON.parse(any.stdout).change, 2)
})

test('trend shows a gap for days on which the table was left out, also where it ends', async (t) => {
  const db = await createDatabase(t)
  const first = await daysAgo(db.sql, 5)
  const last = await daysAgo(db.sql, 0)
  const counted = (orders: number) => ({ counts: { 'public.orders': orders, 'public.other': 1 } })
  const without = { counts: { 'public.other': 1 }, exclude: ['public.orders'] }
  await writeRuns(
    db.sql,
    [counted(100), counted(100), without, counted(200), without, without].map((run, day) => ({
      ...run,
      day,
    })),
    first,
  )
  await db.sql`
    select nms.rebuild_daily_snapshot(snapshot_date) from (select snapshot_date from nms.table_metrics_runs) as run
  `

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['trend', 'public.orders'])
  const json = await tableMetrics(t, db.url, ['trend', 'public.orders', '--json'])

  t.is(status, 0, stderr)
  const chart = stdout.split('\n').slice(2, 14)
  t.deepEqual(chart, [
    `200 ┤            ────`,
    ...Array(8).fill('    │'),
    `100 ┤────────`,
    '    └────────────────────────',
    `     ${first}    ${last}`,
  ])
  t.regex(stdout, new RegExp(`^200 rows on ${await daysAgo(db.sql, 2)}\\n\\+100 .* since ${first}$`, 'm'))
  t.regex(stdout, /^3 of the last 30 days have a result, 3 left the table out$/m)
  t.deepEqual(
    JSON.parse(json.stdout).days.map(({ row_count, change }: Record<string, number>) => [row_count, change]),
    [
      [100, null],
      [100, 0],
      [null, null],
      [200, null],
      [null, null],
      [null, null],
    ],
  )
})

test('what a run has left out is told when it ends', async (t) => {
  const db = await createShop(t)

  const { status, stderr } = await tableMetrics(t, db.url, ['collect', '--exclude', 'stage.other'])

  t.is(status, 0, stderr)
  t.regex(stderr, /^2 tables, 62 rows, each counted once\n1 table left out by request$/m)
})
