-- Lets the members of table_metrics_worker work in the schema of graphile-worker that somebody else owns: they see
-- the names of all jobs, and take, add and change none but those of table metrics.
--
--   psql -v ON_ERROR_STOP=1 -f migrations/worker_roles.sql "$DATABASE_URL"
--
-- Run it as the owner of that schema, after migrations/roles.sql. A second time changes nothing, nor does it
-- without that schema. Of another name, it is given before: psql -c "set nms.worker_schema = 'jobs'" -f …
--
-- To undo it in one database, as the same role:
--   drop owned by table_metrics_worker;

begin;

-- Names mean the built-in ones, whatever lies in the schema public.
set local search_path = pg_catalog, pg_temp;
set local client_min_messages = 'warning';

do $$
declare
  v_schema constant name := coalesce(nullif(current_setting('nms.worker_schema', true), ''), 'graphile_worker');
  v_ours constant text := format(
    'task_id in (select task.id from %I._private_tasks as task where task.identifier in (%L, %L, %L))',
    v_schema, 'collect_table_metrics', 'prune_table_metrics', 'send_table_metrics_alerts'
  );
  v_table record;
  v_routine regprocedure;
begin
  if to_regnamespace(quote_ident(v_schema)) is null then
    return;
  end if;
  execute format('grant usage on schema %I to table_metrics_worker', v_schema);
  execute format('grant select on %1$I.jobs, %1$I.migrations to table_metrics_worker', v_schema);

  -- Row-level security is on, and graphile-worker has policies for nobody.
  for v_table in
    select granted.relation, granted.privileges, granted.rows, granted.new_rows
    from (
      values
        ('_private_jobs', 'select, insert, update, delete', v_ours, v_ours),
        ('_private_job_queues', 'select, insert, update', 'true', 'true'),
        ('_private_tasks', 'select, insert', 'true', 'identifier in (''collect_table_metrics'', ''prune_table_metrics'', ''send_table_metrics_alerts'')'),
        ('_private_known_crontabs', 'select, insert, update', 'true', 'true')
    ) as granted (relation, privileges, rows, new_rows)
  loop
    execute format('grant %s on %I.%I to table_metrics_worker', v_table.privileges, v_schema, v_table.relation);
    execute format('drop policy if exists table_metrics_worker on %I.%I', v_schema, v_table.relation);
    execute format(
      'create policy table_metrics_worker on %I.%I to table_metrics_worker using (%s) with check (%s)',
      v_schema, v_table.relation, v_table.rows, v_table.new_rows
    );
  end loop;

  for v_routine in
    select routine.oid
    from pg_proc as routine
    join pg_namespace as schema on schema.oid = routine.pronamespace
    where schema.nspname = v_schema and routine.proname in ('add_job', 'add_jobs', 'force_unlock_workers')
  loop
    execute format('grant execute on function %s to table_metrics_worker', v_routine);
  end loop;
end
$$;

commit;
