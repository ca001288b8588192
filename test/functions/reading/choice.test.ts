import test, { type ExecutionContext } from 'ava'
import type { Sql } from '../../_support/database.ts'
import { createHistory as createDays } from '../../_support/history.ts'

const days = {
  1: { sales: { orders: 100, items: 1000, gone: 7, same: 3 }, Stock: { 'Order Log': 500_000 } },
  0: { sales: { orders: 150, items: 900, same: 3, fresh: 0 }, Stock: { 'Order Log': 10 } },
}

interface Report {
  tables: { table_name: string }[]
  tables_chosen: number
  tables_in_all: number
  payload: unknown
  failing: string[]
  outcomes: unknown
  totals: unknown
}

async function ask(sql: Sql, call: string, choice: unknown): Promise<Report> {
  const [row] = await sql.unsafe(`select nms.${call.replace('$1', '$1::text::jsonb')} as report`, [
    JSON.stringify(choice),
  ])
  return row?.report
}

const names = ({ tables }: Report) => tables.map(({ table_name }) => table_name)

const createHistory = (t: ExecutionContext) => createDays(t, days)

for (const [choice, ofDay, ofTwo] of [
  [
    {},
    ['items', 'orders', 'Order Log', 'gone', 'same', 'fresh'],
    ['Order Log', 'items', 'orders', 'gone', 'fresh', 'same'],
  ],
  [{ schemas: ['Stock'] }, ['Order Log'], ['Order Log']],
  [{ schemas: ['Stock', 'sales'], only: ['grew'] }, ['orders'], ['orders']],
  [{ like: 'ORDER' }, ['orders', 'Order Log'], ['Order Log', 'orders']],
  [{ like: 'sales.o' }, ['orders'], ['orders']],
  [{ only: ['appeared', 'disappeared'] }, ['gone', 'fresh'], ['gone', 'fresh']],
  [{ min_rows: 900 }, ['items', 'Order Log'], ['Order Log', 'items']],
  [{ sort: 'name', top: 2 }, ['Order Log', 'fresh'], ['Order Log', 'fresh']],
  [{ sort: 'change', top: 2 }, ['Order Log', 'items'], ['Order Log', 'items']],
  [{ sort: 'percent', top: 3 }, ['Order Log', 'orders', 'items'], ['Order Log', 'orders', 'items']],
  [{ sort: 'rows', top: 2 }, ['items', 'orders'], ['items', 'orders']],
] as const) {
  test(`the reports of a day and of two show only ${JSON.stringify(choice)}`, async (t) => {
    const { sql } = await createHistory(t)

    const day = await ask(sql, 'day_report(choice => $1)', choice)
    const two = await ask(sql, 'compare_report(choice => $1)', choice)

    t.deepEqual(names(day), [...ofDay])
    t.deepEqual(names(two), [...ofTwo])
    for (const report of [day, two]) {
      t.is(report.tables_in_all, 6)
      t.is(report.tables_chosen, 'top' in choice ? 6 : ofDay.length)
      t.deepEqual(report.outcomes, { grew: 1, shrank: 2, appeared: 1, disappeared: 1, unchanged: 1 })
    }
    t.deepEqual(day.totals, { tables: 5, rows: 1063 })
  })
}

test('the payload of a day has the chosen tables and not what has disappeared', async (t) => {
  const { sql } = await createHistory(t)

  const { payload } = await ask(sql, 'day_report(choice => $1)', { like: 'o', schemas: ['sales'] })

  t.deepEqual(payload, { sales: { orders: 150 } })
})

test('what is failing is among the tables that are chosen, however many top shows', async (t) => {
  const { sql } = await createHistory(t)
  const failing = async (choice: unknown) =>
    (await ask(sql, `compare_report(fail_on => 'drop', choice => $1)`, choice)).failing

  t.deepEqual(await failing({ top: 1 }), ['Stock.Order Log', 'sales.gone', 'sales.items'])
  t.deepEqual(await failing({ schemas: ['sales'] }), ['sales.gone', 'sales.items'])
  t.deepEqual(await failing({ like: 'orders' }), [])
})

for (const choice of [
  [],
  'sales',
  { schema: 'sales' },
  { schemas: 'sales' },
  { schemas: [1] },
  { like: '' },
  { like: 5 },
  { only: ['new'] },
  { only: 'grew' },
  { min_rows: 0 },
  { min_rows: '5' },
  { top: 1.5 },
  { top: -1 },
  { sort: 'size' },
  { sort: ['rows'] },
]) {
  test(`${JSON.stringify(choice)} is refused as a choice, with what is expected`, async (t) => {
    const { sql } = await createHistory(t)

    for (const call of ['day_report(choice => $1)', 'compare_report(choice => $1)']) {
      const error = await t.throwsAsync(ask(sql, call, choice), { code: '22023' })
      t.regex((error as unknown as { detail: string }).detail, /^expected /)
    }
  })
}

test('a schema that no run has met is refused with those that there are', async (t) => {
  const { sql } = await createHistory(t)

  const error = await t.throwsAsync(ask(sql, 'day_report(choice => $1)', { schemas: ['sale'] }), {
    code: 'P0002',
  })

  t.is((error as unknown as { hint: string }).hint, 'There are: Stock, sales')
})

test('of the open alerts those of the chosen tables are told, also of the log and in the status', async (t) => {
  const { sql } = await createHistory(t)
  await sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, detail, opened_at, opened_by_run)
    values
      ('drop', 'sales', 'orders', 'fewer', now(), 1),
      ('drop', 'Stock', 'Order Log', 'fewer', now(), 1),
      ('repeated_failures', null, null, 'the last 3 runs FAILED', now(), 1)
  `
  for (const [choice, tables] of [
    [{}, ['Order Log', 'orders', null]],
    [{ schemas: ['sales'] }, ['orders']],
    [{ like: 'ORDER' }, ['Order Log', 'orders']],
    [{ like: 'order', top: 1 }, ['Order Log']],
  ] as const) {
    const [row] = await sql.unsafe(
      `select
        nms.alerts_report(history => true, choice => $1::text::jsonb) as alerts,
        nms.status_report(choice => $1::text::jsonb) as status`,
      [JSON.stringify(choice)],
    )
    const of = (alerts: { table_name: string | null }[]) => alerts.map(({ table_name }) => table_name)

    t.deepEqual(of(row?.alerts.open), [...tables])
    t.deepEqual(of(row?.status.alerts), [...tables])
    if (!('top' in choice)) t.deepEqual(of(row?.alerts.history).sort(), [...tables].sort())
  }
  for (const call of ['alerts_report', 'status_report'])
    await t.throwsAsync(sql.unsafe(`select nms.${call}(choice => '{"only": ["grew"]}')`), { code: '22023' })
})
