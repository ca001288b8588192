import type postgres from 'postgres'

/** Everything in the schemas nms and nms_private, a line each: its definition, privileges and comment. */
export async function fingerprint(sql: postgres.Sql | postgres.TransactionSql): Promise<string[]> {
  const rows = await sql.unsafe<{ line: string }[]>(query)
  return rows.map(({ line }) => line)
}

/** What only one of two fingerprints has. */
export function differences(before: string[], after: string[]): string[] {
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ]
}

const query = `
  with schema as (select oid, nspname, nspowner, nspacl from pg_namespace where nspname in ('nms', 'nms_private'))
  select format('schema %s %s %s', nspname, nspowner::regrole, nspacl) as line from schema
  union all
  select format('%s %s %s %s', pg_class.oid::regclass, relkind, relowner::regrole, relacl)
  from pg_class join schema on schema.oid = relnamespace
  union all
  select format(
    '%s.%s %s %s %s %s %s', attrelid::regclass, attname, attnum, format_type(atttypid, atttypmod), attnotnull,
    attacl, (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = attrelid and adnum = attnum)
  )
  from pg_attribute join pg_class on pg_class.oid = attrelid join schema on schema.oid = relnamespace
  where attnum > 0
  union all
  select format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
  from pg_constraint join schema on schema.oid = connamespace
  union all
  select pg_get_indexdef(indexrelid)
  from pg_index join pg_class on pg_class.oid = indexrelid join schema on schema.oid = relnamespace
  union all
  select pg_get_triggerdef(pg_trigger.oid)
  from pg_trigger join pg_class on pg_class.oid = tgrelid join schema on schema.oid = relnamespace
  where not tgisinternal
  union all
  select format('%s %s %s', proowner::regrole, proacl, pg_get_functiondef(pg_proc.oid))
  from pg_proc join schema on schema.oid = pronamespace
  where prokind in ('f', 'p')
  union all
  select format('%s %s', pg_class.oid::regclass, pg_get_viewdef(pg_class.oid))
  from pg_class join schema on schema.oid = relnamespace
  where relkind = 'v'
  union all
  select format('%s: %s', pg_describe_object(classoid, objoid, objsubid), description)
  from pg_description
  where pg_describe_object(classoid, objoid, objsubid) ~ '\\mnms(_private)?\\M'
  order by 1
`
