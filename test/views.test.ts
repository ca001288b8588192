import test from 'ava'
import { collect, createDatabase } from './_support/database.ts'
import { daysAgo, writeRun } from './_support/history.ts'

test('latest has one row per table of the last successful run of the last day', async (t) => {
  const { sql } = await createDatabase(t)
  const [today, yesterday] = [await daysAgo(sql, 0), await daysAgo(sql, 1)]
  await writeRun(sql, today, { 'public.orders': 3 })
  await writeRun(sql, today, { 'public.orders': 5, 'public.lines': 7 })
  await writeRun(sql, today, { 'public.orders': null })
  await writeRun(sql, yesterday, { 'public.orders': 1 }) // recorded later, yet an earlier day

  t.deepEqual(
    [...(await sql`select table_name, row_count, run_id from nms.table_metrics_latest order by 1`)],
    [
      { table_name: 'lines', row_count: '7', run_id: '2' },
      { table_name: 'orders', row_count: '5', run_id: '2' },
    ],
  )
})

test('latest, daily and history have how each count was found, and what was measured beside it', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 1), {
    'public.a': { rows: 90, method: 'maintained' },
    'public.b': { rows: 5, bytes: { table: 8000, index: 100 } },
  })
  await writeRun(sql, await daysAgo(sql, 0), {
    'public.a': { rows: 100, method: 'estimate', low: 80, high: 130 },
    'public.b': {
      rows: 5,
      method: 'carried',
      from: 1,
      bytes: { table: 8192, index: 200, own: 8000 },
      dead: 3,
      age: 77,
    },
  })
  const rows = async (columns: string, view: string) =>
    [
      ...(await sql.unsafe(`
        select ${columns} from nms.${view} where run_id = 2 order by table_name
      `)),
    ].map((row) => Object.values(row))
  const columns = `
    method, row_count_low::int, row_count_high::int, carried_from_run::int, total_bytes::int, own_total_bytes::int
  `
  const expected = [
    ['estimate', 80, 130, null, null, null],
    ['carried', null, null, 1, 8392, 8000],
  ]

  for (const view of ['table_metrics_latest', 'table_metrics_daily', 'table_metrics_history']) {
    t.deepEqual(await rows(columns, view), expected, view)
  }
  for (const view of ['table_metrics_latest', 'table_metrics_history']) {
    t.deepEqual(
      await rows('table_bytes::int, index_bytes::int, dead_rows::int, frozen_age::int', view),
      [
        [null, null, null, null],
        [8192, 200, 3, 77],
      ],
      view,
    )
  }
  t.deepEqual(await rows('previous_method, change::int, bytes_change::int', 'table_metrics_daily'), [
    ['maintained', 10, null],
    ['exact', 0, 292],
  ])
})

test('latest is empty before the first successful run', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 0), { 'public.orders': null })

  t.deepEqual([...(await sql`select from nms.table_metrics_latest`)], [])
})

test('daily has each table beside the day before that has a result', async (t) => {
  const { sql } = await createDatabase(t)
  const [three, one, today] = [await daysAgo(sql, 3), await daysAgo(sql, 1), await daysAgo(sql, 0)]
  await writeRun(sql, three, { 'public.orders': 200, 'public.gone': 4, 'public.empty': 0 })
  await writeRun(sql, one, { 'public.orders': 150, 'public.new': 9, 'public.empty': 6 })
  await writeRun(sql, today, { 'public.orders': null }) // failed: the day has no result

  t.deepEqual(
    [
      ...(await sql`
        select
          snapshot_date, table_name, row_count::integer, previous_date, previous_row_count::integer,
          change::integer, change_percent::float8
        from nms.table_metrics_daily
        where snapshot_date = ${one}
        order by table_name
      `),
    ].map((row) => Object.values(row)),
    [
      [one, 'empty', 6, three, 0, 6, null],
      [one, 'new', 9, three, null, null, null],
      [one, 'orders', 150, three, 200, -50, -25],
    ],
  )
  t.deepEqual(
    [...(await sql`select distinct snapshot_date, previous_date from nms.table_metrics_daily order by 1`)],
    [
      { snapshot_date: three, previous_date: null },
      { snapshot_date: one, previous_date: three },
    ],
  )
})

test('today is the day of the business time zone, whatever the time zone of the session', async (t) => {
  const { sql, connect } = await createDatabase(t)
  // At any instant, one of the two has another date than the other.
  const zones = ['Pacific/Kiritimati', 'Pacific/Pago_Pago']
  for (const zone of zones) {
    await sql`update nms.table_metrics_settings set business_time_zone = ${zone}`
    await writeRun(sql, await daysAgo(sql, 0), { 'public.orders': zone.length })
  }

  for (const business of zones) {
    await sql`update nms.table_metrics_settings set business_time_zone = ${business}`
    for (const session of zones) {
      const other = connect()
      await other.unsafe(`set timezone = '${session}'`)
      const rows = await other`select payload from nms.table_metrics_today`
      t.deepEqual(
        [...rows],
        [{ payload: { public: { orders: business.length } } }],
        `${business} from ${session}`,
      )
    }
  }
})

test('today has no row when no run of today has succeeded', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 1), { 'public.orders': 1 })
  await writeRun(sql, await daysAgo(sql, 0), { 'public.orders': null })

  t.deepEqual([...(await sql`select from nms.table_metrics_today`)], [])
})

test('estimates show how far reltuples is off, and which tables need an analyze', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.known with (autovacuum_enabled = off) as select generate_series(1, 1000) as id;
    create table public.stale with (autovacuum_enabled = off) as select generate_series(1, 1000) as id;
    create table public.never with (autovacuum_enabled = off) as select generate_series(1, 1000) as id;
    create table public.tree (id int) partition by range (id);
    analyze public.known, public.stale;
    insert into public.stale select generate_series(1, 3000);
  `)
  await collect(sql)

  t.deepEqual(
    [
      ...(await sql`
        select
          table_name, row_count::integer, reltuples::integer, reltuples_off_percent::float8, needs_analyze
        from nms.table_metrics_estimates
        order by table_name
      `),
    ].map((row) => Object.values(row)),
    [
      ['known', 1000, 1000, 0, false],
      ['never', 1000, null, null, true],
      ['stale', 4000, 1000, -75, true],
    ],
  )
})
