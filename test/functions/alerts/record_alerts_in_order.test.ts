import test from 'ava'
import { collectRows, createShop, log } from '../../_support/alert_shop.ts'
import { openAlerts } from '../../_support/alerts.ts'
import type { Run } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'
import { listen } from '../../_support/listen.ts'

test('a run that a later one has overtaken records nothing', async (t) => {
  const { sql } = await createShop(t)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await collectRows(sql, 100)
  await sql`truncate public.orders`

  const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`

  t.is(run.status, 'SUCCEEDED')
  t.is((await sql`select from nms.find_alerts(${run_id})`).length, 1)
  t.deepEqual(await log(sql), [])
})

test('a run that succeeds records its alerts although a later request has failed meanwhile', async (t) => {
  const { sql } = await createShop(t)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await sql`select nms.open_run(skip => '{}')`
  await sql`truncate public.orders`

  await sql`select from nms.collect_table_metrics(run_id => ${run_id})`

  t.deepEqual(await openAlerts(sql), ['dropped_to_zero public.orders'])
})

test('a run of an earlier day records nothing', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 40)
  const yesterday = await writeRuns(sql, [{ day: -1, counts: { 'public.orders': 0 } }], await daysAgo(sql, 0))

  await sql`select nms.record_alerts(${yesterday})`

  t.deepEqual(await openAlerts(sql), ['drop public.orders'])
})

test('recorded counts are no news', async (t) => {
  const db = await createShop(t)
  const heard = await listen(db)

  await db.sql`select nms.import_run(nms.business_date(), '{"public": {"orders": 0, "other": 5}}')`

  t.deepEqual(await heard(), [])
  t.deepEqual(await log(db.sql), [])
})

test('a run that fails after a later one has failed leaves the alert of that one open', async (t) => {
  const { sql } = await createShop(t)
  await sql`update nms.table_metrics_alert_rules set failures_in_a_row = 2, kind = '*'`
  const open = async () => (await sql<[{ run_id: string }]>`select nms.open_run() as run_id`)[0].run_id
  const giveUp = (run_id: string) => sql`select nms_private.give_up_run(${run_id}, 'no more')`
  const [first, second, third] = [await open(), await open(), await open()]
  await giveUp(second)
  await giveUp(third)
  t.deepEqual(await openAlerts(sql), ['repeated_failures'])

  await giveUp(first)

  t.deepEqual(await openAlerts(sql), ['repeated_failures'])
})
