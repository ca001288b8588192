import type { Run, Sql } from './database.ts'

/** Writes a filter; `test` is such as `{column: 'deleted_at', is: 'null'}`. */
export async function addFilter(sql: Sql, table: string, name: string, test: unknown): Promise<void> {
  const [schema, ...rest] = table.split('.')
  await sql`
    insert into nms.table_metrics_filters (schema_name, table_name, filter_name, filter)
    values (${schema as string}, ${rest.join('.')}, ${name}, ${sql.json(test as never)})
  `
}

/** What the filters of a run found as `{'schema.table name': rows}`; the SQLSTATE where they were not counted. */
export async function filteredCounts(
  sql: Sql,
  run: Pick<Run, 'run_id'>,
): Promise<Record<string, number | string>> {
  const rows = await sql<{ name: string; row_count: string | null; error_sqlstate: string }[]>`
    select format('%s.%s %s', schema_name, table_name, filter_name) as name, row_count, error_sqlstate
    from nms.table_metrics_filtered_counts
    where run_id = ${run.run_id}
    order by 1
  `
  return Object.fromEntries(
    rows.map(({ name, row_count, error_sqlstate }) => [
      name,
      row_count === null ? error_sqlstate : Number(row_count),
    ]),
  )
}
