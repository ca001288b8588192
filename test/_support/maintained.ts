import type { Run, Sql } from './database.ts'

/** Makes a table of this many rows whose count is maintained, and has it counted. */
export async function maintained(sql: Sql, table: string, rows: number): Promise<void> {
  await sql.unsafe(`
    create table ${table} (id bigint primary key, note text);
    insert into ${table} select generate_series(1, ${rows});
  `)
  await sql`select nms.maintain_count(${table}::text::regclass)`
  await sql`select nms.fold_counts()`
}

/** What is maintained, and what a plain count shows in the same statement; with what that was about. */
export async function counts(sql: Sql, table: string, what = ''): Promise<[number, number, string]> {
  const [row] = await sql<[{ maintained: string; counted: string }]>`
    select
      nms.current_count(${table}::text::regclass) as maintained,
      (select count(*) from ${sql(table)}) as counted
  `
  return [Number(row.maintained), Number(row.counted), what]
}

/** The methods of a run's measurements as `{'schema.table': method}`. */
export async function methods(sql: Sql, run: Pick<Run, 'run_id'>): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; method: string }[]>`
    select schema_name || '.' || table_name as name, method
    from nms.table_metrics_measurements
    where run_id = ${run.run_id}
  `
  return Object.fromEntries(rows.map(({ name, method }) => [name, method]))
}
