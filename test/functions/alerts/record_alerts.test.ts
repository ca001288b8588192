import test from 'ava'
import { collectRows, createShop, log, refuseToCount } from '../../_support/alert_shop.ts'
import { openAlerts } from '../../_support/alerts.ts'
import { collect, type TestDatabase } from '../../_support/database.ts'
import { listen } from '../../_support/listen.ts'

const endings: [what: string, alert: string, end: (db: TestDatabase) => Promise<unknown>][] = [
  [
    'is counted in one call',
    'dropped_to_zero public.orders',
    async ({ sql }) => {
      await sql`truncate public.orders`
      await collect(sql)
    },
  ],
  [
    'is counted online',
    'dropped_to_zero public.orders',
    async ({ sql }) => {
      await sql`truncate public.orders`
      const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
      for (let finished = false; !finished; ) {
        const [step] = await sql<
          [{ is_finished: boolean }]
        >`select * from nms.measure_targets(run_id => ${run_id})`
        finished = step.is_finished
      }
      await sql`select nms.close_run(${run_id})`
    },
  ],
  [
    'could not count every table',
    'dropped_to_zero public.orders',
    async (db) => {
      const { sql } = db
      await sql`truncate public.orders`
      await refuseToCount(db, 'public.lines')
      await collect(sql)
    },
  ],
  [
    'is malformed',
    'repeated_failures',
    async ({ sql }) => {
      await sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 1)`
      await sql`select nms.open_run(skip => '{}')`
    },
  ],
  [
    'is given up',
    'repeated_failures',
    async ({ sql }) => {
      await sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 1)`
      await sql`select nms_private.give_up_run(nms.open_run(), 'no more')`
    },
  ],
  [
    'is abandoned',
    'repeated_failures',
    async ({ sql }) => {
      await sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 1)`
      await sql`select nms.open_run()`
      await sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where status = 'RUNNING'`
      await sql`select nms.open_run()`
    },
  ],
]
for (const [what, alert, end] of endings) {
  test(`a run that ${what} records its alerts and announces them`, async (t) => {
    const db = await createShop(t)
    const heard = await listen(db)

    await end(db)

    t.deepEqual(await openAlerts(db.sql), [alert])
    t.deepEqual(
      (await heard()).map(({ kind }) => kind),
      [alert.split(' ')[0]],
    )
  })
}

test('an alert is announced once, and is open since it was first found, with what was last found', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  const heard = await listen(db)

  const first = await collectRows(sql, 40)
  await collectRows(sql, 30)
  await collectRows(sql, 20)

  const [notification, ...others] = await heard()
  t.deepEqual(others, [])
  t.like(notification, { event: 'alert_opened', kind: 'drop', row_count: 40 })
  const [open] = await sql`select * from nms.table_metrics_alerts`
  t.like(open, { kind: 'drop', row_count: '20', run_id: first.run_id })
  t.deepEqual(open?.since, first.finished_at)
  t.regex(open?.detail, /^20 rows, 100 rows on \d{4}-\d\d-\d\d \(-80 %\), expected /)
})

test('a notification of one alert is its row', async (t) => {
  const db = await createShop(t)
  const heard = await listen(db)
  await collectRows(db.sql, 40)

  const [notification] = await heard()

  const [recorded] = await db.sql`select to_jsonb(log) as row from nms.table_metrics_alert_log as log`
  t.deepEqual(notification, { event: 'alert_opened', ...recorded?.row })
})

test('many alerts of one kind are one notification when they open, and one when they close', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  const heard = await listen(db)
  await sql.unsafe(
    `do $$ begin for n in 1..300 loop execute format('create table public.new_%s ()', n); end loop; end $$`,
  )
  const first = await collect(sql)
  await sql.unsafe(
    `do $$ begin for n in 1..300 loop execute format('drop table public.new_%s', n); end loop; end $$`,
  )
  const second = await collect(sql)

  const group = {
    kind: 'table_new',
    schema_name: 'public',
    table_name: null,
    filter_name: null,
    alerts: 300,
    tables: ['public.new_1', 'public.new_10', 'public.new_100'],
    detail: '300 tables, such as public.new_1, public.new_10, public.new_100',
    opened_by_run: Number(first.run_id),
  }
  const [opened, closed, ...others] = await heard()
  t.deepEqual(others, [])
  t.like(opened, { ...group, event: 'alert_opened', closed_at: null, closed_by_run: null })
  t.like(closed, { ...group, event: 'alert_closed', closed_by_run: Number(second.run_id) })
  t.deepEqual(new Date(String(opened?.opened_at)), first.finished_at)
  t.deepEqual(new Date(String(closed?.closed_at)), second.finished_at)
  t.is((await log(sql)).length, 300)
})

test('an alert closes when it holds no longer, which is announced, and is announced anew when it is back', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  const heard = await listen(db)
  const runs = [await collectRows(sql, 40), await collectRows(sql, 100), await collectRows(sql, 30)]

  const [opened, closed, ...others] = await heard()
  t.deepEqual(
    others.map(({ event, closed_at }) => [event, closed_at]),
    [['alert_opened', null]],
  )
  const [first, second] = await log(sql)
  const asOpened = { ...opened, closed_at: closed?.closed_at, closed_by_run: Number(runs[1]?.run_id) }
  t.deepEqual(closed, { ...asOpened, event: 'alert_closed' }, 'the row as it was, and by which run it closed')
  t.deepEqual(new Date(String(closed?.closed_at)), runs[1]?.finished_at)
  t.like(first, { opened_by_run: runs[0]?.run_id, closed_by_run: runs[1]?.run_id, row_count: '40' })
  t.deepEqual(first?.closed_at, runs[1]?.finished_at)
  t.like(second, { opened_by_run: runs[2]?.run_id, closed_by_run: null, row_count: '30' })
})

test('a drop that goes on to zero is another alert', async (t) => {
  const db = await createShop(t)
  const heard = await listen(db)
  await collectRows(db.sql, 40)
  await collectRows(db.sql, 0)

  t.deepEqual(await openAlerts(db.sql), ['dropped_to_zero public.orders'])
  t.deepEqual(
    (await heard()).map(({ event, kind }) => [event, kind]),
    [
      ['alert_opened', 'drop'],
      ['alert_opened', 'dropped_to_zero'],
      ['alert_closed', 'drop'],
    ],
  )
})

test('a series of failures is one alert until a run succeeds', async (t) => {
  const db = await createShop(t)
  const heard = await listen(db)
  const fail = () => db.sql`select nms_private.give_up_run(nms.open_run(), 'no more')`
  for (let n = 0; n < 5; n++) await fail()
  t.deepEqual(await openAlerts(db.sql), ['repeated_failures'])

  await collect(db.sql)

  t.deepEqual(await openAlerts(db.sql), [])
  t.deepEqual(
    (await heard()).map(({ event, kind }) => [event, kind]),
    [
      ['alert_opened', 'repeated_failures'],
      ['alert_closed', 'repeated_failures'],
    ],
  )
})

for (const [what, next] of [
  ['skips', ({ sql }) => collect(sql, { skip: ['public'] })],
  ['excludes', ({ sql }) => collect(sql, { exclude: ['public.orders'] })],
  ['could not count', (db) => refuseToCount(db, 'public.orders').then(() => collect(db.sql))],
  ['did not get to', ({ sql }) => sql`select nms_private.give_up_run(nms.open_run(), 'no more')`],
] as [string, (db: TestDatabase) => Promise<unknown>][]) {
  test(`an alert about a table stays open after a run that ${what} it`, async (t) => {
    const db = await createShop(t)
    const { sql } = db
    await collectRows(sql, 40)
    await sql`insert into public.orders select generate_series(41, 100)`

    await next(db)

    t.true((await openAlerts(sql)).includes('drop public.orders'))
    t.like((await log(sql))[0], { closed_at: null, row_count: '40' })
  })
}

test('an alert about a table that was dropped closes, and the table is missing', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 40)
  await sql`drop table public.orders`

  await collect(sql)

  t.deepEqual(await openAlerts(sql), ['table_missing public.orders'])
})

test('a silenced alert is neither listed nor announced, and is both once the day has come', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  const heard = await listen(db)
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, silenced_until)
    values ('public', 'orders', nms.business_date() + 1)
  `
  await collectRows(sql, 40)
  t.deepEqual(await openAlerts(sql), [])
  t.deepEqual(await heard(), [])

  await sql`update nms.table_metrics_alert_rules set silenced_until = nms.business_date()`
  await collectRows(sql, 40)

  t.deepEqual(await openAlerts(sql), ['drop public.orders'])
  t.is((await heard()).length, 1)
})

test('an open alert is not listed as soon as a rule silences it', async (t) => {
  const { sql } = await createShop(t)
  await collectRows(sql, 40)
  t.deepEqual(await openAlerts(sql), ['drop public.orders'])

  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, silenced_until) values ('public', nms.business_date() + 1)
  `

  t.deepEqual(await openAlerts(sql), [])
})

test('alerts of an unknown run and of one that has not ended are not recorded', async (t) => {
  const { sql } = await createShop(t)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`

  await t.throwsAsync(sql`select nms.record_alerts(4711)`, { code: 'P0002' })
  await t.throwsAsync(sql`select nms.record_alerts(${run_id})`, { code: '55000' })
})
