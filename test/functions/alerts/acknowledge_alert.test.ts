import test from 'ava'
import { collectRows, createShop, log } from '../../_support/alert_shop.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'

const acknowledge = async (sql: Sql, id: string | null, why: string | null = 'moved') => {
  const [row] = await sql<[{ alert: Record<string, unknown> }]>`
    select nms.acknowledge_alert(${id}, ${why}) as alert
  `
  return row.alert
}
const open = (sql: Sql) =>
  sql<{ alert_id: string; acknowledged_by: string | null; acknowledgement: string | null }[]>`
    select alert_id, acknowledged_by, acknowledgement from nms.table_metrics_alerts
  `

test('an alert that somebody has taken on stays open until it holds no longer, and is new when it comes back', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  const [role] = await sql<[{ name: string }]>`select session_user as name`

  const alert = await acknowledge(sql, '1', '  moved to the archive ')

  t.like(alert, { alert_id: 1, acknowledged_by: role.name, acknowledgement: 'moved to the archive' })
  t.true(Math.abs(Date.parse(alert.acknowledged_at as string) - Date.now()) < 600_000)
  await collectRows(sql, 0)
  t.deepEqual(
    [...(await open(sql))],
    [{ alert_id: '1', acknowledged_by: role.name, acknowledgement: 'moved to the archive' }],
  )

  await collectRows(sql, 100)
  t.is((await open(sql)).length, 0)
  t.is((await log(sql))[0]?.acknowledgement, 'moved to the archive')

  await collectRows(sql, 0)
  const [again, ...more] = await open(sql)
  t.deepEqual(more, [])
  t.not(again?.alert_id, '1')
  t.is(again?.acknowledged_by, null)
})

test('what cannot be acknowledged is refused, and changes nothing', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 0)
  await collectRows(sql, 100)
  await collectRows(sql, 0)
  const [{ alert_id: id } = { alert_id: '' }] = await open(sql)

  await t.throwsAsync(acknowledge(sql, '999'), { code: 'P0002', message: /999/ })
  await t.throwsAsync(acknowledge(sql, '1'), { code: '55000', message: /closed/ })
  await t.throwsAsync(acknowledge(sql, id, ' \n'), { code: '22023' })
  await t.throwsAsync(acknowledge(sql, id, null), { code: '22023' })
  await t.throwsAsync(acknowledge(sql, id, 'x'.repeat(501)), { code: '22023' })
  await t.throwsAsync(acknowledge(sql, null), { code: 'P0002', message: /run_late/ })
  await acknowledge(sql, id, 'first')
  const error = await t.throwsAsync(acknowledge(sql, id, 'second'), { code: '55000', message: /already/ })

  t.regex((error as unknown as { detail: string }).detail, /first/)
  t.deepEqual(
    (await log(sql)).map(({ acknowledgement }) => acknowledgement),
    [null, 'first'],
  )
})

test('of two who take the same alert on at once, one is told that it is taken', async (t) => {
  const db = await createShop(t)
  await collectRows(db.sql, 0)
  const [one, other] = [db.connect(), db.connect()]

  const outcomes = await Promise.allSettled([acknowledge(one, '1', 'one'), acknowledge(other, '1', 'other')])

  t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('a missing run is acknowledged without a number before a worker has announced it, and with it after', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(
    db.sql,
    [{ day: -3, at: '00:00:01', counts: { 'public.orders': 5 } }],
    await daysAgo(db.sql, 0),
  )
  t.deepEqual(
    (await open(db.sql)).map(({ alert_id }) => alert_id),
    [null as never],
  )

  t.like(await acknowledge(db.sql, null, 'holiday'), { kind: 'run_late', acknowledgement: 'holiday' })

  t.deepEqual(
    (await open(db.sql)).map(({ alert_id, acknowledgement }) => [alert_id, acknowledgement]),
    [['1', 'holiday']],
  )
  await t.throwsAsync(acknowledge(db.sql, null), { code: '55000', message: /already/ })
  t.is((await db.sql`select nms_private.record_missing_run() as news`)[0]?.news, false)
})

test('those that are acknowledged are told of apart, after the others', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at)
    select 'drop', 'sales', 'orders_' || number, 'fewer', '2026-01-05' from generate_series(1, 8) as number
  `
  await acknowledge(sql, '1')

  const [{ report }] = await sql<[{ report: { groups: Record<string, unknown>[] } }]>`
    select nms.alerts_report() as report
  `

  const [several, alone, ...more] = report.groups
  t.deepEqual(more, [])
  t.like(several, { alerts: 7, acknowledged_at: null, alert_id: null, acknowledgement: null })
  t.like(alone, {
    alerts: 1,
    table_name: 'orders_1',
    alert_id: 1,
    acknowledgement: 'moved',
  })
})
