import test, { type ExecutionContext } from 'ava'
import { collectTableMetrics } from '../../../src/run/collect.ts'
import { collect, createDatabase, majorOf, rowCounts, type Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { type Shards, startShards } from '../../_support/shards.ts'

let shards: Shards
test.before(async () => {
  shards = await startShards(2, { log_statement: 'all' })
})
test.after.always(() => shards?.remove())

/** Four partitions on the two servers, and one here; the database as the collector's owner sees it. */
async function spread(t: Parameters<Shards['attach']>[0]) {
  const db = await createDatabase(t)
  const [one, two] = (await shards.attach(t, db)) as [Sql, Sql]
  await one.unsafe(`
    create table public.orders_1 as select generate_series(1, 11) as id;
    create table public.orders_3 as select generate_series(1, 33) as id;
  `)
  await two.unsafe(`
    create table public.orders_2 as select generate_series(1, 22) as id;
    create table public.orders_4 as select generate_series(1, 44) as id;
  `)
  await db.sql.unsafe(`
    create table public.orders (id int) partition by list (id);
    create table public.orders_0 partition of public.orders for values in (0);
    insert into public.orders_0 select 0 from generate_series(1, 5);
    create foreign table public.orders_1 partition of public.orders for values in (1) server shard_1;
    create foreign table public.orders_2 partition of public.orders for values in (2) server shard_2;
    create foreign table public.orders_3 partition of public.orders for values in (3) server shard_1;
    create foreign table public.orders_4 partition of public.orders for values in (4) server shard_2;
    create table public.elsewhere as select generate_series(1, 7) as id;
  `)
  return { ...db, one, two }
}

/** A table whose count does not end by itself. */
const slow = (name: string) => `create view public.${name} as select 1 as id from pg_sleep(600) offset 0;`

const isAsked = async (shard: Sql) =>
  (
    await shard`
      select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'
    `
  ).length === 1

const counts = {
  'public.elsewhere': 7,
  'public.orders': 115,
  'public.orders_0': 5,
  'public.orders_1': 11,
  'public.orders_2': 22,
  'public.orders_3': 33,
  'public.orders_4': 44,
}

test('a part on another server is measured like any other', async (t) => {
  const { sql } = await spread(t)

  const run = await collect(sql)

  t.is(run.error_message, null)
  t.deepEqual(await rowCounts(sql, run), counts)
  const kinds = await sql`
    select distinct table_kind, is_partition, method, own_row_count = row_count as all_own
    from nms.table_metrics_measurements
    where run_id = ${run.run_id} and table_name ~ 'orders_[1-4]'
  `
  t.deepEqual(
    kinds.map((row) => ({ ...row })),
    [{ table_kind: 'foreign table', is_partition: true, method: 'exact', all_own: true }],
  )
})

test('an excluded part on another server has no measurement, and is part of the sum', async (t) => {
  const { sql } = await spread(t)

  const run = await collect(sql, { exclude: ['public.orders_3', 'public.orders_4'] })

  const { 'public.orders_3': _, 'public.orders_4': __, ...others } = counts
  t.deepEqual(await rowCounts(sql, run), others)
})

test('the online mode counts them too, in a claim of their own', async (t) => {
  const { sql } = await spread(t)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await sql`select from nms.measure_targets(${run_id})`
  const claims = await sql<{ tables: string[] }[]>`
    select array(select table_name from unnest(claim.targets) order by table_name) as tables
    from nms_private.targets as claim
    order by tables
  `
  t.deepEqual(
    claims.map(({ tables }) => tables),
    [['elsewhere'], ['orders', 'orders_0', 'orders_1', 'orders_2', 'orders_3', 'orders_4']],
  )
  await eventually(async () => {
    const [step] = await sql`select is_finished from nms.measure_targets(${run_id})`
    return step?.is_finished
  }, 'everything is counted')

  const [run] = await sql`select status from nms.close_run(${run_id})`

  t.is(run?.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, { run_id }), counts)
})

test('all servers are asked at once, each for numbers only', async (t) => {
  const { sql, one, two, connect } = await spread(t)
  for (const [shard, table] of [
    [one, 'orders_1'],
    [two, 'orders_2'],
  ] as const)
    await shard.unsafe(`drop table public.${table}; ${slow(table)}`)
  const session = connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const major = await majorOf(sql)
  const running = session`select from nms.collect_table_metrics()`.execute()

  await eventually(async () => {
    const asked = [await isAsked(one), await isAsked(two)]
    // Before 15, a count is never asynchronous.
    return major < 15 ? asked.includes(true) : !asked.includes(false)
  }, 'both servers count at the same time')

  await sql`select pg_cancel_backend(${pid})`
  await running
  const asked = await shards.logged(0, /SELECT .* FROM public\.orders/)
  t.true(asked.some((line) => line.includes('SELECT 1, count(*) FROM public.orders_1')))
  t.deepEqual(
    asked.filter(
      (line) => /SELECT .* FROM public\.orders/.test(line) && !/SELECT \d+, count\(\*\)/.test(line),
    ),
    [],
  )
})

test('each server has one session, and no lock outlasts the count', async (t) => {
  const { sql, one, name } = await spread(t)

  await sql.begin(async (transaction) => {
    await transaction`select from nms.collect_table_metrics()`

    const sessions = await one`
      select pid from pg_stat_activity where datname = ${name} and application_name = 'postgres_fdw'
    `
    t.is(sessions.length, 1)
    const locked = await one`
      select relation::regclass::text from pg_locks where pid = ${sessions[0]?.pid} and relation >= 16384
    `
    t.deepEqual([...locked], [])
    const lockedHere = await transaction`
      select relation::regclass::text
      from pg_locks
      where pid = pg_backend_pid() and relation::regclass::text ~ 'orders'
    `
    t.deepEqual([...lockedHere], [])
  })
})

const troubles: {
  what: string
  here?: string
  there?: string
  sqlstate: string
  message: RegExp
  failed?: string[]
  isRetryable?: boolean
}[] = [
  {
    what: 'nobody listens',
    here: `alter server shard_1 options (set port '1')`,
    sqlstate: '08001',
    message: /"shard_1".*Connection refused/,
    isRetryable: true,
  },
  {
    what: 'the database is unknown',
    here: `alter server shard_1 options (set dbname 'nowhere')`,
    sqlstate: '08001',
    message: /"shard_1".*"nowhere" does not exist/,
    isRetryable: true,
  },
  {
    what: 'there is no user mapping',
    here: 'drop user mapping for public server shard_1',
    sqlstate: '42704',
    message: /user mapping not found/,
  },
  {
    what: 'the user may not read it',
    here: `alter user mapping for public server shard_1 options (set user 'nobody', set password 'secret')`,
    there: `create role nobody login password 'secret'`,
    sqlstate: '42501',
    message: /^server shard_1: permission denied/,
  },
  {
    what: 'there is no such table',
    there: 'drop table public.orders_1',
    sqlstate: '42P01',
    message: /^server shard_1: relation "public\.orders_1" does not exist/,
    failed: ['orders', 'orders_1'],
  },
  {
    what: 'its count is an error',
    there: `
      drop table public.orders_1;
      create view public.orders_1 as select 1 / 0 * id as id from generate_series(1, 2) as id where 1 / (id - id) > 0
    `,
    sqlstate: '22012',
    message: /^server shard_1: division by zero/,
    failed: ['orders', 'orders_1'],
  },
  {
    what: 'its count takes too long for that server',
    here: `alter server shard_1 options (add options '-c statement_timeout=200')`,
    there: `drop table public.orders_1; ${slow('orders_1')}`,
    sqlstate: 'HV000',
    message: /^server shard_1: canceling statement/,
    failed: ['orders', 'orders_1'],
    isRetryable: true,
  },
]

for (const { what, here = '', there = '', sqlstate, message, isRetryable = false, failed } of troubles) {
  test(`a server that fails is the error of what lies there, and of nothing else: ${what}`, async (t) => {
    const { sql, one } = await spread(t)
    await one.unsafe(there)
    await sql.unsafe(here)

    const run = await collect(sql)

    t.is(run.status, 'FAILED')
    const measured = await sql<
      { table_name: string; row_count: string | null; error_sqlstate: string | null; error_message: string }[]
    >`
      select table_name, row_count, error_sqlstate, error_message
      from nms.table_metrics_measurements
      where run_id = ${run.run_id}
      order by table_name
    `
    const names = failed ?? ['orders', 'orders_1', 'orders_3']
    t.deepEqual(
      Object.fromEntries(
        measured.map((row) => [row.table_name, row.error_sqlstate ?? Number(row.row_count)]),
      ),
      Object.fromEntries(
        Object.entries(counts).map(([name, count]) => {
          const table = name.replace('public.', '')
          return [table, names.includes(table) ? sqlstate : count]
        }),
      ),
    )
    t.regex(measured.find(({ table_name }) => table_name === 'orders_1')?.error_message ?? '', message)
    t.regex(run.error_message ?? '', /mend|create|let/)
    const [helps] = await sql`select nms_private.is_retryable(run_id => ${run.run_id}) as again`
    t.is(helps?.again, isRetryable)
  })
}

test('a cancel while another server is asked ends the run, not just that count', async (t) => {
  const { sql, one, connect } = await spread(t)
  await one.unsafe(`drop table public.orders_1; ${slow('orders_1')}`)
  const session = connect()
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const running = session`select status, error_message from nms.collect_table_metrics()`
  await Promise.all([
    running,
    eventually(async () => {
      if (!(await isAsked(one))) return false
      await sql`select pg_cancel_backend(${pid})`
      return true
    }, 'the other server is asked'),
  ])

  const [run] = await running

  t.is(run?.status, 'FAILED')
  t.regex(run?.error_message, /57014/)
})

test('what a view on another server writes while it is counted does not stay', async (t) => {
  const { sql, one } = await spread(t)
  await one.unsafe(`
    drop table public.orders_1;
    create table public.written (id int);
    create function public.write() returns setof int language sql volatile
    as $$ insert into public.written values (1) returning id $$;
    create view public.orders_1 as select id from public.write() as id;
  `)

  const run = await collect(sql)

  t.is((await rowCounts(sql, run))['public.orders_1'], 1)
  const [{ rows }] = await one<[{ rows: string }]>`select count(*) as rows from public.written`
  t.is(Number(rows), 0)
})

test('a table that has the name of a part by now is not counted in its place', async (t) => {
  const sql = (await spread(t)).connect()
  await sql.unsafe(`
    create temporary table known as
      select array_agg(target) as targets
      from nms_private.find_targets('[]', '[]') as target
      where table_name in ('orders_1', 'orders_2');
    alter foreign table public.orders_1 rename to former;
    alter foreign table public.orders_3 rename to orders_1;
  `)

  const [answer] = await sql`
    select answer.* from known cross join nms_private.read_foreign(known.targets, null) as answer
  `

  t.like(answer, { row_counts: null, error_sqlstate: 'NM001' })
})

test('a statement asks eight servers at most, for sixteen tables each, and each table is in one', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create extension postgres_fdw;
    create extension file_fdw;
    create server files foreign data wrapper file_fdw;
    create table public.orders (id int) partition by list (id);
    create foreign table public.file_1 partition of public.orders for values in (-1) server files options (program 'true');
    create foreign table public.file_2 partition of public.orders for values in (-2) server files options (program 'true');
    do $$ begin
      for v_server in 0..9 loop
        execute format('create server shard_%s foreign data wrapper postgres_fdw', v_server);
      end loop;
      for v_part in 0..199 loop
        execute format(
          'create foreign table public.part_%1$s partition of public.orders for values in (%1$s) server shard_%2$s',
          v_part, v_part % 10
        );
      end loop;
    end $$;
  `)

  const found = await sql<{ names: string[] }[]>`
    select array(select table_name from unnest(grouped.batch)) as names
    from nms_private.foreign_batches(
      array(select target from nms_private.find_targets('[]', '[]') as target where table_kind = 'foreign table')
    ) as grouped
  `

  const names = found.map((row) => row.names)
  t.deepEqual(
    names.flat().sort(),
    ['file_1', 'file_2', ...Array.from({ length: 200 }, (_, part) => `part_${part}`)].sort(),
  )
  t.deepEqual(
    names.map((batch) => {
      const servers = Map.groupBy(batch, (name) => (name.startsWith('file') ? name : name.at(-1)))
      return [servers.size, Math.max(...[...servers.values()].map((tables) => tables.length))]
    }),
    [
      [1, 1],
      [1, 1],
      [8, 16],
      [8, 4],
      [2, 16],
      [2, 4],
    ],
  )
})

/** Counts while the other server empties a table and fills it again; what the counting waits for is that. */
async function countWhileEmptied<T>(t: ExecutionContext, one: Sql, counting: () => Promise<T>): Promise<T> {
  const emptying = await one.reserve()
  await emptying.unsafe(`
    begin;
    truncate public.orders_1;
    insert into public.orders_1 select generate_series(1, 12);
  `)
  const counted = counting()
  await eventually(async () => {
    const waiting = await one`
      select from pg_locks where not granted and relation = 'public.orders_1'::regclass
    `
    return waiting.length === 1
  }, 'the count waits over there')
  await emptying`commit`
  emptying.release()
  t.pass()
  return counted
}

for (const known of [false, true]) {
  test(`a part that is emptied and filled again while it is counted is not counted as empty: known before ${known}`, async (t) => {
    const { sql, one } = await spread(t)
    await sql`drop foreign table public.orders_2, public.orders_3, public.orders_4`
    if (known) t.is((await collect(sql)).status, 'SUCCEEDED')

    const run = await countWhileEmptied(t, one, () => collect(sql))

    t.is(run.status, 'FAILED')
    t.like(await rowCounts(sql, run), {
      'public.orders': null,
      'public.orders_1': null,
      'public.orders_0': 5,
    })
    const [failed] = await sql`
      select error_sqlstate from nms.table_metrics_measurements where run_id = ${run.run_id} and table_name = 'orders_1'
    `
    t.is(failed?.error_sqlstate, 'NM004')
    const [helps] = await sql`select nms_private.is_retryable(run_id => ${run.run_id}) as again`
    t.true(helps?.again)
    const next = await collect(sql)
    t.is(next.status, 'SUCCEEDED')
    t.like(await rowCounts(sql, next), { 'public.orders': 17, 'public.orders_1': 12 })
  })
}

test('a part that is empty is believed in another transaction, not in the same', async (t) => {
  const { sql, two } = await spread(t)
  await two`truncate public.orders_4`

  const statuses = await sql.begin(async (transaction) => {
    const runs = [await collect(transaction as never), await collect(transaction as never)]
    return runs.map(({ status }) => status)
  })
  t.deepEqual(statuses, ['FAILED', 'FAILED'])
  for (let time = 1; time <= 2; time++) {
    const run = await collect(sql)
    t.is(run.error_message, null)
    t.deepEqual(await rowCounts(sql, run), { ...counts, 'public.orders': 71, 'public.orders_4': 0 })
  }
})

for (const online of [false, true]) {
  test(`the command counts in one run what was emptied meanwhile, and what is empty: online ${online}`, async (t) => {
    const { sql, one, two, url } = await spread(t)
    await two`truncate public.orders_4`

    const run = await countWhileEmptied(t, one, () => collectTableMetrics(url, {}, { online }))

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await rowCounts(sql, run), {
      ...counts,
      'public.orders': 72,
      'public.orders_1': 12,
      'public.orders_4': 0,
    })
    const runs = await sql`select from nms.table_metrics_runs`
    t.is(runs.length, 1)
  })
}

test('a server that goes away while it counts takes nothing else along', async (t) => {
  const { sql, one, url, name } = await spread(t)
  await one.unsafe(`drop table public.orders_1; ${slow('orders_1')}`)
  const running = collectTableMetrics(url)
  let isOver = false
  running.finally(() => {
    isOver = true
  })
  await eventually(async () => {
    await one`
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where datname = ${name} and application_name = 'postgres_fdw' and wait_event = 'PgSleep'
    `
    return isOver
  }, 'the run ends')

  const run = await running

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /server shard_1 went away/)
  t.deepEqual(await rowCounts(sql, run), {
    ...counts,
    'public.orders': null,
    'public.orders_1': null,
    'public.orders_3': null,
  })
  const [helps] = await sql`select nms_private.is_retryable(run_id => ${run.run_id}) as again`
  t.true(helps?.again)
})
