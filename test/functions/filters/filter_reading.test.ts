import test from 'ava'
import type { createDatabase, Sql } from '../../_support/database.ts'
import { createHistory } from '../../_support/history.ts'
import { failsClearly, tableMetrics } from '../../_support/process.ts'

interface Day {
  row_count: number | null
  change: number | null
  filtered?: Record<string, number | null>
}
interface Trend {
  filter_name: string | null
  days: Day[]
  summary: { lowest: number; highest: number; change: number; days_found: number; days_needed?: number }
}

test('the trend of a table has the rows of its filters beside; that of a filter has them alone', async (t) => {
  const { sql } = await history(t)

  const all = await trend(sql, 30)
  const active = await trend(sql, 30, 'active')

  t.is(all.filter_name, null)
  t.deepEqual(
    all.days.map(({ row_count, filtered }) => [row_count, filtered]),
    [
      [100, undefined],
      [110, { active: 40, broken: null }],
      [120, { active: 70, broken: null }],
    ],
  )
  t.is(active.filter_name, 'active')
  t.deepEqual(
    active.days.map(({ row_count, change, filtered }) => [row_count, change, filtered]),
    [
      [40, null, undefined],
      [70, 30, undefined],
    ],
  )
  t.like(active.summary, { days_found: 2, lowest: 40, highest: 70, change: 30 })
})

test('a filter without a result on these days says which day has one', async (t) => {
  const { sql } = await history(t)
  await sql`delete from nms.table_metrics_filtered_counts where row_count = 70`

  t.like((await trend(sql, 1, 'active')).summary, { days_found: 0, days_needed: 2 })
})

test('a filter that no run has met is named, with those that the table has', async (t) => {
  const { sql } = await history(t)

  const error = await t.throwsAsync<Error & { detail: string }>(trend(sql, 30, 'actve'), { code: 'P0002' })

  t.regex(error?.detail ?? '', /active, broken/)
  await t.throwsAsync(sql`select nms.trend_report('public', 'nothing', 30, 'active')`, { code: 'P0002' })
})

test('two runs are compared filter by filter', async (t) => {
  const { sql } = await history(t)

  const [{ filters }] = await sql<
    [{ filters: object[] }]
  >`select nms.compare_report() -> 'filters' as filters`

  t.deepEqual(filters, [
    {
      schema_name: 'public',
      table_name: 'orders',
      filter_name: 'active',
      rows_before: 40,
      rows_after: 70,
      change: 30,
      change_percent: 75,
    },
    {
      schema_name: 'public',
      table_name: 'orders',
      filter_name: 'broken',
      rows_before: null,
      rows_after: null,
      change: null,
      change_percent: null,
    },
  ])
})

test.serial('the command line draws the trend of a filter, and compares filters', async (t) => {
  const db = await history(t)

  const { stdout, stderr } = await tableMetrics(t, db.url, ['trend', 'public.orders', '--filter', 'active'])
  const diff = await tableMetrics(t, db.url, ['diff'])

  t.regex(stdout, /^public\.orders \(active\)$/m, stderr)
  t.regex(stdout, /^70 rows on /m)
  t.regex(stdout, /^\+30 \(\+75\.0 %\) since /m)
  t.regex(diff.stdout, /^public\.orders \(active\) +40 +70 +\+30 +\+75\.0 %$/m)
  failsClearly(t, await tableMetrics(t, db.url, ['trend', 'public.orders', '--filter', 'actve']), 'actve')
})

async function trend(sql: Sql, days: number, filter: string | null = null): Promise<Trend> {
  const [{ report }] = await sql<[{ report: Trend }]>`
    select nms.trend_report('public', 'orders', ${days}::integer, ${filter}) as report
  `
  return report
}

/** Three days of public.orders, the last two with the filters active, 40 and 70, and broken, which is not counted. */
async function history(t: Parameters<typeof createDatabase>[0]) {
  const db = await createHistory(t, {
    2: { public: { orders: 100 } },
    1: { public: { orders: 110 } },
    0: { public: { orders: 120 } },
  })
  await db.sql`
    insert into nms.table_metrics_filtered_counts (
      run_id, schema_name, table_name, filter_name, row_count, measured_at, table_oid, error_sqlstate, error_message
    )
    select
      run_id, schema_name, table_name, filter.name, filter.rows, measured_at, table_oid,
      case when filter.rows is null then '42703' end, case when filter.rows is null then 'there is no column x' end
    from nms.table_metrics_measurements as measurement
    join (
      values ('active', 110, 40), ('active', 120, 70), ('broken', 110, null), ('broken', 120, null)
    ) as filter (name, of, rows) on filter.of = measurement.row_count
  `
  return db
}
