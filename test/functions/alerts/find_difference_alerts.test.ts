import test from 'ava'
import { findAlerts, kinds, openAlerts } from '../../_support/alerts.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { type PastRun, writeRuns } from '../../_support/history.ts'

const oids = { 'public.orders': 7001, 'public.items': 7002, 'public.purchases': 7001 }
const counted = (day: number, names = ['public.orders', 'public.items']): PastRun => ({
  day,
  counts: Object.fromEntries(names.map((name) => [name, 1005])),
  oids,
})

/** A difference as a run would have left it, at the end of that run. */
async function differ(sql: Sql, runId: string, { oid = 7001, method = 'carried', known = 1000 } = {}) {
  await sql`
    insert into nms.table_metrics_differences (
      run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, claimed_from_run, detail, found_at
    )
    select
      run_id, 'public', 'orders', ${oid}, ${method}, ${known}, 1005,
      case ${method}::text when 'carried' then 1 end, 'counters the same', finished_at
    from nms.table_metrics_runs
    where run_id = ${runId}
  `
}

const resume = (sql: Sql, day: string) =>
  sql`update nms.table_metrics_differences set resumed_at = ${day}::text::timestamptz, resumed_by = 'me'`

const differs = async (sql: Sql, runId: string) =>
  (await kinds(sql, runId)).filter((kind) => kind.startsWith('count_differs'))

test('a difference is an alert of its run and of those after it until carrying is resumed', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1), counted(2), counted(3)])
  await differ(sql, '2')
  const ofEach = () => Promise.all(['1', '2', '3', '4'].map((run) => differs(sql, run)))

  t.deepEqual(await ofEach(), [
    [],
    ['count_differs public.orders'],
    ['count_differs public.orders'],
    ['count_differs public.orders'],
  ])
  await resume(sql, '2026-01-07 12:00 America/New_York') // the day of run 3
  t.deepEqual(await ofEach(), [[], ['count_differs public.orders'], ['count_differs public.orders'], []])
})

test('the alert says what was known, what was counted, and what to do', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1)])
  await differ(sql, '2', { known: 1234567 })

  const [alert, ...others] = await findAlerts(sql, '2')

  t.is(others.length, 0)
  t.like(alert, { row_count: '1005', expected_low: null, expected_high: null })
  t.is(
    alert?.detail,
    '1,005 rows counted by run 2, 1,234,567 carried from run 1: what was carried since then may be wrong. ' +
      'Every run counts the table until you have found out why (table-metrics doctor tells what the server knew), and then: ' +
      "select nms.resume_carrying('public', 'orders');",
  )
})

test('a count that triggers kept is told as such, and the last of several differences', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1)])
  await differ(sql, '1', { method: 'maintained', known: 3 })
  await differ(sql, '2', { method: 'maintained', known: 7 })

  const [alert, ...others] = await findAlerts(sql, '2')

  t.is(others.length, 0)
  t.regex(
    alert?.detail ?? '',
    /^1,005 rows counted by run 2, 7 kept by triggers: .* maintained anew from that count/,
  )
})

test('a table that was renamed since is alerted about by its name of today, one that is gone is not', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1, ['public.purchases', 'public.items'])])
  await differ(sql, '1')
  await differ(sql, '1', { oid: 9999 })

  t.deepEqual(await differs(sql, '2'), ['count_differs public.purchases'])
})

test('a run says nothing about a difference that another one found after its end', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [{ ...counted(0), at: '09:00' }, counted(0)]) // the first one ends last
  await differ(sql, '1')

  t.deepEqual(await differs(sql, '1'), ['count_differs public.orders'])
  t.deepEqual(await differs(sql, '2'), [])
})

test('the alert stays when retention has deleted the run that found the difference', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1)])
  await differ(sql, '1')
  await sql`delete from nms.table_metrics_runs where run_id = 1`

  t.deepEqual(await differs(sql, '2'), ['count_differs public.orders'])
})

test('rules decide about it as about any other kind', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`insert into nms.table_metrics_alert_rules (schema_name, kind, is_on) values ('public', 'count_differs', false)`
  await writeRuns(sql, [counted(0), counted(1)])
  await differ(sql, '2')

  t.deepEqual(await differs(sql, '2'), [])
})

test('it opens once, and closes at the first run after carrying is resumed', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [counted(0), counted(1)])
  await differ(sql, '2')
  const record = async (run: string) => {
    await sql`select nms.record_alerts(run_id => ${run})`
    return (await openAlerts(sql)).filter((alert) => alert !== 'run_late')
  }
  t.deepEqual(await record('2'), ['count_differs public.orders'])

  await writeRuns(sql, [counted(2)])
  t.deepEqual(await record('3'), ['count_differs public.orders'])
  await resume(sql, '2026-01-07 12:00 America/New_York')
  await writeRuns(sql, [{ ...counted(3, ['public.items']), exclude: ['public.orders'] }])
  t.deepEqual(await record('4'), ['count_differs public.orders']) // says nothing about it
  await writeRuns(sql, [counted(4)])
  t.deepEqual(await record('5'), [])

  const log =
    await sql`select opened_by_run, closed_by_run from nms.table_metrics_alert_log where kind = 'count_differs'`
  t.deepEqual([...log], [{ opened_by_run: '2', closed_by_run: '5' }])
})
