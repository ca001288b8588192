import type { Sql } from '../connection/database.ts'

/** A table that some run has met; it may be gone. */
export interface KnownTable {
  schema_name: string
  table_name: string
}

/**
 * The table of the history that a name stands for: schema and table with a dot between, each spelled
 * as the catalogue does or quoted as in SQL.
 *
 * @throws for a name that no run has met, with those that are most like it
 */
export async function readKnownTable(sql: Sql, name: string): Promise<KnownTable> {
  const found = await sql<(KnownTable & { quoted: string })[]>`
    select distinct
      schema.name as schema_name,
      relation.name as table_name,
      format('%I.%I', schema.name, relation.name) as quoted
    from generate_series(2, length(${name}::text) - 1) as dot
    cross join lateral (values (left(${name}, dot - 1), substr(${name}, dot + 1))) as part (before, after)
    cross join lateral (
      values (part.before), (replace(substring(part.before from '^"((?:[^"]|"")+)"$'), '""', '"'))
    ) as schema (name)
    cross join lateral (
      values (part.after), (replace(substring(part.after from '^"((?:[^"]|"")+)"$'), '""', '"'))
    ) as relation (name)
    where
      substr(${name}, dot, 1) = '.'
      and exists (
        select from nms.table_metrics_measurements as measurement
        where measurement.schema_name = schema.name and measurement.table_name = relation.name
      )
  `
  const [table] = found
  if (!table) throw await unknownTable(sql, name)
  if (found.length === 1) return table
  throw new Error(`${name} is more than one table: type ${found.map(({ quoted }) => quoted).join(' or ')}`)
}

/** Names are alike that share pairs of neighbouring letters, in their last part above all. */
async function unknownTable(sql: Sql, name: string): Promise<Error> {
  const alike = await sql<{ name: string }[]>`
    with recursive known as (
      (
        select schema_name, table_name
        from nms.table_metrics_measurements
        order by schema_name, table_name
        limit 1
      )
      union all
      select next.schema_name, next.table_name
      from known
      cross join lateral (
        select measurement.schema_name, measurement.table_name
        from nms.table_metrics_measurements as measurement
        where (measurement.schema_name, measurement.table_name) > (known.schema_name, known.table_name)
        order by measurement.schema_name, measurement.table_name
        limit 1
      ) as next
    ),
    pairs_of (text, pairs) as materialized (
      select text, array(select distinct substr(' ' || lower(text) || ' ', n, 2) from generate_series(1, length(text) + 1) as n)
      from (
        select table_name::text from known
        union select schema_name::text from known
        union values (regexp_replace(${name}::text, '^.*\\.', '')), (coalesce(substring(${name} from '^(.*)\\.'), ''))
      ) as part (text)
    )
    select known.schema_name || '.' || known.table_name as name
    from known
    join pairs_of as of_table on of_table.text = known.table_name
    join pairs_of as of_schema on of_schema.text = known.schema_name
    join pairs_of as asked_table on asked_table.text = regexp_replace(${name}::text, '^.*\\.', '')
    join pairs_of as asked_schema on asked_schema.text = coalesce(substring(${name} from '^(.*)\\.'), '')
    cross join lateral (
      select
        2.0 * (select count(*) from unnest(of_table.pairs) as pair where pair = any (asked_table.pairs))
          / (cardinality(of_table.pairs) + cardinality(asked_table.pairs)) as table_likeness,
        2.0 * (select count(*) from unnest(of_schema.pairs) as pair where pair = any (asked_schema.pairs))
          / (cardinality(of_schema.pairs) + cardinality(asked_schema.pairs)) as schema_likeness
    ) as likeness
    where likeness.table_likeness > 0.3
    order by 3 * likeness.table_likeness + likeness.schema_likeness desc, name
    limit 3
  `
  const names = alike.map(({ name: known }) => known).join(', ')
  return new Error(
    `no run has met a table ${name}: ${names ? `did you mean ${names}?` : 'expected schema.table, type table-metrics daily to see them all'}`,
  )
}
