import test from 'ava'
import type { Notice } from 'postgres'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'

test('an online count is one process, where all as of one instant is a parallel query', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders as select generate_series(1, 100000) as id`
  await db.sql`analyze public.orders`
  const plans: Notice[] = []
  const sql = db.connect({ onnotice: (notice) => plans.push(notice) })
  await sql.unsafe(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_level = notice;
    set min_parallel_table_scan_size = 0;
    set parallel_setup_cost = 0;
    set parallel_tuple_cost = 0;
  `)

  await collect(sql)
  const asOfOneInstant = parallelCounts(plans.splice(0))
  await countOnline(sql)

  t.is(asOfOneInstant, 1)
  t.is(parallelCounts(plans), 0)
  const counts = await db.sql<{ row_count: string }[]>`
    select row_count from nms.table_metrics_measurements order by run_id
  `
  t.deepEqual(
    counts.map(({ row_count }) => row_count),
    ['100000', '100000'],
  )
})

/** How many plans count the table with workers. */
function parallelCounts(plans: Notice[]): number {
  return plans.filter(({ message = '' }) => /Workers Planned.*Parallel Seq Scan on orders/s.test(message))
    .length
}

async function countOnline(sql: Sql): Promise<void> {
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  for (let isFinished = false; !isFinished; ) {
    const [step] = await sql<[{ is_finished: boolean }]>`
      select is_finished from nms.measure_targets(run_id => ${run_id})
    `
    isFinished = step.is_finished
  }
  await sql`select from nms.close_run(run_id => ${run_id})`
}
