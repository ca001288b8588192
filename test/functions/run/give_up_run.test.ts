import test from 'ava'
import {
  collect,
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  untilItWaits,
} from '../../_support/database.ts'

type ServerError = Error & { code: string; hint: string }

const shop = `
  create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
  create table public.orders as select generate_series(1, 3) as id;
  create table public.sales (id int) partition by list (id);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  insert into public.sales values (1), (1), (2);
  analyze;
`
const shopCounts = {
  'public.large': 9000,
  'public.orders': 3,
  'public.sales': 3,
  'public.sales_1': 2,
  'public.sales_2': 1,
}

async function open(sql: Sql) {
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  return run_id
}

async function measure(sql: Sql, run_id: string, budget = '0 s') {
  const [progress] = await sql<[{ is_finished: boolean; tables_left: string }]>`
    select * from nms.measure_targets(run_id => ${run_id}, budget => ${budget}::interval)
  `
  return progress
}

async function measureAll(sql: Sql, run_id: string) {
  while (!(await measure(sql, run_id, '1 min')).is_finished);
}

async function giveUp(sql: Sql, run_id: string | null, reason = 'stopped') {
  const [run] = await sql<
    [Run]
  >`select * from nms_private.give_up_run(run_id => ${run_id}, reason => ${reason})`
  return run
}

async function header(sql: Sql, run_id: string) {
  const [run] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  return run
}

const reasons = async (sql: Sql, run_id: string) =>
  Object.fromEntries(
    (
      await sql<{ name: string; reason: string }[]>`
        select table_name as name, error_sqlstate || ' ' || error_message as reason
        from nms.table_metrics_measurements
        where run_id = ${run_id} and error_sqlstate is not null
      `
    ).map(({ name, reason }) => [name, reason]),
  )

const queued = async (sql: Sql) => (await sql`select from nms_private.targets`).length
const snapshots = async (sql: Sql) => [
  ...(await sql`select run_id from nms.table_metrics_run_snapshot order by 1`),
  ...(await sql`select run_id, payload from nms.table_metrics_daily_snapshot`),
]

const left = {
  orders: '57014 deadline passed',
  sales: '57014 deadline passed',
  sales_1: '57014 deadline passed',
  sales_2: '57014 deadline passed',
}

for (const [what, calls, expected] of [
  ['before it was looked at', 0, { is_online: false, target_count: null, counts: {}, reasons: {} }],
  [
    'when all is queued',
    1,
    {
      is_online: true,
      target_count: '5',
      counts: { large: null, orders: null, sales: null, sales_1: null, sales_2: null },
      reasons: { ...left, large: '57014 deadline passed' },
    },
  ],
  [
    'when some are counted',
    2,
    {
      is_online: true,
      target_count: '5',
      counts: { large: 9000, orders: null, sales: null, sales_1: null, sales_2: null },
      reasons: left,
    },
  ],
  [
    'when all are counted and the sums are missing',
    3,
    {
      is_online: true,
      target_count: '5',
      counts: { large: 9000, orders: 3, sales: 3, sales_1: 2, sales_2: 1 },
      reasons: {},
    },
  ],
  [
    'when everything is counted',
    4,
    {
      is_online: true,
      target_count: '5',
      counts: { large: 9000, orders: 3, sales: 3, sales_1: 2, sales_2: 1 },
      reasons: {},
    },
  ],
] as const) {
  test(`a run is given up ${what}: FAILED for that reason, which each table has that is left; the day stays`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(shop)
    await collect(sql)
    const before = await snapshots(sql)
    const run_id = await open(sql)
    for (let call = 0; call < calls; call++) await measure(sql, run_id)

    const run = await giveUp(sql, run_id, 'deadline passed')

    const { is_online, target_count, counts } = expected
    t.like(run, { run_id, status: 'FAILED', is_online, target_count })
    t.true(run.finished_at !== null)
    t.regex(run.error_message ?? '', /^deadline passed/)
    for (const name of Object.keys(expected.reasons))
      t.true(run.error_message?.includes(`public.${name}`), name)
    t.is(run.error_message?.includes('57014'), Object.keys(expected.reasons).length > 0)
    t.deepEqual(await header(sql, run_id), run)
    t.deepEqual(
      await rowCounts(sql, run),
      Object.fromEntries(Object.entries(counts).map(([name, count]) => [`public.${name}`, count])),
    )
    t.deepEqual(await reasons(sql, run_id), expected.reasons)
    t.deepEqual(await snapshots(sql), before)
    t.is(await queued(sql), 0)
    const next = await collect(sql)
    t.is(next.status, 'SUCCEEDED', next.error_message ?? '')
    t.deepEqual(await rowCounts(sql, next), shopCounts)
  })
}

test('a table that failed before keeps its own reason, and one that was put back or put off has one', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${shop}
    create table public.busy (id int);
    create table public.given_way (id int);
    update nms.table_metrics_settings set lock_timeout = '1 min';
  `)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const yieldTarget = (table: string) =>
    db.sql`select nms_private.yield_target(run_id => ${run_id}, table_oid => ${table}::regclass, waiting_session => 'a session')`
  for (let attempt = 1; attempt <= 3; attempt++) await yieldTarget('public.large')
  const holder = db.connect()
  await holder.unsafe('begin; lock table public.busy')
  await measure(db.sql, run_id)
  await yieldTarget('public.busy')
  await db.sql`create table public.too_late (id int)`

  const run = await giveUp(db.sql, run_id)

  await holder`rollback`
  const { large, ...others } = await reasons(db.sql, run_id)
  t.regex(large ?? '', /^NM003 yielded to a session/)
  t.deepEqual(others, { busy: '57014 stopped' })
  t.deepEqual(await rowCounts(db.sql, run), {
    ...shopCounts,
    'public.busy': null,
    'public.given_way': 0,
    'public.large': null,
  })
  for (const part of ['NM003', '57014', 'public.busy', 'public.large'])
    t.true(run.error_message?.includes(part), part)
  t.is(await queued(db.sql), 0)
})

test('a run that a session works on is not given up', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const session = db.connect()
  await session`begin`
  await measure(session, run_id)

  const error = await t.throwsAsync<ServerError>(giveUp(db.sql, run_id))

  t.is(error?.code, '55P03')
  await session`commit`
  await measureAll(db.sql, run_id)
  const [run] = await db.sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(db.sql, run), shopCounts)
})

test('a run that is being counted as of one instant is not given up', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${shop} update nms.table_metrics_settings set lock_timeout = '1 min';`)
  const run_id = await open(db.sql)
  const [holder, session] = [db.connect(), db.connect()]
  await holder.unsafe('begin; lock table public.large')
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const collecting = session<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`.execute()
  await untilItWaits(db.sql, pid)

  const error = await t.throwsAsync<ServerError>(giveUp(db.sql, run_id))

  t.is(error?.code, '55P03')
  await holder`rollback`
  t.is((await collecting)[0].status, 'SUCCEEDED')
})

for (const [what, prepare, code] of [
  ['an unknown run', async () => '4711', 'P0002'],
  ['null', async () => null, 'P0002'],
  ['a run that SUCCEEDED', async (sql: Sql) => (await collect(sql)).run_id, '55000'],
  [
    'a run that was given up',
    async (sql: Sql) => (await giveUp(sql, await open(sql), 'first')).run_id,
    '55000',
  ],
] as const) {
  test(`${what} cannot be given up: ${code}, with a hint, and its header stays`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(shop)
    const run_id = await prepare(sql)
    const before = await sql`select * from nms.table_metrics_runs`

    const error = await t.throwsAsync<ServerError>(giveUp(sql, run_id, 'second'))

    t.is(error?.code, code)
    t.true(error?.hint.includes('nms.open_run()'))
    t.deepEqual(await sql`select * from nms.table_metrics_runs`, before)
  })
}

for (const [what, calls] of [
  ['was not looked at', 0],
  ['is half counted', 2],
] as const) {
  test(`a reason of any length is cut: a run that ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(shop)
    const run_id = await open(sql)
    for (let call = 0; call < calls; call++) await measure(sql, run_id)

    const run = await giveUp(sql, run_id, 'ä'.repeat(5000))

    t.is(run.status, 'FAILED')
    t.is(run.error_message?.length, 2000)
    t.true(Object.values(await reasons(sql, run_id)).every((reason) => reason.length <= 2100))
  })

  test(`a run for which no reason is given ends all the same: one that ${what}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(shop)
    const run_id = await open(sql)
    for (let call = 0; call < calls; call++) await measure(sql, run_id)

    await t.notThrowsAsync(sql`select nms_private.give_up_run(run_id => ${run_id}, reason => null)`)

    const run = await header(sql, run_id)
    t.is(run.status, 'FAILED')
    t.regex(run.error_message ?? '', /\w/)
  })
}

const endings: [string, (sql: Sql, run_id: string) => Promise<unknown>, Run['status'] | undefined][] = [
  [
    'SUCCEEDED',
    async (sql, run_id) => {
      await measureAll(sql, run_id)
      await sql`select nms.close_run(run_id => ${run_id})`
    },
    'SUCCEEDED',
  ],
  ['FAILED', (sql, run_id) => sql`select nms.close_run(run_id => ${run_id})`, 'FAILED'],
  ['was given up', (sql, run_id) => giveUp(sql, run_id), 'FAILED'],
  [
    'was abandoned',
    async (sql, run_id) => {
      await sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where run_id = ${run_id}`
      await sql`update nms.table_metrics_measurements set measured_at = now() - interval '1 hour' where run_id = ${run_id}`
      await open(sql)
    },
    'FAILED',
  ],
  [
    'was counted to its end as of one instant',
    (sql, run_id) => sql`select nms.collect_table_metrics(run_id => ${run_id})`,
    'SUCCEEDED',
  ],
  [
    'was deleted',
    (sql, run_id) => sql`delete from nms.table_metrics_runs where run_id = ${run_id}`,
    undefined,
  ],
]
for (const [ending, end, status] of endings) {
  for (const calls of [1, 2, 3]) {
    test(`nothing of a run that ${ending} is queued, whatever was: after ${calls} calls; nor is anything of others lost`, async (t) => {
      const { sql } = await createDatabase(t)
      await sql.unsafe(shop)
      const [run_id, other] = [await open(sql), await open(sql)]
      await measure(sql, other)
      const ofOther = await sql`select * from nms_private.targets order by position`
      for (let call = 0; call < calls; call++) await measure(sql, run_id)

      await end(sql, run_id)

      t.is<string | undefined, string | undefined>((await header(sql, run_id))?.status, status)
      t.deepEqual(await sql`select * from nms_private.targets order by position`, ofOther)
      if (status === undefined) t.deepEqual(await rowCounts(sql, { run_id }), {})
      if (status === 'SUCCEEDED') t.deepEqual(await rowCounts(sql, { run_id }), shopCounts)
      await measureAll(sql, other)
      const [closed] = await sql<[Run]>`select * from nms.close_run(run_id => ${other})`
      t.is(closed.status, 'SUCCEEDED')
      t.is(await queued(sql), 0)
    })
  }
}

test('a run whose sessions wait for a locked table is not taken for abandoned', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(
    `${shop} update nms.table_metrics_settings set lock_timeout = '1 min', abandon_after = '1 min'`,
  )
  const run_id = await open(db.sql)
  await measure(db.sql, run_id)
  const holder = db.connect()
  await holder.unsafe('begin; lock table public.orders')
  await db.sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where run_id = ${run_id}`
  await measure(db.sql, run_id, '1 min')
  await db.sql`update nms.table_metrics_measurements set measured_at = now() - interval '1 hour' where run_id = ${run_id}`

  const abandoned = await db.sql`select run_id from nms.abandon_silent_runs()`

  t.deepEqual([...abandoned], [])
  await holder`rollback`
})

test('why a run was given up is told once in its header, and the SQLSTATE of a table only beside its reason', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)
  const run_id = await open(sql)
  await measure(sql, run_id)

  const run = await giveUp(sql, run_id, 'stopped: canceling statement due to user request (57014)')

  for (const words of ['canceling statement', '57014']) t.is(run.error_message?.split(words).length, 2, words)
  t.regex(run.error_message ?? '', /^stopped: canceling statement due to user request\. 5 of 5 tables /)
  const reasons = await sql`select distinct error_sqlstate, error_message from nms.table_metrics_measurements`
  t.deepEqual(
    [...reasons],
    [{ error_sqlstate: '57014', error_message: 'stopped: canceling statement due to user request' }],
  )
})
