import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

const ask = async (sql: Sql, skip: unknown, exclude: unknown, strict = false) => {
  const [row] = await sql<[{ problem: string | null }]>`
    select nms.request_problem(${sql.json(skip as string[])}, ${sql.json(exclude as string[])}, ${strict}) as problem
  `
  return row.problem
}

test('what is wrong with a request is told without a run', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`

  t.is(await ask(sql, [], ['public.orders']), null)
  t.is(await ask(sql, ['nowhere'], ['public.ordesr']), null)
  t.regex((await ask(sql, {}, [])) ?? '', /^skip: saw \{\}, expected an array of schema names/)
  t.regex((await ask(sql, [], ['orders'])) ?? '', /^exclude: saw "orders", expected schema and table with a dot between/)
  t.is((await sql`select from nms.table_metrics_runs`).length, 0)
})

test('a strict request has no entry that matches nothing, and a malformed one is told as such', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`

  t.is(await ask(sql, ['public'], ['public.orders', '"public"."orders"'], true), null)
  t.is(
    await ask(sql, ['nowhere'], ['public.orders', 'public.ordesr'], true),
    'skip: saw "nowhere", which matches nothing; exclude: saw "public.ordesr", which matches nothing',
  )
  t.regex((await ask(sql, ['nowhere'], ['orders'], true)) ?? '', /^exclude: saw "orders", expected/)
})

test('null is an empty request', async (t) => {
  const { sql } = await createDatabase(t)

  const [{ problem }] = await sql<
    [{ problem: string | null }]
  >`select nms.request_problem(null, null, null) as problem`

  t.is(problem, null)
})
