import { collect, type Run, type Sql, type TestDatabase, untilItWaits } from './database.ts'

/** A partitioned table of seven rows, in two partitions. */
export const partitioned = `
  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  insert into public.sales select 1, generate_series(1, 3);
  insert into public.sales select 2, generate_series(1, 4);
`

/** A table that is the child of two others, which are children of a fourth. */
export const diamond = `
  create table public.persons (id int);
  create table public.authors () inherits (public.persons);
  create table public.editors () inherits (public.persons);
  create table public.both () inherits (public.authors, public.editors);
  insert into public.persons select generate_series(1, 2);
  insert into public.authors select generate_series(1, 3);
  insert into public.editors select generate_series(1, 5);
  insert into public.both select generate_series(1, 7);
`

/** A newer file than the blocker's: counted before it. */
export const early = `
  create table public.early (id int primary key);
  insert into public.early select generate_series(1, 6000);
  analyze public.early;
`

/** Counted after the blocker. */
export const late =
  'create table public.late (id int primary key); insert into public.late values (1), (2), (3)'

/** Starts a run and returns as soon as it waits for a lock: after all large tables, before all small ones. */
export async function startCollecting(
  db: TestDatabase,
  tables: string,
  exclude: string[] = [],
  counted = '',
) {
  await db.sql.unsafe(`
    ${tables};
    create table public.blocker as select generate_series(1, 3000) as id;
    analyze public.blocker;
    ${counted};
    update nms.table_metrics_settings set lock_timeout = '1 min';
  `)
  const [blocker, collector] = [db.connect(), db.connect()]
  const [{ pid }] = await collector<[{ pid: number }]>`select pg_backend_pid() as pid`
  await blocker.unsafe('begin; lock table public.blocker in access exclusive mode')
  const collecting = collect(collector, { exclude })
  await untilItWaits(db.sql, pid)
  return {
    pid,
    finish: async (): Promise<Run> => {
      await blocker`commit`
      return collecting
    },
  }
}

/** SQLSTATEs of the tables that could not be counted. */
export async function failures(sql: Sql, run: Run): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; error_sqlstate: string }[]>`
    select schema_name || '.' || table_name as name, error_sqlstate
    from nms.table_metrics_measurements
    where run_id = ${run.run_id} and error_sqlstate is not null
    order by 1
  `
  return Object.fromEntries(rows.map(({ name, error_sqlstate }) => [name, error_sqlstate]))
}

/** What a run has written as its snapshot; undefined for none. */
export async function payload(sql: Sql, run: Run): Promise<unknown> {
  const [snapshot] = await sql`
    select payload from nms.table_metrics_run_snapshot where run_id = ${run.run_id}
  `
  return snapshot?.payload
}

/** The measurements of a run as its payload should be. */
export async function measuredAsPayload(sql: Sql, run: Run): Promise<unknown> {
  const rows = await sql<{ schema_name: string; table_name: string; row_count: string }[]>`
    select schema_name, table_name, row_count from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  const expected: Record<string, Record<string, number>> = {}
  for (const { schema_name, table_name, row_count } of rows) {
    expected[schema_name] = { ...expected[schema_name], [table_name]: Number(row_count) }
  }
  return expected
}
