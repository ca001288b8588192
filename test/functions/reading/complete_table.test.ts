import test from 'ava'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'

const complete = async (sql: Sql, beginning: string) => {
  const rows = await sql<{ name: string }[]>`select name from nms.complete_table(${beginning}) as name`
  return rows.map(({ name }) => name)
}

test('what is typed becomes a schema, as long as there are several, and then a table', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create schema sales; create schema "sales.old"; create schema "Support Desk";
    create table sales.orders (); create table sales.order_lines (); create table sales."a.b c" ();
    create table "sales.old".orders (); create table "Support Desk"."Tickets" ();
  `)
  t.deepEqual(await complete(sql, ''), [], 'before the first run')
  await collect(sql)

  t.deepEqual(await complete(sql, ''), ['Support Desk.', 'sales.', 'sales.old.'])
  t.deepEqual(await complete(sql, 'Sup'), ['Support Desk.Tickets'])
  t.deepEqual(await complete(sql, 'sales.'), [
    'sales.a.b c',
    'sales.old.',
    'sales.order_lines',
    'sales.orders',
  ])
  t.deepEqual(await complete(sql, 'sales.order'), ['sales.order_lines', 'sales.orders'])
  t.deepEqual(await complete(sql, 'sales.old'), ['sales.old.orders'])
  t.deepEqual(await complete(sql, 'orders'), [])
  t.deepEqual(await complete(sql, '%'), [])
})

test('five thousand tables in fifty schemas are but fifty schemas', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`
    select nms.import_run(
      current_date,
      jsonb_object_agg(format('s%s', n), (select jsonb_object_agg(format('t%s', m), m) from generate_series(1, 100) as m))
    )
    from generate_series(1, 50) as n
  `

  t.is((await complete(sql, '')).length, 50)
  t.is((await complete(sql, 's17.')).length, 100)
  t.deepEqual(await complete(sql, 's17.t99'), ['s17.t99'])
})
