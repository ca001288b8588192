--! Previous: sha1:2b5231697accfefdd3bc6a61bbfdef3f46b29823
--! Hash: sha1:de67a3170c03bc8cea3a32f535625c55a6280095
--! Message: reading and retention

-- Reading: views, trends, comparisons; retention, and counts from elsewhere.

-- Rather than making readers queue behind a migration that waits for a run.
set local lock_timeout = '10 s';

alter table nms.table_metrics_runs add column if not exists is_recorded boolean not null default false;
comment on column nms.table_metrics_runs.is_recorded is
  'True when the counts were given to nms.record_run rather than taken by the collector.';

do $$
begin
  if not exists (
    select
    from pg_constraint
    where
      conrelid = 'nms.table_metrics_measurements'::regclass
      and conname = 'method_is_known'
      and pg_get_constraintdef(oid) like '%recorded%'
  ) then
    alter table nms.table_metrics_measurements
      drop constraint method_is_known,
      add constraint method_is_known
        check (method in ('exact', 'estimate', 'maintained', 'carried', 'recorded')) not valid;
  end if;
end
$$;
alter table nms.table_metrics_measurements validate constraint method_is_known;
comment on column nms.table_metrics_measurements.method is
  'How row_count was found: exact is a count of every row, recorded was given to nms.record_run.';
comment on column nms.table_metrics_measurements.table_oid is
  'OID of the table: the same after a rename, another one after drop and create; 0 when a recorded table does not exist.';

--! Included functions/classify_relations.sql
-- pg_class rather than information_schema, which hides what the role may not read.
create or replace function nms.classify_relations(skip jsonb, exclude jsonb)
returns table (
  table_oid oid,
  schema_name text,
  table_name text,
  table_kind text,
  is_partition boolean,
  pages integer,
  filenode oid,
  outcome text
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    relation.oid,
    schema.nspname::text,
    relation.relname::text,
    case relation.relkind
      when 'r' then 'table'
      when 'p' then 'partitioned table'
      when 'f' then 'foreign table'
      when 'v' then 'view'
      when 'm' then 'materialized view'
    end,
    relation.relispartition,
    relation.relpages,
    relation.relfilenode,
    case
      when schema.nspname = any (settings.machinery_schemas) then 'machinery'
      when relation.relkind not in ('r', 'p') or relation.relpersistence = 't' then 'not counted'
      when schema.nspname in (
        select resolved.schema_name
        from nms.resolve_schemas(nms.request_entries(classify_relations.skip)) as resolved
      ) then 'schema skipped'
      when relation.oid in (
        select resolved.table_oid
        from nms.resolve_tables(nms.request_entries(classify_relations.exclude)) as resolved
      ) then 'excluded'
      else 'counted'
    end
  from pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  cross join nms.table_metrics_settings as settings
  where
    relation.relkind in ('r', 'p', 'f', 'v', 'm')
    and schema.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    -- A temporary table of a persistent schema does not exist; those of other sessions are theirs.
    and (
      schema.nspname !~ '^pg_(toast_)?temp_[0-9]+$'
      or schema.oid = pg_my_temp_schema()
    )
$$;
comment on function nms.classify_relations(jsonb, jsonb) is
  'Every table, view and foreign table outside the system schemas, and what a run with this request does with it: counted, machinery, schema skipped, excluded, or not counted because of its kind.';
revoke execute on function nms.classify_relations(jsonb, jsonb) from public;
--! EndIncluded functions/classify_relations.sql

--! Included views/table_metrics_latest.sql
create or replace view nms.table_metrics_latest as
  select
    measurement.schema_name,
    measurement.table_name,
    measurement.table_kind,
    measurement.is_partition,
    measurement.row_count,
    measurement.own_row_count,
    measurement.method,
    measurement.measured_at,
    latest.run_id,
    latest.snapshot_date
  from (
    select run.run_id, run.snapshot_date
    from nms.table_metrics_runs as run
    where run.status = 'SUCCEEDED'
    order by run.snapshot_date desc, run.run_id desc
    limit 1
  ) as latest
  join nms.table_metrics_measurements as measurement using (run_id);
comment on view nms.table_metrics_latest is
  'What the latest successful run found: one row per table. That is the run with the highest run_id of the last business day that has one.';
comment on column nms.table_metrics_latest.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_latest.table_name is 'Name of the table.';
comment on column nms.table_metrics_latest.table_kind is 'table or partitioned table.';
comment on column nms.table_metrics_latest.is_partition is 'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_latest.row_count is 'Rows, those of partitions and children included.';
comment on column nms.table_metrics_latest.own_row_count is 'Rows stored in the table itself: its sum is the number of rows in all tables, each counted once.';
comment on column nms.table_metrics_latest.method is 'How row_count was found.';
comment on column nms.table_metrics_latest.measured_at is 'When the count of this table ended.';
comment on column nms.table_metrics_latest.run_id is 'Run that found it.';
comment on column nms.table_metrics_latest.snapshot_date is 'Its business day.';
revoke all on table nms.table_metrics_latest from public;
--! EndIncluded views/table_metrics_latest.sql
--! Included views/table_metrics_daily.sql
create or replace view nms.table_metrics_daily as
  select
    day.snapshot_date,
    measurement.schema_name,
    measurement.table_name,
    measurement.table_kind,
    measurement.is_partition,
    measurement.row_count,
    measurement.own_row_count,
    previous.snapshot_date as previous_date,
    before.row_count as previous_row_count,
    measurement.row_count - before.row_count as change,
    round(100.0 * (measurement.row_count - before.row_count) / nullif(before.row_count, 0), 2) as change_percent,
    day.run_id
  from nms.table_metrics_daily_snapshot as day
  join nms.table_metrics_measurements as measurement on measurement.run_id = day.run_id
  left join lateral (
    select earlier.snapshot_date, earlier.run_id
    from nms.table_metrics_daily_snapshot as earlier
    where earlier.snapshot_date < day.snapshot_date
    order by earlier.snapshot_date desc
    limit 1
  ) as previous on true
  left join nms.table_metrics_measurements as before
    on before.run_id = previous.run_id
    and before.schema_name = measurement.schema_name
    and before.table_name = measurement.table_name;
comment on view nms.table_metrics_daily is
  'What each business day found, from the run that owns it, beside the day before: one row per day and table.';
comment on column nms.table_metrics_daily.snapshot_date is 'Business day.';
comment on column nms.table_metrics_daily.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_daily.table_name is 'Name of the table.';
comment on column nms.table_metrics_daily.table_kind is 'table or partitioned table.';
comment on column nms.table_metrics_daily.is_partition is 'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_daily.row_count is 'Rows, those of partitions and children included.';
comment on column nms.table_metrics_daily.own_row_count is 'Rows stored in the table itself: its sum over a day is the number of rows in all tables, each counted once.';
comment on column nms.table_metrics_daily.previous_date is 'The last business day before this one that has a result; null for the first.';
comment on column nms.table_metrics_daily.previous_row_count is 'row_count on that day; null when the table was not counted then.';
comment on column nms.table_metrics_daily.change is 'row_count minus previous_row_count; null when there is none.';
comment on column nms.table_metrics_daily.change_percent is 'change in per cent of previous_row_count; null when that is null or 0.';
comment on column nms.table_metrics_daily.run_id is 'Run that owns the day.';
revoke all on table nms.table_metrics_daily from public;
--! EndIncluded views/table_metrics_daily.sql
--! Included views/table_metrics_today.sql
-- Not nms.business_date(): whoever reads a view has to be allowed to call the functions in it.
create or replace view nms.table_metrics_today as
  select day.snapshot_date, day.run_id, day.payload, day.collected_at
  from nms.table_metrics_settings as settings
  join nms.table_metrics_daily_snapshot as day
    on day.snapshot_date = (now() at time zone settings.business_time_zone)::date;
comment on view nms.table_metrics_today is
  'The JSON of the current business day, in the business time zone rather than that of the session: one row, or none when no run of today has succeeded.';
comment on column nms.table_metrics_today.snapshot_date is 'Today, in the business time zone.';
comment on column nms.table_metrics_today.run_id is 'Run that owns the day so far.';
comment on column nms.table_metrics_today.payload is 'Row counts as {schema: {table: count}}.';
comment on column nms.table_metrics_today.collected_at is 'When that run started.';
revoke all on table nms.table_metrics_today from public;
--! EndIncluded views/table_metrics_today.sql
--! Included views/table_metrics_estimates.sql
create or replace view nms.table_metrics_estimates as
  select
    latest.schema_name,
    latest.table_name,
    latest.own_row_count as row_count,
    estimate.n_live_tup,
    round(100.0 * (estimate.n_live_tup - latest.own_row_count) / nullif(latest.own_row_count, 0), 2) as n_live_tup_off_percent,
    estimate.reltuples,
    round(100.0 * (estimate.reltuples - latest.own_row_count) / nullif(latest.own_row_count, 0), 2) as reltuples_off_percent,
    estimate.reltuples is null
      or abs(estimate.reltuples - latest.own_row_count) > 50 + 0.1 * latest.own_row_count as needs_analyze,
    latest.measured_at
  from nms.table_metrics_latest as latest
  join pg_class as relation
    on relation.oid = (
      select measurement.table_oid
      from nms.table_metrics_measurements as measurement
      where
        measurement.run_id = latest.run_id
        and measurement.schema_name = latest.schema_name
        and measurement.table_name = latest.table_name
    )
  cross join lateral (
    select
      pg_stat_get_live_tuples(relation.oid) as n_live_tup,
      case when relation.reltuples >= 0 then relation.reltuples::bigint end as reltuples
  ) as estimate
  where latest.table_kind = 'table';
comment on view nms.table_metrics_estimates is
  'How far the estimates of Postgres are off, beside the latest exact count: which tables need an analyze. Only tables that exist; rows stored in the table itself.';
comment on column nms.table_metrics_estimates.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_estimates.table_name is 'Name of the table.';
comment on column nms.table_metrics_estimates.row_count is 'Exact number of rows in the table itself, when the latest successful run counted it.';
comment on column nms.table_metrics_estimates.n_live_tup is 'What the statistics say now; 0 after a crash.';
comment on column nms.table_metrics_estimates.n_live_tup_off_percent is 'How far that is off, in per cent of row_count; null for an empty table.';
comment on column nms.table_metrics_estimates.reltuples is 'What the planner goes by now; null before the first vacuum or analyze.';
comment on column nms.table_metrics_estimates.reltuples_off_percent is 'How far that is off, in per cent of row_count; null for an empty table.';
comment on column nms.table_metrics_estimates.needs_analyze is 'True when reltuples is unknown, or off by more than 50 rows and 10 %: what autovacuum tolerates by default.';
comment on column nms.table_metrics_estimates.measured_at is 'When the exact count ended: the estimates may have changed since.';
revoke all on table nms.table_metrics_estimates from public;
--! EndIncluded views/table_metrics_estimates.sql

--! Included functions/table_trend.sql
create or replace function nms.table_trend(schema_name text, table_name text, days integer default 30)
returns table (
  snapshot_date date,
  row_count bigint,
  change bigint,
  change_percent numeric,
  run_id bigint
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    day.snapshot_date,
    measurement.row_count,
    measurement.row_count - lag(measurement.row_count) over by_date,
    round(
      100.0 * (measurement.row_count - lag(measurement.row_count) over by_date)
        / nullif(lag(measurement.row_count) over by_date, 0),
      2
    ),
    day.run_id
  from nms.table_metrics_settings as settings
  join nms.table_metrics_daily_snapshot as day
    on day.snapshot_date > (now() at time zone settings.business_time_zone)::date - table_trend.days
  cross join lateral (
    -- There is one at most. The limit keeps the planner from joining the table's whole history to a few days.
    select found.row_count
    from nms.table_metrics_measurements as found
    where
      found.run_id = day.run_id
      and found.schema_name = table_trend.schema_name
      and found.table_name = table_trend.table_name
    limit 1
  ) as measurement
  window by_date as (order by day.snapshot_date)
  order by day.snapshot_date
$$;
comment on function nms.table_trend(text, text, integer) is
  'How many rows a table had on each of the last so many business days, today included, and the change since the row before. No row: the day has no result, or not this table. Names as the catalogue spells them.';
revoke execute on function nms.table_trend(text, text, integer) from public;
--! EndIncluded functions/table_trend.sql
--! Included functions/compare_runs.sql
create or replace function nms.compare_runs(before bigint, after bigint)
returns table (
  schema_name text,
  table_name text,
  outcome text,
  rows_before bigint,
  rows_after bigint,
  change bigint,
  change_percent numeric,
  own_change bigint,
  table_kind text,
  is_partition boolean
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before nms.table_metrics_runs;
  v_after nms.table_metrics_runs;
begin
  select run.* into v_before from nms.table_metrics_runs as run where run.run_id = compare_runs.before;
  select run.* into v_after from nms.table_metrics_runs as run where run.run_id = compare_runs.after;
  if v_before.status is null or v_after.status is null then
    raise exception 'no such run: %', case when v_before.status is null then compare_runs.before else compare_runs.after end
      using
        errcode = 'no_data_found',
        detail = format('saw %s and %s', coalesce(compare_runs.before::text, 'null'), coalesce(compare_runs.after::text, 'null')),
        hint = 'The runs are in nms.table_metrics_runs.';
  elsif 'RUNNING' in (v_before.status, v_after.status) then
    raise exception 'run % has not ended', case v_before.status when 'RUNNING' then v_before.run_id else v_after.run_id end
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'its status is RUNNING',
        hint = 'Wait until it has.';
  end if;

  return query
  select
    named.schema_name,
    named.table_name,
    case
      -- A failed run may not have come to a table: that it is missing says nothing.
      when former.table_name is null and v_before.status = 'FAILED' then 'not counted'
      when latter.table_name is null and v_after.status = 'FAILED' then 'not counted'
      when former.table_name is null then 'appeared'
      when latter.table_name is null then 'disappeared'
      when former.row_count is null or latter.row_count is null then 'not counted'
      when latter.row_count > former.row_count then 'grew'
      when latter.row_count < former.row_count then 'shrank'
      else 'unchanged'
    end,
    former.row_count,
    latter.row_count,
    latter.row_count - former.row_count,
    round(100.0 * (latter.row_count - former.row_count) / nullif(former.row_count, 0), 2),
    case
      when former.table_name is null and v_before.status = 'SUCCEEDED' then latter.own_row_count
      when latter.table_name is null and v_after.status = 'SUCCEEDED' then -former.own_row_count
      else latter.own_row_count - former.own_row_count
    end,
    coalesce(latter.table_kind, former.table_kind),
    coalesce(latter.is_partition, former.is_partition)
  from (
    select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_before.run_id
  ) as former
  full join (
    select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_after.run_id
  ) as latter using (schema_name, table_name)
  cross join lateral (
    select
      coalesce(former.schema_name, latter.schema_name) as schema_name,
      coalesce(former.table_name, latter.table_name) as table_name
  ) as named
  order by named.schema_name, named.table_name;
end
$$;
comment on function nms.compare_runs(bigint, bigint) is
  'Every table of two runs: appeared, disappeared, grew, shrank, unchanged, or not counted in one of them. sum(own_change) is the change of the whole database, each row counted once. Raises P0002 for an unknown run, 55000 for a RUNNING one.';
revoke execute on function nms.compare_runs(bigint, bigint) from public;
--! EndIncluded functions/compare_runs.sql
--! Included functions/run_of_day.sql
create or replace function nms.run_of_day(snapshot_date date)
returns bigint
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
begin
  select day.run_id into v_run_id
  from nms.table_metrics_daily_snapshot as day
  where day.snapshot_date = run_of_day.snapshot_date;
  if not found then
    raise exception 'no result for the day %', coalesce(run_of_day.snapshot_date::text, 'null')
      using
        errcode = 'no_data_found',
        detail = (
          select format(
            'the nearest days with a result are %s and %s',
            coalesce(max(day.snapshot_date) filter (where day.snapshot_date < run_of_day.snapshot_date)::text, 'none before'),
            coalesce(min(day.snapshot_date) filter (where day.snapshot_date > run_of_day.snapshot_date)::text, 'none after')
          )
          from nms.table_metrics_daily_snapshot as day
        ),
        hint = 'The days are in nms.table_metrics_daily_snapshot.';
  end if;
  return v_run_id;
end
$$;
comment on function nms.run_of_day(date) is
  'The run that owns a business day. Raises P0002 for a day without a result.';
revoke execute on function nms.run_of_day(date) from public;
--! EndIncluded functions/run_of_day.sql
--! Included functions/compare_days.sql
create or replace function nms.compare_days(before date, after date)
returns table (
  schema_name text,
  table_name text,
  outcome text,
  rows_before bigint,
  rows_after bigint,
  change bigint,
  change_percent numeric,
  own_change bigint,
  table_kind text,
  is_partition boolean
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select compared.*
  from nms.compare_runs(
    before => nms.run_of_day(snapshot_date => compare_days.before),
    after => nms.run_of_day(snapshot_date => compare_days.after)
  ) as compared;
end
$$;
comment on function nms.compare_days(date, date) is
  'Every table of two business days, from the runs that own them: appeared, disappeared, grew, shrank or unchanged. sum(own_change) is the change of the whole database, each row counted once. Raises P0002 for a day without a result.';
revoke execute on function nms.compare_days(date, date) from public;
--! EndIncluded functions/compare_days.sql

--! Included functions/payload_problem.sql
create or replace function nms.payload_problem(payload jsonb)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with problem as (
    select 1 as place, '' as path, payload as seen, 'an object {"schema": {"table": count}}' as expected
    where payload is null or jsonb_typeof(payload) <> 'object'
    union all
    select 2, schemas.key, schemas.value, 'an object {"table": count}'
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload end) as schemas
    where jsonb_typeof(schemas.value) <> 'object' or schemas.key = ''
    union all
    select 3, format('%I.%I', schemas.key, tables.key), tables.value, 'a whole number from 0 to 9223372036854775807'
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload end) as schemas
    cross join lateral jsonb_each(case jsonb_typeof(schemas.value) when 'object' then schemas.value end) as tables
    where
      tables.key = ''
      or case jsonb_typeof(tables.value)
        when 'number' then
          (tables.value #>> '{}')::numeric not between 0 and 9223372036854775807
          or trunc((tables.value #>> '{}')::numeric) <> (tables.value #>> '{}')::numeric
        else true
      end
  )
  select format('%s: saw %s, expected %s', coalesce(nullif(problem.path, ''), 'payload'), coalesce(left(problem.seen::text, 200), 'null'), problem.expected)
  from problem
  order by problem.place, problem.path
  limit 1
$$;
comment on function nms.payload_problem(jsonb) is
  'What is wrong with counts that are to be recorded: where, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms.payload_problem(jsonb) from public;
--! EndIncluded functions/payload_problem.sql
--! Included functions/record_run.sql
create or replace function nms.record_run(snapshot_date date, payload jsonb)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_problem text := nms.payload_problem(payload => record_run.payload);
  v_owner nms.table_metrics_runs;
  v_run nms.table_metrics_runs;
begin
  if v_problem is not null then
    raise exception 'malformed counts'
      using
        errcode = 'invalid_parameter_value',
        detail = v_problem,
        hint = 'For example: select * from nms.record_run(''2026-01-31'', ''{"public": {"orders": 1234}}'');';
  elsif record_run.snapshot_date is null or record_run.snapshot_date > nms.business_date() then
    raise exception 'no day to record counts for: %', coalesce(record_run.snapshot_date::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = format('expected a business day until today, %s', nms.business_date()),
        hint = 'Give the day on which these were the counts.';
  end if;

  select run.* into v_owner
  from nms.table_metrics_runs as run
  where run.snapshot_date = record_run.snapshot_date and run.status = 'SUCCEEDED' and not run.is_recorded
  order by run.run_id desc
  limit 1;
  if found then
    raise exception 'the day % was counted', record_run.snapshot_date
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('run %s owns it', v_owner.run_id),
        hint = 'Recorded counts never take the place of counted ones.';
  end if;

  insert into nms.table_metrics_runs (snapshot_date, is_recorded)
  values (record_run.snapshot_date, true)
  returning * into strict v_run;

  insert into nms.table_metrics_measurements (
    run_id, schema_name, table_name, row_count, own_row_count, method, measured_at, table_kind, is_partition, table_oid
  )
  select
    v_run.run_id,
    schemas.key,
    tables.key,
    (tables.value #>> '{}')::numeric,
    case relation.relkind when 'p' then 0 else (tables.value #>> '{}')::numeric end,
    'recorded',
    v_run.collected_at,
    case relation.relkind when 'p' then 'partitioned table' else 'table' end,
    coalesce(relation.relispartition, false),
    coalesce(relation.oid, 0)
  from jsonb_each(record_run.payload) as schemas
  cross join lateral jsonb_each(schemas.value) as tables
  left join pg_namespace as schema on schema.nspname = schemas.key
  left join pg_class as relation
    on relation.relnamespace = schema.oid
    and relation.relname = tables.key
    and relation.relkind in ('r', 'p');

  update nms.table_metrics_runs as run
  set target_count = (
    select count(*)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = v_run.run_id
  )
  where run.run_id = v_run.run_id;
  return nms.close_run(run_id => v_run.run_id);
end
$$;
comment on function nms.record_run(date, jsonb) is
  'Stores counts that are known from elsewhere, such as an older tool, as a run of their own that is marked is_recorded. payload: {schema: {table: count}}. Raises 22023 for malformed counts or a day to come, 55000 for a day that was counted. A later recorded run of the same day takes it over.';
revoke execute on function nms.record_run(date, jsonb) from public;
--! EndIncluded functions/record_run.sql
--! Included functions/rebuild_run_snapshot.sql
create or replace function nms.rebuild_run_snapshot(run_id bigint)
returns nms.table_metrics_run_snapshot
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_measured bigint;
  v_snapshot nms.table_metrics_run_snapshot;
begin
  select run.* into v_run from nms.table_metrics_runs as run where run.run_id = rebuild_run_snapshot.run_id;
  if not found or v_run.status <> 'SUCCEEDED' then
    raise exception 'run % has no snapshot', coalesce(rebuild_run_snapshot.run_id::text, 'null')
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = case when v_run.status is null then 'there is no such run' else format('its status is %s', v_run.status) end,
        hint = 'Only successful runs have one.';
  end if;

  select count(*) into strict v_measured
  from nms.table_metrics_measurements as measurement
  where measurement.run_id = v_run.run_id;
  if v_measured <> v_run.target_count then
    raise exception 'run % has lost measurements', v_run.run_id
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('saw %s, expected %s', v_measured, v_run.target_count),
        hint = 'A snapshot from what is left would not be whole: the old one, if any, stays.';
  end if;

  insert into nms.table_metrics_run_snapshot as snapshot (run_id, payload, collected_at)
  values (v_run.run_id, nms.run_payload(run_id => v_run.run_id), v_run.collected_at)
  on conflict on constraint table_metrics_run_snapshot_pkey do update
  set payload = excluded.payload, collected_at = excluded.collected_at
  returning snapshot.* into strict v_snapshot;
  return v_snapshot;
end
$$;
comment on function nms.rebuild_run_snapshot(bigint) is
  'Makes the JSON of a successful run again from its measurements: the same as before when nobody has touched it. Raises 55000 for any other run, and when measurements are missing.';
revoke execute on function nms.rebuild_run_snapshot(bigint) from public;
--! EndIncluded functions/rebuild_run_snapshot.sql
--! Included functions/rebuild_daily_snapshot.sql
create or replace function nms.rebuild_daily_snapshot(snapshot_date date)
returns nms.table_metrics_daily_snapshot
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
  v_snapshot nms.table_metrics_run_snapshot;
  v_day nms.table_metrics_daily_snapshot;
begin
  select max(run.run_id) into strict v_run_id
  from nms.table_metrics_runs as run
  where run.snapshot_date = rebuild_daily_snapshot.snapshot_date and run.status = 'SUCCEEDED';
  if v_run_id is null then
    raise exception 'no successful run on the day %', coalesce(rebuild_daily_snapshot.snapshot_date::text, 'null')
      using
        errcode = 'no_data_found',
        detail = 'there is nothing to make its snapshot from',
        hint = 'nms.record_run() stores counts that are known from elsewhere.';
  end if;

  v_snapshot := nms.rebuild_run_snapshot(run_id => v_run_id);
  insert into nms.table_metrics_daily_snapshot as daily (snapshot_date, run_id, payload, collected_at)
  values (rebuild_daily_snapshot.snapshot_date, v_snapshot.run_id, v_snapshot.payload, v_snapshot.collected_at)
  on conflict on constraint table_metrics_daily_snapshot_pkey do update
  set run_id = excluded.run_id, payload = excluded.payload, collected_at = excluded.collected_at
  where daily.run_id <= excluded.run_id; -- a later run may have come in between

  select daily.* into strict v_day
  from nms.table_metrics_daily_snapshot as daily
  where daily.snapshot_date = rebuild_daily_snapshot.snapshot_date;
  return v_day;
end
$$;
comment on function nms.rebuild_daily_snapshot(date) is
  'Makes the JSON of a business day again, and that of the run that owns it, from the measurements of its successful run with the highest run_id: also when the former owner was deleted. Raises P0002 for a day without one, 55000 when measurements are missing.';
revoke execute on function nms.rebuild_daily_snapshot(date) from public;
--! EndIncluded functions/rebuild_daily_snapshot.sql
--! Included functions/check_retention.sql
create or replace function nms.check_retention(keep_runs interval, keep_daily interval)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if keep_runs < '0' or keep_daily < '0' or keep_daily < keep_runs then
    raise exception 'cannot keep runs for % and days for %', coalesce(keep_runs::text, 'ever'), coalesce(keep_daily::text, 'ever')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected two times from 0 on, the second no shorter than the first',
        hint = 'For example: select * from nms.prune_table_metrics(keep_runs => ''90 days'', keep_daily => ''3 years'');';
  end if;
end
$$;
comment on function nms.check_retention(interval, interval) is
  'Raises 22023 unless both times are from 0 on, and days are kept for no shorter than runs; null means for ever.';
revoke execute on function nms.check_retention(interval, interval) from public;
--! EndIncluded functions/check_retention.sql
--! Included functions/retention_problem.sql
create or replace function nms.retention_problem(payload jsonb)
returns text
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_problem text;
  v_detail text;
begin
  with
  given as (
    select entry.key, entry.value
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload else '{}' end) as entry
    where entry.key <> '_cron' -- which graphile-worker writes
  ),
  problem (place, text) as (
    select
      1,
      format('payload: saw %s, expected an object such as {"keepRuns": "90 days", "keepDaily": "5 years"}', left(payload::text, 200))
    where jsonb_typeof(payload) <> 'object'
    union all
    select 2, format('payload: saw the unknown key %s, expected only keepRuns and keepDaily', to_jsonb(given.key))
    from given
    where given.key not in ('keepRuns', 'keepDaily')
    union all
    select 3, format('%s: saw %s, expected a time with its unit such as "90 days"', given.key, left(given.value::text, 200))
    from given
    where
      given.key in ('keepRuns', 'keepDaily')
      -- As an interval, 90 is so many seconds, and m a minute: either would delete nearly everything.
      and (jsonb_typeof(given.value) <> 'string' or given.value #>> '{}' ~* '^[\s\d.+-]*m?\s*$')
    union all
    select 4, 'payload: saw no time, expected {"keepRuns": "90 days", "keepDaily": "5 years"} or one of the two'
    where jsonb_typeof(payload) = 'object' and not exists (select from given)
  )
  select string_agg(problem.text, '; ' order by problem.place, problem.text) into v_problem from problem;
  if v_problem is null then
    perform nms.check_retention(
      keep_runs => (payload ->> 'keepRuns')::interval,
      keep_daily => (payload ->> 'keepDaily')::interval
    );
  end if;
  return v_problem;
exception
  when data_exception then
    get stacked diagnostics v_problem = message_text, v_detail = pg_exception_detail;
    return concat_ws('; ', v_problem, nullif(v_detail, ''));
end
$$;
comment on function nms.retention_problem(jsonb) is
  'What is wrong with the payload of a job that prunes: which key, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms.retention_problem(jsonb) from public;
--! EndIncluded functions/retention_problem.sql
--! Included functions/prune_table_metrics.sql
create or replace function nms.prune_table_metrics(
  keep_runs interval default null,  -- null: for ever
  keep_daily interval default null, -- the run that owns a day, and its JSON; null: for ever
  budget interval default '1 second',
  out runs_deleted bigint,
  out runs_left bigint
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_start constant timestamptz := clock_timestamp();
  v_old bigint[];
  v_run_id bigint;
  v_gone bigint := bigint '0'; -- also those that somebody else has deleted meanwhile
  v_deleted bigint;
begin
  perform nms.check_retention(
    keep_runs => prune_table_metrics.keep_runs,
    keep_daily => prune_table_metrics.keep_daily
  );

  v_old := array(
    select run.run_id
    from nms.table_metrics_runs as run
    left join nms.table_metrics_daily_snapshot as day on day.run_id = run.run_id
    where
      run.status <> 'RUNNING'
      and case
        when day.run_id is null then run.collected_at < now() - keep_runs
        else day.snapshot_date < nms.business_date() - keep_daily
      end
      and run.run_id is distinct from (
        select latest.run_id
        from nms.table_metrics_runs as latest
        where latest.status = 'SUCCEEDED'
        order by latest.snapshot_date desc, latest.run_id desc
        limit 1
      )
    order by run.run_id
  );

  runs_deleted := 0;
  foreach v_run_id in array v_old loop
    delete from nms.table_metrics_runs as run where run.run_id = v_run_id;
    get diagnostics v_deleted = row_count;
    runs_deleted := runs_deleted + v_deleted;
    v_gone := v_gone + 1;
    exit when clock_timestamp() >= v_start + budget;
  end loop;
  runs_left := cardinality(v_old) - v_gone;
end
$$;
comment on function nms.prune_table_metrics(interval, interval, interval) is
  'Deletes old runs with everything that belongs to them, oldest first, for about as long as the budget says: runs that own no day after keep_runs, those that own one after keep_daily, and never the latest successful run. Returns how many it has deleted and how many are left: call it again until none is. Raises 22023 when days would be kept for a shorter time than runs.';
revoke execute on function nms.prune_table_metrics(interval, interval, interval) from public;
--! EndIncluded functions/prune_table_metrics.sql
