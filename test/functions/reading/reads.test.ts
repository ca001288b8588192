// A report reads what it shows, and not years of history.

import test from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'
import { rowsRead } from '../../_support/reads.ts'

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
    [`metrics_report('{public.t7,no.such}')`, 3 * 50],
    ['run_report()', 6 * 50],
    ['day_report()', 6 * 50],
    ['compare_report()', 4 * 50],
    ['day_snapshot()', 0],
    ['run_snapshot()', 0],
    ['days_report(3)', 4 * 50],
    // The totals and the tables of eight days, and its first and last run three times.
    ['period_report()', 22 * 50],
    ['runs_report(2)', 2 * 50],
    ['tables_report("limit" => 5)', 50 + 10],
    // Of each period its last day, of the one before them too, and the summary reads two again, three times.
    // Schemas read each once more, and three times the first and the last one.
    ['growth_report(periods => 5)', 12 * 50 + 8 * 50 + 10 * 5],
    ["growth_report('month')", 10 * 50 + 6 * 50 + 10 * 3],
    [`growth_report('day', 'public', 't7', 5)`, 20],
    [`trend_report('public', 't7', 5)`, 5],
    // Of a total the change reads the first and the last one again; of a schema the names as well.
    ['trend_report(days => 5)', 7 * 50],
    ['trend_report(days => 5, each_run => true)', 7 * 50],
    [`trend_report('public', days => 5)`, 14 * 50],
    // Each of these days is judged by the 13 weeks before it.
    [`table_report('public', 't7', 2)`, 2 + 2 * 60 + 3],
  ] as const) {
    const read = await rowsRead(sql, 'nms.table_metrics_measurements', `select nms.${call}`)

    t.true(read <= most, `${call}: ${read} of ${60 * 50} rows`)
  }
})
