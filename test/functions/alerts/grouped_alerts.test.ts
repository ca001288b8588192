import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

type Alert = [kind: string, table?: string, filter?: string | undefined, expected_high?: number]
interface Group {
  kind: string
  schema_name: string | null
  table_name: string | null
  alerts: string
  schemas: string
  tables: string[]
  detail: string
  is_itself: boolean
}

/** How these alerts are told, all of them found by run 7. */
function grouped(sql: Sql, alerts: Alert[]): Promise<Group[]> {
  const rows = alerts.map(([kind, table, filter_name, expected_high]) => ({
    kind,
    schema_name: table?.split('.')[0] ?? null,
    table_name: table?.split('.')[1] ?? null,
    filter_name: filter_name ?? null,
    expected_high: expected_high ?? null,
    detail: `detail of ${table}`,
    opened_at: '2026-11-20T05:15:00Z',
    opened_by_run: 7,
  }))
  return sql<Group[]>`
    select
      kind, schema_name, table_name, alerts, schemas, tables, detail,
      (to_jsonb(alert) ->> 'kind' is not null) = (alerts = 1) as is_itself
    from nms_private.grouped_alerts(
      alerts => array(
        select alert from jsonb_populate_recordset(null::nms.table_metrics_alert_log, ${sql.json(rows)}) as alert
      )
    )
  `
}

const tables = (count: number, of = 'staging') =>
  Array.from({ length: count }, (_, n) => `${of}.t${String(n + 1).padStart(4, '0')}`)
const found = (groups: Group[]) => groups.map(({ kind, alerts, detail }) => [kind, alerts, detail])

test('no alerts are no groups', async (t) => {
  const { sql } = await createDatabase(t)

  t.deepEqual([...(await grouped(sql, []))], [])
})

test('up to five alerts of one kind in a schema are told one by one', async (t) => {
  const { sql } = await createDatabase(t)

  const groups = await grouped(
    sql,
    tables(5).map((table) => ['drop', table]),
  )

  t.deepEqual(
    groups.map(({ table_name, alerts, tables, detail }) => [table_name, alerts, tables, detail]),
    tables(5).map((table) => [table.split('.')[1], '1', [table], `detail of ${table}`]),
  )
  t.true(groups.every(({ is_itself }) => is_itself))
})

test('from six on they are told at once, with the names of the first three', async (t) => {
  const { sql } = await createDatabase(t)

  const groups = await grouped(sql, [
    ...tables(1000).map((table): Alert => ['table_new', table]),
    ['table_new', 'sales.orders'],
    ['drop', 'staging.t0001'],
  ])

  t.deepEqual(found(groups), [
    ['drop', '1', 'detail of staging.t0001'],
    ['table_new', '1', 'detail of sales.orders'],
    ['table_new', '1000', '1,000 tables, such as staging.t0001, staging.t0002, staging.t0003'],
  ])
  t.like(groups[2], { schema_name: 'staging', table_name: null, schemas: '1', is_itself: true })
})

test('those with most rows are named first: many small tables do not hide a large one', async (t) => {
  const { sql } = await createDatabase(t)
  const small = tables(20).map((table): Alert => ['drop', table, undefined, 100])

  const [group] = await grouped(sql, [...small, ['drop', 'staging.zebras', undefined, 5000]])

  t.deepEqual(group?.tables, ['staging.zebras', 'staging.t0001', 'staging.t0002'])
})

test('a schema for each tenant is one line for a kind', async (t) => {
  const { sql } = await createDatabase(t)
  const tenants = Array.from({ length: 1000 }, (_, n): Alert => ['table_new', `tenant_${1001 + n}.orders`])

  const groups = await grouped(sql, [
    ...tenants,
    ...tables(6, 'tenant_0').map((table): Alert => ['table_new', table]),
    ...tables(10, 'a').map((table): Alert => ['drop', table.replace('a.', `${table.at(-1)}.`)]),
  ])

  t.deepEqual(found(groups.slice(10)), [
    [
      'table_new',
      '1006',
      '1,006 tables in 1,001 schemas, such as tenant_0.t0001, tenant_1001.orders, tenant_1002.orders',
    ],
  ])
  t.is(groups[10]?.schema_name, null)
  t.is(groups.filter(({ kind }) => kind === 'drop').length, 10, 'ten rows of a kind are not too many')
})

test('what concerns a whole run is never put together', async (t) => {
  const { sql } = await createDatabase(t)
  const runs = Array.from({ length: 20 }, (): Alert => ['repeated_failures'])

  t.is((await grouped(sql, runs)).length, 20)
})

test('filters of one table are counted as such, and their table is named once', async (t) => {
  const { sql } = await createDatabase(t)
  const filters = (table: string) => Array.from({ length: 4 }, (_, n): Alert => ['spike', table, `f${n}`])

  t.deepEqual(
    found(
      await grouped(
        sql,
        filters('sales.orders').concat([
          ['spike', 'sales.orders'],
          ['spike', 'sales.Items'],
        ]),
      ),
    ),
    [['spike', '6', '6 counts of 2 tables: sales."Items", sales.orders']],
  )
})

test('names that have to be quoted are', async (t) => {
  const { sql } = await createDatabase(t)
  const [group] = await grouped(
    sql,
    tables(6, 'My "own" schema').map((table) => ['drop', table]),
  )

  t.is(group?.tables[0], '"My ""own"" schema".t0001')
})

test('what somebody has acknowledged is not put together with what nobody has', async (t) => {
  const { sql } = await createDatabase(t)
  const rows = tables(12).map((table, n) => ({
    kind: 'drop',
    schema_name: 'staging',
    table_name: table.split('.')[1],
    acknowledged_at: n < 6 ? '2026-11-21T09:00:00Z' : null,
  }))

  const groups = await sql`
    select alerts, acknowledged_at, detail
    from nms_private.grouped_alerts(
      alerts => array(
        select alert from jsonb_populate_recordset(null::nms.table_metrics_alert_log, ${sql.json(rows)}) as alert
      )
    )
  `

  t.deepEqual(
    [...groups],
    [
      {
        alerts: '6',
        acknowledged_at: null,
        detail: '6 tables, such as staging.t0007, staging.t0008, staging.t0009',
      },
      {
        alerts: '6',
        acknowledged_at: new Date('2026-11-21T09:00:00Z'),
        detail: '6 tables, such as staging.t0001, staging.t0002, staging.t0003',
      },
    ],
  )
})
