-- Who owns table metrics, who may collect, maintain and read: roles that cannot log in.
-- `table-metrics migrate` runs this by itself; after an install by script, run it as
--
--   psql -v ON_ERROR_STOP=1 -f migrations/roles.sql "$DATABASE_URL"
--   grant table_metrics_reader to dashboard;
--
-- in every database that has the schemas nms and nms_private: as a superuser, or as the owner of both schemas who may also create
-- roles. What a later script creates belongs to whoever ran it: run this again after it. Otherwise a second time
-- changes nothing.
--
-- To undo it in one database:
--   reassign owned by table_metrics_owner, table_metrics_nobody to postgres;
--   drop owned by table_metrics_owner, table_metrics_collector, table_metrics_worker, table_metrics_maintainer, table_metrics_reader, table_metrics_requester, table_metrics_nobody;
-- and when that is done in all of them:
--   drop role table_metrics_owner, table_metrics_collector, table_metrics_worker, table_metrics_maintainer, table_metrics_reader, table_metrics_requester, table_metrics_nobody;

begin;

-- Names mean the built-in ones, whatever lies in the schema public.
set local search_path = pg_catalog, pg_temp;

-- Roles belong to the whole server: another database may have created them already.
do $$
declare
  v_role record;
begin
  for v_role in
    select role.name, role.purpose
    from (
      values
        ('table_metrics_owner', 'Owns the schemas nms and nms_private. Their functions read every table with the rights of this role.'),
        ('table_metrics_collector', 'May start runs of table metrics and read the results.'),
        ('table_metrics_worker', 'May do what a worker of table metrics does: start runs, delete old ones, read the results.'),
        (
          'table_metrics_maintainer',
          'May import, rebuild and prune table metrics, change the settings and the alert rules, and read the results.'
        ),
        ('table_metrics_reader', 'May read table metrics, and nothing else.'),
        ('table_metrics_requester', 'May queue runs of table metrics, and nothing else.'),
        ('table_metrics_nobody', 'Calls the functions of filters of table metrics. May do nothing: grant it to nobody, and nothing to it.')
    ) as role (name, purpose)
    where to_regrole(role.name) is null
  loop
    for v_try in 1 .. 1000 loop
      begin
        execute format('create role %I nologin', v_role.name);
        execute format('comment on role %I is %L', v_role.name, v_role.purpose);
        exit;
      exception
        -- Another database of this server was faster.
        when duplicate_object then
          exit;
        -- It was so by so little that this session has not been told yet: until then nothing here finds the role.
        when unique_violation then
          if v_try = 1000 then
            raise;
          end if;
          perform pg_sleep(0.01);
      end;
    end loop;
  end loop;

  select role.rolname as name into v_role
  from pg_roles as role
  where role.rolname in ('table_metrics_owner', 'table_metrics_nobody') and role.rolsuper;
  if found then
    raise exception '% is a superuser', v_role.name
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'code of the owner of a table may run with its rights while that table is counted',
        hint = format('alter role %I nosuperuser;', v_role.name);
  end if;
end
$$;

-- The functions count as their owner. It may read every table, and no policy hides a row from it;
-- it needs no right to write to any of them.
do $$
declare
  v_right record;
begin
  for v_right in
    select needed.statement, needed.missing
    from (
      values
        (
          'grant pg_read_all_data to table_metrics_owner',
          pg_has_role('table_metrics_owner', 'pg_read_all_data', 'usage'),
          'Until then, a table that table_metrics_owner may not select from is recorded as not counted and the run is FAILED.'
        ),
        (
          'alter role table_metrics_owner bypassrls',
          (select role.rolbypassrls from pg_roles as role where role.rolname = 'table_metrics_owner'),
          'Until then, a table with row-level security is recorded as not counted and the run is FAILED.'
        ),
        (
          'grant pg_read_all_stats to table_metrics_owner',
          pg_has_role('table_metrics_owner', 'pg_read_all_stats', 'usage'),
          'Until then, no count is carried from an earlier run: every table is counted.'
        ),
        (
          'grant table_metrics_nobody to table_metrics_owner',
          pg_has_role('table_metrics_owner', 'table_metrics_nobody', 'usage'),
          'Until then, no function of a filter is called.'
        )
    ) as needed (statement, is_given, missing)
    where not needed.is_given
  loop
    begin
      execute v_right.statement;
    exception
      -- Managed services refuse with codes of their own, and the other steps do not depend on this one.
      when others then
        raise warning 'not permitted: %', v_right.statement
          using
            detail = format('%s (%s)', sqlerrm, sqlstate),
            hint = format('Let an administrator run: %s; %s', v_right.statement, v_right.missing);
    end;
  end loop;
end
$$;

-- Everything in nms and nms_private goes to that role. A superuser should not own the functions: planning a count
-- may run immutable functions of the table's owner, such as one in the predicate of an index, and
-- they run with the rights of whoever counts.
do $$
declare
  v_owner constant regrole := 'table_metrics_owner';
  v_former regrole;
  v_stranger record;
  v_statement text;
begin
  select schema.nspowner into strict v_former from pg_namespace as schema where schema.oid = 'nms'::regnamespace;

  -- What somebody else has put there would read every table from now on.
  select pg_describe_object(dependency.classid, dependency.objid, dependency.objsubid) as object, owner.rolname as owner
  into v_stranger
  from pg_shdepend as dependency
  join pg_roles as owner on owner.oid = dependency.refobjid
  cross join lateral pg_identify_object(dependency.classid, dependency.objid, dependency.objsubid) as identified
  where
    dependency.dbid = (select db.oid from pg_database as db where db.datname = current_database())
    and dependency.refclassid = 'pg_authid'::regclass
    and dependency.deptype = 'o'
    and (identified.schema in ('nms', 'nms_private') or (dependency.classid = 'pg_namespace'::regclass and identified.name = 'nms_private'))
    and not (owner.rolsuper or owner.oid in (v_former, v_owner) or owner.rolname = current_user)
    and not (
      owner.rolname = 'table_metrics_nobody'
      and dependency.classid = 'pg_proc'::regclass
      and dependency.objid is not distinct from to_regprocedure('nms_private.call_as_nobody(oid)')::oid
    )
  order by 1
  limit 1;
  if found then
    raise exception '% belongs to %', v_stranger.object, quote_ident(v_stranger.owner)
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('expected what belongs to the owner of the schema nms, %s', v_former),
        hint = format('Ask %I what it is for, and drop it.', v_stranger.owner);
  end if;

  -- Whoever hands the schemas over stays able to migrate it: a member acts as the owner.
  if not pg_has_role(v_owner, 'usage') then
    grant table_metrics_owner to current_user;
  end if;
  if not pg_has_role(v_former, v_owner, 'usage') then
    raise warning '% can migrate table metrics no longer', v_former
      using hint = format(
        'To let it, run: grant table_metrics_owner to %s; Then it may also read what that role may.', v_former
      );
  end if;

  alter schema nms owner to table_metrics_owner;
  alter schema nms_private owner to table_metrics_owner;
  for v_statement in
    select format('alter table %s owner to table_metrics_owner', relation.oid::regclass)
    from pg_class as relation
    where
      relation.relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and relation.relkind in ('r', 'p', 'v', 'm')
      and relation.relowner <> v_owner
    union all
    select format('alter type %s owner to table_metrics_owner', type.oid::regtype)
    from pg_type as type
    left join pg_class as relation on relation.oid = type.typrelid
    where
      type.typnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and type.typtype in ('c', 'd', 'e')
      and coalesce(relation.relkind, 'c') = 'c' -- a table takes its row type along
      and type.typowner <> v_owner
    union all
    select format('alter routine %s owner to table_metrics_owner', routine.oid::regprocedure)
    from pg_proc as routine
    where
      routine.pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and routine.proowner <> v_owner
      and routine.oid <> 'nms_private.call_as_nobody(oid)'::regprocedure
  loop
    execute v_statement;
  end loop;
end
$$;

-- What a function of a filter may do, should its owner let it act for its caller.
do $$
begin
  if (
    select routine.proowner = 'table_metrics_nobody'::regrole or not pg_has_role(current_user, 'table_metrics_nobody', 'usage')
    from pg_proc as routine
    where routine.oid = 'nms_private.call_as_nobody(oid)'::regprocedure
  ) then
    return;
  end if;
  grant create on schema nms_private to table_metrics_nobody; -- or it could not become the owner
  alter function nms_private.call_as_nobody(oid) owner to table_metrics_nobody;
  revoke create on schema nms_private from table_metrics_nobody;
end
$$;

-- Four of them may read all results. What a later migration adds is granted when this runs again.
grant usage on schema nms
  to table_metrics_collector, table_metrics_worker, table_metrics_maintainer, table_metrics_reader;
grant select on all tables in schema nms
  to table_metrics_collector, table_metrics_worker, table_metrics_maintainer, table_metrics_reader;
grant execute on function
  nms.business_date,
  nms.find_day,
  nms.find_run,
  nms.find_scope,
  nms.find_table,
  nms.complete_table,
  nms.run_report,
  nms.day_report,
  nms.status_report,
  nms.metrics_report,
  nms.overview_report,
  nms.period_report,
  nms.trend_report,
  nms.table_report,
  nms.compare_report,
  nms.growth_report,
  nms.forecast_report,
  nms.days_report,
  nms.runs_report,
  nms.tables_report,
  nms.alerts_report,
  nms.alert_rules_report,
  nms.check_report,
  nms.day_snapshot,
  nms.run_snapshot,
  nms.table_trend(text, text, integer, text),
  nms.table_trend(text, integer),
  nms.trend,
  nms.growth,
  nms.compare_runs,
  nms.compare_days,
  nms.estimate_count,
  nms.find_alerts,
  nms.current_count,
  nms_private.list_maintained, -- called by views, and their schema need not be entered for that
  nms_private.alert_rule
to table_metrics_collector, table_metrics_worker, table_metrics_maintainer, table_metrics_reader;

-- A collector starts runs and writes nothing by itself: these functions write as their owner.
grant execute on function
  nms.collect_table_metrics,
  nms.open_run,
  nms.measure_targets,
  nms.close_run,
  nms.abandon_silent_runs,
  nms.preview_run,
  nms.request_problem,
  nms.record_alerts,
  nms.find_problems,
  nms.fold_counts
to table_metrics_collector, table_metrics_worker;

-- What the runner calls for them.
grant usage on schema nms_private to table_metrics_collector, table_metrics_worker;
grant execute on function
  nms_private.counting_sessions,
  nms_private.terminate_counting,
  nms_private.yield_target,
  nms_private.give_up_run,
  nms_private.cancel_if_client_is_gone,
  nms_private.open_job,
  nms_private.filter_functions,
  nms_private.call_filter_function,
  nms_private.count_elsewhere,
  nms_private.validate_job,
  nms_private.job_payload,
  nms_private.is_retryable,
  nms_private.failed_after_counting,
  nms_private.validate_prune_job,
  nms_private.find_worker_problems,
  nms_private.find_strange_jobs,
  nms_private.is_misspelt,
  nms_private.next_slot,
  nms_private.worker_trusts,
  nms_private.only_reads_and_requests,
  nms_private.record_missing_run,
  nms_private.write_messages,
  nms_private.write_digest,
  nms_private.take_message,
  nms_private.settle_message,
  nms_private.alert_changes
to table_metrics_collector, table_metrics_worker;

-- A job may ask a worker to delete old runs.
grant execute on function nms.prune_table_metrics to table_metrics_worker;

-- A maintainer decides what the history holds and what is told about it.
grant execute on function
  nms.import_run,
  nms.rebuild_run_snapshot,
  nms.rebuild_daily_snapshot,
  nms.prune_table_metrics,
  nms.record_alerts,
  nms.resume_carrying,
  nms.silence_alerts,
  nms.acknowledge_alert,
  nms_private.is_time_zone -- checks a setting, and its schema need not be entered for that
to table_metrics_maintainer;
grant update on nms.table_metrics_settings to table_metrics_maintainer;
grant insert, update, delete on nms.table_metrics_alert_rules, nms.table_metrics_count_rules, nms.table_metrics_filters
  to table_metrics_maintainer;

-- On a table of its own, a maintainer makes the triggers that maintain its count.
grant execute on function
  nms.maintain_count,
  nms.stop_maintaining,
  nms.fold_counts,
  nms_private.why_not_maintained,
  nms_private.register_maintained,
  nms_private.forget_maintained,
  nms_private.note_changes,
  nms_private.use_lock_timeout
to table_metrics_maintainer;

-- For how long a run may take, and history is kept, in the words that the command line takes.
grant usage on schema nms_private to table_metrics_maintainer;
grant execute on function nms_private.parse_duration
  to table_metrics_collector, table_metrics_worker, table_metrics_maintainer;
grant execute on function nms_private.validate_deadline to table_metrics_collector, table_metrics_worker;
grant execute on function nms_private.validate_keep_time, nms.prunable_runs
  to table_metrics_worker, table_metrics_maintainer;

-- A requester queues runs for a worker, and reads nothing. In the schema of graphile-worker, requester_roles.sql lets it.
grant usage on schema nms, nms_private to table_metrics_requester;
grant execute on function
  nms.queue_run,
  nms_private.remember_event,
  nms_private.job_payload,
  nms_private.find_worker_problems,
  nms_private.worker_trusts,
  nms_private.only_reads_and_requests
to table_metrics_requester;

commit;
