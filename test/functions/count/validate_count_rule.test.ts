import test from 'ava'
import { createDatabase } from '../../_support/database.ts'

test('a rule for what does not exist is kept and noticed, one for what exists is not', async (t) => {
  const db = await createDatabase(t)
  const notices: string[] = []
  const sql = db.connect({ onnotice: ({ message = '' }) => notices.push(message) })
  await sql`create schema "Sales"`
  await sql`create table "Sales"."Orders" ()`
  await sql`create view "Sales".all_orders as select from "Sales"."Orders"`

  await sql`
    insert into nms.table_metrics_count_rules (schema_name, table_name, method)
    values ('*', '*', 'carried'), ('Sales', '*', 'exact'), ('Sales', 'Orders', 'estimate'),
      ('sales', '*', 'exact'), ('Sales', 'orders', 'carried'), ('Sales', 'all_orders', 'carried')
  `

  t.deepEqual(notices, [
    'rule for sales.*: there is no such schema',
    'rule for Sales.orders: there is no such table',
    'rule for Sales.all_orders: there is no such table',
  ])
  const [{ count }] = await sql<[{ count: string }]>`select count(*) from nms.table_metrics_count_rules`
  t.is(count, '6')
})

test('a rule to maintain a count is refused, with the call that does', async (t) => {
  const { sql } = await createDatabase(t)

  t.like(
    await t.throwsAsync(sql`
      insert into nms.table_metrics_count_rules (schema_name, table_name, method)
      values ('Sales', 'Order.Items', 'maintained')
    `),
    {
      code: '23514',
      hint: `Triggers do, which the table's owner lets it have: select nms.maintain_count('"Sales"."Order.Items"');`,
    },
  )
})
