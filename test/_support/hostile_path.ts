import type { Sql } from './database.ts'

// What a stranger may leave where a session looks names up. Each of it raises when it is used, and
// counts that on a sequence, which forgets nothing when the error is caught.
const traps = `
  create schema evil;
  grant usage, create on schema evil to public;
  create sequence evil.calls;
  grant all on sequence evil.calls to public;

  create function evil.spring(what pg_catalog.text) returns pg_catalog.bool
  language plpgsql set search_path = pg_catalog as $$
  begin
    perform nextval('evil.calls');
    raise exception 'evil ran: %', what;
  end
  $$;

  create function evil.plant(statement pg_catalog.text, what pg_catalog.text default '') returns pg_catalog.int4
  language plpgsql set search_path = pg_catalog as $$
  declare
    v_body constant text := format(
      'language plpgsql set search_path = pg_catalog as $trap$ begin perform evil.spring(%L); end $trap$',
      what
    );
  begin
    execute replace(statement, '<trap>', v_body);
    return 1;
  exception
    -- Not everything can be written in plpgsql, or is there already.
    when others then
      return 0;
  end
  $$;
`

/** A trap for each function, operator, aggregate, type and relation of pg_catalog, in the schema evil. */
const shadows = `
  select coalesce(sum(evil.plant(
    format(
      'create function evil.%I(%s) returns %s <trap>',
      proname, pg_get_function_arguments(oid), pg_get_function_result(oid)
    ),
    'function ' || oid::regprocedure
  )), 0) as planted
  from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f';

  select coalesce(sum(
    evil.plant(
      format(
        'create function evil.%I(%s) returns %s <trap>',
        'operator_' || oid, concat_ws(', ', nullif(oprleft, 0)::regtype, oprright::regtype), oprresult::regtype
      ),
      'operator ' || oid::regoperator
    )
    + evil.plant(format(
      'create operator evil.%s (function = evil.%I, %s rightarg = %s)',
      oprname, 'operator_' || oid, case when oprleft <> 0 then format('leftarg = %s,', oprleft::regtype) end, oprright::regtype
    ))
  ), 0) as planted
  from pg_operator where oprnamespace = 'pg_catalog'::regnamespace;

  select coalesce(sum(
    evil.plant(
      format('create function evil.%I(%s) returns int8 <trap>', 'step_' || oid, concat_ws(', ', 'int8', nullif(pg_get_function_arguments(oid), ''))),
      'aggregate ' || oid::regprocedure
    )
    + evil.plant(format(
      'create aggregate evil.%I(%s) (sfunc = evil.%I, stype = int8)',
      proname, coalesce(nullif(pg_get_function_arguments(oid), ''), '*'), 'step_' || oid
    ))
  ), 0) as planted
  from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'a';

  select coalesce(sum(evil.plant(
    format('create domain evil.%I as pg_catalog.%1$I check (evil.spring(%L))', typname, 'type ' || typname)
  )), 0) as planted
  from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b' and typelem = 0;

  select coalesce(sum(evil.plant(
    format('create view evil.%I as select * from pg_catalog.%1$I where evil.spring(%L)', relname, 'relation ' || relname)
  )), 0) as planted
  from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v');

  select coalesce(sum(evil.plant(format('grant select on evil.%I to public', relname))), 0) as planted
  from pg_class where relnamespace = 'evil'::regnamespace and relkind = 'v';
`

const types = `
  array['text', 'name', 'int4', 'int8', 'oid', 'regclass', 'regtype', 'jsonb', 'json', 'date', 'timestamptz', 'interval', 'numeric', 'float8', 'bool', '"char"']
`

/** In public, what fits exactly where pg_catalog has something for any type, or something that takes a cast. */
const matches = `
  select coalesce(sum(evil.plant(
    format('create function public.%I(%s) returns %s <trap>', called.proname, signature.arguments, signature.result),
    format('function public.%s(%s)', called.proname, signature.arguments)
  )), 0) as planted
  from pg_proc as called
  cross join unnest(${types}) as type
  cross join lateral (
    select
      string_agg(
        case
          when argument::regtype::text in ('anyarray', 'anycompatiblearray') then type || '[]'
          when argument::regtype::text in ('anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray', '"any"') then type
          else argument::regtype::text
        end,
        ', ' order by place
      ),
      case
        when called.prorettype::regtype::text in ('anyarray', 'anycompatiblearray') then type || '[]'
        when called.prorettype::regtype::text in ('anyelement', 'anycompatible')
          then case when called.proretset then 'setof ' else '' end || type
        else case when called.proretset then 'setof ' else '' end || called.prorettype::regtype
      end
    from unnest(called.proargtypes) with ordinality as argument (argument, place)
  ) as signature (arguments, result)
  where
    called.pronamespace = 'pg_catalog'::regnamespace
    and called.prokind = 'f'
    and called.proallargtypes is null
    and exists (select from unnest(called.proargtypes) as argument where argument::regtype::text like '%any%');

  select coalesce(sum(evil.plant(
    format('create function public.%I(%s) returns %s <trap>', called.name, concat_ws(', ', called.first, repeat('text, ', n) || 'text'), called.result),
    'function public.' || called.name
  )), 0) as planted
  from (values
    ('format', null, 'text'), ('concat', null, 'text'), ('concat_ws', null, 'text'), ('jsonb_build_object', null, 'jsonb'),
    ('json_build_object', null, 'json'), ('jsonb_build_array', null, 'jsonb')
  ) as called (name, first, result)
  cross join generate_series(0, 7) as n;

  select coalesce(sum(
    evil.plant(
      format('create function evil.%I(%s, %s) returns %s <trap>', format('match %s %s %s', name, of_left, of_right), of_left, of_right, result),
      format('operator public.%s(%s, %s)', name, of_left, of_right)
    )
    + evil.plant(format(
      'create operator public.%s (function = evil.%I, leftarg = %s, rightarg = %s)',
      name, format('match %s %s %s', name, of_left, of_right), of_left, of_right
    ))
  ), 0) as planted
  from (values ('=', 'bool'), ('<>', 'bool'), ('<', 'bool'), ('>', 'bool'), ('>=', 'bool'), ('<=', 'bool'), ('||', 'text')) as operator (name, result)
  cross join unnest(${types}) as of_left
  cross join unnest(${types}) as of_right
  where not exists (
    select from pg_operator
    where oprname = name and oprleft = of_left::regtype and oprright = of_right::regtype
  );

  select coalesce(sum(
    evil.plant(
      format('create function evil.%I(int8, %s) returns int8 <trap>', format('match %s %s', name, arguments), arguments),
      format('aggregate public.%s(%s)', name, arguments)
    )
    + evil.plant(format(
      'create aggregate public.%I(%s) (sfunc = evil.%I, stype = int8)', name, arguments, format('match %s %s', name, arguments)
    ))
  ), 0) as planted
  from unnest(${types}) as first
  cross join lateral (
    select name, first from unnest(array['count', 'array_agg', 'jsonb_agg', 'json_agg', 'max', 'min', 'sum']) as name
    union all
    select name, format('%s, %s', first, second)
    from unnest(array['jsonb_object_agg', 'json_object_agg', 'string_agg']) as name
    cross join unnest(${types}) as second
  ) as aggregate (name, arguments)
  where not exists (
    select from pg_proc
    where
      pronamespace = 'pg_catalog'::regnamespace and proname = name and prokind = 'a'
      and pg_get_function_identity_arguments(oid) = arguments
  );
`

/** Where a session of the victim finds what is not ours. */
export const paths = {
  'public, beside pg_catalog': { path: '"$user", public', planting: matches, atLeast: 3_000 },
  'a schema before pg_catalog': { path: 'evil, pg_catalog, public', planting: shadows, atLeast: 3_000 },
}

/** Lays the traps. Resolves to how many there are. */
export async function plantTraps(sql: Sql, planting: string): Promise<number> {
  const results = await sql.begin(async (transaction) => {
    await transaction.unsafe(`${traps}; set local search_path = pg_catalog;`)
    const all: { planted: string }[] = []
    for (const statement of planting.split(/;\n/).filter((text) => text.trim() !== '')) {
      all.push(...(await transaction.unsafe<{ planted: string }[]>(statement)))
    }
    return all
  })
  return results.reduce((sum, { planted }) => sum + Number(planted), 0)
}

/** Whether anything of it ran. */
export async function hasSprung(sql: Sql): Promise<boolean> {
  const [row] = await sql.unsafe<[{ is_called: boolean }]>('select is_called from evil.calls')
  return row.is_called
}
