import test from 'ava'
import { kinds } from './_support/alerts.ts'
import { collect, createDatabase, type Sql } from './_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from './_support/history.ts'

const shop = `
  create schema stage;
  create table public.orders as select generate_series(1, 100) as id;
  create table public.lines as select generate_series(1, 7) as id;
  create table stage."Big One" as select generate_series(1, 5000) as id;
`

const compared = async (sql: Sql, before: number, after: number) =>
  Object.fromEntries(
    (await sql`select * from nms.compare_runs(${before}, ${after})`).map((row) => [
      `${row.schema_name}.${row.table_name}`,
      [row.outcome, row.rows_before, row.rows_after, row.change, row.own_change],
    ]),
  )

const total = async (sql: Sql, before: number, after: number) => {
  const [row] =
    await sql`select sum(own_change)::integer as change from nms.compare_runs(${before}, ${after})`
  return row?.change
}

test('what a request leaves out has neither disappeared nor appeared, and is in no total', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)
  await collect(sql)
  await sql`insert into public.orders values (101)`
  await sql`drop table public.lines`
  await collect(sql, { skip: ['stage'] })
  await collect(sql, { exclude: ['"stage"."Big One"', 'public.orders', 'public.gone'] })

  const left = ['left out', '5000', null, null, null]
  t.deepEqual(await compared(sql, 1, 2), {
    'public.orders': ['grew', '100', '101', '1', '1'],
    'public.lines': ['disappeared', '7', null, null, '-7'],
    'stage.Big One': left,
  })
  t.is(await total(sql, 1, 2), -6)
  t.deepEqual(await compared(sql, 2, 1), {
    'public.orders': ['shrank', '101', '100', '-1', '-1'],
    'public.lines': ['appeared', null, '7', null, '7'],
    'stage.Big One': ['left out', null, '5000', null, null],
  })
  t.is(await total(sql, 2, 1), 6)
  t.deepEqual(await compared(sql, 2, 3), { 'public.orders': ['left out', '101', null, null, null] })
  t.is(await total(sql, 2, 3), null)
})

test('a table that a request leaves out is so whether the run succeeds or fails', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeRuns(sql, [
    { day: 0, counts: { 'public.a': 1, 'public.b': 2 } },
    { day: 1, status: 'FAILED', exclude: ['public.a'] },
  ])

  t.is(last, '2')
  t.deepEqual(await compared(sql, 1, 2), {
    'public.a': ['left out', '1', null, null, null],
    'public.b': ['not counted', '2', null, null, null],
  })
})

test('a malformed request leaves nothing out', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)
  await collect(sql)
  await sql`select nms.open_run(skip => '"stage"', exclude => '{"public.orders": 1}')`
  await sql`select nms.open_run(skip => '[null, 5]')`

  for (const run of [2, 3]) {
    const outcomes = Object.values(await compared(sql, 1, run)).map(([outcome]) => outcome)
    t.deepEqual(outcomes, ['not counted', 'not counted', 'not counted'])
  }
})

test('a schema that the settings have made machinery meanwhile is left out, and back again', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)
  await collect(sql)
  await sql`update nms.table_metrics_settings set machinery_schemas = machinery_schemas || 'stage'::text`
  await collect(sql)
  await sql`update nms.table_metrics_settings set machinery_schemas = array_remove(machinery_schemas, 'stage')`
  const last = await collect(sql)

  t.is((await compared(sql, 1, 2))['stage.Big One']?.[0], 'left out')
  t.is(await total(sql, 1, 2), 0)
  t.is((await compared(sql, 2, 3))['stage.Big One']?.[0], 'left out')
  t.is(await total(sql, 2, 3), 0)
  t.deepEqual(await kinds(sql, '2'), [])
  t.deepEqual(await kinds(sql, last.run_id), [])
})

const all = { 'public.orders': 5, 'stage.big': 5000 }
const some = { 'public.orders': 5 }
const partial: Omit<PastRun, 'day'> = { counts: some, skip: ['stage'] }
const cases: [what: string, alerts: string[], runs: Omit<PastRun, 'day'>[]][] = [
  ['left out after a week', [], [...Array(7).fill({ counts: all }), partial]],
  ['back after a week', [], [...Array(7).fill(partial), { counts: all }]],
  [
    'back after a week, and counts were recorded without it meanwhile',
    [],
    [...Array(6).fill(partial), { counts: some, recorded: true }, { counts: all }],
  ],
  [
    'gone after days on which it was left out',
    ['table_missing stage.big'],
    [...Array(3).fill({ counts: all }), ...Array(4).fill(partial), { counts: some }],
  ],
  [
    'new, after a day on which it would have been found',
    ['table_new stage.big'],
    [...Array(5).fill(partial), { counts: some }, { counts: all }],
  ],
]
for (const [what, alerts, runs] of cases) {
  test(`a table that is ${what}: ${alerts.join() || 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)

    t.deepEqual(
      await kinds(
        sql,
        await writeRuns(
          sql,
          runs.map((run, day) => ({ ...run, day })),
        ),
      ),
      alerts,
    )
  })
}

test('the trend has a row without a count for a day on which the table was left out', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = (orders: number) => ({ 'public.orders': orders, 'public.lines': 1 })
  const days = await Promise.all([5, 4, 3, 2, 1, 0].map((ago) => daysAgo(sql, ago)))
  await writeRuns(
    sql,
    [
      { day: 0, counts: counts(10) },
      { day: 1, counts: { 'public.lines': 1 }, exclude: ['public.orders'] },
      { day: 2, counts: counts(30) },
      { day: 3, counts: { 'public.lines': 1 } }, // gone on that day
      { day: 4, counts: counts(50) },
      { day: 5, counts: { 'public.lines': 1 }, skip: ['public'] },
    ],
    days[0],
  )
  for (const day of days) await sql`select nms.rebuild_daily_snapshot(${day}::date)`

  t.deepEqual(
    [
      ...(await sql`
        select snapshot_date, row_count::integer, change::integer, run_id::integer
        from nms.table_trend('public', 'orders')
      `),
    ].map((row) => Object.values(row)),
    [
      [days[0], 10, null, 1],
      [days[1], null, null, 2],
      [days[2], 30, null, 3],
      [days[4], 50, 20, 5],
      [days[5], null, null, 6],
    ],
  )
  t.deepEqual(
    [
      ...(await sql`
      select change from nms.table_metrics_daily where table_name = 'orders' and snapshot_date = ${days[2] ?? ''}
    `),
    ],
    [{ change: null }],
  )
})

test('a run knows how many tables its request has left out', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${shop} create view stage.seen as select 1; create table stage.other ();`)
  const runs = [
    await collect(sql),
    await collect(sql, { skip: ['stage'] }),
    await collect(sql, { skip: ['stage', 'none'], exclude: ['public.orders', 'stage.other', 'public.none'] }),
    await collect(sql, { exclude: ['orders'] }),
  ]

  t.deepEqual(
    [...(await sql`select left_out_count from nms.table_metrics_runs order by run_id`)].map(
      ({ left_out_count }) => left_out_count,
    ),
    ['0', '2', '3', null],
  )
  t.is(runs[3]?.status, 'FAILED')
})

test('a request of 100,000 entries is looked through once, not for each of 20,000 tables', async (t) => {
  const { sql, connect } = await createDatabase(t)
  const names = (count: number) => Array.from({ length: count }, (_, n) => `public.t${n}`)
  const counts = Object.fromEntries(names(20_000).map((name) => [name, 1]))
  const last = await writeRuns(sql, [
    { day: 0, counts: { ...counts, 'public.stays': 1 } },
    { day: 1, counts: { 'public.stays': 1 }, exclude: names(100_000).reverse() },
  ])
  const session = connect()
  await session`set statement_timeout = '60s'` // a second or two, or several minutes

  const outcomes = await session`
    select outcome, count(*)::integer as tables from nms.compare_runs(1, 2) group by 1 order by 1
  `
  const alerts = await session`select from nms.find_alerts(${last})`

  t.deepEqual(
    [...outcomes],
    [
      { outcome: 'left out', tables: 20_000 },
      { outcome: 'unchanged', tables: 1 },
    ],
  )
  t.is(alerts.length, 0)
})
