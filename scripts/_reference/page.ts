import type postgres from 'postgres'

type Described = { name: string; comment: string }

export async function referencePage(sql: postgres.Sql): Promise<string> {
  const page = [
    '# Reference',
    'Made from the comments in the catalogue by `npm run reference`. Everything is in the schema `nms`.',
    '## Tables',
    ...(await relations(sql, ['r'])),
    '## Views',
    ...(await relations(sql, ['v'])),
    '## Calls',
    'What members of the roles may execute: each says whose call it is.',
    ...(await calls(sql)),
  ]
  return `${page.join('\n\n')}\n`
}

async function relations(sql: postgres.Sql, kinds: string[]): Promise<string[]> {
  const found = await sql<(Described & { columns: (Described & { type: string })[] })[]>`
    select
      relation.relname as name,
      obj_description(relation.oid, 'pg_class') as comment,
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
    where relation.relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relation.relkind::text = any (${kinds})
    order by relation.relname
  `
  return found.flatMap(({ name, comment, columns }) => [
    `### nms.${name}`,
    comment,
    [
      '| column | type | |',
      '|---|---|---|',
      ...(columns ?? []).map((column) => `| \`${column.name}\` | ${column.type} | ${cell(column.comment)} |`),
    ].join('\n'),
  ])
}

async function calls(sql: postgres.Sql): Promise<string[]> {
  const found = await sql<(Described & { arguments: string; result: string; roles: string })[]>`
    select
      proname as name,
      pg_get_function_arguments(oid) as arguments,
      pg_get_function_result(oid) as result,
      obj_description(oid, 'pg_proc') as comment,
      (
        select string_agg(replace(grantee.rolname, 'table_metrics_', '') || 's', ', ' order by grantee.rolname)
        from pg_roles as grantee
        where
          grantee.rolname in (
            'table_metrics_collector', 'table_metrics_worker', 'table_metrics_maintainer', 'table_metrics_reader'
          )
          and has_function_privilege(grantee.oid, pg_proc.oid, 'execute')
      ) as roles
    from pg_proc
    where
      pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and (
        has_function_privilege('table_metrics_worker', oid, 'execute')
        or has_function_privilege('table_metrics_maintainer', oid, 'execute')
      )
    order by proname
  `
  return found.flatMap((call) => [
    `### nms.${call.name}`,
    `\`\`\`\n${call.name}(${call.arguments})\n  returns ${call.result}\n\`\`\``,
    `${call.comment} For ${call.roles}.`,
  ])
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
