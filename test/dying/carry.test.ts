import test from 'ava'
import { createCarrying, flush, naive } from '../_support/carrying.ts'
import { finishOnline, openOnline } from '../_support/carrying_online.ts'
import type { Sql } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'

const shop = `
  create table orders (id int);
  insert into orders select generate_series(1, 100);
  create unlogged table items (id int);
  insert into items select generate_series(1, 30);
`

let server: OwnServer
test.before(async () => {
  server = await startOwnServer({ max_prepared_transactions: '5', checkpoint_timeout: '1h' })
})
test.after.always(() => server.remove())

test.serial('a session that commits a prepared transaction hides nothing from a run', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop, await server.createDatabase(t))
  const [preparing, hider] = [db.connect(), db.connect()]
  let rows = 100
  await eventually(async () => {
    await preparing.unsafe("begin; insert into orders values (101); prepare transaction 'carried'")
    rows++
    if (carries) await hider`select pg_stat_force_next_flush()`
    await hider`commit prepared 'carried'`
    await hider`begin`
    if (!carries || (await naive(sql, 'orders')) === 100) return true
    await hider`commit`
    await run()
    return false
  }, 'a row is hidden')

  t.is((await run())['public.orders']?.count, rows)
  await hider`commit`
})

test.serial('after a crash everything is counted, though the counters are the same again', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop, await server.createDatabase(t))
  const victim = db.connect({ onclose: () => undefined })
  const [{ pid } = { pid: 0 }] = await victim`select pg_backend_pid() as pid`
  const [before] = await sql`select pg_postmaster_start_time() as started`

  process.kill(pid, 'SIGKILL')
  const again = db.connect()
  await eventually(async () => (await again`select 1`).length === 1, 'the server is back')
  await again`insert into orders select generate_series(1, 100)`
  await flush(again)

  const [after] = await again`select pg_postmaster_start_time() as started`
  t.deepEqual(after, before)
  if (carries) t.is(await naive(again, 'orders'), 100)
  const found = await collected(again)
  t.deepEqual(found, { items: [0, 'exact'], orders: [200, 'exact'] })
  t.truthy(run)
})

test.serial('after a restart everything is counted', async (t) => {
  const { db, sql, run } = await createCarrying(t, shop, await server.createDatabase(t))
  await sql.end()
  await server.stop('fast')
  await server.start()
  const again = db.connect()
  t.deepEqual(await collected(again), { items: [30, 'exact'], orders: [100, 'exact'] })
  t.truthy(run)
})

test.serial('what the WAL has not changed is carried, whatever sessions hide', async (t) => {
  const db = await server.createDatabase(t)
  const [known] = await db.sql`select from pg_settings where name = 'summarize_wal'`
  if (!known) return t.pass()
  await db.sql`alter system set summarize_wal = on`
  await db.sql`select pg_reload_conf()`
  await eventually(async () => {
    await db.sql`checkpoint`
    return (await db.sql`select from pg_available_wal_summaries()`).length > 0
  }, 'the WAL is summarized')
  const { sql, run } = await createCarrying(
    t,
    `${shop}; create table unseen as select generate_series(1, 10) as id; create table open as select generate_series(1, 10) as id`,
    db,
  )
  // The first count of fresh rows may write to them.
  await db.sql`checkpoint`
  await sql`delete from nms_private.bases`
  const writer = db.connect()
  await writer.unsafe('begin; insert into open values (11)')
  await run()
  const hider = db.connect()
  await hider.unsafe('set track_counts = off; begin; insert into unseen values (11); commit; begin; select 1')
  await writer.unsafe('commit')
  t.is(await naive(sql, 'unseen'), 10)
  await sql`select pg_stat_reset()`

  const running = run()
  await db.sql`select pg_sleep(1)`
  await db.sql`checkpoint`
  const found = await running

  t.deepEqual(
    Object.fromEntries(
      Object.entries(found).map(([name, { count, method }]) => [name.slice(7), [count, method]]),
    ),
    { items: [30, 'exact'], open: [11, 'exact'], orders: [100, 'carried'], unseen: [11, 'exact'] },
  )

  await sql`select pg_stat_reset()`
  const run_id = await openOnline(sql)
  const online = finishOnline(sql, run_id)
  await eventually(async () => {
    const waiting = await db.sql`select from nms_private.carrying_runs where since is not null`
    return waiting.length === 1
  }, 'the online run waits')
  await db.sql`checkpoint`
  const { 'public.orders': orders, 'public.items': items, 'public.unseen': unseen } = await online
  t.like(orders, { count: 100, method: 'carried' })
  t.like(items, { count: 30, method: 'exact' })
  t.is(unseen?.count, 11)
  await hider.unsafe('commit')
})

async function collected(sql: Sql): Promise<Record<string, unknown[]>> {
  const [{ run_id } = { run_id: '' }] = await sql`select run_id from nms.collect_table_metrics()`
  const rows = await sql`
    select table_name, row_count::int, method from nms.table_metrics_measurements where run_id = ${run_id} order by 1
  `
  return Object.fromEntries(
    rows.map(({ table_name, row_count, method }) => [table_name, [row_count, method]]),
  )
}
