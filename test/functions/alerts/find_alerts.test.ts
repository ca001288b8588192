import test from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { createDatabase } from '../../_support/database.ts'
import { daily, type PastRun, writeRuns } from '../../_support/history.ts'

test('an unknown run and one that has not ended have no answer', async (t) => {
  const { sql } = await createDatabase(t)
  const running = await writeRuns(sql, [{ day: 0, status: 'RUNNING' }])

  await t.throwsAsync(findAlerts(sql, running), { code: '55000', message: /has not ended/ })
  await t.throwsAsync(findAlerts(sql, '4711'), { code: 'P0002', message: /no such run: 4711/ })
  await t.throwsAsync(sql`select nms.find_alerts(null)`, { code: 'P0002' })
})

test('the alerts of a run are the same after later runs, also of earlier days', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = { 'public.a': 1000, 'public.b': 1000, 'public.c': 1000, 'public.d': 1000 }
  const strange = { 'public.a': 400, 'public.b': 3000, 'public.c': 0, 'public.e': 5 }
  const history: PastRun[] = Array.from({ length: 20 }, (_, day) => ({ day, counts }))
  const last = await writeRuns(sql, [
    ...history.filter(({ day }) => day !== 18),
    { day: 20, at: '05:00', status: 'FAILED' },
    { day: 20, at: '05:30', status: 'FAILED' },
    { day: 20, at: '07:30', status: 'FAILED', counts: strange },
  ])
  const before = await findAlerts(sql, last)
  t.deepEqual(
    before.map(({ kind, table_name }) => [kind, table_name]),
    [
      ['repeated_failures', null],
      ['run_late', null],
      ['drop', 'a'],
      ['spike', 'b'],
      ['dropped_to_zero', 'c'],
      ['table_new', 'e'],
    ],
  )

  await writeRuns(sql, [
    { day: 20, at: '08:00', counts: strange },
    { day: 18, at: '52:00', counts: strange }, // ended on day 20
    { day: 19, at: '31:00', counts: strange },
    ...Array.from({ length: 10 }, (_, n) => ({ day: 21 + n, counts: strange })),
  ])

  t.deepEqual(await findAlerts(sql, last), before)
})

test('a run that had not ended is no part of the past, whatever becomes of it', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = { 'public.orders': 1000 }
  await writeRuns(
    sql,
    [0, 1, 2, 3].map((day) => ({ day, counts })),
  )
  const slow = await writeRuns(sql, [
    { day: 4, status: 'RUNNING', counts: { 'public.orders': 0, 'public.fresh': 5 } },
  ])
  await writeRuns(sql, [{ day: 5, counts }])
  const last = await writeRuns(sql, [
    { day: 6, at: '07:30', status: 'FAILED', counts: { 'public.orders': 0, 'public.fresh': 5 } },
  ])
  const before = await findAlerts(sql, last)
  t.deepEqual(
    before.map(({ kind, table_name }) => [kind, table_name]),
    [
      ['run_late', null],
      ['table_new', 'fresh'],
      ['dropped_to_zero', 'orders'],
    ],
  )

  await sql`
    update nms.table_metrics_runs
    set status = 'SUCCEEDED', finished_at = (snapshot_date + interval '80 hours') at time zone 'America/New_York'
    where run_id = ${slow}
  `

  t.deepEqual(await findAlerts(sql, last), before)
})

test('a run of the past is judged by its own past', async (t) => {
  const { sql } = await createDatabase(t)
  const last = Number(await writeRuns(sql, daily([...Array(20).fill(1000), ...Array(21).fill(500)])))
  const drop = last - 20

  t.deepEqual(await kinds(sql, `${drop}`), ['drop public.orders'])
  t.deepEqual(await kinds(sql, `${drop - 1}`), [])
  t.deepEqual(await kinds(sql, `${last}`), [], 'it is usual by now')
})

test('counts as large as can be, and names that need quotes, are judged as any other', async (t) => {
  const { sql } = await createDatabase(t)
  const name = `public.${'"ö'.repeat(20)}`
  const most = '9223372036854775807'
  const history = Array.from({ length: 20 }, (_, day) => ({ day, counts: { [name]: most } }))
  const last = await writeRuns(sql, [...history, { day: 20, counts: { [name]: '1000000' } }])

  const [alert, ...others] = await findAlerts(sql, last)

  t.deepEqual(others, [])
  t.like(alert, { kind: 'drop', table_name: '"ö'.repeat(20), row_count: '1000000' })
})
