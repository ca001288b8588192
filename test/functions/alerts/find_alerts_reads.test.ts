// What is read grows with what there is to count, and not with its square, nor with years of history.

import test from 'ava'
import postgres from 'postgres'
import { createDatabase } from '../../_support/database.ts'
import { writeRuns } from '../../_support/history.ts'
import { rowsRead } from '../../_support/reads.ts'

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

interface Plan {
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Join Filter'?: number
  Plans?: Plan[]
}

/** How many rows the nodes of a plan have passed on or looked at. */
function rowsOf(plan: Plan): number {
  const each =
    plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Join Filter'] ?? 0)
  return each * plan['Actual Loops'] + (plan.Plans ?? []).map(rowsOf).reduce((sum, rows) => sum + rows, 0)
}

test('new tables and changed counts are found without comparing each with each, also where the planner takes a run for a small one', async (t) => {
  const { sql, url } = await createDatabase(t)
  const counts = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`public.t${n}`, 100 + n]))
  const last = await writeRuns(sql, [
    { day: 0, counts },
    { day: 1, counts: { ...counts, 'public.t0': 1, 'public.fresh': 1 } },
  ])
  const plans: string[] = []
  const explained = postgres(url, { max: 1, onnotice: ({ message = '' }) => plans.push(message) })
  t.teardown(() => explained.end())
  await explained.unsafe(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice;
    -- What it chooses for a few rows.
    set enable_hashjoin = off;
    set enable_mergejoin = off;
  `)

  const found = await explained`select kind, table_name from nms_private.find_table_alerts(run_id => ${last})`

  t.deepEqual([...found], [{ kind: 'table_new', table_name: 'fresh' }])
  t.deepEqual(
    [
      ...(await explained`select table_name, row_count from nms_private.changed_counts(run_id => ${last}) order by 1`),
    ],
    [
      { table_name: 'fresh', row_count: '1' },
      { table_name: 't0', row_count: '1' },
    ],
  )
  const rows = plans
    .filter((message) => message.includes('"Plan"'))
    .map((message) => rowsOf(JSON.parse(message.slice(message.indexOf('{'))).Plan))
  t.true(rows.length > 1)
  t.true(Math.max(...rows) < 300 * 30, `${Math.max(...rows)} rows, of 300 tables and two runs`)
})
