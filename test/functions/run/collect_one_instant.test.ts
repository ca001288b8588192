import test from 'ava'
import { early, failures, late, startCollecting } from '../../_support/collecting.ts'
import { collect, createDatabase, rowCounts } from '../../_support/database.ts'

test('rows committed while the run is under way appear in no count, and locks are held by none', async (t) => {
  const db = await createDatabase(t)
  const other = db.connect()
  const underway = await startCollecting(
    db,
    'create table public.late as select generate_series(1, 3) as id',
    [],
    early,
  )

  await other.unsafe(`
    insert into public.early values (0);
    insert into public.late values (0);
  `)
  const [held] = await db.sql<[{ tables: string[] }]>`
    select array_agg(distinct relation::regclass::text) as tables
    from pg_locks
    where pid = ${underway.pid} and relation >= 16384
      and relation not in (select oid from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace))
  `
  await other.unsafe(`
    set lock_timeout = '1 s';
    alter table public.early add column note text default clock_timestamp()::text, alter column id type bigint;
  `)
  const [altered] = await other<[{ at: Date }]>`select clock_timestamp() as at`
  const run = await underway.finish()

  t.deepEqual(held.tables, ['blocker'])
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.blocker': 3000,
    'public.early': 6000,
    'public.late': 3,
  })
  const measured = await db.sql<{ table_name: string }[]>`
    select table_name from nms.table_metrics_measurements where measured_at < ${altered.at}
  `
  t.deepEqual(
    measured.map(({ table_name }) => table_name),
    ['early'],
    'early was counted before it was altered',
  )
})

for (const change of ['alter table public.late alter column id type bigint', 'truncate public.late']) {
  test(`a repeatable read transaction that began before fails for the table, never counts zero: ${change}`, async (t) => {
    const db = await createDatabase(t)
    await db.sql.unsafe(`${late}; create table public.other as select generate_series(1, 4) as id`)
    const session = db.connect()
    await session.unsafe('begin isolation level repeatable read; select 1')
    await db.sql.unsafe(change)

    const run = await collect(session)
    await session`commit`

    t.is(run.status, 'FAILED')
    t.regex(run.error_message ?? '', /public\.late.*repeatable read/s)
    t.deepEqual(await rowCounts(db.sql, run), { 'public.late': null, 'public.other': 4 })
    t.deepEqual(await failures(db.sql, run), { 'public.late': 'NM001' })
  })
}

test('what moved between tables while the run was under way is counted once: all are as of one instant', async (t) => {
  const db = await createDatabase(t)
  const underway = await startCollecting(db, `${late}; create table public.rest as select 1 as id`, [], early)

  await db.sql.begin((transaction) =>
    transaction.unsafe(`
      with moved as (delete from public.early where id <= 500 returning id)
      insert into public.rest select id from moved;
      alter table public.rest alter column id type bigint;
    `),
  )
  await db.sql.begin((transaction) =>
    transaction.unsafe('insert into public.early select id + 10000 from public.late; drop table public.late'),
  )
  const run = await underway.finish()

  t.is(run.error_message, null)
  t.deepEqual(await rowCounts(db.sql, run), {
    'public.blocker': 3000,
    'public.early': 5503,
    'public.rest': 501,
  })
})
