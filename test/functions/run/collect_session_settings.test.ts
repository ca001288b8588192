import test from 'ava'
import { partitioned } from '../../_support/collecting.ts'
import { collect, createDatabase } from '../../_support/database.ts'

test('the settings of the session are the same after the call', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    ${partitioned}
    create table public.busy (id int);
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.connect().unsafe('begin; lock table public.busy in access exclusive mode')
  const session = db.connect()
  const settings = () => session`
    select name, setting
    from pg_settings
    where name in (
      'lock_timeout', 'effective_io_concurrency', 'enable_indexonlyscan', 'jit', 'row_security', 'search_path'
    )
    order by name
  `
  await session.unsafe(`
    begin;
    set lock_timeout = '7 s';
    set effective_io_concurrency = 3;
    set enable_indexonlyscan = on;
    set jit = on;
    set row_security = on;
    set search_path = elsewhere, public;
  `)
  const before = await settings()

  await collect(session, { exclude: ['public.sales_2'] })

  t.is(before.length, 6)
  t.deepEqual([...(await settings())], [...before])
  await session`commit`
  t.deepEqual([...(await settings())], [...before])
})
