// What is read grows with what there is to count, and not with its square, nor with years of history.
import test from 'ava'
import { writeRuns } from '../_support/alerts.ts'
import { createDatabase, type Sql } from '../_support/database.ts'
import { daysAgo } from '../_support/days.ts'

/** How many rows of a table a call has read, by index or by scan. */
function rowsRead(sql: Sql, table: string, call: string): Promise<number> {
  return sql.begin(async (transaction) => {
    const soFar = async () => {
      const [{ rows }] = await transaction<[{ rows: number }]>`
        select (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as rows
        from pg_stat_xact_all_tables
        where relid = ${table}::regclass
      `
      return rows
    }
    const before = await soFar()
    await transaction.unsafe(call)
    return (await soFar()) - before
  }) as Promise<number>
}

test('alerts read the results that they compare, however many others there are', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`public.t${n}`, 100 + n]))
  const last = await writeRuns(
    sql,
    Array.from({ length: 60 }, (_, n) => ({ day: n, counts })),
  )
  await sql`analyze nms.table_metrics_measurements`

  const read = await rowsRead(
    sql,
    'nms.table_metrics_measurements',
    `select nms.find_alerts(run_id => ${last})`,
  )

  // The run itself and seven days before it, each a few times.
  t.true(read < 30 * 50, `${read} of ${60 * 50} rows`)
})

test('a report reads the runs that it shows, however many others there are', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`public.t${n}`, 100 + n]))
  await writeRuns(
    sql,
    Array.from({ length: 60 }, (_, n) => ({ day: n - 59, counts })),
    await daysAgo(sql, 0),
  )
  await sql`select nms.rebuild_daily_snapshot(snapshot_date) from nms.table_metrics_runs`
  await sql`analyze nms.table_metrics_measurements, nms.table_metrics_runs, nms.table_metrics_daily_snapshot`

  for (const [call, most] of [
    ['status_report(2)', 2 * 50],
    ['run_report()', 6 * 50],
    ['day_report()', 6 * 50],
    ['compare_report()', 4 * 50],
    [`trend_report('public', 't7', 5)`, 5],
  ] as const) {
    const read = await rowsRead(sql, 'nms.table_metrics_measurements', `select nms.${call}`)

    t.true(read <= most, `${call}: ${read} of ${60 * 50} rows`)
  }
})

test('an online run reads no more for its last tables than for its first', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    do $$ begin for n in 1..1500 loop execute format('create table public.t%s as select 1 as id', n); end loop; end $$
  `)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const measure = `select nms.measure_targets(run_id => ${run_id}, budget => '0 s')`
  await sql.unsafe(measure) // finds the tables
  const reads: number[] = []
  while ((await sql`select from nms_private.targets where not is_done`).length > 0) {
    reads.push(await rowsRead(sql, 'nms.table_metrics_measurements', measure))
  }

  t.is((await sql`select from nms.table_metrics_measurements`).length, 1500)
  t.true(Math.max(...reads) < 500, `rows per claim: ${reads}`)
})

test('an online run looks at each table of the catalogue a few times, however many schemas have one of that name', async (t) => {
  const { sql } = await createDatabase(t)
  for (let first = 1; first <= 200; first += 50) {
    await sql.unsafe(`
      do $$ begin
        for n in ${first}..${first + 49} loop
          execute format('create schema s%s', n);
          for m in 1..10 loop execute format('create table s%s.t%s ()', n, m); end loop;
        end loop;
      end $$
    `)
  }
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const measure = `select nms.measure_targets(run_id => ${run_id}, budget => '1 h')`
  await sql.unsafe(measure) // finds the tables
  await sql`select nms_private.measure_next_target(run_id => ${run_id}) from generate_series(1, 30)`
  t.is((await sql`select from nms.table_metrics_measurements`).length, 2000)

  const read = await rowsRead(sql, 'pg_class', measure)

  const [{ relations }] = await sql<
    [{ relations: number }]
  >`select count(*)::integer as relations from pg_class`
  t.true(read < 20 * relations, `${read} rows of ${relations}`)
  const [run] = await sql`select target_count from nms.table_metrics_runs`
  t.is(Number(run?.target_count), 2000)
})
