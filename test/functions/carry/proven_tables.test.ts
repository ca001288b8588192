import test from 'ava'
import pg from 'pg'
import { createCarrying, flush, naive } from '../../_support/carrying.ts'
import { collect, createDatabase, type Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

const shop = `
  create table orders (id int);
  insert into orders select generate_series(1, 100);
  create table items (id int);
  insert into items select generate_series(1, 30);
`

// Each commits a row, and does not tell the server as long as it goes on like that.
const hiding = {
  'idle in a transaction after a commit': 'begin; insert into orders values (101); commit; begin; select 1',
  'that commits and chains': 'begin; insert into orders values (101); commit and chain; select 1',
  'that commits in a DO block':
    'do $$ begin insert into orders values (101); commit; perform pg_sleep(600); end $$',
  'of which one message has several statements':
    'begin; insert into orders values (101); commit; begin; select pg_sleep(600); commit',
}

for (const [what, message] of Object.entries(hiding)) {
  test(`a session ${what} hides nothing from a run`, async (t) => {
    const { db, sql, carries, run } = await createCarrying(t, shop)
    const hider = db.connect()
    const hidden = hider.unsafe(message).catch(() => undefined)
    await untilThereAre(sql, 101)
    if (carries) t.is(await naive(sql, 'orders'), 100)

    const found = await run()

    t.deepEqual([found['public.orders']?.count, found['public.orders']?.method], [101, 'exact'])
    t.is(found['public.items']?.count, 30)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    await hidden
  })
}

test('a transaction that seems older than the base, and has committed since, hides nothing from a run', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop)
  await sql`select pg_advisory_lock(1), pg_advisory_lock(2)`
  const hider = db.connect()
  const hidden = hider
    .unsafe(
      'begin; select pg_advisory_lock(1); insert into orders values (101); commit; begin; select pg_advisory_lock(2)',
    )
    .catch(() => undefined)
  await untilItWaitsFor(sql, 1)
  await sql`delete from nms_private.bases`
  await run()
  const [{ read_at } = { read_at: undefined }] =
    await sql`select max(read_at) as read_at from nms_private.readings`
  await sql`select pg_advisory_unlock(1)`
  await untilItWaitsFor(sql, 2)
  const [seen] = await sql`
    select xact_start < ${read_at ?? null}::timestamptz as is_older
    from pg_stat_activity where datname = current_database() and wait_event = 'advisory'
  `
  if (carries) {
    t.true(seen?.is_older)
    t.is(await naive(sql, 'orders'), 100)
  }

  t.is((await run())['public.orders']?.count, 101)

  await sql`select pg_advisory_unlock(2)`
  await hidden
})

test('a session that goes idle again without a transaction hides nothing from a run', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const client = new pg.Client(db.url)
  await client.connect()
  // Within a second of its last report, it waits for ten with the next one.
  let rows = 100
  await eventually(async () => {
    await client.query('select pg_stat_force_next_flush()')
    await client.query('insert into orders values (101)')
    rows++
    if ((await naive(sql, 'orders')) === 100) return true
    await run()
    return false
  }, 'a row is hidden')
  const { connection } = client as unknown as { connection: { sync(): void } }
  const pings = setInterval(() => connection.sync(), 200)
  const found = await run()
  clearInterval(pings)
  await client.end()

  t.is(found['public.orders']?.count, rows)
})

test('a transaction that was open before the base does not keep counts from being carried', async (t) => {
  const db = await createDatabase(t)
  const old = db.connect()
  await old.unsafe('begin; select 1')
  const { sql, carries, run } = await createCarrying(t, shop, db)

  const found = await run()

  t.is(found['public.orders']?.method, carries ? 'carried' : 'exact')
  if (carries) {
    // It may have committed meanwhile.
    await old.unsafe('insert into orders values (101); commit; begin; select 1')
    t.is(await naive(sql, 'orders'), 100)
    t.is((await run())['public.orders']?.count, 101)
  }
  await old.unsafe('commit')
})

test('while sessions settle nothing is locked, and what changes is counted as of the snapshot', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const [{ pid } = { pid: 0 }] = await sql`select pg_backend_pid() as pid`
  const hider = db.connect()
  await hider.unsafe('begin; select 1')
  const writer = db.connect()
  const running = run()
  await eventually(async () => {
    const [seen] = await writer`select wait_event from pg_stat_activity where pid = ${pid}`
    return seen?.wait_event === 'PgSleep'
  }, 'the run waits for the session')
  const locks = await writer`
    select from pg_locks where pid = ${pid} and relation in ('orders'::regclass, 'items'::regclass)
  `
  await writer`insert into orders values (101)`
  await flush(writer)
  await hider.unsafe('commit')
  const found = await running

  t.is(locks.length, 0)
  t.deepEqual([found['public.orders']?.count, found['public.orders']?.method], [100, 'exact'])
  t.is(found['public.items']?.count, 30)
  t.is((await run())['public.orders']?.count, 101)
})

test('two runs that wait at the same time do not wait for each other', async (t) => {
  const { db, sql, carries, run } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const open = db.connect()
  await open.unsafe('begin; select 1')
  const other = db.connect()
  const both = Promise.all([run(), collect(other)])
  await eventually(async () => {
    const waiting = await db.sql`
      select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'
    `
    return waiting.length === 2
  }, 'both wait')
  await open.unsafe('commit')

  const [found, { run_id }] = await both

  t.is(found['public.orders']?.method, 'carried')
  const [beside] = await sql`
    select count(*) filter (where method = 'carried')::int as carried
    from nms.table_metrics_measurements where run_id = ${run_id}
  `
  t.true(beside?.carried >= 1)
})

test('a run that hides a change itself does not vouch for itself', async (t) => {
  const { db, sql, carries } = await createCarrying(t, shop)
  if (!carries) return t.pass()
  const [keeper, hider] = [db.connect(), db.connect()]
  await keeper.unsafe('begin; select 1')
  await hider`select pg_stat_force_next_flush()`
  // In one message: it is never idle between its insert and its run.
  const hiding = hider
    .unsafe(
      'begin; insert into orders values (101); commit; begin; select from nms.collect_table_metrics(); commit',
    )
    .then(() => undefined)
  await eventually(async () => {
    const waiting = await db.sql`
      select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'
    `
    return waiting.length === 1
  }, 'the run of the hider waits')
  t.is(await naive(db.sql, 'orders'), 100)
  const running = collect(sql)
  await eventually(async () => {
    const waiting = await db.sql`
      select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'
    `
    return waiting.length === 2
  }, 'both wait')
  await keeper.unsafe('commit')

  const { run_id } = await running
  const [found] = await sql`
    select row_count::int from nms.table_metrics_measurements where run_id = ${run_id} and table_name = 'orders'
  `
  t.is(found?.row_count, 101)
  await hiding
})

test('a transaction that stays open costs one run that counts, not each', async (t) => {
  const { db, carries, run } = await createCarrying(t, shop)
  const old = db.connect()
  await old.unsafe('begin; insert into orders values (101); commit; begin; select 1')

  const first = await run()
  const second = await run()

  t.like(first['public.orders'], { count: 101, method: 'exact' })
  t.like(second['public.orders'], { count: 101, method: carries ? 'carried' : 'exact' })
  await old.unsafe('commit')
})

test('sessions that are never without a transaction have everything counted, rightly, until they rest', async (t) => {
  const { db, carries, run } = await createCarrying(t, shop)
  const pool = [db.connect(), db.connect()]
  await pool[0]?.unsafe('begin; select 1')
  const found = []
  for (const turn of [1, 2]) {
    // The next one begins before the last one ends.
    const next = pool[turn % 2]
    await next?.unsafe(`begin; insert into orders values (${turn}); commit; begin; select 1`)
    await pool[(turn + 1) % 2]?.unsafe('commit')
    found.push((await run())['public.orders'])
  }
  await pool[0]?.unsafe('commit')
  t.is((await run())['public.orders']?.count, 102) // it had been hidden when the last run began
  found.push((await run())['public.orders'])

  t.like(found[0], { count: 101, method: 'exact' })
  t.like(found[1], { count: 102, method: 'exact' })
  t.like(found[2], { count: 102, method: carries ? 'carried' : 'exact' })
})

test('a copy of a database carries nothing of the original', async (t) => {
  const { db, sql } = await createCarrying(t, shop)
  await sql.end()
  const copy = await createDatabase(t, db.name)
  const copied = copy.connect()
  await copied`insert into orders select generate_series(1, 100)`
  await copied`insert into items select generate_series(1, 30)`
  await flush(copied)
  const { run_id } = (await copied`select run_id from nms.collect_table_metrics()`)[0] as { run_id: string }
  const found = await copied`
    select table_name, row_count::int, method from nms.table_metrics_measurements where run_id = ${run_id} order by 1
  `
  t.deepEqual(
    found.map((row) => Object.values(row)),
    [
      ['items', 60, 'exact'],
      ['orders', 200, 'exact'],
    ],
  )
})

/** Rows are there as soon as they are committed. */
function untilThereAre(sql: Sql, rows: number): Promise<void> {
  return eventually(async () => {
    const [seen] = await sql`select count(*)::int as rows from orders`
    return seen?.rows === rows
  }, `orders has ${rows} rows`)
}

function untilItWaitsFor(sql: Sql, key: number): Promise<void> {
  return eventually(async () => {
    const waiting = await sql`
      select from pg_locks
      where locktype = 'advisory' and not granted and objid = ${key}
        and database = (select oid from pg_database where datname = current_database())
    `
    return waiting.length === 1
  }, `a session waits for the lock ${key}`)
}
