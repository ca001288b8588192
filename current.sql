create schema if not exists nms;
comment on schema nms is
  'Table metrics: how many rows every table of this database holds, kept per run and per business day.';
revoke all on schema nms from public;

--!include functions/is_time_zone.sql

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

--!include functions/business_date.sql

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

create table if not exists nms.table_metrics_measurements (
  run_id bigint not null references nms.table_metrics_runs on delete cascade,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  row_count bigint
    constraint row_count_is_not_negative check (row_count >= 0),
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
  'Business day.';
comment on column nms.table_metrics_daily_snapshot.run_id is
  'Run that owns the day.';
comment on column nms.table_metrics_daily_snapshot.payload is
  'Row counts as {schema: {table: count}}, the same as in the snapshot of that run.';
comment on column nms.table_metrics_daily_snapshot.collected_at is
  'When the run that owns the day started.';

revoke all on all tables in schema nms from public;

--!include functions/forbid_rewriting_a_finished_run.sql

create or replace trigger forbid_rewriting_a_finished_run
  before update on nms.table_metrics_runs
  for each row when (old.status <> 'RUNNING')
  execute function nms.forbid_rewriting_a_finished_run();
comment on trigger forbid_rewriting_a_finished_run on nms.table_metrics_runs is
  'History is append-only: a terminal status is never changed.';

--!include functions/request_problem.sql
--!include functions/request_entries.sql
--!include functions/resolve_schemas.sql
--!include functions/resolve_tables.sql
--!include functions/unmatched_entries.sql
--!include functions/classify_relations.sql

do $$
begin
  if to_regtype('nms.target') is null then
    create type nms.target as (
      table_oid oid,
      schema_name text,
      table_name text,
      quoted_name text,
      table_kind text,
      is_partition boolean,
      pages integer,
      filenode oid,
      members oid[],
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
comment on column nms.target.quoted_name is 'Schema and name, quoted as in SQL.';
comment on column nms.target.table_kind is 'table or partitioned table.';
comment on column nms.target.is_partition is 'True for a partition of another table.';
comment on column nms.target.pages is 'Its size when it was last vacuumed or analyzed, 0 if never.';
comment on column nms.target.filenode is 'The file in which it is stored; 0 for a partitioned table.';
comment on column nms.target.members is
  'The tables whose own rows add up to its row count; null unless it has partitions or children that do.';
comment on column nms.target.with_children is
  'True when it is read in one query with its partitions and children, because one of them is foreign or not a target itself.';

--!include functions/find_targets.sql
--!include functions/count_tables.sql
--!include functions/count_unmeasured_targets.sql
--!include functions/count_targets.sql
--!include functions/remedy.sql
--!include functions/failure_summary.sql
--!include functions/fail_run.sql
--!include functions/abandon_silent_runs.sql
--!include functions/claim_run.sql
--!include functions/run_payload.sql
--!include functions/open_run.sql
--!include functions/close_run.sql
--!include functions/begin_run.sql
--!include functions/collect_table_metrics.sql
--!include functions/preview_run.sql
