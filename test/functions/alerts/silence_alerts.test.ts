import test, { type ExecutionContext } from 'ava'
import { openAlerts } from '../../_support/alerts.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { writeRuns } from '../../_support/history.ts'

/** A history with two tables of sales, one of staging, and one open drop of each. */
async function createAlerts(t: ExecutionContext): Promise<Sql> {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [{ day: 0, counts: { 'sales.orders': 1, 'sales.items': 1, 'staging.Odd "one"': 1 } }])
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at)
    select 'drop', schema_name, table_name, 'fewer', now() from nms.table_metrics_measurements
  `
  // A run of January is late; that is not what this is about.
  await sql`insert into nms.table_metrics_alert_rules (kind, is_on) values ('run_late', false)`
  return sql
}

const rules = async (sql: Sql) =>
  (
    await sql<{ rule: string }[]>`
      select concat_ws(
        ' ', schema_name, table_name, kind, silenced_until - nms.business_date(), drop_percent, comment
      ) as rule
      from nms.table_metrics_alert_rules
      where kind <> 'run_late'
      order by 1
    `
  ).map(({ rule }) => rule)

const silence = async (
  sql: Sql,
  named: string,
  until: string | null,
  kind: string | null = null,
  why: string | null = null,
) => {
  const [row] = await sql<[{ report: Record<string, unknown> }]>`
    select nms.silence_alerts(${named}, until => ${until}, kind => ${kind}, why => ${why}) as report
  `
  return row.report
}

const inDays = async (sql: Sql, days: number): Promise<string> => {
  const [row] = await sql<[{ day: string }]>`
    select ((now() at time zone 'America/New_York')::date + ${days}::integer)::text as day
  `
  return row.day
}

const [items, orders, odd] = ['drop sales.items', 'drop sales.orders', 'drop staging.Odd "one"']

for (const [named, left, open] of [
  ['sales.orders', [items, odd], 1],
  ['"sales".orders', [items, odd], 1],
  ['sales.*', [odd], 2],
  ['"sales".*', [odd], 2],
  ['staging.Odd "one"', [items, orders], 1],
  ['staging."Odd ""one"""', [items, orders], 1],
  ['*', [], 3],
] as const) {
  test(`${named} is silenced, and what is open elsewhere stays; it speaks again when that is ended`, async (t) => {
    const sql = await createAlerts(t)

    const report = await silence(sql, named, '7d')

    t.like(report, { kind: '*', is_on: true, silenced_until: await inDays(sql, 7), open_alerts: open })
    t.deepEqual(await openAlerts(sql), left)

    t.like(await silence(sql, named, null), { silenced_until: null, open_alerts: open })
    t.deepEqual(await openAlerts(sql), [items, orders, odd])
    t.deepEqual(await rules(sql), [])
  })
}

test('a silence of one kind leaves the others', async (t) => {
  const sql = await createAlerts(t)

  await silence(sql, 'sales.orders', '2w', 'spike')
  t.deepEqual(await openAlerts(sql), [items, orders, odd])

  await silence(sql, 'sales.*', '2w', 'drop')
  t.deepEqual(await openAlerts(sql), [odd])
  t.deepEqual(await rules(sql), ['sales * drop 14', 'sales orders spike 14'])
})

test('a rule that decides something else as well keeps that, and says why', async (t) => {
  const sql = await createAlerts(t)
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, drop_percent) values ('sales', 'orders', 50)
  `

  await silence(sql, 'sales.orders', '2 weeks', null, 'moved')
  t.deepEqual(await rules(sql), ['sales orders * 14 50 moved'])
  await silence(sql, 'sales.orders', '3d')
  t.deepEqual(await rules(sql), ['sales orders * 3 50 moved'])

  await silence(sql, 'sales.orders', null)
  t.deepEqual(await rules(sql), ['sales orders * 50 moved'])
})

test('a silence that is over, or ends no later, does not win over a wider one', async (t) => {
  const sql = await createAlerts(t)
  await sql`
    insert into nms.table_metrics_alert_rules (schema_name, table_name, kind, silenced_until, drop_percent)
    values
      ('sales', 'orders', '*', nms.business_date() - 3, null),
      ('sales', 'items', 'drop', nms.business_date() + 1, 99),
      ('sales', 'items', 'spike', nms.business_date() + 30, null),
      ('staging', '*', '*', nms.business_date() + 1, null)
  `

  await silence(sql, 'sales.*', '7d')

  t.deepEqual(await openAlerts(sql), [])
  t.deepEqual(await rules(sql), [
    'sales * * 7',
    'sales items drop 99',
    'sales items spike 30',
    'staging * * 1',
  ])
})

test('what is still silent by a wider rule is said when a silence is ended', async (t) => {
  const sql = await createAlerts(t)
  await silence(sql, '*', '7d')
  await silence(sql, 'sales.orders', '2w')

  t.like(await silence(sql, 'sales.orders', null), { silenced_until: await inDays(sql, 7) })
  await sql`insert into nms.table_metrics_alert_rules (schema_name, is_on) values ('staging', false)`
  t.like(await silence(sql, 'staging.*', '7d'), { is_on: false })
})

for (const [named, until, kind, code, hint] of [
  ['sales.ordres', '7d', null, 'P0002', /sales\.orders/],
  ['orders', '7d', null, 'P0002', /orders/],
  ['', '7d', null, 'P0002', /./],
  ['sale.*', '7d', null, 'P0002', /sales, staging/],
  ['sales.orders', null, null, 'P0002', /alert_rules/],
  ['sales.orders', '0d', null, '22023', /7d/],
  ['sales.orders', 'yesterday', null, '22023', /7d/],
  ['sales.orders', '2020-01-01', null, '22023', /7d/],
  ['sales.orders', '2030-02-30', null, '22023', /7d/],
  ['sales.orders', '30m', null, '22023', /7d/],
  ['sales.orders', '-7d', null, '22023', /7d/],
  ['sales.orders', '7d', 'droop', '22023', /./],
  ['sales.orders', '7d', 'run_late', '22023', /\*/],
] as const) {
  test(`a silence of ${named} until ${until}${kind ? ` for ${kind}` : ''} is refused with ${code}`, async (t) => {
    const sql = await createAlerts(t)

    const error = await t.throwsAsync(silence(sql, named, until, kind), { code })

    t.regex((error as unknown as { hint: string }).hint, hint)
    t.deepEqual(await rules(sql), [])
    t.deepEqual(await openAlerts(sql), [items, orders, odd])
  })
}

test('today is no day to come, by the business clock', async (t) => {
  const sql = await createAlerts(t)

  await t.throwsAsync(silence(sql, '*', await inDays(sql, 0)), { code: '22023' })
  t.like(await silence(sql, '*', await inDays(sql, 1)), { silenced_until: await inDays(sql, 1) })
})
