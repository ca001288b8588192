import test from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRun } from '../../_support/history.ts'

const day = async (sql: Sql) => [...(await sql`select * from nms.table_metrics_daily_snapshot`)]

test('rebuilding an untouched history changes no byte', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema "Näme";
    create table "Näme"."a.b" as select generate_series(1, 3) as id;
    create table public.orders as select generate_series(1, 5) as id;
  `)
  await collect(sql)
  await collect(sql)
  const contents = () => sql`
    select run::text as run, daily::text as daily
    from nms.table_metrics_run_snapshot as run, nms.table_metrics_daily_snapshot as daily order by 1
  `
  const before = [...(await contents())]

  await sql`select nms.rebuild_run_snapshot(1), nms.rebuild_run_snapshot(2)`
  await sql`select nms.rebuild_daily_snapshot(nms.business_date())`

  t.is(before.length, 2)
  t.deepEqual([...(await contents())], before)
})

test('a damaged snapshot is made again from the measurements', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 0), { 'public.orders': 5 })
  await sql`update nms.table_metrics_run_snapshot set payload = '{}'`
  await sql`update nms.table_metrics_daily_snapshot set payload = '{}'`

  await sql`select nms.rebuild_daily_snapshot(nms.business_date())`

  t.deepEqual((await day(sql))[0]?.payload, { public: { orders: 5 } })
  t.deepEqual(
    [...(await sql`select payload from nms.table_metrics_run_snapshot`)],
    [{ payload: { public: { orders: 5 } } }],
  )
})

test('a day whose run was deleted goes to the successful run with the next highest run_id', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  for (const orders of [1, 2, null, 4]) await writeRun(sql, today, { 'public.orders': orders })
  await sql`delete from nms.table_metrics_runs where run_id = 4`
  t.deepEqual(await day(sql), [])

  const [rebuilt] = await sql`select * from nms.rebuild_daily_snapshot(${today}::date)`

  t.is(rebuilt?.run_id, '2')
  t.deepEqual((await day(sql))[0]?.payload, { public: { orders: 2 } })
})

test('a run that has lost measurements, or has not succeeded, is not rebuilt, and its snapshot stays', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  await writeRun(sql, today, { 'public.orders': 1, 'public.lines': 2 })
  await writeRun(sql, today, { 'public.orders': null })
  const before = await day(sql)
  await sql`delete from nms.table_metrics_measurements where run_id = 1 and table_name = 'lines'`

  await t.throwsAsync(sql`select nms.rebuild_run_snapshot(1)`, { code: '55000' })
  await t.throwsAsync(sql`select nms.rebuild_run_snapshot(2)`, { code: '55000' })
  await t.throwsAsync(sql`select nms.rebuild_run_snapshot(99)`, { code: '55000' })
  await t.throwsAsync(sql`select nms.rebuild_daily_snapshot(${today}::date)`, { code: '55000' })
  await t.throwsAsync(sql`select nms.rebuild_daily_snapshot(${today}::date - 1)`, { code: 'P0002' })

  t.deepEqual(await day(sql), before)
})
