--! Previous: -
--! Hash: sha1:35a003b8b77ecf8ca7bb129d1410c7a8df80f55f
--! Message: table metrics

-- Rather than making readers queue behind a migration that waits for a run.
set local lock_timeout = '10 s';

create schema if not exists nms;
comment on schema nms is
  'Table metrics: how many rows every table of this database holds, kept per run and per business day.';
revoke all on schema nms from public;

--! Included functions/is_time_zone.sql
-- pg_timezone_names rather than "at time zone": the latter takes 'UTC+5' for five hours *west* of Greenwich.
create or replace function nms.is_time_zone(name text)
returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from pg_timezone_names as zone where lower(zone.name) = lower(is_time_zone.name)
  )
$$;
comment on function nms.is_time_zone(text) is
  'True when the server knows a time zone of this name, such as Europe/Berlin; upper and lower case are the same.';
revoke execute on function nms.is_time_zone(text) from public;
--! EndIncluded functions/is_time_zone.sql

create table if not exists nms.table_metrics_settings (
  singleton boolean primary key default true
    constraint there_is_one_row check (singleton),
  business_time_zone text not null default 'America/New_York'
    constraint business_time_zone_is_known_to_the_server check (nms.is_time_zone(business_time_zone)),
  machinery_schemas text[] not null default '{nms,graphile_worker,graphile_migrate}'
    constraint machinery_schemas_has_no_null check (array_position(machinery_schemas, null) is null),
  lock_timeout interval not null default '5 s'
    constraint lock_timeout_is_between_1_ms_and_1_day check (lock_timeout between '1 ms' and '1 day'),
  abandon_after interval not null default '5 min'
    constraint abandon_after_is_between_1_s_and_30_days check (abandon_after between '1 s' and '30 days'),
  yield_after interval not null default '2 s'
    constraint yield_after_is_between_1_ms_and_1_day check (yield_after between '1 ms' and '1 day')
);
comment on table nms.table_metrics_settings is
  'The settings of the collector: always exactly one row. Change one with an update; an invalid value is refused.';
comment on column nms.table_metrics_settings.singleton is
  'Always true: keeps this table at one row.';
comment on column nms.table_metrics_settings.business_time_zone is
  'Time zone whose date is the business day, as in pg_timezone_names. Changing it moves no past run to another day.';
comment on column nms.table_metrics_settings.machinery_schemas is
  'Schemas of the collector and its tools, left out of every run.';
comment on column nms.table_metrics_settings.lock_timeout is
  'How long the count of one table waits for a lock on it before it is given up.';
comment on column nms.table_metrics_settings.abandon_after is
  'How long a RUNNING run that no session holds may be silent before the next run marks it FAILED.';
comment on column nms.table_metrics_settings.yield_after is
  'How long an online count may make another session wait before it gives way.';

-- The first install takes the zone from a parameter of the session: set nms.business_time_zone = 'Europe/Berlin'.
insert into nms.table_metrics_settings (business_time_zone)
values (coalesce(nullif(current_setting('nms.business_time_zone', true), ''), 'America/New_York'))
on conflict do nothing;

--! Included functions/forbid_deleting_the_settings.sql
create or replace function nms.forbid_deleting_the_settings()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the settings are always there'
    using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('saw %s on nms.table_metrics_settings', lower(tg_op)),
      hint = 'Change a setting with an update.';
end
$$;
comment on function nms.forbid_deleting_the_settings() is
  'Trigger function that refuses to delete the one row of settings, without which no run could start.';
revoke execute on function nms.forbid_deleting_the_settings() from public;
--! EndIncluded functions/forbid_deleting_the_settings.sql

create or replace trigger forbid_deleting_the_settings
  before delete or truncate on nms.table_metrics_settings
  for each statement
  execute function nms.forbid_deleting_the_settings();
comment on trigger forbid_deleting_the_settings on nms.table_metrics_settings is
  'There is always one row of settings.';

--! Included functions/business_date.sql
create or replace function nms.business_date(at timestamptz default now())
returns date
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (business_date.at at time zone settings.business_time_zone)::date
  from nms.table_metrics_settings as settings
$$;
comment on function nms.business_date(timestamptz) is
  'The business day of an instant, by default of the current transaction: its date in the business time zone of the settings, whatever the session''s TimeZone.';
revoke execute on function nms.business_date(timestamptz) from public;
--! EndIncluded functions/business_date.sql

create table if not exists nms.table_metrics_runs (
  run_id bigint generated always as identity primary key,
  collected_at timestamptz not null default now(),
  snapshot_date date not null default nms.business_date(),
  status text not null default 'RUNNING'
    constraint status_is_known check (status in ('RUNNING', 'SUCCEEDED', 'FAILED')),
  error_message text
    constraint error_message_has_at_most_2000_characters check (length(error_message) <= 2000),
  skip_schemas jsonb not null default '[]',
  exclude_tables jsonb not null default '[]',
  finished_at timestamptz,
  requested_by text not null default session_user,
  scheduled_for timestamptz,
  target_count bigint,
  unmatched_entries jsonb not null default '[]',
  constraint finished_runs_have_an_end check ((status = 'RUNNING') = (finished_at is null)),
  constraint failed_runs_have_a_reason check ((status = 'FAILED') = (error_message is not null)),
  constraint succeeded_runs_have_targets_counted check (status <> 'SUCCEEDED' or target_count is not null)
);
create index if not exists table_metrics_runs_running_idx
  on nms.table_metrics_runs (run_id) where status = 'RUNNING';
create index if not exists table_metrics_runs_snapshot_date_idx
  on nms.table_metrics_runs (snapshot_date, run_id);
comment on table nms.table_metrics_runs is
  'One row per run of the collector, also of those that failed: the audit trail. A finished run is never rewritten; deleting one takes its measurements and snapshots with it.';
comment on column nms.table_metrics_runs.run_id is
  'Number of the run. Numbers may be missing: of calls that were rolled back.';
comment on column nms.table_metrics_runs.collected_at is
  'When the run started.';
comment on column nms.table_metrics_runs.snapshot_date is
  'Business day to which the run belongs: the day on which it started, in the business time zone.';
comment on column nms.table_metrics_runs.status is
  'RUNNING, then SUCCEEDED (every target was counted) or FAILED, and never changed again.';
comment on column nms.table_metrics_runs.error_message is
  'Why the run failed and what to do about it, at most 2,000 characters; null unless FAILED.';
comment on column nms.table_metrics_runs.skip_schemas is
  'Schemas that the request left out, as it was given.';
comment on column nms.table_metrics_runs.exclude_tables is
  'Tables that the request left out, as it was given.';
comment on column nms.table_metrics_runs.finished_at is
  'When the run ended; null while it is RUNNING.';
comment on column nms.table_metrics_runs.requested_by is
  'Role that was logged in to the session that started the run.';
comment on column nms.table_metrics_runs.scheduled_for is
  'Slot of the schedule that the run serves; null for a run that somebody asked for.';
comment on column nms.table_metrics_runs.target_count is
  'How many tables the run had to count; null until they have been gone through.';
comment on column nms.table_metrics_runs.unmatched_entries is
  'Entries of the request that matched nothing when the run started: [{"argument": "skip" or "exclude", "entry": …}].';

-- No foreign key: checking one takes as long as inserting the row, and a run's header is locked
-- while its measurements are written. A trigger deletes them together.
create table if not exists nms.table_metrics_measurements (
  run_id bigint not null,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  row_count bigint,
  own_row_count bigint
    constraint own_row_count_is_part_of_row_count check (own_row_count between 0 and row_count),
  method text not null default 'exact'
    constraint method_is_known check (method in ('exact', 'estimate', 'maintained', 'carried')),
  measured_at timestamptz not null,
  table_kind text not null
    constraint table_kind_is_known check (table_kind in ('table', 'partitioned table')),
  is_partition boolean not null,
  table_oid oid not null,
  error_sqlstate text,
  error_message text,
  primary key (run_id, schema_name, table_name),
  constraint counted_or_failed_with_a_reason check (
    (row_count is null) = (error_sqlstate is not null)
    and (own_row_count is null) = (error_sqlstate is not null)
    and (error_message is null) = (error_sqlstate is null)
  )
);
create index if not exists table_metrics_measurements_table_idx
  on nms.table_metrics_measurements (schema_name, table_name, run_id) include (row_count);
comment on table nms.table_metrics_measurements is
  'What one run found for one table. No row: the run left the table out, or it did not exist throughout the run. sum(own_row_count) over a run is the number of rows in all its tables, each counted once.';
comment on column nms.table_metrics_measurements.run_id is
  'Run that took the measurement.';
comment on column nms.table_metrics_measurements.schema_name is
  'Schema of the table, as the catalogue spells it.';
comment on column nms.table_metrics_measurements.table_name is
  'Name of the table, as the catalogue spells it.';
comment on column nms.table_metrics_measurements.row_count is
  'Rows that select count(*) on the table shows, those of its partitions and children included; null, never 0, when it could not be counted.';
comment on column nms.table_metrics_measurements.own_row_count is
  'Rows that are stored in the table itself, without partitions and children: 0 for a partitioned table, null when it could not be counted.';
comment on column nms.table_metrics_measurements.method is
  'How row_count was found: exact is a count of every row.';
comment on column nms.table_metrics_measurements.measured_at is
  'When the count of this table ended. All counts of a run are as of its one snapshot, taken before the first; tables that were rewritten meanwhile, as of a later one.';
comment on column nms.table_metrics_measurements.table_kind is
  'table or partitioned table.';
comment on column nms.table_metrics_measurements.is_partition is
  'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_measurements.table_oid is
  'OID of the table: the same after a rename, another one after drop and create.';
comment on column nms.table_metrics_measurements.error_sqlstate is
  'SQLSTATE of why the table could not be counted, NM001 when it changed under every snapshot; null when it was counted.';
comment on column nms.table_metrics_measurements.error_message is
  'Why the table could not be counted; null when it was.';

create table if not exists nms.table_metrics_run_snapshot (
  run_id bigint primary key references nms.table_metrics_runs on delete cascade,
  payload jsonb not null,
  collected_at timestamptz not null default now()
);
comment on table nms.table_metrics_run_snapshot is
  'The whole result of one run as one JSON. No row: the run has not succeeded.';
comment on column nms.table_metrics_run_snapshot.run_id is
  'Run whose result this is.';
comment on column nms.table_metrics_run_snapshot.payload is
  'Row counts as {schema: {table: count}}; {} when the run found no table. A partitioned table and its partitions each have an entry.';
comment on column nms.table_metrics_run_snapshot.collected_at is
  'When the run started.';

create table if not exists nms.table_metrics_daily_snapshot (
  snapshot_date date primary key,
  run_id bigint not null references nms.table_metrics_runs on delete cascade,
  payload jsonb not null,
  collected_at timestamptz not null default now()
);
create index if not exists table_metrics_daily_snapshot_run_idx
  on nms.table_metrics_daily_snapshot (run_id);
comment on table nms.table_metrics_daily_snapshot is
  'The one JSON of each business day: of its successful run with the highest run_id. No row: no run of that day has succeeded.';
comment on column nms.table_metrics_daily_snapshot.snapshot_date is
  'Business day, a date in the business time zone.';
comment on column nms.table_metrics_daily_snapshot.run_id is
  'Run that owns the day.';
comment on column nms.table_metrics_daily_snapshot.payload is
  'Row counts as {schema: {table: count}}, the same as in the snapshot of that run.';
comment on column nms.table_metrics_daily_snapshot.collected_at is
  'When the run that owns the day started.';

revoke all on all tables in schema nms from public;

--! Included functions/forbid_rewriting_a_finished_run.sql
create or replace function nms.forbid_rewriting_a_finished_run()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a finished run is never rewritten'
    using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('run %s is %s', old.run_id, old.status),
      hint = 'Collect again: the run with the highest run_id owns its day.';
end
$$;
comment on function nms.forbid_rewriting_a_finished_run() is
  'Trigger function that refuses every update of a run that is SUCCEEDED or FAILED: history is append-only.';
revoke execute on function nms.forbid_rewriting_a_finished_run() from public;
--! EndIncluded functions/forbid_rewriting_a_finished_run.sql

create or replace trigger forbid_rewriting_a_finished_run
  before update on nms.table_metrics_runs
  for each row when (old.status <> 'RUNNING')
  execute function nms.forbid_rewriting_a_finished_run();
comment on trigger forbid_rewriting_a_finished_run on nms.table_metrics_runs is
  'History is append-only: a terminal status is never changed.';

--! Included functions/delete_measurements_of_deleted_runs.sql
create or replace function nms.delete_measurements_of_deleted_runs()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'TRUNCATE' then
    truncate nms.table_metrics_measurements;
  else
    delete from nms.table_metrics_measurements as measurement
    using deleted_runs
    where measurement.run_id = deleted_runs.run_id;
  end if;
  return null;
end
$$;
comment on function nms.delete_measurements_of_deleted_runs() is
  'Trigger function: deleting runs takes their measurements with them.';
revoke execute on function nms.delete_measurements_of_deleted_runs() from public;
--! EndIncluded functions/delete_measurements_of_deleted_runs.sql

create or replace trigger delete_measurements_of_deleted_runs
  after delete on nms.table_metrics_runs
  referencing old table as deleted_runs
  for each statement
  execute function nms.delete_measurements_of_deleted_runs();
comment on trigger delete_measurements_of_deleted_runs on nms.table_metrics_runs is
  'Deleting a run takes its measurements with it.';

create or replace trigger delete_measurements_of_truncated_runs
  after truncate on nms.table_metrics_runs
  for each statement
  execute function nms.delete_measurements_of_deleted_runs();
comment on trigger delete_measurements_of_truncated_runs on nms.table_metrics_runs is
  'Deleting all runs takes all measurements with them.';

--! Included functions/request_problem.sql
create or replace function nms.request_problem(skip jsonb, exclude jsonb)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with argument (name, value, expected, entry_pattern) as (
    values
      ('skip', skip, 'an array of schema names such as ["tmp"]', '.'),
      -- Something on both sides of a dot, and not one quoted name that merely contains a dot.
      ('exclude', exclude, 'an array of tables such as ["public.orders"]', '^(?!"([^"]|"")*"$).+[.].+$')
  ),
  entry as (
    select argument.name, element.value, argument.expected, argument.entry_pattern
    from argument
    cross join jsonb_array_elements(
      case jsonb_typeof(argument.value) when 'array' then argument.value end
    ) with ordinality as element (value, position)
  ),
  problem (name, seen, expected) as (
    select name, value, expected
    from argument
    where jsonb_typeof(value) <> 'array'
    union all
    select name, value, expected
    from entry
    where jsonb_typeof(value) <> 'string' or (value #>> '{}') !~ entry_pattern
  )
  select string_agg(
    format('%s: saw %s, expected %s', name, left(seen::text, 200), expected),
    '; ' order by name desc, seen::text
  )
  from problem
$$;
comment on function nms.request_problem(jsonb, jsonb) is
  'What is wrong with the arguments of a run: which argument, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms.request_problem(jsonb, jsonb) from public;
--! EndIncluded functions/request_problem.sql
--! Included functions/request_entries.sql
create or replace function nms.request_entries(argument jsonb)
returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(entry), '{}')
  from jsonb_array_elements_text(request_entries.argument) as entry
$$;
comment on function nms.request_entries(jsonb) is
  'The entries of a well-formed skip or exclude argument; SQL null means none.';
revoke execute on function nms.request_entries(jsonb) from public;
--! EndIncluded functions/request_entries.sql
--! Included functions/resolve_schemas.sql
create or replace function nms.resolve_schemas(entries text[])
returns table (entry text, schema_name text)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select entry, schema.nspname::text
  from pg_namespace as schema
  cross join lateral (
    values (schema.nspname::text), (format('"%s"', replace(schema.nspname, '"', '""')))
  ) as spelling (entry)
  where spelling.entry in (select unnest(resolve_schemas.entries))
$$;
comment on function nms.resolve_schemas(text[]) is
  'The schemas that these entries name, spelled as the catalogue does or quoted as in SQL. An entry that names none has no row.';
revoke execute on function nms.resolve_schemas(text[]) from public;
--! EndIncluded functions/resolve_schemas.sql
--! Included functions/resolve_tables.sql
create or replace function nms.resolve_tables(entries text[])
returns table (entry text, table_oid oid)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select spelling.entry, relation.oid
  from pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  cross join lateral (
    select
      format('"%s"', replace(schema.nspname, '"', '""')),
      format('"%s"', replace(relation.relname, '"', '""'))
  ) as quoted (schema_name, table_name)
  cross join lateral (
    values
      (format('%s.%s', schema.nspname, relation.relname)),
      (format('%s.%s', quoted.schema_name, quoted.table_name)),
      (format('%s.%s', schema.nspname, quoted.table_name)),
      (format('%s.%s', quoted.schema_name, relation.relname))
  ) as spelling (entry)
  where
    cardinality(resolve_tables.entries) > 0
    and relation.relkind in ('r', 'p', 'f', 'v', 'm')
    and spelling.entry in (select unnest(resolve_tables.entries))
$$;
comment on function nms.resolve_tables(text[]) is
  'The tables, views and foreign tables that these entries name: schema and table with a dot between, each spelled as the catalogue does or quoted as in SQL. An entry that names none has no row.';
revoke execute on function nms.resolve_tables(text[]) from public;
--! EndIncluded functions/resolve_tables.sql
--! Included functions/unmatched_entries.sql
create or replace function nms.unmatched_entries(skip jsonb, exclude jsonb)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with entry (argument, entry, matches) as (
    select
      'skip',
      requested,
      requested in (select resolved.entry from nms.resolve_schemas(nms.request_entries(skip)) as resolved)
    from unnest(nms.request_entries(skip)) as requested
    union
    select
      'exclude',
      requested,
      requested in (select resolved.entry from nms.resolve_tables(nms.request_entries(exclude)) as resolved)
    from unnest(nms.request_entries(exclude)) as requested
  )
  select coalesce(
    jsonb_agg(
      jsonb_build_object('argument', argument, 'entry', entry)
      order by argument desc, entry
    ) filter (where not matches),
    '[]'
  )
  from entry
$$;
comment on function nms.unmatched_entries(jsonb, jsonb) is
  'The entries of a well-formed request that match nothing in this database, likely typing errors: [{"argument": "skip" or "exclude", "entry": …}].';
revoke execute on function nms.unmatched_entries(jsonb, jsonb) from public;
--! EndIncluded functions/unmatched_entries.sql
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
      when relation.relkind not in ('r', 'p') or relation.relpersistence = 't' then 'not counted'
      when schema.nspname = any (settings.machinery_schemas) then 'machinery'
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

do $$
begin
  if to_regtype('nms.target') is null then
    create type nms.target as (
      table_oid oid,
      schema_name text,
      table_name text,
      table_kind text,
      is_partition boolean,
      pages bigint,
      filenode oid,
      members oid[],
      member_filenodes oid[],
      with_children boolean
    );
  end if;
end
$$;
comment on type nms.target is
  'A table that a run has to count, as the catalogue shows it to one snapshot.';
comment on column nms.target.table_oid is 'OID of the table.';
comment on column nms.target.schema_name is 'Its schema, as the catalogue spells it.';
comment on column nms.target.table_name is 'Its name, as the catalogue spells it.';
comment on column nms.target.table_kind is 'table or partitioned table.';
comment on column nms.target.is_partition is 'True for a partition of another table.';
comment on column nms.target.pages is 'Its size when it was last vacuumed or analyzed, 0 if never.';
comment on column nms.target.filenode is 'The file in which it is stored; 0 for a partitioned table.';
comment on column nms.target.members is
  'For a table with partitions or children, the stored tables whose own rows add up to its row count.';
comment on column nms.target.member_filenodes is 'The files of its members, in the same order.';
comment on column nms.target.with_children is
  'True when it is read in one query with its partitions and children, because one of them is foreign or not a target itself.';

--! Included functions/find_targets.sql
create or replace function nms.find_targets(skip jsonb, exclude jsonb)
returns setof nms.target
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with recursive
  target as materialized (
    select relation.*
    from nms.classify_relations(find_targets.skip, find_targets.exclude) as relation
    where relation.outcome = 'counted'
  ),
  -- "union" visits a child of several parents once. pg_partition_tree() would lock every partition.
  family (ancestor, member) as (
    select inhparent, inhparent from pg_inherits
    union
    select family.ancestor, child.inhrelid
    from family
    join pg_inherits as child on child.inhparent = family.member and not child.inhdetachpending
  ),
  parent as (
    select
      family.ancestor,
      array_agg(relation.oid order by relation.oid) filter (where relation.relkind = 'r') as members,
      array_agg(relation.relfilenode order by relation.oid) filter (where relation.relkind = 'r') as filenodes,
      sum(greatest(relation.relpages, 0)) as pages,
      bool_or(
        relation.relkind = 'f' or (relation.relkind = 'r' and target.table_oid is null)
      ) as reads_others
    from family
    join pg_class as relation on relation.oid = family.member and relation.relpersistence <> 't'
    left join target on target.table_oid = family.member
    group by family.ancestor
  )
  select
    target.table_oid,
    target.schema_name,
    target.table_name,
    target.table_kind,
    target.is_partition,
    case when parent.reads_others then parent.pages else target.pages end,
    target.filenode,
    coalesce(parent.members, case target.table_kind when 'partitioned table' then '{}'::oid[] end),
    parent.filenodes,
    coalesce(parent.reads_others, false)
  from target
  left join parent on parent.ancestor = target.table_oid
$$;
comment on function nms.find_targets(jsonb, jsonb) is
  'The tables that a run with this request has to count.';
revoke execute on function nms.find_targets(jsonb, jsonb) from public;
--! EndIncluded functions/find_targets.sql
--! Included functions/count_each.sql
-- Stable, so that every count reads the snapshot of the calling query.
create or replace function nms.count_each(targets nms.target[])
returns table (
  table_oid oid,
  own_row_count bigint,
  row_count bigint,
  measured_at timestamptz,
  error_sqlstate text,
  error_message text
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set row_security = off -- an error, rather than only the rows that a policy shows
set jit = off -- compiling takes longer than it saves on a bare count
-- For small tables: reading one page takes less than planning an index-only scan, or than handing
-- the page to an I/O worker.
set enable_indexonlyscan = off
set effective_io_concurrency = 0
as $$
declare
  v_large_from constant bigint := bigint '33554432'; -- bytes
  v_page_size constant bigint := current_setting('block_size')::bigint;
  v_target nms.target;
  v_is_counted boolean;
begin
  foreach v_target in array targets loop
    table_oid := v_target.table_oid;
    error_sqlstate := null;
    error_message := null;
    v_is_counted := false;

    -- Raising and catching releases the locks at once: they belong to the aborted subtransaction.
    begin
      -- Large ones are read as the server, database or role has it. No pages: the catalogue does not know.
      if
        v_target.with_children
        or v_target.pages * v_page_size >= v_large_from
        or (v_target.pages = 0 and pg_relation_size(table_oid) >= v_large_from)
      then
        perform set_config(setting.name, setting.reset_val, true)
        from pg_settings as setting
        where setting.name in ('enable_indexonlyscan', 'effective_io_concurrency');
      end if;

      -- "execute … into" may use parallel workers; "select … into" never does.
      if v_target.with_children then
        execute format(
          'select count(*) filter (where tableoid = $1), count(*) from %I.%I',
          v_target.schema_name, v_target.table_name
        ) into strict own_row_count, row_count using table_oid;
        if exists (
          select
          from unnest(v_target.members, v_target.member_filenodes) as member (table_oid, filenode)
          where pg_relation_filenode(member.table_oid) is distinct from member.filenode
        ) then
          raise sqlstate 'NM001' using message = 'has a part that was rewritten or truncated after the snapshot was taken';
        end if;
      else
        execute format('select count(*) from only %I.%I', v_target.schema_name, v_target.table_name)
          into strict own_row_count;
        row_count := own_row_count;
      end if;
      measured_at := clock_timestamp();

      -- Under an older snapshot a rewritten or truncated table reads as empty. As long as its lock
      -- is held, neither its file nor its name can change any more.
      if
        to_regclass(format('%I.%I', v_target.schema_name, v_target.table_name))::oid is distinct from table_oid
        or coalesce(pg_relation_filenode(table_oid), 0) <> v_target.filenode
      then
        raise sqlstate 'NM001' using message = 'rewritten, truncated or renamed after the snapshot was taken';
      end if;
      v_is_counted := true;
      raise sqlstate 'NM002' using message = 'counted: release the locks';
    exception
      when query_canceled then
        raise exception '%, while counting %.%', sqlerrm, v_target.schema_name, v_target.table_name
          using errcode = 'query_canceled';
      -- Whatever keeps one table from being counted is that table's outcome, not the run's end. The
      -- SQLSTATE does not tell a count from a failure: a function in an index may raise any.
      when assert_failure or others then
        if not v_is_counted then
          own_row_count := null;
          row_count := null;
          measured_at := clock_timestamp();
          error_sqlstate := sqlstate;
          error_message := left(sqlerrm, 2000);
          if table_oid::regclass::text <> format('%I.%I', v_target.schema_name, v_target.table_name) then
            error_sqlstate := 'NM001';
            error_message := 'dropped or renamed after the snapshot was taken';
          end if;
        end if;
    end;
    return next;
  end loop;
end
$$;
comment on function nms.count_each(nms.target[]) is
  'Exact number of rows of each of these tables, or the SQLSTATE and message of why there is none. own_row_count leaves out partitions and children; row_count has them if the target is read with its children. NM001: the table is not the one that the snapshot of the calling query sees, which would read as empty; look at it under a later snapshot. No lock on a table outlasts its count.';
revoke execute on function nms.count_each(nms.target[]) from public;
--! EndIncluded functions/count_each.sql
--! Included functions/count_tables.sql
-- Stable, so that every count reads the snapshot of the calling query.
create or replace function nms.count_tables(targets nms.target[])
returns table (
  table_oid oid,
  own_row_count bigint,
  row_count bigint,
  measured_at timestamptz,
  error_sqlstate text,
  error_message text
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
-- As in count_each, for the same reasons.
set row_security = off
set jit = off
set enable_indexonlyscan = off
set effective_io_concurrency = 0
as $$
declare
  v_together constant bigint := bigint '16'; -- tables
  v_small_to constant bigint := bigint '32'; -- pages
  v_batch record;
  v_counts bigint[];
  v_are_counted boolean;
  v_left oid[] := array[]::oid[];
begin
  -- Planning and locking a small table takes longer than reading it: several in one statement.
  for v_batch in
    select
      array_agg(small.table_oid) as table_oids,
      array_agg(small.filenode) as filenodes,
      array_agg(format('%I.%I', small.schema_name, small.table_name)) as names,
      format(
        'select array[%s]',
        string_agg(format('(select count(*) from only %I.%I)', small.schema_name, small.table_name), ', ')
      ) as query
    from (
      select target.*, row_number() over () / v_together as batch
      from unnest(targets) as target
      where not target.with_children and target.pages between 1 and v_small_to
    ) as small
    group by small.batch
  loop
    v_are_counted := false;
    begin
      -- None of them stays locked for long because another one is.
      perform set_config('lock_timeout', '10', true);
      execute v_batch.query into strict v_counts;
      -- Asked while the locks are held, for the reason that count_each gives.
      select bool_and(to_regclass(counted.name) = counted.oid and pg_relation_filenode(counted.oid) = counted.filenode)
      into v_are_counted
      from unnest(v_batch.table_oids, v_batch.filenodes, v_batch.names) as counted (oid, filenode, name);
      raise sqlstate 'NM002' using message = 'counted: release the locks';
    exception
      when query_canceled then
        raise exception '%, while counting %', sqlerrm, array_to_string(v_batch.names, ', ')
          using errcode = 'query_canceled';
      -- Which of them it was, and why, is seen when each is counted by itself.
      when assert_failure or others then
        null;
    end;

    if v_are_counted then
      return query
      select counted.table_oid, counted.row_count, counted.row_count, clock_timestamp(), null::text, null::text
      from unnest(v_batch.table_oids, v_counts) as counted (table_oid, row_count);
    else
      v_left := v_left || v_batch.table_oids;
    end if;
  end loop;

  -- What takes longest first. A table that was never vacuumed or analyzed has no known size.
  return query
  select counted.*
  from nms.count_each(
    targets => array(
      select target
      from unnest(targets) as target
      where
        target.with_children
        or target.pages not between 1 and v_small_to
        or target.table_oid = any (v_left)
      order by target.pages desc
    )
  ) as counted;
end
$$;
comment on function nms.count_tables(nms.target[]) is
  'Exact number of rows of each of these tables, or the SQLSTATE and message of why there is none. Small tables are read several at a time; the others, and those of which one could not be counted at once, as nms.count_each() does. No lock outlasts the count of its table, or of its few small companions.';
revoke execute on function nms.count_tables(nms.target[]) from public;
--! EndIncluded functions/count_tables.sql
--! Included functions/count_unmeasured_targets.sql
create or replace function nms.count_unmeasured_targets(run_id bigint, again nms.target[] default '{}')
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms.table_metrics_measurements (
    run_id, schema_name, table_name, table_oid, table_kind, is_partition,
    row_count, own_row_count, measured_at, error_sqlstate, error_message
  )
  with
  measured as materialized (
    select measurement.*
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = count_unmeasured_targets.run_id
  ),
  -- Within a run, a table goes by the name that it had first.
  named as (
    select
      found,
      coalesce(former.schema_name, found.schema_name) collate "C" as schema_name,
      coalesce(former.table_name, found.table_name) collate "C" as table_name,
      former.table_oid is null as is_new
    from nms.table_metrics_runs as run
    cross join nms.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as found
    left join unnest(again) as former on former.table_oid = found.table_oid
    where
      run.run_id = count_unmeasured_targets.run_id
      and found.table_oid not in (select measured.table_oid from measured)
  ),
  target as materialized (
    select distinct on (named.schema_name, named.table_name)
      named.schema_name,
      named.table_name,
      named.found,
      (named.found).table_oid,
      (named.found).table_kind,
      (named.found).is_partition,
      (named.found).members,
      (named.found).with_children
    from named
    where (named.schema_name, named.table_name) not in (
      select measured.schema_name, measured.table_name from measured
    )
    order by named.schema_name, named.table_name, named.is_new
  ),
  counted as materialized (
    select target.schema_name, target.table_name, result.*
    from nms.count_tables(
      targets => array(
        select target.found
        from target
        where target.table_kind = 'table' or target.with_children
      )
    ) as result
    join target on target.table_oid = result.table_oid
    union all
    select
      measured.schema_name, measured.table_name, measured.table_oid, measured.own_row_count,
      measured.row_count, measured.measured_at, measured.error_sqlstate, measured.error_message
    from measured
  ),
  -- Each member is read once, however many tables its rows are part of.
  added as (
    select
      target.table_oid,
      coalesce(sum(part.own_row_count), 0)::bigint as row_count,
      coalesce(max(part.measured_at), clock_timestamp()) as measured_at,
      min(part.error_sqlstate) as error_sqlstate,
      (
        array_agg(
          format('%I.%I: %s', part.schema_name, part.table_name, part.error_message)
          order by part.error_sqlstate, part.schema_name, part.table_name
        ) filter (where part.error_sqlstate is not null)
      )[1] as error_message
    from target
    left join lateral unnest(target.members) as member (table_oid) on true
    left join counted as part on part.table_oid = member.table_oid
    where target.members is not null and not target.with_children
    group by target.table_oid
  )
  select
    count_unmeasured_targets.run_id,
    target.schema_name,
    target.table_name,
    target.table_oid,
    target.table_kind,
    target.is_partition,
    case when outcome.error_sqlstate is null then coalesce(added.row_count, itself.row_count) end,
    case when outcome.error_sqlstate is null then coalesce(itself.own_row_count, 0) end,
    coalesce(added.measured_at, itself.measured_at),
    outcome.error_sqlstate,
    coalesce(added.error_message, itself.error_message)
  from target
  left join counted as itself on itself.table_oid = target.table_oid
  left join added on added.table_oid = target.table_oid
  cross join lateral (
    select coalesce(added.error_sqlstate, itself.error_sqlstate) as error_sqlstate
  ) as outcome
  order by target.schema_name, target.table_name
$$;
comment on function nms.count_unmeasured_targets(bigint, nms.target[]) is
  'Counts every target of a run that has no measurement yet, all under the one snapshot of its single statement, and stores one measurement for each. again: tables that the run knows already, by the name to keep.';
revoke execute on function nms.count_unmeasured_targets(bigint, nms.target[]) from public;
--! EndIncluded functions/count_unmeasured_targets.sql
--! Included functions/take_back_changed_tables.sql
create or replace function nms.take_back_changed_tables(run_id bigint, only_gone boolean)
returns nms.target[]
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_changed nms.target[];
begin
  select array_agg(
    row(measurement.table_oid, measurement.schema_name, measurement.table_name, null, null, null, null, null, null, null)::nms.target
  )
  into v_changed
  from nms.table_metrics_measurements as measurement
  where measurement.run_id = take_back_changed_tables.run_id and measurement.error_sqlstate = 'NM001';

  if v_changed is null then
    return array[]::nms.target[];
  end if;

  -- A regclass prints as its bare oid once its table is gone. Those that were counted before, and
  -- all sums, go as well: another table may have their name, and their place in a sum.
  delete from nms.table_metrics_measurements as measurement
  where
    measurement.run_id = take_back_changed_tables.run_id
    and case
      when not only_gone then
        measurement.error_sqlstate = 'NM001'
        or measurement.table_oid::regclass::text = measurement.table_oid::text
        or measurement.table_oid in (select inhparent from pg_inherits)
      when measurement.error_sqlstate = 'NM001' then
        measurement.table_oid::regclass::text = measurement.table_oid::text
        and to_regclass(format('%I.%I', measurement.schema_name, measurement.table_name)) is null
    end;
  return v_changed;
end
$$;
comment on function nms.take_back_changed_tables(bigint, boolean) is
  'Takes back the measurements of a run that are no counts, because the table was rewritten, truncated or dropped after the snapshot, or only those of tables that are gone and not replaced. Returns those tables by the names under which the run knows them; none, and nothing is taken back, when no table changed.';
revoke execute on function nms.take_back_changed_tables(bigint, boolean) from public;
--! EndIncluded functions/take_back_changed_tables.sql
--! Included functions/count_targets.sql
create or replace function nms.count_targets(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = 0 -- set from the settings below, and back to the caller's at the end
as $$
declare
  v_snapshots constant integer := 3;
  v_again nms.target[] := '{}'::nms.target[];
begin
  perform set_config('lock_timeout', (extract(epoch from settings.lock_timeout) * 1000)::bigint::text, true)
  from nms.table_metrics_settings as settings;

  for v_snapshot in 1..v_snapshots loop
    perform nms.count_unmeasured_targets(run_id => count_targets.run_id, again => v_again);

    -- What changed after the snapshot is looked at again under a fresh one. After the last, only a
    -- table that still exists keeps that as its outcome.
    v_again := nms.take_back_changed_tables(run_id => count_targets.run_id, only_gone => v_snapshot = v_snapshots);
    exit when v_again = '{}';
  end loop;

  update nms.table_metrics_runs as run
  set target_count = (
    select count(*)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = count_targets.run_id
  )
  where run.run_id = count_targets.run_id;
end
$$;
comment on function nms.count_targets(bigint) is
  'Counts every target of a run under one snapshot. Tables that were rewritten, truncated or dropped meanwhile would read as empty under it: they are taken from a second, later one, with whatever else has appeared by then. At most three snapshots.';
revoke execute on function nms.count_targets(bigint) from public;
--! EndIncluded functions/count_targets.sql
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
    when error_sqlstate = 'NM001' then
      'it changed under every snapshot: collect again outside a repeatable read transaction, when it rests'
    when error_sqlstate in ('XX001', 'XX002', '58030', '58P01') then
      'its file is damaged or missing: restore it, or exclude it until then'
    else 'mend the cause and collect again, or exclude it'
  end
$$;
comment on function nms.remedy(text) is
  'What to do about a table that could not be counted, from the SQLSTATE of its measurement.';
revoke execute on function nms.remedy(text) from public;
--! EndIncluded functions/remedy.sql
--! Included functions/failure_summary.sql
create or replace function nms.failure_summary(run_id bigint)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with failed as (
    select measurement.*
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = failure_summary.run_id and measurement.error_sqlstate is not null
  ),
  cause as (
    select
      failed.error_sqlstate,
      count(*) as tables,
      string_agg(
        format('%I.%I', failed.schema_name, failed.table_name),
        ', ' order by failed.schema_name, failed.table_name
      ) as names,
      min(failed.error_message) as error_message
    from failed
    group by failed.error_sqlstate
  )
  select format(
    '%s of %s tables could not be counted. %s.',
    sum(cause.tables),
    (select run.target_count from nms.table_metrics_runs as run where run.run_id = failure_summary.run_id),
    string_agg(
      format('%s (%s, %s): %s', cause.names, cause.error_sqlstate, cause.error_message, nms.remedy(cause.error_sqlstate)),
      '. ' order by cause.tables, cause.error_sqlstate
    )
  )
  from cause
  having count(*) > 0
$$;
comment on function nms.failure_summary(bigint) is
  'Names each table that a run could not count, with what to do about it. Null when every target was counted.';
revoke execute on function nms.failure_summary(bigint) from public;
--! EndIncluded functions/failure_summary.sql
--! Included functions/fail_run.sql
create or replace function nms.fail_run(run_id bigint, reason text)
returns nms.table_metrics_runs
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
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
--! Included functions/abandon_silent_runs.sql
-- Whoever works on a run holds its header's row lock: "skip locked" leaves every live one alone.
create or replace function nms.abandon_silent_runs()
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with silent as materialized (
    select run.run_id, settings.abandon_after
    from nms.table_metrics_runs as run
    cross join nms.table_metrics_settings as settings
    where
      run.status = 'RUNNING'
      and clock_timestamp() - settings.abandon_after > greatest(
        run.collected_at,
        (
          select max(measurement.measured_at)
          from nms.table_metrics_measurements as measurement
          where measurement.run_id = run.run_id
        )
      )
    for update of run skip locked
  )
  select nms.fail_run(
    run_id => silent.run_id,
    reason => format('abandoned: no sign of life for more than %s, and no session works on it', silent.abandon_after)
  )
  from silent
$$;
comment on function nms.abandon_silent_runs() is
  'Ends as FAILED every run that no session holds and that has been silent for longer than the abandon_after setting: its session or its server died.';
revoke execute on function nms.abandon_silent_runs() from public;
--! EndIncluded functions/abandon_silent_runs.sql
--! Included functions/claim_run.sql
create or replace function nms.claim_run(run_id bigint)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_status text;
begin
  select run.* into v_run
  from nms.table_metrics_runs as run
  where run.run_id = claim_run.run_id and run.status = 'RUNNING'
  for update skip locked;
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
comment on function nms.claim_run(bigint) is
  'Locks the header of a RUNNING run until the transaction ends, which tells others that a session works on it. Raises P0002 for an unknown run, 55000 for a finished one, 55P03 for one that another session works on.';
revoke execute on function nms.claim_run(bigint) from public;
--! EndIncluded functions/claim_run.sql
--! Included functions/run_payload.sql
-- json first, jsonb at the end: jsonb_object_agg over jsonb takes quadratic time.
create or replace function nms.run_payload(run_id bigint)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_object_agg(per_schema.schema_name, per_schema.tables)::jsonb, '{}')
  from (
    select
      measurement.schema_name,
      json_object_agg(measurement.table_name, measurement.row_count) as tables
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = run_payload.run_id
    group by measurement.schema_name
  ) as per_schema
$$;
comment on function nms.run_payload(bigint) is
  'The measurements of one run as {schema: {table: count}}; {} for a run that found no table.';
revoke execute on function nms.run_payload(bigint) from public;
--! EndIncluded functions/run_payload.sql
--! Included functions/open_run.sql
create or replace function nms.open_run(skip jsonb default '[]', exclude jsonb default '[]')
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_skip jsonb := coalesce(skip, '[]');
  v_exclude jsonb := coalesce(exclude, '[]');
  v_problem text := nms.request_problem(skip => v_skip, exclude => v_exclude);
  v_unmatched jsonb := jsonb '[]';
  v_run_id bigint;
begin
  perform nms.abandon_silent_runs();

  if v_problem is null then
    v_unmatched := nms.unmatched_entries(skip => v_skip, exclude => v_exclude);
  end if;

  insert into nms.table_metrics_runs (skip_schemas, exclude_tables, unmatched_entries)
  values (v_skip, v_exclude, v_unmatched)
  returning run_id into v_run_id;

  if v_problem is not null then
    perform nms.fail_run(run_id => v_run_id, reason => v_problem);
    raise warning 'run % failed: malformed request', v_run_id
      using
        errcode = 'invalid_parameter_value',
        detail = left(v_problem, 2000),
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
  v_reason text := case
    when v_run.target_count is null then 'closed before its tables were counted'
    else nms.failure_summary(run_id => close_run.run_id)
  end;
begin
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
--! Included functions/begin_run.sql
create or replace function nms.begin_run(skip jsonb, exclude jsonb, run_id bigint)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_run_id bigint;
begin
  if begin_run.run_id is null then
    v_run_id := nms.open_run(skip => begin_run.skip, exclude => begin_run.exclude);
    select run.* into strict v_run from nms.table_metrics_runs as run where run.run_id = v_run_id;
    return v_run;
  end if;

  v_run := nms.claim_run(run_id => begin_run.run_id);
  if
    coalesce(nullif(begin_run.skip, '[]'), v_run.skip_schemas) <> v_run.skip_schemas
    or coalesce(nullif(begin_run.exclude, '[]'), v_run.exclude_tables) <> v_run.exclude_tables
  then
    raise exception 'run % was opened with another request', begin_run.run_id
      using
        errcode = 'invalid_parameter_value',
        detail = left(
          format(
            'saw skip %s and exclude %s, it has %s and %s',
            begin_run.skip, begin_run.exclude, v_run.skip_schemas, v_run.exclude_tables
          ),
          2000
        ),
        hint = 'Give either a run_id, or skip and exclude.';
  end if;
  return v_run;
end
$$;
comment on function nms.begin_run(jsonb, jsonb, bigint) is
  'The header of the run to count: a new one for this request, or the RUNNING one that run_id names, locked. Raises what claim_run raises, and 22023 when both are given and do not agree.';
revoke execute on function nms.begin_run(jsonb, jsonb, bigint) from public;
--! EndIncluded functions/begin_run.sql
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
      raise warning 'run % failed', v_run.run_id using errcode = sqlstate, detail = left(sqlerrm, 2000);
      return nms.fail_run(run_id => v_run.run_id, reason => format('%s (%s)', sqlerrm, sqlstate));
  end;
end
$$;
comment on function nms.collect_table_metrics(jsonb, jsonb, bigint) is
  'Counts every table of this database as of one instant and keeps the result: measurements, run snapshot and daily snapshot. skip: array of schemas to leave out. exclude: array of tables to leave out, as "schema.table". run_id: a run that nms.open_run() has started, with its request. Returns the header of the run, SUCCEEDED or FAILED; raises only for a run_id that cannot be collected.';
revoke execute on function nms.collect_table_metrics(jsonb, jsonb, bigint) from public;
--! EndIncluded functions/collect_table_metrics.sql
--! Included functions/preview_run.sql
create or replace function nms.preview_run(skip jsonb default '[]', exclude jsonb default '[]')
returns table (schema_name text, table_name text, table_kind text, outcome text, reason text)
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_skip jsonb := coalesce(preview_run.skip, '[]');
  v_exclude jsonb := coalesce(preview_run.exclude, '[]');
  v_problem text := nms.request_problem(skip => v_skip, exclude => v_exclude);
begin
  if v_problem is not null then
    raise exception 'malformed request'
      using
        errcode = 'invalid_parameter_value',
        detail = left(v_problem, 2000),
        hint = 'For example: select * from nms.preview_run(''["tmp"]'', ''["public.orders"]'');';
  end if;

  return query
  with planned as (
    select
      relation.*,
      target.members,
      target.with_children,
      target.members is not null and not target.with_children as is_added_up
    from nms.classify_relations(skip => v_skip, exclude => v_exclude) as relation
    left join nms.find_targets(skip => v_skip, exclude => v_exclude) as target
      on target.table_oid = relation.table_oid
  ),
  refused as (
    select
      planned.table_oid,
      case
        when not access.is_granted then format('%I may not select from it: the run would fail', current_user)
        else format('row-level security would hide rows from %I: the run would fail', current_user)
      end as reason
    from planned
    cross join lateral (
      select
        has_schema_privilege(planned.schema_name, 'usage')
        and (
          has_table_privilege(planned.table_oid, 'select')
          -- Any column will do for a count, but with its children the table's tableoid is read.
          or (not planned.with_children and has_any_column_privilege(planned.table_oid, 'select'))
        ) as is_granted
    ) as access
    where
      planned.outcome = 'counted'
      and (planned.table_kind = 'table' or planned.with_children)
      and (not access.is_granted or row_security_active(planned.table_oid))
  ),
  problem as (
    select refused.table_oid, refused.reason from refused
    union all
    select
      planned.table_oid,
      format('%s is unreadable: the run would fail', min(member.table_oid)::regclass)
    from planned
    cross join lateral unnest(planned.members) as member (table_oid)
    join refused on refused.table_oid = member.table_oid
    where planned.is_added_up and member.table_oid <> planned.table_oid
    group by planned.table_oid
  )
  select
    planned.schema_name,
    planned.table_name,
    planned.table_kind,
    case when problem.reason is null then planned.outcome else 'unreadable' end,
    coalesce(
      problem.reason,
      case planned.outcome
        when 'machinery' then 'its schema is one of machinery_schemas in nms.table_metrics_settings'
        when 'schema skipped' then 'its schema is named in skip'
        when 'excluded' then 'named in exclude'
        when 'counted' then
          case
            when planned.with_children then 'in one query with its descendants, of which one is foreign or left out'
            when planned.is_added_up and planned.table_kind = 'table' then 'as the sum of itself and its children'
            when planned.is_added_up then 'as the sum of its partitions'
            when planned.is_partition then 'as a partition'
            else 'row by row'
          end
        else
          case planned.table_kind
            when 'view' then 'views have no rows of their own'
            when 'materialized view' then 'materialized views repeat the rows of other tables'
            when 'foreign table' then 'foreign tables keep their rows elsewhere'
            else 'temporary tables belong to one session'
          end
      end
    )
  from planned
  left join (
    select distinct on (reported.table_oid) reported.table_oid, reported.reason from problem as reported
  ) as problem on problem.table_oid = planned.table_oid
  union all
  select null, null, null, 'matches nothing', format('%s entry %s', unmatched ->> 'argument', unmatched -> 'entry')
  from jsonb_array_elements(nms.unmatched_entries(skip => v_skip, exclude => v_exclude)) as unmatched
  order by 1, 2, 5;
end
$$;
comment on function nms.preview_run(jsonb, jsonb) is
  'What a run with this request would do, without counting anything or leaving a run: a row per table, view and foreign table with its outcome (counted, unreadable, excluded, schema skipped, machinery, not counted) and the reason, and a row per entry that matches nothing. Raises 22023 for a malformed request.';
revoke execute on function nms.preview_run(jsonb, jsonb) from public;
--! EndIncluded functions/preview_run.sql
