import test from 'ava'
import type { Notice } from 'postgres'
import { collect, createDatabase, type Run, type Sql } from '../../_support/database.ts'

type ServerError = Error & { code: string; detail: string; hint: string }

const open = async (sql: Sql, skip = '[]', exclude = '[]') => {
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    select nms.open_run(${skip}::text::jsonb, ${exclude}::text::jsonb) as run_id
  `
  return run_id
}
const close = async (sql: Sql, run_id: string | null) => {
  const [run] = await sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`
  return run
}
const collectOpened = async (sql: Sql, run_id: string | null) => {
  const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`
  return run
}
const header = async (sql: Sql, run_id: string) => {
  const [run] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  return run
}
/** How many rows of each kind there are, of one run or of all. */
async function rows(sql: Sql, run_id = '%') {
  const [found] = await sql`
    select
      (select count(*)::int from nms.table_metrics_runs where run_id::text like ${run_id}) as runs,
      (select count(*)::int from nms.table_metrics_measurements where run_id::text like ${run_id}) as measurements,
      (select count(*)::int from nms.table_metrics_run_snapshot where run_id::text like ${run_id}) as run_snapshots,
      (select count(*)::int from nms.table_metrics_daily_snapshot where run_id::text like ${run_id}) as days
  `
  return { ...found }
}

test('a run whose tables have been counted succeeds, with a snapshot of the run and of its day', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(
    'create table public.orders (id int); insert into public.orders select generate_series(1, 4)',
  )
  const run_id = await open(sql)
  await sql`select nms_private.count_targets(run_id => ${run_id})`

  const run = await close(sql, run_id)

  t.like(run, { run_id, status: 'SUCCEEDED', error_message: null, target_count: '1' })
  t.true((run.finished_at as Date) >= run.collected_at)
  const [snapshots] = await sql`
    select of_run.payload as of_run, daily.payload as daily, daily.snapshot_date, daily.run_id
    from nms.table_metrics_run_snapshot as of_run cross join nms.table_metrics_daily_snapshot as daily
  `
  t.deepEqual(
    { ...snapshots },
    {
      of_run: { public: { orders: 4 } },
      daily: { public: { orders: 4 } },
      snapshot_date: run.snapshot_date,
      run_id,
    },
  )
})

test('a run that has not been counted fails, and says so', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  const run_id = await open(sql)
  const notices: Notice[] = []

  const run = await close(connect({ onnotice: (notice) => notices.push(notice) }), run_id)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /before its tables were counted/)
  t.like(notices, { length: 1, 0: { severity: 'WARNING' } })
  t.deepEqual(await rows(sql), { runs: 1, measurements: 0, run_snapshots: 0, days: 0 })
})

test('a run with a table that could not be counted fails, names it, and keeps the other counts', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.free (id int);
    create table public.locked (id int);
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  const run_id = await open(sql)
  const holder = connect()
  await holder`begin`
  await holder`lock table public.locked in access exclusive mode`
  await sql`select nms_private.count_targets(run_id => ${run_id})`
  await holder`rollback`

  const run = await close(sql, run_id)

  t.is(run.status, 'FAILED')
  for (const part of ['public.locked', '55P03', 'lock_timeout'])
    t.true(run.error_message?.includes(part), part)
  t.false(run.error_message?.includes('public.free'))
  t.deepEqual(await rows(sql), { runs: 1, measurements: 2, run_snapshots: 0, days: 0 })
})

test('its snapshots say when the run started, also where it was counted later', async (t) => {
  const { sql } = await createDatabase(t)
  const run_id = await open(sql)
  await sql`update nms.table_metrics_runs set collected_at = collected_at - interval '1 hour'`

  const run = await collectOpened(sql, run_id)

  const [snapshots] = await sql`
    select of_run.collected_at as of_run, daily.collected_at as daily
    from nms.table_metrics_run_snapshot as of_run join nms.table_metrics_daily_snapshot as daily using (run_id)
  `
  t.deepEqual({ ...snapshots }, { of_run: run.collected_at, daily: run.collected_at })
})

for (const [name, call] of Object.entries({
  close_run: close,
  'collect_table_metrics of a run_id': collectOpened,
})) {
  test(`${name} raises P0002 for a run that does not exist`, async (t) => {
    const { sql } = await createDatabase(t)
    await collect(sql)
    const before = await rows(sql)

    for (const run_id of ['0', '-1', '4711', '9223372036854775807', ...(call === close ? [null] : [])]) {
      const error = await t.throwsAsync<ServerError>(call(sql, run_id), { code: 'P0002' }, String(run_id))
      t.true(error?.hint.includes('nms.open_run()'))
    }
    t.deepEqual(await rows(sql), before)
  })

  test(`${name} raises 55000 for a run that is finished, and leaves it as it was`, async (t) => {
    const { sql } = await createDatabase(t)
    const succeeded = await collect(sql)
    const failed = await close(sql, await open(sql))
    const malformed = await header(sql, await open(sql, '{}'))

    for (const run of [succeeded, failed, malformed]) {
      const error = await t.throwsAsync<ServerError>(call(sql, run.run_id), { code: '55000' }, run.status)
      t.true(error?.detail.includes(run.status))
      t.true(error?.hint.includes('nms.open_run()'))
      t.deepEqual(await header(sql, run.run_id), run)
    }
  })

  test(`${name} raises 55P03 for a run that another session works on, and does not disturb it`, async (t) => {
    const { sql, connect } = await createDatabase(t)
    const run_id = await open(sql)
    const session = connect()
    await session`begin`
    await collectOpened(session, run_id)

    const impatient = connect({ connection: { statement_timeout: 300_000 } })
    await t.throwsAsync(call(impatient, run_id), { code: '55P03' })

    await session`commit`
    t.is((await header(sql, run_id)).status, 'SUCCEEDED')
  })

  test(`${name} may be repeated when the transaction of the first time was rolled back`, async (t) => {
    const { sql, connect } = await createDatabase(t)
    const run_id = await open(sql)
    const session = connect()
    await session`begin`
    await call(session, run_id)
    await session`rollback`
    t.is((await header(sql, run_id)).status, 'RUNNING')

    const run = await call(sql, run_id)

    t.is(run.status, call === close ? 'FAILED' : 'SUCCEEDED')
  })
}

test('a run_id together with another request raises 22023, and the run can still be collected', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe('create schema tmp; create table public.orders (id int)')
  const run_id = await open(sql, '["tmp"]', '["public.orders"]')
  const unrestricted = await open(sql)
  const collectWith = (id: string, skip: string | null, exclude: string | null) => sql`
    select * from nms.collect_table_metrics(${skip}::text::jsonb, ${exclude}::text::jsonb, run_id => ${id})
  `

  for (const [id, skip, exclude] of [
    [run_id, '["other"]', '[]'],
    [run_id, '["tmp", "other"]', '["public.orders"]'],
    [run_id, null, '["public.returns"]'],
    [run_id, '["tmp"]', '["public.orders", "public.returns"]'],
    [run_id, '{}', '[]'],
    [run_id, '[]', '"public.orders"'],
    [run_id, 'null', '[]'],
    [unrestricted, '["tmp"]', '[]'],
    [unrestricted, '[]', '["public.orders"]'],
  ] as const) {
    const error = await t.throwsAsync<ServerError>(
      async () => await collectWith(id, skip, exclude),
      { code: '22023' },
      `${skip} ${exclude}`,
    )
    t.true(error?.hint.includes('run_id'))
    t.is((await header(sql, id)).status, 'RUNNING')
  }

  t.is((await collectOpened(sql, run_id)).status, 'SUCCEEDED')
  t.is((await collectOpened(sql, unrestricted)).status, 'SUCCEEDED')
})

for (const status of ['SUCCEEDED', 'FAILED'] as const) {
  test(`nobody changes a run that has ${status}, not even a superuser`, async (t) => {
    const { sql } = await createDatabase(t)
    const run = status === 'SUCCEEDED' ? await collect(sql) : await close(sql, await open(sql))
    t.is(run.status, status)

    for (const change of [
      "status = 'RUNNING', finished_at = null, error_message = null",
      "status = 'SUCCEEDED', error_message = null, target_count = 0",
      "status = 'FAILED', error_message = 'changed'",
      'collected_at = now()',
      'snapshot_date = snapshot_date + 1',
      `skip_schemas = '["tmp"]'`,
      'target_count = 7',
      'status = status',
    ]) {
      await t.throwsAsync(
        async () =>
          await sql.unsafe(`update nms.table_metrics_runs set ${change} where run_id = ${run.run_id}`),
        { code: '55000' },
        change,
      )
    }

    t.deepEqual(await header(sql, run.run_id), run)
  })
}

test('deleting all runs at once takes all measurements and snapshots with them', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  await collect(sql)

  await sql`truncate nms.table_metrics_runs restart identity cascade`

  t.deepEqual(await rows(sql), { runs: 0, measurements: 0, run_snapshots: 0, days: 0 })
})

test('deleting a run takes its measurements and snapshots with it, and no others', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  const [older, newer] = [await collect(sql), await collect(sql)]

  await sql`delete from nms.table_metrics_runs where run_id = ${older.run_id}`

  t.deepEqual(await rows(sql, older.run_id), { runs: 0, measurements: 0, run_snapshots: 0, days: 0 })
  t.deepEqual(await rows(sql, newer.run_id), { runs: 1, measurements: 1, run_snapshots: 1, days: 1 })

  await sql`delete from nms.table_metrics_runs where run_id = ${newer.run_id}`

  t.deepEqual(await rows(sql), { runs: 0, measurements: 0, run_snapshots: 0, days: 0 })
})
