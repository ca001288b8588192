import { execFileSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { collectTableMetrics } from '../../src/index.ts'
import { createDatabase, majorOf, type Sql } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { isAlive } from '../_support/process.ts'
import { type Shards, startShards } from '../_support/shards.ts'

/** A table with a part on another server, whose count there does not end, and one that has nothing to do with it. */
async function spread(t: ExecutionContext, { isSlow }: { isSlow: boolean }) {
  const shards = await startShards(1)
  t.teardown(() => shards.remove())
  const db = await createDatabase(t)
  const [there] = (await shards.attach(t, db)) as [Sql]
  await there.unsafe(
    isSlow
      ? 'create view public.orders_1 as select 1 as id from pg_sleep(600) offset 0'
      : 'create table public.orders_1 as select generate_series(1, 11) as id',
  )
  await db.sql.unsafe(`
    create table public.elsewhere as select generate_series(1, 7) as id;
    create table public.orders (id int) partition by list (id);
    create foreign table public.orders_1 partition of public.orders for values in (1) server shard_1;
  `)
  const isAsked = () =>
    eventually(
      async () => (await there`select from pg_stat_activity where wait_event = 'PgSleep'`).length === 1,
      'the other server counts',
    )
  return { ...db, shards, isAsked }
}

const kill = async ({ servers }: Shards) => {
  const pid = servers[0]?.pid ?? 0
  process.kill(pid, 'SIGQUIT')
  await eventually(async () => !isAlive(pid), 'the server has stopped')
}

/** Freezes every process of a server until the test ends. */
function freeze(t: ExecutionContext, { servers }: Shards): void {
  const pid = servers[0]?.pid ?? 0
  const children = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number)
  const all = [pid, ...children]
  for (const each of all) process.kill(each, 'SIGSTOP')
  t.teardown(() => {
    for (const each of all) if (isAlive(each)) process.kill(each, 'SIGCONT')
  })
}

const outcomes = async (sql: Sql, runId: string) =>
  Object.fromEntries(
    (
      await sql<{ table_name: string; outcome: string }[]>`
        select table_name, coalesce(error_sqlstate, row_count::text) as outcome
        from nms.table_metrics_measurements
        where run_id = ${runId}
      `
    ).map(({ table_name, outcome }) => [table_name, outcome]),
  )
const withoutIt = { elsewhere: '7', orders: '08001', orders_1: '08001' }

const countingSessions = async (sql: Sql) =>
  (
    await sql`
      select
      from pg_stat_activity
      where datname = current_database() and application_name <> 'test' and query ~ 'collect_table_metrics|measure_targets|count_elsewhere'
    `
  ).length

test('a server that dies while it counts is the error of what lies there, in the same run', async (t) => {
  const { sql, url, shards, isAsked } = await spread(t, { isSlow: true })
  const running = collectTableMetrics(url)
  await isAsked()

  await kill(shards)

  const run = await running
  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /public\.orders_1.*08001/)
  t.deepEqual(await outcomes(sql, run.run_id), withoutIt)
  const [helps] = await sql`select nms_private.is_retryable(run_id => ${run.run_id}) as again`
  t.true(helps?.again)
})

test('in one transaction, a server that dies while it counts is raised with its name', async (t) => {
  const { connect, shards, isAsked } = await spread(t, { isSlow: true })
  const refused = t.throwsAsync(connect()`select from nms.collect_table_metrics()`.execute(), {
    code: '08006',
    message: /server shard_1 went away while it counted public\.orders_1/,
  })
  await isAsked()

  await kill(shards)

  await refused
})

test('online, a server that dies while it counts is the error of what lies there, in the same run', async (t) => {
  const { sql, url, shards, isAsked } = await spread(t, { isSlow: true })
  const running = collectTableMetrics(url, {}, { online: true })
  await isAsked()

  await kill(shards)

  const run = await running
  t.is(run.status, 'FAILED')
  t.deepEqual(await outcomes(sql, run.run_id), withoutIt)
})

for (const online of [false, true]) {
  test(`a server that freezes while it counts keeps a run no longer than its deadline, ${online ? 'online' : 'as of one instant'}`, async (t) => {
    const { sql, url, shards, isAsked } = await spread(t, { isSlow: true })
    // Before, libpq waits for an answer to the cancel that it sends, for as long as it takes.
    if ((await majorOf(sql)) < 17) return t.pass()
    const running = collectTableMetrics(url, {}, { online, deadline: '5 s' })
    await isAsked()

    freeze(t, shards)

    const run = await inTime(60, running, 'the run ends')
    t.is(run.status, 'FAILED')
    t.regex(run.error_message ?? '', /deadline of 5 s passed/)
    await eventually(async () => (await countingSessions(sql)) === 0, 'no session counts any more')
  })
}

test('a server that is frozen before it is asked keeps a run no longer than connect_timeout, from 16 on than its deadline', async (t) => {
  const { sql, url, shards } = await spread(t, { isSlow: false })
  await sql`alter server shard_1 options (add connect_timeout '2')`
  freeze(t, shards)
  const major = await majorOf(sql)

  const run = await inTime(60, collectTableMetrics(url, {}, { deadline: '15 s' }), 'the run ends')

  t.is(run.status, 'FAILED')
  if (major < 16) t.deepEqual(await outcomes(sql, run.run_id), withoutIt)
  else t.regex(run.error_message ?? '', /deadline of 15 s passed/)
  await eventually(async () => (await countingSessions(sql)) === 0, 'no session counts any more')
})
