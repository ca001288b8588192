import type postgres from 'postgres'

/** A table or view of the schema nms. */
export interface Relation {
  name: string
  kind: 'table' | 'view'
  comment: string
  is_maintained: boolean
  columns: { name: string; type: string; comment: string }[]
}

/** A function that members of a role may call. */
export interface Call {
  schema: string
  name: string
  arguments: string
  result: string
  comment: string
  roles: string
}

/** The tables and views of the schema nms, by name. */
export function relations(sql: postgres.Sql): Promise<Relation[]> {
  return sql<Relation[]>`
    select
      relation.relname as name,
      case relation.relkind when 'v' then 'view' else 'table' end as kind,
      obj_description(relation.oid, 'pg_class') as comment,
      has_table_privilege('table_metrics_maintainer', relation.oid, 'update') as is_maintained,
      (
        select json_agg(
          json_build_object(
            'name', attname,
            'type', format_type(atttypid, atttypmod),
            'comment', col_description(attrelid, attnum)
          )
          order by attnum
        )
        from pg_attribute
        where attrelid = relation.oid and attnum > 0 and not attisdropped
      ) as columns
    from pg_class as relation
    where relation.relnamespace = 'nms'::regnamespace and relation.relkind in ('r', 'v')
    order by relation.relname
  `
}

/** The functions that one of the roles may call, by name. */
export function calls(sql: postgres.Sql): Promise<Call[]> {
  return sql<Call[]>`
    select
      schema.nspname as schema,
      function.proname as name,
      pg_get_function_arguments(function.oid) as arguments,
      pg_get_function_result(function.oid) as result,
      obj_description(function.oid, 'pg_proc') as comment,
      granted.roles
    from pg_proc as function
    join pg_namespace as schema on schema.oid = function.pronamespace and schema.nspname in ('nms', 'nms_private')
    cross join lateral (
      select string_agg(replace(role.name, 'table_metrics_', '') || 's', ', ' order by role.place) as roles
      from unnest(
        array[
          'table_metrics_collector', 'table_metrics_worker', 'table_metrics_maintainer', 'table_metrics_reader',
          'table_metrics_requester'
        ]
      ) with ordinality as role (name, place)
      where has_function_privilege(role.name, function.oid, 'execute')
    ) as granted
    where granted.roles is not null
    order by function.proname, pg_get_function_identity_arguments(function.oid)
  `
}

/** What the runs say is to be done about a table that ended with this SQLSTATE; null when they have nothing to say. */
export async function remedyOf(sql: postgres.Sql, code: string): Promise<string | null> {
  const [{ remedy }] = await sql<[{ remedy: string | null }]>`
    select nullif(nms_private.remedy(${code}), nms_private.remedy('?????')) as remedy
  `
  return remedy
}
