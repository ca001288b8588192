import type { Sql } from './_connect.ts'

/** So many tables, counted on so many days up to today. */
export interface HistorySize {
  tables: number
  runs: number
}

const tablesInSchema = 100

/** Name of table `n`, from 0 on, as the catalogue spells it. */
export function tableName(n: number): { schema: string; table: string } {
  return {
    schema: `shop_${Math.floor(n / tablesInSchema)}`,
    table: `customer_orders_${n % tablesInSchema}`,
  }
}

/** The runs of two days on which tables had three times as many rows: all, and one in ten. */
export function strangeRuns(runs: number): { all: number; tenth: number } {
  return { all: runs / 2, tenth: runs / 2 + 1 }
}

/**
 * Writes what the collector would have in one run a day, run after run, into an installed and empty
 * collector; then analyzed and vacuumed as autovacuum would have. Tables grow steadily, with a little noise;
 * but for two days.
 */
export async function createHistory(sql: Sql, { tables, runs }: HistorySize): Promise<void> {
  const { all, tenth } = strangeRuns(runs)
  await sql`
    insert into nms.table_metrics_runs (snapshot_date, collected_at, finished_at, status, target_count)
    select day, day + time '12:00', day + time '12:01', 'SUCCEEDED', ${tables}::integer
    from generate_series(${runs}::integer - 1, 0, -1) as age
    cross join lateral (select nms.business_date() - age) as run (day)
    order by age desc
  `
  await sql`
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid
    )
    select
      run.run_id, 'shop_' || n / ${tablesInSchema}::integer, 'customer_orders_' || n % ${tablesInSchema}::integer,
      found.rows, found.rows, run.collected_at + n * interval '1 ms', 'table', false, 20000 + n
    from nms.table_metrics_runs as run
    cross join generate_series(0, ${tables}::integer - 1) as n
    cross join lateral (
      select case when run.run_id = ${all} or run.run_id = ${tenth} and n % 10 = 0 then 3 else 1 end * (1000 + 97 * n) * (1000 + run.run_id) / 1000 + (n * 31 + run.run_id * 17) % 20
    ) as found (rows)
    order by run.run_id
  `
  await sql`
    insert into nms.table_metrics_run_snapshot (run_id, payload, collected_at)
    select run_id, nms_private.run_payload(run_id), collected_at
    from nms.table_metrics_runs
    order by run_id
  `
  await sql`
    insert into nms.table_metrics_daily_snapshot (snapshot_date, run_id, payload, collected_at)
    select run.snapshot_date, run.run_id, snapshot.payload, run.collected_at
    from nms.table_metrics_runs as run
    join nms.table_metrics_run_snapshot as snapshot using (run_id)
    order by run.run_id
  `
  await sql`vacuum (analyze)`
}
