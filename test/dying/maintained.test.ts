import test from 'ava'
import { counts, maintained } from '../_support/maintained.ts'
import { startOwnServer } from '../_support/server.ts'

test('prepared transactions and a crash change nothing about what is noted', async (t) => {
  const server = await startOwnServer({ max_prepared_transactions: '5' })
  t.teardown(() => server.remove())
  const { sql, connect } = await server.createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  const session = connect()
  const same = async (what: string) => t.deepEqual(...(await counts(sql, 'public.orders', what)))

  await session.unsafe("begin; insert into public.orders values (501), (502); prepare transaction 'come'")
  await session.unsafe("begin; delete from public.orders where id < 4; prepare transaction 'go'")
  await session.unsafe("begin; insert into public.orders values (601); prepare transaction 'stay away'")
  await same('prepared')
  await sql`insert into public.orders values (700)`
  await sql`select nms.fold_counts()`
  await same('folded while they are prepared')
  await sql.unsafe("commit prepared 'come'")
  await same('one is committed')

  await sql.unsafe(
    'set synchronous_commit = off; insert into public.orders values (800); reset synchronous_commit',
  )
  await session
    .unsafe('begin; insert into public.orders select generate_series(900, 999)')
    .catch(() => undefined)
  await server.stop('immediate')
  await server.start()
  await same('after a crash')
  await sql.unsafe("commit prepared 'go'")
  await same('the other is committed')
  await sql.unsafe("rollback prepared 'stay away'")
  await sql`select nms.fold_counts()`
  await same('the third is rolled back')
  t.is((await sql`select from nms_private.count_deltas`).length, 0)
})
