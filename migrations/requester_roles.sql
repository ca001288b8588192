-- Lets the members of table_metrics_requester queue runs in the schema of graphile-worker: they add jobs that collect,
-- see those, and nothing else there. A worker that owns the schema runs this by itself.
--
--   psql -v ON_ERROR_STOP=1 -f migrations/requester_roles.sql "$DATABASE_URL"
--
-- Run it as the owner of that schema, after migrations/roles.sql. A second time changes nothing, nor does it
-- without that schema. Of another name, it is given before: psql -c "set nms.worker_schema = 'jobs'" -f …
--
-- To undo it in one database, as the same role:
--   drop owned by table_metrics_requester;

begin;

-- Names mean the built-in ones, whatever lies in the schema public.
set local search_path = pg_catalog, pg_temp;
set local client_min_messages = 'warning';
set local lock_timeout = '10 s'; -- rather than making workers queue behind this

do $$
declare
  v_schema constant name := coalesce(nullif(current_setting('nms.worker_schema', true), ''), 'graphile_worker');
  v_task constant text := 'identifier = ''collect_table_metrics''';
  v_job constant text := format('task_id in (select task.id from %I._private_tasks as task where task.%s)', v_schema, v_task);
  v_policy record;
  v_routine regprocedure;
begin
  if to_regnamespace(quote_ident(v_schema)) is null then
    return;
  end if;
  execute format('lock table %I._private_jobs in access exclusive mode', v_schema); -- one at a time
  execute format('grant usage on schema %I to table_metrics_requester', v_schema);

  -- add_job() names them all in statements that also update: without a policy for that, such a statement finds nothing.
  execute format('grant select, insert, update on %I._private_jobs to table_metrics_requester', v_schema);
  execute format('grant select, insert on %1$I._private_job_queues, %1$I._private_tasks to table_metrics_requester', v_schema);
  for v_policy in
    select made.relation, made.command, made.applies, made.rows
    from (
      values
        ('_private_jobs', 'select', 'using', v_job),
        ('_private_jobs', 'insert', 'with check', v_job),
        ('_private_tasks', 'select', 'using', v_task),
        ('_private_tasks', 'insert', 'with check', v_task)
    ) as made (relation, command, applies, rows)
  loop
    execute format('drop policy if exists table_metrics_requester_%s on %I.%I', v_policy.command, v_schema, v_policy.relation);
    execute format(
      'create policy table_metrics_requester_%1$s on %2$I.%3$I for %1$s to table_metrics_requester %4$s (%5$s)',
      v_policy.command, v_schema, v_policy.relation, v_policy.applies, v_policy.rows
    );
  end loop;

  for v_routine in
    select routine.oid
    from pg_proc as routine
    join pg_namespace as schema on schema.oid = routine.pronamespace
    where schema.nspname = v_schema and routine.proname in ('add_job', 'add_jobs')
  loop
    execute format('grant execute on function %s to table_metrics_requester', v_routine);
  end loop;
end
$$;

commit;
