import test from 'ava'
import { findAlerts } from '../../_support/alerts.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { type PastRun, writeRuns } from '../../_support/history.ts'

const flat = (days: number) =>
  Array.from({ length: days }, (_, day) => [1000, 1004, 997, 1001][day % 4] as number)

for (const [what, kind, detail, matching] of [
  [
    'none match any more',
    'dropped_to_zero',
    'filter active: empty, 1,000 rows on 2026-01-07 (-100 %), usually about 1,000 rows',
    [1000, 1000, 1000, 0],
  ],
  [
    'half as many match',
    'drop',
    'filter active: 500 rows, 1,000 rows on 2026-01-24 (-50 %), expected 850 to 1,300',
    [...Array(20).fill(1000), 500],
  ],
  [
    'twice as many match',
    'spike',
    'filter active: 2,000 rows, 1,000 rows on 2026-01-24 (+100 %), expected 850 to 1,300',
    [...Array(20).fill(1000), 2000],
  ],
  ['a few more match', '', '', [...flat(20), 1100]],
  ['the filter was not counted', '', '', [...flat(20), null]],
  ['the filter is new', '', '', [...Array(20), 0]],
] as [string, string, string, (number | null | undefined)[]][]) {
  test(`the rows of a filter are judged by their own past, under the rules of the table: ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    const last = await writeFiltered(sql, matching)

    const alerts = await findAlerts(sql, last)

    t.deepEqual(
      alerts.map(({ kind, schema_name, table_name, filter_name, detail }) => [
        kind,
        schema_name,
        table_name,
        filter_name,
        detail,
      ]),
      kind === '' ? [] : [[kind, 'public', 'orders', 'active', detail]],
    )
  })
}

test('a table and its filters are judged each by itself', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeFiltered(sql, [...flat(20), 500], [...Array(20).fill(5000), 0])

  t.deepEqual(
    (await findAlerts(sql, last)).map(({ kind, filter_name, row_count }) => [kind, filter_name, row_count]),
    [
      ['dropped_to_zero', null, '0'],
      ['drop', 'active', '500'],
    ],
  )
})

test('a rule of the table silences its filters', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeFiltered(sql, [...flat(20), 500])
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, kind, is_on) values ('public', 'orders', 'drop', false)
  `

  t.deepEqual(await findAlerts(sql, last), [])
})

test('an alert of a filter is open beside that of its table, until its own rows are as usual', async (t) => {
  const { sql } = await createDatabase(t)
  const open = async (run: string) => {
    await sql`select nms.record_alerts(run_id => ${run})`
    return (
      await sql`select kind, filter_name from nms.table_metrics_alerts where kind <> 'run_late' order by filter_name nulls first`
    ).map(({ kind, filter_name }) => `${kind} ${filter_name}`)
  }
  const past = flat(20)
  const all = Array<number>(20).fill(5000)

  t.deepEqual(await open(await writeFiltered(sql, [...past, 0], [...all, 0])), [
    'dropped_to_zero null',
    'dropped_to_zero active',
  ])
  // Not counted: nothing is known of it.
  t.deepEqual(await open(await writeFiltered(sql, [null], [5000], 21)), ['dropped_to_zero active'])
  t.deepEqual(await open(await writeFiltered(sql, [0], [5000], 22)), ['dropped_to_zero active'])
  t.deepEqual(await open(await writeFiltered(sql, [1000], [5000], 23)), [])
})

test('an alert of a filter ends when there is no such filter any more', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`select nms.record_alerts(run_id => ${await writeFiltered(sql, [...flat(20), 0])})`
  t.is((await sql`select from nms.table_metrics_alerts where filter_name = 'active'`).length, 1)

  await sql`select nms.record_alerts(run_id => ${await writeFiltered(sql, [undefined], [5000], 21)})`

  t.is((await sql`select from nms.table_metrics_alerts where filter_name = 'active'`).length, 0)
})

/**
 * Writes a run a day that counts public.orders and its filter: null where that was not counted, undefined where there
 * was none. Returns the run_id of the last.
 */
async function writeFiltered(
  sql: Sql,
  matching: (number | null | undefined)[],
  all: number[] = matching.map(() => 5000),
  from = 0,
): Promise<string> {
  const runs: PastRun[] = all.map((rows, day) => ({ day: from + day, counts: { 'public.orders': rows } }))
  const last = await writeRuns(sql, runs)
  for (const [day, rows] of matching.entries()) {
    if (rows === undefined) continue
    await sql`
      insert into nms.table_metrics_filtered_counts (
        run_id, schema_name, table_name, filter_name, row_count, measured_at, table_oid, error_sqlstate, error_message
      )
      select
        run_id, schema_name, table_name, 'active', ${rows}::bigint, measured_at, table_oid,
        case when ${rows}::bigint is null then '42703' end, case when ${rows}::bigint is null then 'no such column' end
      from nms.table_metrics_measurements
      where run_id = ${last}::bigint - ${matching.length - 1 - day}::bigint
    `
  }
  return last
}
