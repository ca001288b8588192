-- Removes table metrics from one database, with all that it has kept. Its roles stay: docs/operations.md tells how they go.
--
-- nms.hashes: the migrations of this version, as a text array. Of another name, the schema of graphile-worker is given
-- in nms.worker_schema.

set local search_path = pg_catalog, pg_temp;

-- Rather than making readers queue behind this while it waits for a run.
set local lock_timeout = '10 s';

-- What somebody else has built on it is not ours to drop.
do $$
declare
  v_found record;
begin
  select
    pg_describe_object(dependent.classid, dependent.objid, 0) as object,
    pg_describe_object(dependency.refclassid, dependency.refobjid, 0) as needed
  into v_found
  from pg_depend as dependency
  cross join lateral pg_identify_object(dependency.refclassid, dependency.refobjid, 0) as ours
  cross join lateral (
    select coalesce(
      (select rule.ev_class from pg_rewrite as rule where dependency.classid = 'pg_rewrite'::regclass and rule.oid = dependency.objid),
      (select def.adrelid from pg_attrdef as def where dependency.classid = 'pg_attrdef'::regclass and def.oid = dependency.objid),
      (select con.conrelid from pg_constraint as con where dependency.classid = 'pg_constraint'::regclass and con.oid = dependency.objid),
      (select trigger.tgrelid from pg_trigger as trigger where dependency.classid = 'pg_trigger'::regclass and trigger.oid = dependency.objid),
      (select policy.polrelid from pg_policy as policy where dependency.classid = 'pg_policy'::regclass and policy.oid = dependency.objid)
    ) as oid
  ) as relation
  cross join lateral (
    select
      case when relation.oid > 0 then 'pg_class'::regclass else dependency.classid end as classid,
      case when relation.oid > 0 then relation.oid else dependency.objid end as objid
  ) as dependent
  cross join lateral pg_identify_object(dependent.classid, dependent.objid, 0) as theirs
  where
    (ours.schema in ('nms', 'nms_private') or (ours.type = 'schema' and ours.name in ('nms', 'nms_private')))
    and dependency.deptype = 'n'
    -- The triggers that nms.maintain_count() has made go with the function.
    and not (
      dependency.classid = 'pg_trigger'::regclass
      and dependency.refclassid = 'pg_proc'::regclass
      and ours.identity = 'nms_private.note_changes()'
    )
    and theirs.schema not in ('nms', 'nms_private', 'pg_toast')
  order by 1
  limit 1;
  if found then
    raise exception '% needs %: nothing was removed', v_found.object, v_found.needed
      using
        errcode = 'dependent_objects_still_exist',
        detail = 'it is not of table metrics, and would be dropped along',
        hint = 'Drop it first, or let it read something else.';
  end if;
end
$$;

drop schema if exists nms, nms_private cascade;

-- Our rows elsewhere: those of our migrations, and our jobs. A table of somebody else is not touched, nor one with code
-- on it, which would run with the rights of whoever runs this.
do $$
declare
  v_worker constant name := coalesce(nullif(current_setting('nms.worker_schema', true), ''), 'graphile_worker');
  v_table record;
  v_touched text[] := '{}';
begin
  for v_table in
    select
      relation.oid,
      relation.oid::regclass::text as name,
      owner.rolname as owner,
      owner.rolsuper or owner.rolname in (current_user, 'table_metrics_owner') as is_trusted
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    join pg_roles as owner on owner.oid = relation.relowner
    where
      relation.relkind = 'r'
      and (schema.nspname, relation.relname) in (
        ('graphile_migrate', 'migrations'),
        ('graphile_migrate', 'current'),
        (v_worker, '_private_tasks'),
        (v_worker, '_private_jobs')
      )
    order by relation.oid
  loop
    if v_table.is_trusted then
      execute format('lock table %s in share row exclusive mode', v_table.name);
    end if;
    if
      v_table.is_trusted
      and not exists (select from pg_trigger as trigger where trigger.tgrelid = v_table.oid and not trigger.tgisinternal)
      and not exists (select from pg_rewrite as rule where rule.ev_class = v_table.oid)
    then
      v_touched := v_touched || v_table.name;
    else
      raise warning '% is left as it is', v_table.name
        using
          detail = format('it belongs to %I, or has a trigger or a rule', v_table.owner),
          hint = 'Let its owner delete what belongs to table metrics.';
    end if;
  end loop;

  if v_touched @> '{graphile_migrate.migrations,graphile_migrate.current}' then
    delete from graphile_migrate.migrations as migration
    where migration.hash = any (current_setting('nms.hashes')::text[]);
    -- A schema that another project uses stays.
    if
      not exists (select from graphile_migrate.migrations)
      and not exists (select from graphile_migrate.current)
    then
      begin
        drop table graphile_migrate.current, graphile_migrate.migrations;
        drop schema graphile_migrate;
      exception
        when dependent_objects_still_exist then null;
      end;
    end if;
  end if;

  if v_touched @> array[format('%I._private_tasks', v_worker), format('%I._private_jobs', v_worker)] then
    execute format(
      $query$
        with
          task as (
            delete from %1$I._private_tasks as task
            where task.identifier in ('collect_table_metrics', 'prune_table_metrics', 'send_table_metrics_alerts')
            returning task.id
          )
        delete from %1$I._private_jobs as job where job.task_id in (select task.id from task)
      $query$,
      v_worker
    );
  end if;
end
$$;
