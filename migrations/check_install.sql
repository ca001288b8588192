-- The beginning of every install, in its transaction: refuses to work on anything that somebody else has put in our
-- place. check_earlier.sql comes after it.
--
-- nms.tables: what this version has, {schema.table: {"parts": [column or constraint, …], "triggers": […]}}.
-- nms.keeps_history = on: graphile-migrate's history is kept, too.

-- Names mean the built-in ones, whatever lies in the session's path.
set local search_path = pg_catalog, pg_temp;

-- Rather than making readers queue behind an install that waits for somebody.
set local lock_timeout = '10 s';

-- First, so that nobody else can make them while this looks around.
do $$
begin
  if to_regnamespace('nms') is null then
    create schema nms;
  end if;
  if to_regnamespace('nms_private') is null then
    create schema nms_private;
  end if;
  if current_setting('nms.keeps_history') = 'on' and to_regnamespace('graphile_migrate') is null then
    create schema graphile_migrate;
  end if;
end
$$;

-- Whoever owns a schema or an object in it decides what it does.
do $$
declare
  v_keeps_history constant boolean := current_setting('nms.keeps_history') = 'on';
  v_found record;
begin
  -- The superuser of initdb owns what has no entry here.
  select pg_describe_object(dependency.classid, dependency.objid, dependency.objsubid) as object, owner.rolname as owner
  into v_found
  from pg_shdepend as dependency
  join pg_roles as owner on owner.oid = dependency.refobjid
  cross join lateral pg_identify_object(dependency.classid, dependency.objid, dependency.objsubid) as identified
  cross join lateral (
    select
      case dependency.classid when 'pg_namespace'::regclass then identified.name else identified.schema end as name
  ) as place
  where
    dependency.dbid = (select db.oid from pg_database as db where db.datname = current_database())
    and dependency.refclassid = 'pg_authid'::regclass
    and dependency.deptype = 'o'
    and (place.name in ('nms', 'nms_private') or (v_keeps_history and place.name = 'graphile_migrate'))
    and not (owner.rolsuper or owner.rolname in (current_user, 'table_metrics_owner'))
    and not (
      owner.rolname = 'table_metrics_nobody'
      and dependency.classid = 'pg_proc'::regclass
      and dependency.objid is not distinct from to_regprocedure('nms_private.call_as_nobody(oid)')::oid
    )
  order by dependency.classid <> 'pg_namespace'::regclass, identified.identity collate "C"
  limit 1;
  if found then
    raise exception '% belongs to %: nothing was installed', v_found.object, quote_ident(v_found.owner)
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('expected there only what belongs to %I, a superuser or table_metrics_owner', current_user),
        hint = case
          when v_found.object ~ '\mgraphile_migrate\M' then
            'Leave it to its owner, and install with: table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"'
          else
            format('Drop or rename it. If it is an install that you trust, install as %I.', v_found.owner)
        end;
  end if;
end
$$;

-- Nor may anybody have put code on our tables, which would run with the rights of the installer.
do $$
declare
  v_keeps_history constant boolean := current_setting('nms.keeps_history') = 'on';
  v_tables constant jsonb := current_setting('nms.tables');
  v_found record;
begin
  -- From here on, none can be put on the one table that is written to when it exists.
  if v_keeps_history and to_regclass('graphile_migrate.migrations') is not null then
    lock table graphile_migrate.migrations in share row exclusive mode;
  end if;

  with
    ours as (
      select
        relation.oid,
        relation.relkind = 'r' as is_table,
        relation.relrowsecurity as has_row_security,
        relation.relowner as owner,
        coalesce(v_tables -> name.qualified -> 'triggers', '[]') as triggers
      from pg_class as relation
      join pg_namespace as schema on schema.oid = relation.relnamespace
      cross join lateral concat_ws('.', schema.nspname, relation.relname) as name (qualified)
      where
        (v_tables ? name.qualified and relation.relkind not in ('c', 'i', 'I', 'S'))
        or (v_keeps_history and schema.nspname = 'graphile_migrate' and relation.relname in ('migrations', 'current'))
    ),
    attached (class, id, relation) as (
      select 'pg_class'::regclass, ours.oid, ours.oid from ours
      union all
      select 'pg_class'::regclass, index.indexrelid, ours.oid from ours join pg_index as index on index.indrelid = ours.oid
      union all
      select 'pg_constraint'::regclass, con.oid, ours.oid from ours join pg_constraint as con on con.conrelid = ours.oid
      union all
      select 'pg_attrdef'::regclass, def.oid, ours.oid from ours join pg_attrdef as def on def.adrelid = ours.oid
      union all
      select 'pg_trigger'::regclass, trigger.oid, ours.oid
      from ours
      join pg_trigger as trigger on trigger.tgrelid = ours.oid
      where not trigger.tgisinternal
    ),
    strange (class, id, sub, relation, why) as (
      select 'pg_class'::regclass, ours.oid, 0, ours.oid, 'is no table' from ours where not ours.is_table
      union all
      select 'pg_class'::regclass, ours.oid, 0, ours.oid, 'has row-level security' from ours where ours.has_row_security
      union all
      select 'pg_class'::regclass, ours.oid, 0, ours.oid, 'is part of another table'
      from ours
      join pg_inherits as inheritance on ours.oid in (inheritance.inhrelid, inheritance.inhparent)
      union all
      select 'pg_policy'::regclass, policy.oid, 0, ours.oid, 'is not ours'
      from ours
      join pg_policy as policy on policy.polrelid = ours.oid
      union all
      select 'pg_rewrite'::regclass, rule.oid, 0, ours.oid, 'is not ours'
      from ours
      join pg_rewrite as rule on rule.ev_class = ours.oid
      where ours.is_table
      union all
      select 'pg_trigger'::regclass, trigger.oid, 0, ours.oid, 'is not ours'
      from ours
      join pg_trigger as trigger on trigger.tgrelid = ours.oid
      where not trigger.tgisinternal and not ours.triggers ? trigger.tgname
      union all
      -- What is built in is recorded nowhere as needed.
      select
        attached.class, attached.id, dependency.objsubid, attached.relation,
        format('needs %s', pg_describe_object(dependency.refclassid, dependency.refobjid, dependency.refobjsubid))
      from attached
      join pg_depend as dependency on dependency.classid = attached.class and dependency.objid = attached.id
      cross join lateral pg_identify_object(dependency.refclassid, dependency.refobjid, 0) as needed
      where
        needed.schema not in ('pg_catalog', 'nms', 'nms_private')
        and not (
          needed.schema = 'graphile_migrate'
          and dependency.refclassid in ('pg_class'::regclass, 'pg_constraint'::regclass)
        )
    )
  select
    pg_describe_object(strange.class, strange.id, strange.sub) as object,
    strange.why,
    ours.oid::regclass as relation,
    owner.rolname as owner
  into v_found
  from strange
  join ours on ours.oid = strange.relation
  join pg_roles as owner on owner.oid = ours.owner
  order by 1
  limit 1;
  if found then
    raise exception '% %: nothing was installed', v_found.object, v_found.why
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format(
          '%s belongs to %I; expected a plain table with nothing on it but what table-metrics puts there',
          v_found.relation, v_found.owner
        ),
        hint = format('Ask %I what it is for, and drop it: it would act with your rights.', v_found.owner);
  end if;
end
$$;

-- Without the tables of nms, nothing that nms_private has left is worth keeping.
do $$
begin
  if to_regclass('nms.table_metrics_runs') is null and to_regtype('nms_private.target') is not null then
    drop schema nms_private cascade;
    create schema nms_private;
  end if;
end
$$;

-- As graphile-migrate makes them.
do $$
begin
  if current_setting('nms.keeps_history') = 'on' then
    create table if not exists graphile_migrate.migrations (
      hash text primary key,
      previous_hash text references graphile_migrate.migrations,
      filename text not null,
      date timestamptz not null default now()
    );
    create table if not exists graphile_migrate.current (
      filename text primary key default 'current.sql',
      content text not null,
      date timestamptz not null default now()
    );
  end if;
end
$$;
