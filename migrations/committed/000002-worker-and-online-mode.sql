--! Previous: sha1:35a003b8b77ecf8ca7bb129d1410c7a8df80f55f
--! Hash: sha1:2b5231697accfefdd3bc6a61bbfdef3f46b29823
--! Message: worker and online mode

-- The worker, its schedule, and the online mode.

-- Rather than making readers queue behind a migration that waits for a run.
set local lock_timeout = '10 s';

alter table nms.table_metrics_runs add column if not exists is_online boolean not null default false;
comment on column nms.table_metrics_runs.is_online is
  'True when each table was counted under a snapshot of its own; false when all counts are as of one instant.';
create unique index if not exists a_slot_is_served_once
  on nms.table_metrics_runs (scheduled_for) where status = 'SUCCEEDED';
create index if not exists table_metrics_runs_scheduled_for_idx
  on nms.table_metrics_runs (scheduled_for, run_id) where scheduled_for is not null;

create table if not exists nms.table_metrics_targets (
  run_id bigint not null references nms.table_metrics_runs on delete cascade,
  round bigint not null,
  position bigint generated always as identity,
  targets nms.target[] not null
    constraint targets_has_one_at_least check (cardinality(targets) > 0),
  pages bigint not null,
  is_done boolean not null default false,
  times_given_way bigint not null default 0,
  times_put_off bigint not null default 0,
  put_off_since timestamptz,
  retry_at timestamptz,
  primary key (run_id, position),
  constraint put_off_tables_have_a_beginning check ((times_put_off = 0) = (put_off_since is null))
);
create index if not exists table_metrics_targets_open_idx
  on nms.table_metrics_targets (run_id, position) where not is_done;
comment on table nms.table_metrics_targets is
  'What online runs have to count, in the order in which it is claimed; empty when none is RUNNING. A claim is the row lock of whoever counts.';
comment on column nms.table_metrics_targets.run_id is
  'Run that counts these tables.';
comment on column nms.table_metrics_targets.position is
  'Place in the queue: lower ones first.';
comment on column nms.table_metrics_targets.round is
  'Which look at the catalogue found them: 1 when the run began, later ones for what was replaced meanwhile.';
comment on column nms.table_metrics_targets.targets is
  'The tables that are claimed together: one large, or several small ones.';
comment on column nms.table_metrics_targets.pages is
  'Their size in pages of block_size bytes, as far as it is known.';
comment on column nms.table_metrics_targets.is_done is
  'True when each has its measurement, was put back with a row of its own, or is gone.';
comment on column nms.table_metrics_targets.times_given_way is
  'How often the count was canceled because it made another session wait.';
comment on column nms.table_metrics_targets.times_put_off is
  'How often the table was found locked.';
comment on column nms.table_metrics_targets.put_off_since is
  'When the table was first found locked; null unless it was.';
comment on column nms.table_metrics_targets.retry_at is
  'Not claimed before that; null for at once.';
revoke all on table nms.table_metrics_targets from public;

drop function if exists nms.claim_run(bigint);
drop function if exists nms.abandon_silent_runs();

--! Included functions/claim_run.sql
create or replace function nms.claim_run(run_id bigint, together boolean default false)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_status text;
begin
  if together then
    select run.* into v_run
    from nms.table_metrics_runs as run
    where run.run_id = claim_run.run_id and run.status = 'RUNNING'
    for key share skip locked;
  else
    select run.* into v_run
    from nms.table_metrics_runs as run
    where run.run_id = claim_run.run_id and run.status = 'RUNNING'
    for update skip locked;
  end if;
  if found then
    return v_run;
  end if;

  select run.status into v_status
  from nms.table_metrics_runs as run
  where run.run_id = claim_run.run_id;
  if not found then
    raise exception 'no such run: %', coalesce(claim_run.run_id::text, 'null')
      using
        errcode = 'no_data_found',
        detail = format('saw run_id %s, expected that of a RUNNING run', coalesce(claim_run.run_id::text, 'null')),
        hint = 'nms.open_run() starts a run and returns its run_id.';
  elsif v_status = 'RUNNING' then
    raise exception 'another session works on run %', claim_run.run_id
      using
        errcode = 'lock_not_available',
        detail = 'its header is locked by that session',
        hint = 'Wait for it, or start another run with nms.open_run().';
  else
    raise exception 'run % is finished', claim_run.run_id
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('its status is %s', v_status),
        hint = 'A finished run is never rewritten: start another one with nms.open_run().';
  end if;
end
$$;
comment on function nms.claim_run(bigint, boolean) is
  'Locks the header of a RUNNING run until the transaction ends, which tells others that a session works on it: alone, or together with others that measure its targets. Raises P0002 for an unknown run, 55000 for a finished one, 55P03 for one that another session works on.';
revoke execute on function nms.claim_run(bigint, boolean) from public;
--! EndIncluded functions/claim_run.sql
--! Included functions/run_lock_key.sql
create or replace function nms.run_lock_key(run_id bigint)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select hashtextextended('nms.measure_targets', run_id)
$$;
comment on function nms.run_lock_key(bigint) is
  'Key of the advisory lock that every session shares while it measures targets of a run: pg_locks tells by it which sessions those are.';
revoke execute on function nms.run_lock_key(bigint) from public;
--! EndIncluded functions/run_lock_key.sql
--! Included functions/fail_run.sql
create or replace function nms.fail_run(run_id bigint, reason text)
returns nms.table_metrics_runs
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  delete from nms.table_metrics_targets as claim where claim.run_id = fail_run.run_id;

  update nms.table_metrics_runs as run
  set
    status = 'FAILED',
    finished_at = clock_timestamp(),
    error_message = case
      when length(reason) > 2000 then left(reason, 1999) || '…'
      else reason
    end
  where run.run_id = fail_run.run_id
  returning run.*
$$;
comment on function nms.fail_run(bigint, text) is
  'Ends a run as FAILED for this reason, cut at 2,000 characters. Neither snapshot is touched.';
revoke execute on function nms.fail_run(bigint, text) from public;
--! EndIncluded functions/fail_run.sql
--! Included functions/remedy.sql
create or replace function nms.remedy(error_sqlstate text)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when error_sqlstate = '42501' then format(
      'let the owner of the nms functions, %I, select from it, and bypass row-level security where it has policies; or exclude it',
      current_user
    )
    when error_sqlstate = '55P03' then format(
      'another session locked it for longer than lock_timeout, %s: collect again later, raise that setting, or exclude it',
      (select settings.lock_timeout from nms.table_metrics_settings as settings)
    )
    when error_sqlstate = '57014' then
      'the run ended before it was counted: collect again, with more time or more jobs if there was a deadline'
    when error_sqlstate = 'NM001' then
      'it changed under every snapshot: collect again outside a repeatable read transaction, when it rests'
    when error_sqlstate = 'NM003' then
      'collect again when nobody alters it, raise the setting yield_after, or exclude it'
    when error_sqlstate in ('XX001', 'XX002', '58030', '58P01') then
      'its file is damaged or missing: restore it, or exclude it until then'
    else 'mend the cause and collect again, or exclude it'
  end
$$;
comment on function nms.remedy(text) is
  'What to do about a table that could not be counted, from the SQLSTATE of its measurement.';
revoke execute on function nms.remedy(text) from public;
--! EndIncluded functions/remedy.sql
--! Included functions/abandon_silent_runs.sql
-- Whoever works on a run holds its header's row lock: "skip locked" leaves every live one alone.
create or replace function nms.abandon_silent_runs(silent_for interval default null)
returns setof nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_silent record;
begin
  for v_silent in
    select run.run_id, coalesce(abandon_silent_runs.silent_for, settings.abandon_after) as bound
    from nms.table_metrics_runs as run
    cross join nms.table_metrics_settings as settings
    where
      run.status = 'RUNNING'
      and clock_timestamp() - coalesce(abandon_silent_runs.silent_for, settings.abandon_after) > greatest(
        run.collected_at,
        (
          select max(measurement.measured_at)
          from nms.table_metrics_measurements as measurement
          where measurement.run_id = run.run_id
        ),
        -- Nothing but locked tables is left, and somebody looks at them again and again.
        (
          select max(claim.retry_at)
          from nms.table_metrics_targets as claim
          where claim.run_id = run.run_id
        )
      )
    for update of run skip locked
  loop
    return query
    select failed.*
    from nms.fail_run(
      run_id => v_silent.run_id,
      reason => format('abandoned: no sign of life for more than %s, and no session works on it', v_silent.bound)
    ) as failed;
  end loop;
end
$$;
comment on function nms.abandon_silent_runs(interval) is
  'Ends as FAILED every run that no session holds and that has been silent for longer than that, by default the abandon_after setting: its session or its server died. Returns the headers of those runs.';
revoke execute on function nms.abandon_silent_runs(interval) from public;
--! EndIncluded functions/abandon_silent_runs.sql
--! Included functions/start_run.sql
create or replace function nms.start_run(
  skip jsonb,
  exclude jsonb,
  problem text,
  slot timestamptz default null
)
returns bigint
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_unmatched jsonb := jsonb '[]';
  v_run_id bigint;
begin
  perform nms.abandon_silent_runs();

  if problem is null then
    v_unmatched := nms.unmatched_entries(skip => start_run.skip, exclude => start_run.exclude);
  end if;

  insert into nms.table_metrics_runs (skip_schemas, exclude_tables, unmatched_entries, scheduled_for)
  values (start_run.skip, start_run.exclude, v_unmatched, start_run.slot)
  returning run_id into v_run_id;

  if problem is not null then
    perform nms.fail_run(run_id => v_run_id, reason => problem);
    raise warning 'run % failed: malformed request', v_run_id
      using
        errcode = 'invalid_parameter_value',
        detail = left(problem, 2000),
        hint = 'For example: select * from nms.collect_table_metrics(''["tmp"]'', ''["public.orders"]'');';
  elsif v_unmatched <> '[]' then
    raise notice 'run %: some entries match nothing', v_run_id
      using
        detail = left(v_unmatched::text, 2000),
        hint = 'Spell them as the catalogue does, or quoted as in SQL. nms.preview_run() shows what a run would do.';
  end if;
  return v_run_id;
end
$$;
comment on function nms.start_run(jsonb, jsonb, text, timestamptz) is
  'Writes the header of a run and returns its run_id: RUNNING, or FAILED when something is wrong with its request, which is the problem. slot: the slot of the schedule that it serves, if any.';
revoke execute on function nms.start_run(jsonb, jsonb, text, timestamptz) from public;
--! EndIncluded functions/start_run.sql
--! Included functions/open_run.sql
create or replace function nms.open_run(skip jsonb default '[]', exclude jsonb default '[]')
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_skip jsonb := coalesce(skip, '[]');
  v_exclude jsonb := coalesce(exclude, '[]');
begin
  return nms.start_run(
    skip => v_skip,
    exclude => v_exclude,
    problem => nms.request_problem(skip => v_skip, exclude => v_exclude)
  );
end
$$;
comment on function nms.open_run(jsonb, jsonb) is
  'Starts a run: writes its RUNNING header and returns its run_id. skip: array of schemas to leave out. exclude: array of tables to leave out, as "schema.table". A malformed request is written as a FAILED run, with a warning. Runs that were abandoned are marked FAILED first.';
revoke execute on function nms.open_run(jsonb, jsonb) from public;
--! EndIncluded functions/open_run.sql
--! Included functions/close_run.sql
create or replace function nms.close_run(run_id bigint)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs := nms.claim_run(run_id => close_run.run_id);
  v_reason text;
begin
  -- Two runs for one slot end one after the other. Without a slot, this is null and locks nothing.
  perform pg_advisory_xact_lock(
    hashtextextended('nms.close_run', extract(epoch from v_run.scheduled_for)::bigint)
  );
  v_reason := case
    when v_run.target_count is null then 'closed before its tables were counted'
    else coalesce(
      nms.failure_summary(run_id => close_run.run_id),
      (
        select format('run %s has served the slot %s already', served.run_id, served.scheduled_for)
        from nms.table_metrics_runs as served
        where served.scheduled_for = v_run.scheduled_for and served.status = 'SUCCEEDED'
      )
    )
  end;
  if v_reason is not null then
    raise warning 'run % failed', close_run.run_id using detail = left(v_reason, 2000);
    return nms.fail_run(run_id => close_run.run_id, reason => v_reason);
  end if;

  insert into nms.table_metrics_run_snapshot (run_id, payload, collected_at)
  values (close_run.run_id, nms.run_payload(run_id => close_run.run_id), v_run.collected_at);

  -- The last successful run wins, and the highest run_id is the last, whichever finishes first.
  insert into nms.table_metrics_daily_snapshot as daily (snapshot_date, run_id, payload, collected_at)
  select v_run.snapshot_date, snapshot.run_id, snapshot.payload, snapshot.collected_at
  from nms.table_metrics_run_snapshot as snapshot
  where snapshot.run_id = close_run.run_id
  on conflict (snapshot_date) do update
  set run_id = excluded.run_id, payload = excluded.payload, collected_at = excluded.collected_at
  where daily.run_id < excluded.run_id;

  delete from nms.table_metrics_targets as claim where claim.run_id = close_run.run_id;

  update nms.table_metrics_runs as run
  set status = 'SUCCEEDED', finished_at = clock_timestamp()
  where run.run_id = close_run.run_id
  returning run.* into strict v_run;
  return v_run;
end
$$;
comment on function nms.close_run(bigint) is
  'Ends a run that has been counted. When every target was: writes its run snapshot, makes it the snapshot of its business day unless a later run already is, SUCCEEDED. Otherwise FAILED, with the reason for each table, and both snapshots as they were. Returns the header.';
revoke execute on function nms.close_run(bigint) from public;
--! EndIncluded functions/close_run.sql
--! Included functions/collect_table_metrics.sql
-- The whole job, in one call, one transaction and one snapshot:
--   begin_run      writes the RUNNING header, or takes up the one that open_run committed before
--   count_targets  finds every table in pg_class, counts each with dynamic SQL as of the same
--                  instant, and stores one measurement per table: its count, or why there is none
--   close_run      all counted: SUCCEEDED, with the JSON of the run and of its business day, where
--                  the highest run_id wins; otherwise FAILED, and both JSONs stay as they were
create or replace function nms.collect_table_metrics(
  skip jsonb default '[]',    -- schemas to leave out: ["tmp"]
  exclude jsonb default '[]', -- tables to leave out: ["public.orders"]
  run_id bigint default null  -- a run that nms.open_run() has started and committed
)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
begin
  v_run := nms.begin_run(
    skip => collect_table_metrics.skip,
    exclude => collect_table_metrics.exclude,
    run_id => collect_table_metrics.run_id
  );
  if v_run.status = 'FAILED' then
    return v_run; -- malformed request
  end if;

  begin
    perform nms.count_targets(run_id => v_run.run_id);
    return nms.close_run(run_id => v_run.run_id);
  exception
    -- However a run ends, its header says so. "others" has neither of the first two.
    when query_canceled or assert_failure or others then
      if sqlstate = '57014' and current_setting('nms.raise_cancel', true) = 'on' then
        raise; -- whoever opened the run knows why, and calls give_up_run
      end if;
      raise warning 'run % failed', v_run.run_id using errcode = sqlstate, detail = left(sqlerrm, 2000);
      return nms.fail_run(run_id => v_run.run_id, reason => format('%s (%s)', sqlerrm, sqlstate));
  end;
end
$$;
comment on function nms.collect_table_metrics(jsonb, jsonb, bigint) is
  'Counts every table of this database as of one instant and keeps the result: measurements, run snapshot and daily snapshot. skip: array of schemas to leave out. exclude: array of tables to leave out, as "schema.table". run_id: a run that nms.open_run() has started, with its request. Returns the header of the run, SUCCEEDED or FAILED; raises only for a run_id that cannot be collected.';
revoke execute on function nms.collect_table_metrics(jsonb, jsonb, bigint) from public;
--! EndIncluded functions/collect_table_metrics.sql

--! Included functions/queue_targets.sql
-- Tables that take long are claimed one by one. Small ones together: a claim costs as much as
-- counting several of them.
create or replace function nms.queue_targets(run_id bigint, round bigint)
returns bigint
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  measured as materialized (
    select measurement.*
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = queue_targets.run_id
  ),
  -- Never vacuumed nor analyzed: the statistics may know better than the catalogue. Asking for the
  -- size of the file would wait for a lock.
  target as (
    select
      found,
      found.with_children,
      case found.pages
        when 0 then pg_stat_get_live_tuples(found.table_oid) / 100
        else found.pages
      end as pages
    from nms.table_metrics_runs as run
    cross join nms.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as found
    where
      run.run_id = queue_targets.run_id
      and (found.table_kind = 'table' or found.with_children)
      and found.table_oid not in (select measured.table_oid from measured)
      and (found.schema_name, found.table_name) not in (
        select measured.schema_name, measured.table_name from measured
      )
  ),
  claim as (
    select array_agg(sorted.found order by sorted.pages desc) as targets, sum(sorted.pages) as pages
    from (
      select target.*, row_number() over (order by target.pages desc) as place
      from target
    ) as sorted
    group by
      case when sorted.pages >= 256 or sorted.with_children then sorted.place else -(sorted.place / 100) - 1 end
  ),
  queued as (
    insert into nms.table_metrics_targets (run_id, round, targets, pages)
    select queue_targets.run_id, queue_targets.round, claim.targets, claim.pages
    from claim
    order by claim.pages / cardinality(claim.targets) desc
    returning cardinality(table_metrics_targets.targets) as tables
  )
  select coalesce(sum(queued.tables), 0)::bigint from queued
$$;
comment on function nms.queue_targets(bigint, bigint) is
  'Queues every target of a run that has to be counted and has no measurement yet, the largest first. Returns how many tables those are.';
revoke execute on function nms.queue_targets(bigint, bigint) from public;
--! EndIncluded functions/queue_targets.sql
--! Included functions/requeue_target.sql
create or replace function nms.requeue_target(claim nms.table_metrics_targets, target nms.target)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms.table_metrics_targets (
    run_id, round, targets, pages, times_given_way, times_put_off, put_off_since, retry_at
  )
  values (
    claim.run_id,
    claim.round,
    array[target],
    target.pages,
    claim.times_given_way,
    claim.times_put_off,
    claim.put_off_since,
    claim.retry_at
  )
$$;
comment on function nms.requeue_target(nms.table_metrics_targets, nms.target) is
  'Puts one table back at the end of the queue, with what the claim says about earlier attempts.';
revoke execute on function nms.requeue_target(nms.table_metrics_targets, nms.target) from public;
--! EndIncluded functions/requeue_target.sql
--! Included functions/record_failure.sql
create or replace function nms.record_failure(
  run_id bigint,
  target nms.target,
  error_sqlstate text,
  error_message text
)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms.table_metrics_measurements (
    run_id, schema_name, table_name, table_oid, table_kind, is_partition,
    measured_at, error_sqlstate, error_message
  )
  values (
    record_failure.run_id,
    target.schema_name,
    target.table_name,
    target.table_oid,
    target.table_kind,
    target.is_partition,
    clock_timestamp(),
    record_failure.error_sqlstate,
    left(record_failure.error_message, 2000)
  )
  on conflict do nothing -- it has been counted meanwhile
$$;
comment on function nms.record_failure(bigint, nms.target, text, text) is
  'Stores for one table of a run why it has no count.';
revoke execute on function nms.record_failure(bigint, nms.target, text, text) from public;
--! EndIncluded functions/record_failure.sql
--! Included functions/current_targets.sql
create or replace function nms.current_targets(run_id bigint, targets nms.target[])
returns nms.target[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- What is read with its children is looked up with its children.
  if exists (select from unnest(targets) as known where known.with_children) then
    return array(
      select target
      from nms.table_metrics_runs as run
      cross join nms.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as target
      join unnest(targets) as known on known.table_oid = target.table_oid
      where run.run_id = current_targets.run_id and (target.table_kind = 'table' or target.with_children)
    );
  end if;

  return array(
    select
      row(
        relation.oid, schema.nspname, relation.relname, known.table_kind, relation.relispartition,
        relation.relpages, relation.relfilenode, null, null, false
      )::nms.target
    from unnest(targets) as known
    join pg_class as relation on relation.oid = known.table_oid and relation.relkind = 'r'
    join pg_namespace as schema on schema.oid = relation.relnamespace
  );
end
$$;
comment on function nms.current_targets(bigint, nms.target[]) is
  'These tables as the catalogue shows them now, without those that are gone.';
revoke execute on function nms.current_targets(bigint, nms.target[]) from public;
--! EndIncluded functions/current_targets.sql
--! Included functions/count_free_tables.sql
-- Stable, so that every count reads the snapshot of the calling query.
create or replace function nms.count_free_tables(targets nms.target[])
returns table (
  table_oid oid,
  own_row_count bigint,
  row_count bigint,
  measured_at timestamptz,
  error_sqlstate text,
  error_message text
)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 ms'
as $$
  select counted.* from nms.count_tables(targets => count_free_tables.targets) as counted
$$;
comment on function nms.count_free_tables(nms.target[]) is
  'As nms.count_tables(), but hardly waits for a locked table: that one has 55P03.';
revoke execute on function nms.count_free_tables(nms.target[]) from public;
--! EndIncluded functions/count_free_tables.sql
--! Included functions/measure_each.sql
create or replace function nms.measure_each(
  run_id bigint,
  targets nms.target[],
  final_sqlstates text[],
  out tables_counted bigint,
  out rows_counted numeric,
  out changed_targets nms.target[],
  out locked_targets nms.target[]
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_again constant text[] := array(
    select state from unnest(array['NM001', '55P03']) as state where state <> all (final_sqlstates)
  );
  v_current nms.target[];
begin
  -- As they are now: a table that was dropped since is none, a renamed one is read by its new name.
  v_current := nms.current_targets(run_id => measure_each.run_id, targets => measure_each.targets);

  -- One statement, so that its snapshot is no older than what is read.
  with
  outcome as materialized (
    select known as target, result.*
    from nms.count_free_tables(targets => v_current) as result
    join unnest(measure_each.targets) as known on known.table_oid = result.table_oid
  ),
  stored as (
    -- Within a run, a table goes by the name that it had first.
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, table_oid, table_kind, is_partition,
      row_count, own_row_count, measured_at, error_sqlstate, error_message
    )
    select
      measure_each.run_id, (outcome.target).schema_name, (outcome.target).table_name, outcome.table_oid,
      (outcome.target).table_kind, (outcome.target).is_partition,
      outcome.row_count, outcome.own_row_count, outcome.measured_at, outcome.error_sqlstate, outcome.error_message
    from outcome
    where outcome.error_sqlstate is null or outcome.error_sqlstate <> all (v_again)
    returning row_count
  )
  select
    (select count(*) from stored),
    (select coalesce(sum(stored.row_count), 0) from stored),
    array(select outcome.target from outcome where outcome.error_sqlstate = 'NM001' and 'NM001' = any (v_again)),
    array(select outcome.target from outcome where outcome.error_sqlstate = '55P03' and '55P03' = any (v_again))
  into strict tables_counted, rows_counted, changed_targets, locked_targets;
end
$$;
comment on function nms.measure_each(bigint, nms.target[], text[]) is
  'Counts these tables under one snapshot and stores their measurements. Returns those that have none because they changed under it or were locked, unless their SQLSTATE is final. A table that does not exist any more leaves nothing.';
revoke execute on function nms.measure_each(bigint, nms.target[], text[]) from public;
--! EndIncluded functions/measure_each.sql
--! Included functions/measure_next_target.sql
create or replace function nms.measure_next_target(
  run_id bigint,
  out tables_counted bigint,
  out rows_counted numeric,
  out pages_counted bigint
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_snapshots constant integer := 3;
  v_claim nms.table_metrics_targets;
  v_put_off nms.table_metrics_targets;
  v_is_last_attempt boolean;
  v_left nms.target[];
  v_target nms.target;
  v_result record;
begin
  select claim.* into v_claim
  from nms.table_metrics_targets as claim
  where
    claim.run_id = measure_next_target.run_id
    and not claim.is_done
    and coalesce(claim.retry_at <= clock_timestamp(), true)
  order by claim.position
  limit 1
  for update skip locked;
  if not found then
    return;
  end if;

  -- A lock is waited for in several attempts, each of them short.
  select v_claim.times_put_off >= 2 and clock_timestamp() > v_claim.put_off_since + settings.lock_timeout
  into strict v_is_last_attempt
  from nms.table_metrics_settings as settings;

  v_put_off := v_claim;
  v_put_off.times_put_off := v_claim.times_put_off + 1;
  v_put_off.put_off_since := coalesce(v_claim.put_off_since, clock_timestamp());

  tables_counted := 0;
  rows_counted := 0;
  pages_counted := v_claim.pages;
  v_left := v_claim.targets;
  for v_snapshot in 1..v_snapshots loop
    v_result := nms.measure_each(
      run_id => v_claim.run_id,
      targets => v_left,
      final_sqlstates => case when v_snapshot = v_snapshots then '{NM001}'::text[] else '{}' end
        || case when v_is_last_attempt then '{55P03}'::text[] else '{}' end
    );
    tables_counted := tables_counted + v_result.tables_counted;
    rows_counted := rows_counted + v_result.rows_counted;

    foreach v_target in array v_result.locked_targets loop
      v_put_off.retry_at := clock_timestamp() + interval '200 ms';
      perform nms.requeue_target(claim => v_put_off, target => v_target);
      pages_counted := greatest(pages_counted - v_target.pages, 0);
    end loop;

    v_left := v_result.changed_targets;
    exit when v_left = '{}';
  end loop;

  update nms.table_metrics_targets as claim
  set is_done = true
  where claim.run_id = v_claim.run_id and claim.position = v_claim.position;
end
$$;
comment on function nms.measure_next_target(bigint) is
  'Claims what is next in the queue of a run, counts it and stores the measurements. A table that changed under the snapshot is counted again under a later one; one that is locked goes back to the end of the queue, until it has been locked for longer than lock_timeout. Returns what was counted; nulls when nothing is free.';
revoke execute on function nms.measure_next_target(bigint) from public;
--! EndIncluded functions/measure_next_target.sql
--! Included functions/add_up_parents.sql
create or replace function nms.add_up_parents(run_id bigint)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms.table_metrics_measurements as measurement (
    run_id, schema_name, table_name, table_oid, table_kind, is_partition,
    row_count, own_row_count, measured_at, error_sqlstate, error_message
  )
  with
  measured as materialized (
    select measurement.*
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = add_up_parents.run_id
  ),
  parent as materialized (
    select found.*
    from nms.table_metrics_runs as run
    cross join nms.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as found
    where
      run.run_id = add_up_parents.run_id
      and found.members is not null
      and not found.with_children
  ),
  part as (
    select
      parent.table_oid as parent_oid,
      measured.own_row_count,
      measured.measured_at,
      coalesce(measured.error_sqlstate, case when measured.table_oid is null then 'NM001' end) as error_sqlstate,
      case
        when measured.table_oid is null then format('%s: was added after the others had been counted', member.table_oid::regclass)
        else format('%I.%I: %s', measured.schema_name, measured.table_name, measured.error_message)
      end as error_message
    from parent
    cross join unnest(parent.members) as member (table_oid)
    left join measured on measured.table_oid = member.table_oid
  ),
  added as (
    select
      part.parent_oid,
      sum(part.own_row_count)::bigint as row_count,
      max(part.measured_at) as measured_at,
      min(part.error_sqlstate) as error_sqlstate,
      (
        array_agg(part.error_message order by part.error_sqlstate, part.error_message)
          filter (where part.error_sqlstate is not null)
      )[1] as error_message
    from part
    group by part.parent_oid
  )
  select
    add_up_parents.run_id,
    coalesce(itself.schema_name, parent.schema_name),
    coalesce(itself.table_name, parent.table_name),
    parent.table_oid,
    parent.table_kind,
    parent.is_partition,
    case when added.error_sqlstate is null then coalesce(added.row_count, 0) end,
    case when added.error_sqlstate is null then coalesce(itself.own_row_count, 0) end,
    coalesce(added.measured_at, clock_timestamp()),
    added.error_sqlstate,
    added.error_message
  from parent
  left join added on added.parent_oid = parent.table_oid
  left join measured as itself on itself.table_oid = parent.table_oid
  on conflict on constraint table_metrics_measurements_pkey do update
  set
    row_count = excluded.row_count,
    own_row_count = excluded.own_row_count,
    measured_at = excluded.measured_at,
    error_sqlstate = excluded.error_sqlstate,
    error_message = excluded.error_message
  where measurement.table_oid = excluded.table_oid -- another table had that name first
$$;
comment on function nms.add_up_parents(bigint) is
  'Gives every table with partitions or children the sum of what was counted in them, each read once; NM001 where one of them was not counted.';
revoke execute on function nms.add_up_parents(bigint) from public;
--! EndIncluded functions/add_up_parents.sql
--! Included functions/settle_targets.sql
create or replace function nms.settle_targets(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 min' -- of a session that is at it too
as $$
declare
  v_rounds constant bigint := bigint '3';
  v_round bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('nms.settle_targets', settle_targets.run_id));

  -- Whatever others have claimed may yet come back.
  if
    exists (
      select
      from nms.table_metrics_targets as claim
      where claim.run_id = settle_targets.run_id and not claim.is_done
    )
    or exists (
      select
      from nms.table_metrics_runs as run
      where run.run_id = settle_targets.run_id and run.target_count is not null
    )
  then
    return;
  end if;

  select coalesce(max(claim.round), 0) + 1 into strict v_round
  from nms.table_metrics_targets as claim
  where claim.run_id = settle_targets.run_id;

  if v_round = 1 then
    update nms.table_metrics_runs as run set is_online = true where run.run_id = settle_targets.run_id;
  end if;

  -- Another table has its name now, and has not been counted; or it failed and is gone.
  delete from nms.table_metrics_measurements as measurement
  where
    measurement.run_id = settle_targets.run_id
    and (
      v_round <= v_rounds
      and exists (
        select
        from pg_class as relation
        join pg_namespace as schema on schema.oid = relation.relnamespace
        where
          schema.nspname = measurement.schema_name
          and relation.relname = measurement.table_name
          and relation.relkind in ('r', 'p')
          and relation.oid <> measurement.table_oid
      )
      or measurement.error_sqlstate = 'NM001'
      and not exists (select from pg_class as relation where relation.oid = measurement.table_oid)
    );

  -- Counted by itself, and by now a parent that has to be read with its children.
  if
    v_round between 2 and v_rounds
    and exists (
      select
      from nms.table_metrics_measurements as measurement
      join pg_inherits on pg_inherits.inhparent = measurement.table_oid
      where measurement.run_id = settle_targets.run_id
    )
  then
    delete from nms.table_metrics_measurements as measurement
    using
      nms.table_metrics_runs as run
      cross join nms.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as known
    where
      measurement.run_id = settle_targets.run_id
      and run.run_id = settle_targets.run_id
      and known.table_oid = measurement.table_oid
      and known.with_children
      and not exists (
        select
        from nms.table_metrics_targets as claim
        cross join unnest(claim.targets) as target
        where
          claim.run_id = settle_targets.run_id
          and target.table_oid = measurement.table_oid
          and target.with_children
      );
  end if;

  if v_round <= v_rounds and nms.queue_targets(run_id => settle_targets.run_id, round => v_round) > 0 then
    return;
  end if;

  perform nms.add_up_parents(run_id => settle_targets.run_id);
  perform nms.record_failure(
    run_id => claim.run_id,
    target => target,
    error_sqlstate => 'NM001',
    error_message => 'was replaced whenever it was to be counted'
  )
  from nms.table_metrics_targets as claim
  cross join unnest(claim.targets) as target
  where
    claim.run_id = settle_targets.run_id
    and target.table_oid not in (
      select measurement.table_oid
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = settle_targets.run_id
    )
    and exists (
      select
      from pg_class as relation
      join pg_namespace as schema on schema.oid = relation.relnamespace
      where
        schema.nspname = target.schema_name
        and relation.relname = target.table_name
        and relation.relkind in ('r', 'p')
    );

  update nms.table_metrics_runs as run
  set target_count = (
    select count(*)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = settle_targets.run_id
  )
  where run.run_id = settle_targets.run_id;
end
$$;
comment on function nms.settle_targets(bigint) is
  'When nothing of a run is queued: queues what has to be counted and has no measurement, which the first time is everything, later what was replaced or has appeared meanwhile, at most three times; and when there is nothing, adds up the partitioned tables and sets target_count, which ends the counting.';
revoke execute on function nms.settle_targets(bigint) from public;
--! EndIncluded functions/settle_targets.sql
--! Included functions/measure_targets.sql
-- The online mode: any number of sessions call this in a loop until is_finished, then one calls
-- close_run. Each call is a short transaction of its own, so that no snapshot gets old:
--   queue_targets        the first call finds the tables, the largest first
--   measure_next_target  claims what is next in the queue, counts it and stores the measurements
--   settle_targets       when the queue is empty: tables that were replaced are queued again, and
--                        partitioned tables get the sum of their partitions
-- A session that dies rolls back its claim, and the next one takes it.
create or replace function nms.measure_targets(
  run_id bigint,
  budget interval default '1 second', -- no other table is begun after that
  out tables_counted bigint,
  out rows_counted numeric,
  out pages_counted bigint,
  out tables_left bigint,
  out pages_left bigint,
  out is_finished boolean
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 min' -- of tables of the collector itself
set max_parallel_workers_per_gather = 0 -- how many processors to occupy is for the number of sessions to say
as $$
declare
  v_start constant timestamptz := clock_timestamp();
  v_run nms.table_metrics_runs := nms.claim_run(run_id => measure_targets.run_id, together => true);
  v_step record;
begin
  tables_counted := 0;
  rows_counted := 0;
  pages_counted := 0;
  perform pg_advisory_xact_lock_shared(nms.run_lock_key(v_run.run_id));

  if not exists (
    select from nms.table_metrics_targets as claim where claim.run_id = v_run.run_id
  ) then
    perform nms.settle_targets(run_id => v_run.run_id);
  else
    loop
      v_step := nms.measure_next_target(run_id => v_run.run_id);
      exit when v_step.tables_counted is null;
      tables_counted := tables_counted + v_step.tables_counted;
      rows_counted := rows_counted + v_step.rows_counted;
      pages_counted := pages_counted + v_step.pages_counted;
      exit when clock_timestamp() >= v_start + coalesce(budget, '1 second');
    end loop;
    if v_step.tables_counted is null then
      perform nms.settle_targets(run_id => v_run.run_id);
    end if;
  end if;

  select coalesce(sum(cardinality(claim.targets)), 0), coalesce(sum(claim.pages), 0)::bigint
  into tables_left, pages_left
  from nms.table_metrics_targets as claim
  where claim.run_id = v_run.run_id and not claim.is_done;

  select run.target_count is not null into is_finished
  from nms.table_metrics_runs as run
  where run.run_id = v_run.run_id;
end
$$;
comment on function nms.measure_targets(bigint, interval) is
  'Online mode: counts tables of a RUNNING run for about as long as the budget says, each under a snapshot of its own, and at least one if any is free. Several sessions may call it at once. Returns what this call counted, what is left for all of them (a page is block_size bytes), and whether the run can be closed. A table that is locked is put off; call again a little later when nothing was counted and is_finished is false. The first call only finds the tables.';
revoke execute on function nms.measure_targets(bigint, interval) from public;
--! EndIncluded functions/measure_targets.sql
--! Included functions/end_with_client.sql
-- Not a list of "set local" in the runner: a server on another system may know one of them and refuse it.
create or replace function nms.end_with_client()
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting record;
begin
  for v_setting in
    select *
    from (
      values
        ('client_connection_check_interval', '2s'), -- the client's process has died
        ('tcp_keepalives_idle', '10'), -- its host has: seconds of silence
        ('tcp_keepalives_interval', '5'),
        ('tcp_keepalives_count', '3')
    ) as setting (name, value)
  loop
    begin
      perform set_config(v_setting.name, v_setting.value, true);
    exception
      when invalid_parameter_value or feature_not_supported then
        null; -- the server then finds out when it sends the result
    end;
  end loop;
end
$$;
comment on function nms.end_with_client() is
  'For the rest of the transaction, from the next statement on: a client that dies takes its statement along within seconds, rather than leaving it running for nobody.';
revoke execute on function nms.end_with_client() from public;
--! EndIncluded functions/end_with_client.sql
--! Included functions/counting_sessions.sql
create or replace function nms.counting_sessions(run_id bigint)
returns table (
  pid integer,
  table_oid oid,
  schema_name text,
  table_name text,
  waiting_session text
)
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  held as materialized (
    select pg_locks.*
    from pg_locks
    where
      pg_locks.database = (select oid from pg_database where datname = current_database())
      or (pg_locks.database is null and not pg_locks.granted)
  ),
  counting as (
    select held.pid
    from held
    where
      held.locktype = 'advisory'
      and held.objsubid = 1
      and ((held.classid::bigint << 32) | held.objid::bigint) = nms.run_lock_key(counting_sessions.run_id)
      and held.granted
  ),
  -- Only a wait that has lasted is looked at more closely: that is rare, and not cheap.
  waiting as (
    select held.pid, pg_blocking_pids(held.pid) as blocked_by, held.mode
    from held
    cross join nms.table_metrics_settings as settings
    where
      not held.granted
      and held.locktype in ('relation', 'tuple', 'transactionid', 'virtualxid')
      and clock_timestamp() - held.waitstart > settings.yield_after
      and exists (select from counting)
  )
  select
    counting.pid,
    relation.oid,
    schema.nspname::text,
    relation.relname::text,
    (
      select format(
        'session %s (%s), which waited for %s',
        waiting.pid,
        coalesce(nullif(activity.application_name, ''), activity.usename, 'unknown'),
        waiting.mode
      )
      from waiting
      left join pg_stat_activity as activity on activity.pid = waiting.pid
      where counting.pid = any (waiting.blocked_by)
      order by waiting.pid
      limit 1
    )
  from counting
  left join lateral (
    select held.relation
    from held
    join pg_class on pg_class.oid = held.relation and pg_class.relkind in ('r', 'p')
    where
      held.pid = counting.pid
      and held.locktype = 'relation'
      and held.mode = 'AccessShareLock'
      and held.granted
      and held.relation >= 16384 -- the first OID that is not a system table's
      and pg_class.relnamespace <> 'nms'::regnamespace
      -- Of what is read with its children, the top.
      and not exists (
        select
        from pg_inherits as child
        join held as parent on parent.relation = child.inhparent and parent.pid = held.pid and parent.granted
        where child.inhrelid = held.relation and parent.mode = 'AccessShareLock'
      )
    order by pg_class.relpages desc
    limit 1
  ) as read on true
  left join pg_class as relation on relation.oid = read.relation
  left join pg_namespace as schema on schema.oid = relation.relnamespace
$$;
comment on function nms.counting_sessions(bigint) is
  'The sessions that measure targets of a run at this moment: the table that each reads (null between two), and the session that one of them keeps waiting for longer than the yield_after setting (null when none is). Cancel such a one with pg_cancel_backend, then call nms.give_way.';
revoke execute on function nms.counting_sessions(bigint) from public;
--! EndIncluded functions/counting_sessions.sql
--! Included functions/give_way.sql
create or replace function nms.give_way(run_id bigint, table_oid oid, waiting_session text)
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- of the canceled session, which is rolling back its claim
as $$
declare
  v_attempts constant bigint := bigint '3';
  v_run nms.table_metrics_runs := nms.claim_run(run_id => give_way.run_id, together => true);
  v_claim nms.table_metrics_targets;
  v_put_back nms.table_metrics_targets;
  v_target nms.target;
begin
  begin
    select claim.* into v_claim
    from nms.table_metrics_targets as claim
    where
      claim.run_id = v_run.run_id
      and not claim.is_done
      and exists (select from unnest(claim.targets) as target where target.table_oid = give_way.table_oid)
    for update;
  exception
    when lock_not_available then
      return null; -- it is being counted again, and canceled again when that makes somebody wait
  end;
  if v_claim.run_id is null then
    return null;
  end if;

  v_put_back := v_claim;
  v_put_back.times_given_way := v_claim.times_given_way + 1;
  foreach v_target in array v_claim.targets loop
    if v_target.table_oid <> give_way.table_oid then
      perform nms.requeue_target(claim => v_claim, target => v_target);
    elsif v_put_back.times_given_way < v_attempts then
      perform nms.requeue_target(claim => v_put_back, target => v_target);
    else
      perform nms.record_failure(
        run_id => v_run.run_id,
        target => v_target,
        error_sqlstate => 'NM003',
        error_message => format('gave way to %s, and to others before: %s attempts', waiting_session, v_attempts)
      );
    end if;
  end loop;
  update nms.table_metrics_targets as claim
  set is_done = true
  where claim.run_id = v_claim.run_id and claim.position = v_claim.position;

  return case when v_put_back.times_given_way < v_attempts then 'put back' else 'given up' end;
end
$$;
comment on function nms.give_way(bigint, oid, text) is
  'After the count of a table was canceled because another session waited for it: puts the table back at the end of the queue, or, the third time, records it as not counted. Returns which of the two, null when the table is not in the queue any more, or being counted again.';
revoke execute on function nms.give_way(bigint, oid, text) from public;
--! EndIncluded functions/give_way.sql
--! Included functions/give_up_run.sql
create or replace function nms.give_up_run(run_id bigint, reason text)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := coalesce(nullif(give_up_run.reason, ''), 'given up');
  v_run nms.table_metrics_runs := nms.claim_run(run_id => give_up_run.run_id);
begin
  if v_run.is_online then
    perform nms.record_failure(
      run_id => claim.run_id,
      target => target,
      error_sqlstate => '57014',
      error_message => v_reason
    )
    from nms.table_metrics_targets as claim
    cross join unnest(claim.targets) as target
    where
      claim.run_id = v_run.run_id
      and not claim.is_done
      and exists (select from pg_class as relation where relation.oid = target.table_oid);

    perform nms.add_up_parents(run_id => v_run.run_id);
    update nms.table_metrics_runs as run
    set target_count = (
      select count(*)
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = v_run.run_id
    )
    where run.run_id = v_run.run_id;
  end if;

  return nms.fail_run(
    run_id => v_run.run_id,
    reason => concat_ws('. ', v_reason, nms.failure_summary(run_id => v_run.run_id))
  );
end
$$;
comment on function nms.give_up_run(bigint, text) is
  'Ends a RUNNING run that no session works on as FAILED for this reason; what an online run has not counted by then is recorded as not counted. Returns the header.';
revoke execute on function nms.give_up_run(bigint, text) from public;
--! EndIncluded functions/give_up_run.sql

--! Included functions/job_problem.sql
create or replace function nms.job_problem(payload jsonb)
returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with expected (key, is_right, expected) as (
    values
      ('online', jsonb_typeof(payload -> 'online') = 'boolean', 'true or false'),
      (
        'jobs',
        jsonb_typeof(payload -> 'jobs') = 'number' and payload ->> 'jobs' ~ '^([1-9]|[12][0-9]|3[0-2])$'
          and payload -> 'online' = 'true',
        'a whole number from 1 to 32, beside "online": true'
      ),
      (
        'deadline',
        jsonb_typeof(payload -> 'deadline') = 'string'
          and payload ->> 'deadline' ~ '^[1-9][0-9]{0,5} ?(s|m|h|min|minutes?|hours?|seconds?)$',
        'a time such as "30m", "90s" or "2h"'
      ),
      (
        'localTime',
        jsonb_typeof(payload -> 'localTime') = 'string'
          and payload ->> 'localTime' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$',
        'a time of day such as "05:15"'
      ),
      (
        '_cron',
        payload #>> '{_cron,ts}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$',
        'what graphile-worker''s cron writes, such as {"ts": "2026-11-20T05:15:00.000Z"}'
      ),
      ('skipSchemas', true, null),
      ('exclude', true, null)
  ),
  problem as (
    select
      1 as place,
      format('payload: saw %s, expected an object such as {"skipSchemas": ["tmp"]}', left(payload::text, 200)) as text
    where jsonb_typeof(payload) <> 'object'
    union all
    select
      2,
      format(
        'payload: saw the unknown key %s, expected only skipSchemas, exclude, online, jobs, deadline and localTime',
        to_jsonb(given.key)
      )
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload else '{}' end) as given
    where given.key not in (select expected.key from expected)
    union all
    select 3, format('%s: saw %s, expected %s', expected.key, left((payload -> expected.key)::text, 200), expected.expected)
    from expected
    where jsonb_typeof(payload) = 'object' and payload ? expected.key and expected.is_right is not true
    union all
    select
      4,
      regexp_replace(
        nms.request_problem(
          skip => coalesce(payload -> 'skipSchemas', '[]'),
          exclude => coalesce(payload -> 'exclude', '[]')
        ),
        '(^|; )skip:',
        '\1skipSchemas:',
        'g'
      )
    where jsonb_typeof(payload) = 'object'
  )
  select string_agg(problem.text, '; ' order by problem.place, problem.text) from problem
$$;
comment on function nms.job_problem(jsonb) is
  'What is wrong with the payload of a graphile-worker job: which key, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms.job_problem(jsonb) from public;
--! EndIncluded functions/job_problem.sql
--! Included functions/latest_slot.sql
-- A local time that a change of clocks leaves out is taken as it would have been before the change;
-- of one that comes twice there is one: a day has exactly one slot.
create or replace function nms.latest_slot(local_time time, at timestamptz default now())
returns timestamptz
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select max(slot)
  from nms.table_metrics_settings as settings
  cross join generate_series(0, 3) as days_before -- a zone may skip a whole day
  cross join lateral (
    select
      (nms.business_date(latest_slot.at) + 1 - days_before + latest_slot.local_time)
        at time zone settings.business_time_zone as slot
  ) as candidate
  where slot <= latest_slot.at
$$;
comment on function nms.latest_slot(time, timestamptz) is
  'The latest instant, not after the given one, at which clocks in the business time zone show this time: one a day, also on the days of 23 and 25 hours.';
revoke execute on function nms.latest_slot(time, timestamptz) from public;
--! EndIncluded functions/latest_slot.sql
--! Included functions/retry_helps.sql
create or replace function nms.retry_helps(run_id bigint)
returns boolean
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select run.status = 'FAILED' and not exists (
    select
    from nms.table_metrics_measurements as measurement
    where
      measurement.run_id = run.run_id
      and measurement.error_sqlstate is not null
      and measurement.error_sqlstate not in ('55P03', 'NM001', 'NM003')
      -- Out of resources, operator intervention, transaction rollback: these pass.
      and left(measurement.error_sqlstate, 2) not in ('53', '57', '40')
  )
  from nms.table_metrics_runs as run
  where run.run_id = retry_helps.run_id
$$;
comment on function nms.retry_helps(bigint) is
  'Whether a FAILED run may end better when it is tried again: true for locks, cancels, a server that went away; false when a table has a cause that somebody has to mend. Null for an unknown run.';
revoke execute on function nms.retry_helps(bigint) from public;
--! EndIncluded functions/retry_helps.sql
--! Included functions/slot_service.sql
create or replace function nms.slot_service(slot timestamptz, skip jsonb, exclude jsonb)
returns table (action text, run_id bigint, message text)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_most_runs constant integer := 10;
  v_run nms.table_metrics_runs;
begin
  -- After an outage several slots are due: one run, now, serves them all.
  select run.* into v_run
  from nms.table_metrics_runs as run
  where
    run.status = 'SUCCEEDED'
    and (
      run.scheduled_for = slot_service.slot
      or (
        run.scheduled_for is not null
        and run.collected_at >= slot_service.slot
        and run.skip_schemas = slot_service.skip
        and run.exclude_tables = slot_service.exclude
      )
    )
  order by run.run_id
  limit 1;
  if found then
    return query select 'served', v_run.run_id, format('run %s has served the slot %s', v_run.run_id, slot);
    return;
  end if;

  perform nms.abandon_silent_runs();
  select run.* into v_run
  from nms.table_metrics_runs as run
  where
    run.status = 'RUNNING'
    and (
      run.scheduled_for = slot_service.slot
      or (
        run.scheduled_for is not null
        and run.collected_at >= slot_service.slot
        and run.skip_schemas = slot_service.skip
        and run.exclude_tables = slot_service.exclude
      )
    )
  order by run.run_id
  limit 1;
  if found then
    return query select 'wait', v_run.run_id, format('run %s for the slot %s is under way', v_run.run_id, slot);
    return;
  end if;

  select run.* into v_run
  from nms.table_metrics_runs as run
  where run.scheduled_for = slot_service.slot
  order by run.run_id desc
  limit 1;
  if
    not nms.retry_helps(run_id => v_run.run_id)
    or (
      select count(*) >= v_most_runs
      from nms.table_metrics_runs as run
      where run.scheduled_for = slot_service.slot
    )
  then
    return query select 'served', v_run.run_id, format('run %s for the slot %s failed, and trying again would not help', v_run.run_id, slot);
  end if;
end
$$;
comment on function nms.slot_service(timestamptz, jsonb, jsonb) is
  'What has been done for a slot of the schedule: served by a run, or in vain so often that another would not help; wait, when a run is under way that serves it or will. No row: it needs a run.';
revoke execute on function nms.slot_service(timestamptz, jsonb, jsonb) from public;
--! EndIncluded functions/slot_service.sql
--! Included functions/open_job.sql
create or replace function nms.open_job(
  payload jsonb,
  out action text,
  out run_id bigint,
  out message text,
  out is_online boolean,
  out jobs integer,
  out deadline interval,
  out slot timestamptz
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_problem text := nms.job_problem(payload => coalesce(open_job.payload, '{}'));
  v_request jsonb := case jsonb_typeof(open_job.payload) when 'object' then open_job.payload else '{}' end;
  v_skip jsonb := coalesce(v_request -> 'skipSchemas', '[]');
  v_exclude jsonb := coalesce(v_request -> 'exclude', '[]');
begin
  if v_problem is null then
    is_online := coalesce((v_request ->> 'online')::boolean, false);
    jobs := coalesce((v_request ->> 'jobs')::integer, 1);
    deadline := regexp_replace(v_request ->> 'deadline', 'm$', 'min')::interval;
    begin
      slot := (v_request #>> '{_cron,ts}')::timestamptz;
    exception
      when data_exception then
        v_problem := format(
          '_cron: saw %s, expected an instant that exists, such as {"ts": "2026-11-20T05:15:00.000Z"}',
          left(v_request ->> '_cron', 200)
        );
    end;
    if v_request ? 'localTime' then
      slot := nms.latest_slot(local_time => (v_request ->> 'localTime')::time, at => slot);
    end if;
  end if;

  if slot is not null then
    -- One after the other: the second finds what the first has written.
    perform pg_advisory_xact_lock(hashtextextended('nms.open_job', 0));
    select served.action, served.run_id, served.message
    into action, run_id, message
    from nms.slot_service(slot => open_job.slot, skip => v_skip, exclude => v_exclude) as served;
    if action is not null then
      return;
    end if;
  end if;

  run_id := nms.start_run(skip => v_skip, exclude => v_exclude, problem => v_problem, slot => open_job.slot);
  action := case when v_problem is null then 'collect' else 'reject' end;
  message := v_problem;
end
$$;
comment on function nms.open_job(jsonb) is
  'Begins a job of the schedule or of graphile_worker.add_job. payload: {"skipSchemas": […], "exclude": […], "online": …, "jobs": …, "deadline": …, "localTime": "05:15"}, all of them optional, and _cron as graphile-worker writes it. action: collect, a RUNNING run was started; reject, the payload is malformed and the run FAILED; served, the slot needs no run; wait, a run for the slot is under way. A slot is the time of the schedule, or with localTime the latest such time of day in the business time zone.';
revoke execute on function nms.open_job(jsonb) from public;
--! EndIncluded functions/open_job.sql

--! Included functions/find_problems.sql
-- One branch per problem. Rights are those of the role that counts: the owner of
-- nms.collect_table_metrics(), which after an update need not own this function yet.
create or replace function nms.find_problems(payload jsonb default '{}')
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with recursive
  request as (
    select
      malformed.why,
      coalesce(usable.payload -> 'skipSchemas', '[]') as skip,
      coalesce(usable.payload -> 'exclude', '[]') as exclude
    from nms.job_problem(payload => coalesce(find_problems.payload, '{}')) as malformed (why)
    cross join lateral (select case when malformed.why is null then find_problems.payload end) as usable (payload)
  ),
  collecting (call) as (
    select format(
      'select * from nms.collect_table_metrics(%s);',
      concat_ws(
        ', ',
        'skip => ' || quote_literal(nullif(request.skip, '[]')),
        'exclude => ' || quote_literal(nullif(request.exclude, '[]'))
      )
    )
    from request
  ),
  counting as (
    select role.oid, role.rolname as name, role.rolsuper or role.rolbypassrls as sees_every_row
    from pg_proc as routine
    join pg_roles as role on role.oid = routine.proowner
    where routine.pronamespace = 'nms'::regnamespace and routine.proname = 'collect_table_metrics'
  ),
  -- Materialized: otherwise the planner asks for the business day, which raises where the zone is unknown.
  setting as materialized (
    select
      settings.*,
      zone.is_known as has_time_zone,
      case when zone.is_known then nms.business_date() end as today
    from nms.table_metrics_settings as settings
    cross join nms.is_time_zone(settings.business_time_zone) as zone (is_known)
  ),
  target as materialized (
    select
      found.*,
      format('%I.%I', found.schema_name, found.table_name) as name,
      found.table_kind = 'table' or found.with_children as is_read -- others are added up
    from request
    cross join nms.find_targets(skip => request.skip, exclude => request.exclude) as found
  ),
  reading as (
    select
      target.name,
      target.schema_name,
      target.with_children,
      counting.name as reader,
      has_schema_privilege(counting.oid, relation.relnamespace, 'usage') as may_enter,
      has_table_privilege(counting.oid, relation.oid, 'select')
        -- Any column will do for a count, but with its children the table's tableoid is read.
        or (not target.with_children and has_any_column_privilege(counting.oid, relation.oid, 'select')) as may_select,
      relation.relrowsecurity
        and not counting.sees_every_row
        and (relation.relforcerowsecurity or not pg_has_role(counting.oid, relation.relowner, 'usage')) as is_thinned
    from target
    join pg_class as relation on relation.oid = target.table_oid
    cross join counting
    where target.is_read
  ),
  -- What one statement reads, and so locks until it ends.
  family (ancestor, member) as (
    select target.table_oid, target.table_oid from target where target.is_read
    union
    select family.ancestor, child.inhrelid
    from family
    join target on target.table_oid = family.ancestor and target.with_children
    join pg_inherits as child on child.inhparent = family.member
  ),
  widest as (
    select target.name, count(distinct family.member) + count(index.indexrelid) as locks
    from family
    join target on target.table_oid = family.ancestor
    left join pg_index as index on index.indrelid = family.member
    group by target.table_oid, target.name
    order by locks desc, target.name
    limit 1
  ),
  -- Without the spare memory that a serial plan could still use: each worker of a parallel one adds its share.
  lock_table as (
    select
      sum(limits.setting::bigint) filter (where limits.name <> 'max_locks_per_transaction') as sessions,
      min(limits.setting::bigint) filter (where limits.name = 'max_locks_per_transaction')
        * sum(limits.setting::bigint) filter (where limits.name <> 'max_locks_per_transaction') as room
    from pg_settings as limits
    where
      limits.name in (
        'max_locks_per_transaction', 'max_connections', 'max_prepared_transactions', 'max_worker_processes', 'max_wal_senders'
      )
  ),
  last_run as (
    select run.*
    from nms.table_metrics_runs as run
    where run.status <> 'RUNNING'
    order by run.run_id desc
    limit 1
  ),
  found (severity, problem, subject, detail, remedy) as (
    select
      'error', 'malformed_payload', 'the job', request.why || ': every such job would be rejected',
      'mend it where the job comes from, the crontab or graphile_worker.add_job'
    from request
    where request.why is not null

    union all
    select
      'error', 'time_zone_unknown', 'nms.table_metrics_settings',
      format('this server does not know the time zone %s: no run can start', setting.business_time_zone),
      format('update %s set business_time_zone = ''America/New_York'';', 'nms.table_metrics_settings'::regclass)
    from setting
    where not setting.has_time_zone

    union all
    select
      'error', 'server_is_read_only', current_database(), 'this server is a standby: no run can write its result',
      'set DATABASE_URL to the primary'
    where pg_is_in_recovery()

    union all
    select
      'error', 'server_is_read_only', current_database(), 'default_transaction_read_only is on: no run can write its result',
      format('alter role %I in database %I set default_transaction_read_only = off;', session_user, current_database())
    from pg_settings as limits
    where limits.name = 'default_transaction_read_only' and limits.reset_val = 'on'

    union all
    select
      'warning', 'time_is_limited', limits.name,
      format(
        'it is %s ms for this role in this database: a statement that counts for longer is ended, and the run fails',
        limits.reset_val
      ),
      format('alter role %I in database %I set %I = 0;', session_user, current_database(), limits.name)
    from pg_settings as limits
    where limits.name in ('statement_timeout', 'transaction_timeout') and limits.reset_val <> '0'

    union all
    select
      'error', 'owner_lacks_right', 'nms',
      format(
        '%I counts, and lacks rights in nms, on %s objects such as %s: every run would fail',
        counting.name, count(*), array_to_string((array_agg(needed.name order by needed.name))[1:3], ', ')
      ),
      string_agg(format('grant %s to %I;', needed.privilege, counting.name), ' ' order by needed.name)
    from counting
    cross join lateral (
      select routine.oid::regprocedure::text, format('execute on function %s', routine.oid::regprocedure)
      from pg_proc as routine
      where
        routine.pronamespace = 'nms'::regnamespace
        and not routine.prosecdef
        and routine.prorettype <> 'trigger'::regtype
        and not has_function_privilege(counting.oid, routine.oid, 'execute')
      union all
      select relation.oid::regclass::text, format('select, insert, update, delete on %s', relation.oid::regclass)
      from pg_class as relation
      where
        relation.relnamespace = 'nms'::regnamespace
        and relation.relkind = 'r'
        and not (
          has_table_privilege(counting.oid, relation.oid, 'select')
          and (
            relation.relname = 'table_metrics_settings'
            or has_table_privilege(counting.oid, relation.oid, 'insert')
          )
        )
      union all
      select 'schema nms', 'usage on schema nms'
      where not has_schema_privilege(counting.oid, 'nms', 'usage')
    ) as needed (name, privilege)
    group by counting.name

    union all
    select
      'error', 'table_not_readable', reading.name,
      format(
        '%I counts, and may not %s: every run would fail',
        reading.reader,
        case when reading.may_enter then 'select from it' else format('use the schema %I', reading.schema_name) end
      ),
      concat_ws(
        ' ',
        case when not reading.may_enter then format('grant usage on schema %I to %I;', reading.schema_name, reading.reader) end,
        case when not reading.may_select then format('grant select on %s to %I;', reading.name, reading.reader) end,
        format('-- or, for all tables: grant pg_read_all_data to %I;', reading.reader)
      )
    from reading
    where not (reading.may_enter and reading.may_select)

    union all
    select
      'error', 'table_thinned_by_policies', reading.name,
      format('row-level security would hide rows from %I, which counts: every run would fail', reading.reader),
      format('alter role %I bypassrls;', reading.reader)
    from reading
    where reading.is_thinned

    union all
    select
      'error', 'user_mapping_missing', part.oid::regclass::text,
      format(
        '%s is read with its foreign parts, and %I, which counts, has no user mapping on server %I: every run would fail',
        target.name, counting.name, server.srvname
      ),
      format('create user mapping for %I server %I options (user …, password …);', counting.name, server.srvname)
    from family
    join target on target.table_oid = family.ancestor
    join pg_class as part on part.oid = family.member
    join pg_foreign_table as foreign_table on foreign_table.ftrelid = part.oid
    join pg_foreign_server as server on server.oid = foreign_table.ftserver
    join pg_foreign_data_wrapper as wrapper on wrapper.oid = server.srvfdw
    cross join counting
    where
      wrapper.fdwname = 'postgres_fdw'
      and not exists (
        select from pg_user_mappings as mapping
        where mapping.srvid = server.oid and mapping.umuser in (0, counting.oid)
      )

    union all
    select
      case when widest.locks > lock_table.room then 'error' else 'warning' end,
      'too_few_locks', widest.name,
      format(
        'counting it takes %s locks at once: one for each part and index. The server has room for about %s, which all sessions share',
        widest.locks, lock_table.room
      ),
      format(
        'alter system set max_locks_per_transaction = %s; -- then restart the server',
        ceil(2.0 * widest.locks / lock_table.sessions)
      )
    from widest
    cross join lock_table
    where 2 * widest.locks > lock_table.room

    union all
    select
      'warning', 'owned_by_superuser', 'nms',
      format(
        '%s functions belong to the superuser %s: planning a count may run functions of a table''s owner, with the rights of a superuser',
        count(*), string_agg(distinct quote_ident(role.rolname), ', ')
      ),
      'psql -v ON_ERROR_STOP=1 -f migrations/roles.sql "$DATABASE_URL"'
    from pg_proc as routine
    join pg_roles as role on role.oid = routine.proowner
    where routine.pronamespace = 'nms'::regnamespace and role.rolsuper
    having count(*) > 0

    union all
    select
      'warning', 'machinery_is_counted', quote_ident(target.schema_name),
      'it holds the tables of a tool, and machinery_schemas does not name it: they would be counted',
      format(
        'update %s set machinery_schemas = array_append(machinery_schemas, %L);',
        'nms.table_metrics_settings'::regclass, target.schema_name
      )
    from target
    group by target.schema_name
    having
      target.schema_name in ('nms', 'graphile_migrate')
      or array_agg(target.table_name) @> '{_private_jobs,_private_known_crontabs}'
      or array_agg(target.table_name) @> '{jobs,known_crontabs,job_queues}'

    union all
    select
      'warning', 'nothing_to_count', current_database(),
      'a run would find no table; nms.preview_run() says why',
      'select * from nms.preview_run();'
    where not exists (select from target)

    union all
    select
      'warning', 'run_abandoned', format('run %s', run.run_id),
      format('RUNNING since %s, silent for longer than %s, and no session works on it', run.collected_at, setting.abandon_after),
      'select * from nms.abandon_silent_runs(); -- the next run does so as well'
    from nms.table_metrics_runs as run
    cross join setting
    where
      run.status = 'RUNNING'
      and clock_timestamp() - setting.abandon_after > greatest(
        run.collected_at,
        (
          select max(measurement.measured_at)
          from nms.table_metrics_measurements as measurement
          where measurement.run_id = run.run_id
        )
      )
      -- Whoever works on a run has locked its row, and with it this table. Looking takes no lock.
      and (
        run.xmax = '0'
        or not exists (
          select from pg_locks as held
          where
            held.relation = 'nms.table_metrics_runs'::regclass
            and held.database = (select db.oid from pg_database as db where db.datname = current_database())
            and held.mode in ('RowShareLock', 'RowExclusiveLock')
            and held.granted
        )
      )

    union all
    select
      case
        when exists (
          select from nms.table_metrics_daily_snapshot as daily where daily.snapshot_date = last_run.snapshot_date
        ) then 'warning'
        else 'error'
      end,
      'last_run_failed', format('run %s', last_run.run_id), last_run.error_message, collecting.call
    from last_run
    cross join collecting
    where last_run.status = 'FAILED'

    union all
    select
      'warning', 'no_run_today', setting.today::text,
      format('no run of this business day (%s) has succeeded yet', setting.business_time_zone),
      collecting.call
    from setting
    cross join collecting
    where
      setting.today is not null
      and not exists (select from nms.table_metrics_daily_snapshot as daily where daily.snapshot_date = setting.today)
  )
  select found.* from found order by found.severity, found.problem collate "C", found.subject collate "C"
$$;
comment on function nms.find_problems(jsonb) is
  'What would make a run fail, or its result misleading, and the statement that mends it. payload: the request of the run, as that of a graphile-worker job. severity: error (a run fails, or has failed and its day has no result) or warning. No row: nothing to mend. Changes nothing and locks no table.';
revoke execute on function nms.find_problems(jsonb) from public;
--! EndIncluded functions/find_problems.sql
