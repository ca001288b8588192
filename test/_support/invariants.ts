import type { ExecutionContext } from 'ava'
import type { TestDatabase } from './database.ts'
import { collect, rowCounts, type Sql } from './database.ts'
import { eventually, hang, inTime } from './eventually.ts'

/** Notes every header as it is when its run ends, for `expectInvariants` to compare with later. */
export async function watchHeaders({ sql }: Pick<TestDatabase, 'sql'>): Promise<void> {
  await sql.unsafe(`
    create schema watch;
    create table watch.ended (run_id bigint primary key, header jsonb not null);
    create function watch.note() returns trigger language plpgsql security definer as $$
    begin
      insert into watch.ended values (new.run_id, to_jsonb(new)) on conflict do nothing;
      return null;
    end $$;
    create trigger note after insert or update on nms.table_metrics_runs
      for each row when (new.status <> 'RUNNING') execute function watch.note();
    update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{watch}'::text[];
  `)
}

/**
 * What holds whatever has happened, once every worker has stopped: nothing of theirs is left behind,
 * the next run succeeds and closes what was abandoned, and the history is whole.
 */
export async function expectInvariants(
  t: ExecutionContext,
  { sql }: Pick<TestDatabase, 'sql'>,
  counts: Record<string, number>,
  seconds = hang,
): Promise<void> {
  let left: string[] = []
  const isEmpty = async () => {
    left = await leftBehind(sql)
    return left.length === 0
  }
  await eventually(isEmpty, '', seconds).catch(() => undefined)
  t.deepEqual(left, [], 'nothing is left behind')

  await expectWholeHistory(t, sql, counts)

  // Until abandon_after has passed, what was abandoned may look as if it were alive.
  const anyRuns = async () => {
    const next = await inTime(hang, collect(sql), 'the next run has ended')
    t.is(next.status, 'SUCCEEDED', `the next run succeeds: ${next.error_message}`)
    return (await sql`select from nms.table_metrics_runs where status = 'RUNNING'`).length > 0
  }
  await eventually(async () => !(await anyRuns()), '', seconds).catch(() => undefined)
  t.false(await anyRuns(), 'no run is RUNNING without an owner')
  await expectWholeHistory(t, sql, counts)
}

async function expectWholeHistory(
  t: ExecutionContext,
  sql: Sql,
  counts: Record<string, number>,
): Promise<void> {
  t.deepEqual(Object.keys(counts).sort(), await tables(sql), 'the targets are the tables of this database')
  for (const { run_id } of await sql<{ run_id: string }[]>`
    select run_id from nms.table_metrics_runs where status = 'SUCCEEDED' order by run_id
  `) {
    t.deepEqual(await rowCounts(sql, { run_id }), counts, `run ${run_id} has each target once`)
  }
  t.deepEqual(await changedAfterTheEnd(sql), [], 'a terminal header never changes')
  t.deepEqual(await daysHeldByAnother(sql), [], 'each day holds its highest successful run')
  t.deepEqual(await unlikeItsStatus(sql), [], 'a run has a snapshot if and only if it has succeeded')
  t.deepEqual(await slotsServedTwice(sql), [], 'no slot has two successful runs')
}

const leftBehind = (sql: Sql) =>
  sql<{ what: string }[]>`
    select format('%s %s (%s): %s', backend_type, application_name, state, left(query, 80)) as what
    from pg_stat_activity
    where
      datname = current_database()
      and backend_type in ('client backend', 'parallel worker')
      and application_name <> 'test'
    union all
    select format('%s on %s', lock.mode, coalesce(lock.relation::regclass::text, lock.locktype))
    from pg_locks as lock
    left join pg_stat_activity as session using (pid)
    where
      lock.database = (select oid from pg_database where datname = current_database())
      and coalesce(session.application_name, '') <> 'test'
      and coalesce(session.backend_type, 'client backend') <> 'autovacuum worker'
    union all
    select format('prepared transaction %s', gid) from pg_prepared_xacts where database = current_database()
  `.then((rows) => rows.map(({ what }) => what))

// Of terminal headers, those that are not any more what they were.
const changedAfterTheEnd = (sql: Sql) =>
  sql`
  select ended.header, to_jsonb(run) as now
  from watch.ended
  left join nms.table_metrics_runs as run on run.run_id = ended.run_id
  where ended.header is distinct from to_jsonb(run)
`.then((rows) => [...rows])

/** As `schema.table`. */
const tables = async (sql: Sql) => {
  const rows = await sql<{ name: string }[]>`
    select nspname || '.' || relname as name
    from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace
    where
      relkind in ('r', 'p')
      and nspname not in ('information_schema', 'nms', 'nms_private', 'watch', 'graphile_migrate')
      and nspname !~ '^pg_|_worker$'
  `
  return rows.map(({ name }) => name).sort()
}

const daysHeldByAnother = (sql: Sql) =>
  sql`
  select *
  from nms.table_metrics_daily_snapshot as day
  full join (
    select snapshot_date, max(run_id) as last_run_id
    from nms.table_metrics_runs
    where status = 'SUCCEEDED'
    group by snapshot_date
  ) as successful using (snapshot_date)
  full join nms.table_metrics_run_snapshot as snapshot on snapshot.run_id = day.run_id
  where
    snapshot_date is not null
    and (day.run_id is distinct from last_run_id or day.payload is distinct from snapshot.payload)
`.then((rows) => [...rows])

const unlikeItsStatus = (sql: Sql) =>
  sql`
  select run_id, status, payload
  from nms.table_metrics_runs
  full join nms.table_metrics_run_snapshot using (run_id)
  where (status = 'SUCCEEDED') is distinct from (payload is not null)
`.then((rows) => [...rows])

const slotsServedTwice = (sql: Sql) =>
  sql`
  select scheduled_for, count(*)
  from nms.table_metrics_runs
  where status = 'SUCCEEDED' and scheduled_for is not null
  group by scheduled_for
  having count(*) > 1
`.then((rows) => [...rows])
