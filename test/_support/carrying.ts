import type { ExecutionContext } from 'ava'
import { collect, createDatabase, majorOf, type Sql, type TestDatabase } from './database.ts'

/** What a run found for one table. */
export interface Found {
  count: number | null
  method: string
  from: number | null
}

export interface Carrying {
  db: TestDatabase
  /** The one session that collects: others would have to settle first. */
  sql: Sql
  /** False before PostgreSQL 15, where everything is counted. */
  carries: boolean
  /** Runs the collector; what is named is counted to compare, without a name nothing is. Keys are `schema.table`. */
  run(verified?: string): Promise<Record<string, Found>>
}

/** A database whose counts are carried at once, with these tables in it and a base for each of them. */
export async function createCarrying(
  t: ExecutionContext,
  tables: string,
  database: TestDatabase | undefined = undefined,
): Promise<Carrying> {
  const db = database ?? (await createDatabase(t))
  const sql = db.connect()
  const carries = (await majorOf(sql)) >= 15
  await sql.unsafe(tables)
  await sql`insert into nms.table_metrics_count_rules (method, shadow) values ('carried', '0')`
  await flush(sql)
  const carrying = { db, sql, carries, run: (verified?: string) => run(sql, verified) }
  await carrying.run()
  return carrying
}

/** Lets a session tell the server what it has changed when it goes idle, as it does without that within ten seconds. */
export async function flush(sql: Sql): Promise<void> {
  if ((await majorOf(sql)) >= 15) await sql`select pg_stat_force_next_flush()`
}

async function run(sql: Sql, verified?: string): Promise<Record<string, Found>> {
  await prepareRun(sql, verified)
  const header = await collect(sql)
  if (header.status !== 'SUCCEEDED') throw new Error(header.error_message ?? header.status)
  return foundBy(sql, header.run_id)
}

/** Gives the next run a number with which only what is named is counted to compare: few small tables have their turn by it. */
export async function prepareRun(sql: Sql, verified?: string): Promise<void> {
  await sql.unsafe(`
    do $$
    declare
      v_first constant bigint := coalesce((select max(run_id) from nms.table_metrics_runs), 0) + 1;
      v_next bigint := v_first;
      v_verified oid := to_regclass(${verified === undefined ? 'null' : `'${verified}'`});
    begin
      while exists (
        select
        from pg_class as relation
        where
          relation.relkind = 'r'
          and relation.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          and relation.relnamespace not in ('nms'::regnamespace, 'nms_private'::regnamespace)
          and case
            when v_verified is null then (v_next + relation.oid::bigint) % 14 = 0
            else relation.oid = v_verified and (v_next + relation.oid::bigint) % 14 <> 0
          end
      ) loop
        v_next := v_next + 1;
        assert v_next % 14 <> v_first % 14, 'each number lets some table be counted: too many tables';
      end loop;
      perform setval(pg_get_serial_sequence('nms.table_metrics_runs', 'run_id'), v_next, false);
    end
    $$
  `)
}

export async function foundBy(sql: Sql, run_id: string): Promise<Record<string, Found>> {
  const rows = await sql<{ name: string; row_count: string; method: string; carried_from_run: string }[]>`
    select schema_name || '.' || table_name as name, row_count, method, carried_from_run
    from nms.table_metrics_measurements
    where run_id = ${run_id}
    order by 1
  `
  return Object.fromEntries(
    rows.map(({ name, row_count, method, carried_from_run }) => [
      name,
      {
        count: row_count === null ? null : Number(row_count),
        method,
        from: carried_from_run === null ? null : Number(carried_from_run),
      },
    ]),
  )
}

/** How many rows a count would have that believes the counters of the server. */
export async function naive(sql: Sql, table: string): Promise<number | null> {
  const [base] = await sql<{ own_row_count: string }[]>`
    select base.own_row_count
    from nms_private.bases as base
    where
      base.table_oid = ${table}::regclass
      and base.filenode = pg_relation_filenode(base.table_oid)
      and (select pg_stat_clear_snapshot() is not null)
      and base.inserted = pg_stat_get_tuples_inserted(base.table_oid)
      and base.deleted = pg_stat_get_tuples_deleted(base.table_oid)
  `
  return base ? Number(base.own_row_count) : null
}
