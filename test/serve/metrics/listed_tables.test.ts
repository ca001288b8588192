import test from 'ava'
import { listedTables } from '../../../src/serve/metrics/listed_tables.ts'
import { createDatabase } from '../../_support/database.ts'
import { failsClearly, tableMetrics } from '../../_support/process.ts'

test('flags name tables, or else the setting does; none by default', (t) => {
  t.deepEqual(listedTables(), [])
  t.deepEqual(listedTables([], ''), [])
  t.deepEqual(listedTables(['sales.orders', 'a,b.c d', 'sales.orders'], '["x.y"]'), [
    'sales.orders',
    'a,b.c d',
  ])
  t.deepEqual(listedTables(undefined, '["x.y", "\\"A\\".\\"b\\nc\\""]'), ['x.y', '"A"."b\nc"'])
})

for (const [named, setting, ...words] of [
  [['orders'], '', '--metrics-table', '"orders"', 'sales.orders'],
  [['.orders'], '', '".orders"'],
  [['sales.'], '', '"sales."'],
  [[''], '', '""'],
  [[], '["orders"]', 'SERVE_METRICS_TABLES', '"orders"'],
  [
    [],
    'sales.orders,sales.customers',
    'SERVE_METRICS_TABLES',
    'saw sales.orders,sales.customers',
    'JSON array',
  ],
  [[], '{"sales": "orders"}', 'JSON array'],
  [[], '[["sales", "orders"]]', 'JSON array'],
  [Array.from({ length: 1001 }, (_, n) => `sales.t${n}`), '', '1001', 'at most 1000'],
] as const) {
  test(`${named.slice(0, 2)} ${setting} is refused`, (t) => {
    const error = t.throws(() => listedTables(named, setting))

    for (const word of words) t.true(error?.message.includes(word), `${word} is not in: ${error?.message}`)
  })
}

test('serve does not start with a table that has no schema', async (t) => {
  const { url } = await createDatabase(t)

  failsClearly(
    t,
    await tableMetrics(t, url, ['serve', '--port', '0', '--metrics-table', 'orders']),
    'saw "orders"',
  )
})
