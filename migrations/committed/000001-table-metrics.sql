--! Previous: -
--! Hash: sha1:b37477345dcc42bdf74bc3317315e59ad3fbeb73
--! Message: table metrics

-- Names mean the built-in ones, whatever lies in the session's path.
set local search_path = pg_catalog, pg_temp;

-- Rather than making readers queue behind a migration that waits for a run.
set local lock_timeout = '10 s';

-- Functions may call those that come after them.
set local check_function_bodies = off;

create schema if not exists nms;
comment on schema nms is
  'Table metrics: how many rows every table of this database holds, kept per run and per business day.';
revoke all on schema nms from public;

create schema if not exists nms_private;
revoke all on schema nms_private from public;

--! Included functions/settings/is_time_zone.sql
-- pg_timezone_names rather than "at time zone": the latter takes 'UTC+5' for five hours *west* of Greenwich.
create or replace function nms_private.is_time_zone(name text)
returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from pg_timezone_names as zone where lower(zone.name) = lower(is_time_zone.name)
  )
$$;
comment on function nms_private.is_time_zone(text) is
  'True when the server knows a time zone of this name, such as Europe/Berlin; upper and lower case are the same.';
revoke execute on function nms_private.is_time_zone(text) from public;
--! EndIncluded functions/settings/is_time_zone.sql

create table if not exists nms.table_metrics_settings (
  singleton boolean primary key default true
    constraint there_is_one_row check (singleton),
  business_time_zone text not null default 'America/New_York'
    constraint business_time_zone_is_known_to_the_server check (nms_private.is_time_zone(business_time_zone)),
  machinery_schemas text[] not null default '{nms,nms_private,graphile_worker,graphile_migrate}'
    constraint machinery_schemas_has_no_null check (array_position(machinery_schemas, null) is null),
  lock_timeout interval not null default '5 s'
    constraint lock_timeout_is_between_1_ms_and_1_day check (lock_timeout between '1 ms' and '1 day'),
  abandon_after interval not null default '5 min'
    constraint abandon_after_is_between_1_s_and_30_days check (abandon_after between '1 s' and '30 days'),
  yield_after interval not null default '2 s'
    constraint yield_after_is_between_1_ms_and_1_day check (yield_after between '1 ms' and '1 day'),
  keep_at_least interval not null default '30 days'
    constraint keep_at_least_is_between_0_and_1000_years check (keep_at_least between '0' and '1000 years'),
  payload_version bigint not null default 1
    constraint payload_version_is_1_or_2 check (payload_version in (1, 2)),
  measure_storage boolean not null default false
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
  'How long the count of one table waits for a lock on it before it is given up, and how long a run waits for another session to let it write its result before it is FAILED.';
comment on column nms.table_metrics_settings.abandon_after is
  'How long a RUNNING run that no session holds may be silent before the next run marks it FAILED.';
comment on column nms.table_metrics_settings.yield_after is
  'How long an online count may make another session wait before it yields.';
comment on column nms.table_metrics_settings.keep_at_least is
  'A job that prunes is refused when it would keep runs or days for a shorter time than this. A direct call of nms.prune_table_metrics() is not.';
comment on column nms.table_metrics_settings.payload_version is
  'Which version of the JSON the snapshots hold from the next run on. nms.run_snapshot() and nms.day_snapshot() answer in either.';
comment on column nms.table_metrics_settings.measure_storage is
  'True: each run also measures bytes, dead rows, ages and the last vacuum of each table.';

-- The first install takes the zone from a parameter of the session: set nms.business_time_zone = 'Europe/Berlin'.
-- Without a row to insert, nothing that hangs on an existing table is executed.
do $$
begin
  if not exists (select from nms.table_metrics_settings) then
    insert into nms.table_metrics_settings (business_time_zone)
    values (coalesce(nullif(current_setting('nms.business_time_zone', true), ''), 'America/New_York'));
  end if;
end
$$;

--! Included functions/settings/business_date.sql
create or replace function nms.business_date(at timestamptz default statement_timestamp())
returns date
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (business_date.at at time zone settings.business_time_zone)::date
  from nms.table_metrics_settings as settings
$$;
comment on function nms.business_date(timestamptz) is
  'The business day of an instant, by default of the current statement, also in a transaction that began on the day before: its date in the business time zone of the settings, whatever the session''s TimeZone.';
revoke execute on function nms.business_date(timestamptz) from public;
--! EndIncluded functions/settings/business_date.sql

create table if not exists nms.table_metrics_runs (
  run_id bigint generated always as identity primary key,
  collected_at timestamptz not null default now(),
  snapshot_date date not null default nms.business_date(at => now())
    constraint snapshot_date_is_finite check (isfinite(snapshot_date)),
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
  is_online boolean not null default false,
  is_imported boolean not null default false,
  machinery_schemas text[] not null default '{}',
  left_out_count bigint,
  constraint finished_runs_have_an_end check ((status = 'RUNNING') = (finished_at is null)),
  constraint failed_runs_have_a_reason check ((status = 'FAILED') = (error_message is not null)),
  constraint succeeded_runs_have_targets_counted check (status <> 'SUCCEEDED' or target_count is not null)
);
create index if not exists table_metrics_runs_running_idx
  on nms.table_metrics_runs (run_id) where status = 'RUNNING';
create index if not exists table_metrics_runs_snapshot_date_idx
  on nms.table_metrics_runs (snapshot_date, is_imported desc, run_id);
comment on index nms.table_metrics_runs_snapshot_date_idx is
  'A business day belongs to the SUCCEEDED run that comes last here: counted rather than imported, and of those the highest run_id.';
create unique index if not exists a_slot_is_served_once
  on nms.table_metrics_runs (scheduled_for) where status = 'SUCCEEDED';
create index if not exists table_metrics_runs_scheduled_for_idx
  on nms.table_metrics_runs (scheduled_for, run_id) where scheduled_for is not null;
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
comment on column nms.table_metrics_runs.is_online is
  'True when each table was counted under a snapshot of its own; false when all counts are as of one instant.';
comment on column nms.table_metrics_runs.is_imported is
  'True when the counts were given to nms.import_run rather than taken by the collector. Such a run owns its day only while no counted run has succeeded.';
comment on column nms.table_metrics_runs.machinery_schemas is
  'Schemas that the settings left out when the run started.';
comment on column nms.table_metrics_runs.left_out_count is
  'How many tables the request left out when the run started; null for a malformed request and for imported counts.';

-- No foreign key: checking one takes as long as inserting the row, and a run's header is locked
-- while its measurements are written. A trigger deletes them together.
create table if not exists nms.table_metrics_measurements (
  run_id bigint not null,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  row_count bigint,
  own_row_count bigint
    constraint own_row_count_is_part_of_row_count check (own_row_count between 0 and row_count),
  carried_from_run bigint,
  row_count_low bigint,
  row_count_high bigint,
  own_total_bytes bigint,
  method text not null default 'exact'
    constraint method_is_known check (method in ('exact', 'estimate', 'maintained', 'carried', 'imported')),
  measured_at timestamptz not null,
  table_kind text not null
    constraint table_kind_is_known check (table_kind in ('table', 'partitioned table', 'foreign table')),
  is_partition boolean not null,
  table_oid oid not null,
  error_sqlstate text,
  error_message text,
  total_bytes bigint,
  table_bytes bigint,
  index_bytes bigint,
  dead_rows bigint,
  frozen_age bigint,
  last_vacuum timestamptz,
  last_analyze timestamptz,
  primary key (run_id, schema_name, table_name),
  constraint counted_or_failed_with_a_reason check (
    (row_count is null) = (error_sqlstate is not null)
    and (own_row_count is null) = (error_sqlstate is not null)
    and (error_message is null) = (error_sqlstate is null)
  ),
  constraint carried_counts_name_their_run check ((method = 'carried') = (carried_from_run is not null)),
  constraint estimates_have_a_range check (
    (method = 'estimate' and row_count is not null)
      = (row_count_low is not null and row_count_high is not null)
    and (row_count_low is null) = (row_count_high is null)
  ),
  constraint estimates_lie_in_their_range check (row_count between row_count_low and row_count_high)
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
  'How row_count was found. exact: every row was counted now. carried: every row was counted in carried_from_run, and no row has come or gone since. maintained: kept by triggers. estimate: from a sample, between row_count_low and row_count_high. imported: given to nms.import_run. Of a table with partitions or children: the least sure of theirs.';
comment on column nms.table_metrics_measurements.measured_at is
  'When the count of this table ended. All counts of a run are as of its one snapshot, taken before the first; tables that were rewritten meanwhile, as of a later one.';
comment on column nms.table_metrics_measurements.table_kind is
  'table, partitioned table, or foreign table: a partition or child that lies on another server.';
comment on column nms.table_metrics_measurements.is_partition is
  'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_measurements.table_oid is
  'OID of the table: the same after a rename, another one after drop and create; 0 when an imported table does not exist.';
comment on column nms.table_metrics_measurements.error_sqlstate is
  'SQLSTATE of why the table could not be counted, NM001 when it changed under every snapshot; null when it was counted.';
comment on column nms.table_metrics_measurements.error_message is
  'Why the table could not be counted; null when it was.';
comment on column nms.table_metrics_measurements.carried_from_run is
  'Run that counted the rows of a carried count, of several the first; null for every other method.';
comment on column nms.table_metrics_measurements.row_count_low is
  'With 99 % confidence there are at least as many rows; null unless it is an estimate.';
comment on column nms.table_metrics_measurements.row_count_high is
  'With 99 % confidence there are at most as many rows; null unless it is an estimate.';
comment on column nms.table_metrics_measurements.total_bytes is
  'Bytes on disk: table_bytes and index_bytes. Of a carried count, those of carried_from_run. Null when the measure_storage setting is false, or a lock was in the way.';
comment on column nms.table_metrics_measurements.table_bytes is
  'Bytes of the table with its toast, free space and visibility maps, those of its partitions and children included.';
comment on column nms.table_metrics_measurements.index_bytes is
  'Bytes of its indexes, those of its partitions and children included.';
comment on column nms.table_metrics_measurements.own_total_bytes is
  'Total bytes without partitions and children: 0 for a partitioned table. Their sum over a run has each byte once.';
comment on column nms.table_metrics_measurements.dead_rows is
  'Dead rows not yet vacuumed away, those of its partitions and children included: an estimate of the statistics collector, which a crash resets.';
comment on column nms.table_metrics_measurements.frozen_age is
  'Transactions since the oldest unfrozen one in the table or its toast, of partitions and children the greatest: a wraparound vacuum is forced at autovacuum_freeze_max_age.';
comment on column nms.table_metrics_measurements.last_vacuum is
  'When the table itself was last vacuumed, by hand or automatically; null if never since the statistics were reset.';
comment on column nms.table_metrics_measurements.last_analyze is
  'When the table itself was last analyzed, by hand or automatically; null if never since the statistics were reset.';

-- No foreign key, for the same reason as there.
create table if not exists nms.table_metrics_filtered_counts (
  run_id bigint not null,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  filter_name text collate "C" not null,
  row_count bigint
    constraint row_count_is_0_or_more check (row_count >= 0),
  method text not null default 'exact'
    constraint method_is_known check (method in ('exact', 'carried')),
  measured_at timestamptz not null,
  table_oid oid not null,
  error_sqlstate text,
  error_message text,
  primary key (run_id, schema_name, table_name, filter_name),
  constraint counted_or_failed_with_a_reason check (
    (row_count is null) = (error_sqlstate is not null)
    and (error_message is null) = (error_sqlstate is null)
  )
);
create index if not exists table_metrics_filtered_counts_table_idx
  on nms.table_metrics_filtered_counts (schema_name, table_name, filter_name, run_id) include (row_count);
comment on table nms.table_metrics_filtered_counts is
  'How many rows of one table matched one filter of nms.table_metrics_filters in one run, counted in the same scan as the table itself.';
comment on column nms.table_metrics_filtered_counts.run_id is
  'Run that took the measurement.';
comment on column nms.table_metrics_filtered_counts.schema_name is
  'Schema of the table, as the catalogue spells it.';
comment on column nms.table_metrics_filtered_counts.table_name is
  'Name of the table, as the catalogue spells it.';
comment on column nms.table_metrics_filtered_counts.filter_name is
  'Name of the filter.';
comment on column nms.table_metrics_filtered_counts.row_count is
  'Rows that match, those of partitions and children included; null, never 0, when they could not be counted.';
comment on column nms.table_metrics_filtered_counts.method is
  'How row_count was found, as in nms.table_metrics_measurements: exact or carried.';
comment on column nms.table_metrics_filtered_counts.measured_at is
  'When the count of this table ended.';
comment on column nms.table_metrics_filtered_counts.table_oid is
  'OID of the table.';
comment on column nms.table_metrics_filtered_counts.error_sqlstate is
  'SQLSTATE of why the rows could not be counted; null when they were.';
comment on column nms.table_metrics_filtered_counts.error_message is
  'Why they could not be counted; null when they were.';

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
  'Row counts as {schema: {table: count}}; {} when the run found no table. A partitioned table and its partitions each have an entry. When the payload_version setting was 2: {"_version": 2, schema: {table: {"count": …, "method": …}}}.';
comment on column nms.table_metrics_run_snapshot.collected_at is
  'When the run started.';

create table if not exists nms.table_metrics_daily_snapshot (
  snapshot_date date primary key,
  run_id bigint not null references nms.table_metrics_runs on delete cascade,
  payload jsonb not null,
  collected_at timestamptz not null default now(),
  is_imported boolean not null default false
);
create index if not exists table_metrics_daily_snapshot_run_idx
  on nms.table_metrics_daily_snapshot (run_id);
comment on table nms.table_metrics_daily_snapshot is
  'The one JSON of each business day: of its last successful run, which is the counted one with the highest run_id, or without any the imported one. No row: no run of that day has succeeded.';
comment on column nms.table_metrics_daily_snapshot.snapshot_date is
  'Business day, a date in the business time zone.';
comment on column nms.table_metrics_daily_snapshot.run_id is
  'Run that owns the day.';
comment on column nms.table_metrics_daily_snapshot.payload is
  'Row counts as {schema: {table: count}}, the same as in the snapshot of that run.';
comment on column nms.table_metrics_daily_snapshot.collected_at is
  'When the run that owns the day started.';
comment on column nms.table_metrics_daily_snapshot.is_imported is
  'True when that run was imported rather than counted: any counted run takes the day from it.';

do $$
begin
  if to_regtype('nms_private.target') is null then
    create type nms_private.target as (
      table_oid oid,
      schema_name text,
      table_name text,
      table_kind text,
      is_partition boolean,
      pages bigint,
      filenode oid,
      members oid[],
      family oid,
      is_reported boolean,
      is_whole boolean
    );
  end if;
end
$$;
comment on type nms_private.target is
  'A table that a run has to count, as the catalogue shows it to one snapshot.';
comment on column nms_private.target.table_oid is 'OID of the table.';
comment on column nms_private.target.schema_name is 'Its schema, as the catalogue spells it.';
comment on column nms_private.target.table_name is 'Its name, as the catalogue spells it.';
comment on column nms_private.target.table_kind is 'table, partitioned table or foreign table.';
comment on column nms_private.target.is_partition is 'True for a partition of another table.';
comment on column nms_private.target.pages is 'Its size when it was last vacuumed or analyzed, 0 if never.';
comment on column nms_private.target.filenode is
  'The file in which it is stored; 0 for a partitioned or foreign table, null where it tells nothing about the rows.';
comment on column nms_private.target.members is
  'For a table with partitions or children, the stored and foreign tables whose own rows add up to its row count.';
comment on column nms_private.target.family is
  'The root of its partitions or children, the lowest OID where there are several; null for a table without any.';
comment on column nms_private.target.is_reported is
  'False when it is only read because a parent needs its rows: it is foreign, or the request left it out.';
comment on column nms_private.target.is_whole is
  'True when an extension keeps its rows in chunks or shards, so that only a plain select shows them.';

do $$
begin
  if to_regtype('nms_private.finding') is null then
    create type nms_private.finding as (
      table_oid oid,
      own_row_count bigint,
      method text,
      carried_from_run bigint,
      own_row_count_low bigint,
      own_row_count_high bigint,
      own_table_bytes bigint,
      own_index_bytes bigint,
      filtered jsonb,
      claimed_method text,
      claimed_row_count bigint,
      claimed_from_run bigint,
      measured_at timestamptz,
      error_sqlstate text,
      error_message text
    );
  end if;
end
$$;
comment on type nms_private.finding is
  'What a run has found out about the rows stored in one table, without its partitions and children.';
comment on column nms_private.finding.table_oid is 'OID of the table.';
comment on column nms_private.finding.own_row_count is 'Rows stored in it; null when they could not be counted.';
comment on column nms_private.finding.method is 'How that was found out, as in nms.table_metrics_measurements.';
comment on column nms_private.finding.carried_from_run is 'Run that has counted them; null unless carried.';
comment on column nms_private.finding.own_row_count_low is 'Least number that an estimate allows; null unless it is one.';
comment on column nms_private.finding.own_row_count_high is 'Greatest number that an estimate allows; null unless it is one.';
comment on column nms_private.finding.own_table_bytes is 'Bytes of the table with its toast and maps; null when not measured.';
comment on column nms_private.finding.own_index_bytes is 'Bytes of its indexes; null when not measured.';
comment on column nms_private.finding.filtered is
  'Per filter, by its name: {"filter": …, "count": …}, or "sqlstate" and "message" of why that was not counted; null without filters.';
comment on column nms_private.finding.claimed_method is
  'Of a count that was taken to verify another one: carried or maintained, which would have been the method; otherwise null.';
comment on column nms_private.finding.claimed_row_count is 'The count that it verifies.';
comment on column nms_private.finding.claimed_from_run is 'Run that has counted it; null unless claimed_method is carried.';
comment on column nms_private.finding.measured_at is 'When the count ended.';
comment on column nms_private.finding.error_sqlstate is 'SQLSTATE of why there is no count.';
comment on column nms_private.finding.error_message is 'Why there is none.';

do $$
begin
  if to_regtype('nms_private.counters') is null then
    create type nms_private.counters as (
      table_oid oid,
      filenode oid,
      catalogue_xmin xid,
      inserted bigint,
      deleted bigint,
      updated bigint
    );
  end if;
end
$$;
comment on type nms_private.counters is 'What the server knew about the changes of one table at one moment.';
comment on column nms_private.counters.table_oid is 'OID of the table.';
comment on column nms_private.counters.filenode is 'The file in which it was stored.';
comment on column nms_private.counters.catalogue_xmin is 'Transaction that wrote its row of pg_class.';
comment on column nms_private.counters.inserted is 'Its n_tup_ins.';
comment on column nms_private.counters.deleted is 'Its n_tup_del.';
comment on column nms_private.counters.updated is 'Its n_tup_upd.';

do $$
begin
  if to_regtype('nms_private.reading') is null then
    create type nms_private.reading as (
      read_at timestamptz,
      epoch text,
      wal_lsn pg_lsn,
      written oid[],
      open_transactions text[],
      unchanged oid[],
      verified oid[],
      shadowed oid[],
      base_readings bigint[],
      others nms_private.counters[]
    );
  end if;
end
$$;
comment on type nms_private.reading is
  'What the server knew, before the snapshot of a count, about the tables whose counts may be carried.';
comment on column nms_private.reading.read_at is 'When that was.';
comment on column nms_private.reading.epoch is 'As nms_private.counter_epoch() says.';
comment on column nms_private.reading.wal_lsn is 'Where the WAL ended; null when it is not summarized.';
comment on column nms_private.reading.written is
  'Tables of which WAL from there on does not tell everything: somebody may have written to them and not committed yet, or they are unlogged.';
comment on column nms_private.reading.open_transactions is
  'Virtual transactions of all sessions.';
comment on column nms_private.reading.unchanged is 'Tables with the same counters as when their base was counted.';
comment on column nms_private.reading.verified is
  'Of these, those that are counted nevertheless, to compare.';
comment on column nms_private.reading.shadowed is 'Of those, the ones whose rule is so new that nothing is carried yet.';
comment on column nms_private.reading.base_readings is 'The readings before the bases of the unchanged tables.';
comment on column nms_private.reading.others is 'The counters of all tables that have not the same as then.';

create table if not exists nms_private.targets (
  run_id bigint not null references nms.table_metrics_runs on delete cascade,
  round bigint not null,
  position bigint generated always as identity,
  targets nms_private.target[] not null
    constraint targets_has_one_at_least check (cardinality(targets) > 0),
  pages bigint not null,
  is_done boolean not null default false,
  times_yielded bigint not null default 0,
  times_put_off bigint not null default 0,
  put_off_since timestamptz,
  retry_at timestamptz,
  carriable oid[] not null default '{}',
  is_held boolean not null default false,
  seen nms_private.target[],
  findings nms_private.finding[] not null default '{}',
  primary key (run_id, position),
  constraint put_off_tables_have_a_beginning check ((times_put_off = 0) = (put_off_since is null))
);
create index if not exists targets_open_idx
  on nms_private.targets (run_id, position) where not is_done;
comment on table nms_private.targets is
  'What online runs have to count, in the order in which it is claimed; empty when none is RUNNING. A claim is the row lock of whoever counts.';
comment on column nms_private.targets.run_id is
  'Run that counts these tables.';
comment on column nms_private.targets.position is
  'Place in the queue: lower ones first.';
comment on column nms_private.targets.round is
  'Which look at the catalogue found them: 1 when the run began, later ones for what was replaced meanwhile.';
comment on column nms_private.targets.targets is
  'The tables that are claimed together: one large, or several small ones.';
comment on column nms_private.targets.pages is
  'Their size in pages of block_size bytes, as far as it is known.';
comment on column nms_private.targets.is_done is
  'True when each has its measurement, was put back with a row of its own, or is gone.';
comment on column nms_private.targets.times_yielded is
  'How often the count was canceled because it made another session wait.';
comment on column nms_private.targets.times_put_off is
  'How often the table was found locked, or a part on another server empty that had not been.';
comment on column nms_private.targets.put_off_since is
  'When that was first; null unless it was.';
comment on column nms_private.targets.retry_at is
  'Not claimed before that; null for at once.';
comment on column nms_private.targets.carriable is
  'Those that are not counted unless it turns out that they have changed.';
comment on column nms_private.targets.is_held is
  'True when all others of these have been counted, and it is still to be found out whether these have changed: nobody claims it.';
comment on column nms_private.targets.seen is
  'The tables as the snapshot saw them under which the others were counted; null where no other is.';
comment on column nms_private.targets.findings is
  'What was found out about these tables and is still to be used.';

create table if not exists nms_private.carrying_runs (
  run_id bigint primary key references nms.table_metrics_runs on delete cascade,
  reading nms_private.reading not null,
  since timestamptz,
  wal_end pg_lsn,
  candidates oid[],
  needs_wal boolean,
  deadline timestamptz,
  unsettled bigint[],
  unwritten oid[],
  looked_at timestamptz,
  proven oid[]
);
comment on table nms_private.carrying_runs is
  'What online runs that are RUNNING know about the tables whose counts may be carried.';
comment on column nms_private.carrying_runs.run_id is
  'Run for which a rule says that counts may be carried.';
comment on column nms_private.carrying_runs.reading is
  'What the server knew before anything of the run was queued.';
comment on column nms_private.carrying_runs.since is
  'When everything else had been counted; null until then. What was committed before is looked for.';
comment on column nms_private.carrying_runs.wal_end is
  'Where the WAL ended by then; null when it is not summarized.';
comment on column nms_private.carrying_runs.candidates is
  'Tables of which it is to be found out whether they have changed.';
comment on column nms_private.carrying_runs.needs_wal is
  'Whether the counters alone cannot tell.';
comment on column nms_private.carrying_runs.deadline is
  'What is not proven by then is counted.';
comment on column nms_private.carrying_runs.unsettled is
  'Process ids of sessions that may hide something yet; null before the first look.';
comment on column nms_private.carrying_runs.unwritten is
  'Tables to which nothing was written, as far as the WAL tells; null as long as it does not.';
comment on column nms_private.carrying_runs.looked_at is
  'When that was last looked at.';
comment on column nms_private.carrying_runs.proven is
  'Tables that have not changed between their base and since; null until that is decided.';

create table if not exists nms_private.job_turn ();
comment on table nms_private.job_turn is
  'Always empty. Whoever opens a job of the schedule locks it, so that of each slot there is one run.';
create table if not exists nms_private.alert_turn ();
comment on table nms_private.alert_turn is
  'Always empty. Whoever records the alerts of a run locks it, so that each alert is announced once.';

create table if not exists nms_private.events (
  source text collate "C" not null
    constraint source_has_1_to_1000_bytes check (octet_length(source) between 1 and 1000),
  event_id text collate "C" not null
    constraint event_id_has_1_to_1000_bytes check (octet_length(event_id) between 1 and 1000),
  received_at timestamptz not null default now(),
  primary key (source, event_id)
);
create index if not exists events_received_at_idx
  on nms_private.events (received_at);
comment on table nms_private.events is
  'Events that have asked for a run, so that one that is delivered again asks for no other. Kept for 31 days at least.';
comment on column nms_private.events.source is
  'Who has sent it, such as a CloudEvents source, or a Pub/Sub subscription.';
comment on column nms_private.events.event_id is
  'Its name, which no other event of that source has.';
comment on column nms_private.events.received_at is
  'When it arrived first.';

create table if not exists nms_private.messages (
  about text collate "C" primary key,
  message_id uuid not null default gen_random_uuid(),
  body jsonb,
  written_at timestamptz not null default now(),
  taken_at timestamptz,
  ticket uuid,
  sent_at timestamptz,
  given_up_at timestamptz,
  problem text,
  constraint what_is_sent_is_not_given_up check (sent_at is null or given_up_at is null)
);
comment on table nms_private.messages is
  'What a webhook is told, once for each run, missing result and week; written only where a webhook is configured. Kept for 31 days.';
comment on column nms_private.messages.about is
  'What it is about, such as run 41.';
comment on column nms_private.messages.message_id is
  'By which a receiver knows a message that comes twice.';
comment on column nms_private.messages.body is
  'What is sent; null when there was nothing to tell.';
comment on column nms_private.messages.written_at is
  'When it was written.';
comment on column nms_private.messages.taken_at is
  'Since when somebody sends it, for a minute at most; null while nobody does.';
comment on column nms_private.messages.ticket is
  'By which the one who has taken it last says how that went; null before, and once that is said.';
comment on column nms_private.messages.sent_at is
  'When the webhook has taken it; null until then.';
comment on column nms_private.messages.given_up_at is
  'When it was decided that it will not arrive; null unless that was so.';
comment on column nms_private.messages.problem is
  'Why the last try has failed; null before the first one, and when it was sent.';

create table if not exists nms.table_metrics_count_rules (
  schema_name text collate "C" not null default '*',
  table_name text collate "C" not null default '*',
  method text not null
    constraint method_is_exact_carried_or_estimate check (method in ('exact', 'carried', 'estimate')),
  recount_after interval not null default '14 days'
    constraint recount_after_is_between_1_minute_and_1_year check (recount_after between '1 minute' and '1 year'),
  shadow interval not null default '7 days'
    constraint shadow_is_between_0_and_1_year check (shadow between '0' and '1 year'),
  since timestamptz not null default now(),
  primary key (schema_name, table_name),
  constraint a_table_is_named_with_its_schema check (schema_name <> '*' or table_name = '*')
);
comment on table nms.table_metrics_count_rules is
  'How runs find the number of rows, for a table, for a schema, or for all (*): of all rules that fit, that of the table wins, then that of its parent, then that of its schema, then that for all. Without any, every row is counted.';
comment on column nms.table_metrics_count_rules.schema_name is
  'Schema as the catalogue spells it, or * for every schema.';
comment on column nms.table_metrics_count_rules.table_name is
  'Table as the catalogue spells it, its partitions and children with it, or * for every table of the schema.';
comment on column nms.table_metrics_count_rules.method is
  'exact: count every row. carried: keep the count of an earlier run where no row can have come or gone since. estimate: read a sample of the pages.';
comment on column nms.table_metrics_count_rules.recount_after is
  'No carried count is older than that.';
comment on column nms.table_metrics_count_rules.shadow is
  'For so long a rule with method carried counts everything, and only records whether what it would have carried is right.';
comment on column nms.table_metrics_count_rules.since is
  'When that time began.';

create table if not exists nms.table_metrics_filters (
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  filter_name text collate "C" not null
    constraint filter_name_has_1_to_63_bytes check (octet_length(filter_name) between 1 and 63),
  filter jsonb,
  function_name text,
  primary key (schema_name, table_name, filter_name),
  constraint either_a_filter_or_a_function check (num_nonnulls(filter, function_name) = 1)
);
comment on table nms.table_metrics_filters is
  'What to count beside all rows of a table: the rows that match a test of one column, or what a function of the table''s owner returns.';
comment on column nms.table_metrics_filters.schema_name is
  'Schema of the table, as the catalogue spells it.';
comment on column nms.table_metrics_filters.table_name is
  'Table as the catalogue spells it. Its partitions and children are counted with it.';
comment on column nms.table_metrics_filters.filter_name is
  'What the count is called, such as active.';
comment on column nms.table_metrics_filters.filter is
  'Test of a column: {"column": "deleted_at", "is": "null"}. is: null, not null, true or false; or {"column": …, "equals": literal} for a column of a built-in base type.';
comment on column nms.table_metrics_filters.function_name is
  'Instead, a function without arguments that returns bigint, is security definer and belongs to the owner of the table: schema.function. table-metrics calls it before it counts; a call of nms.collect_table_metrics() does not.';

create table if not exists nms.table_metrics_comparisons (
  run_id bigint not null,
  method text not null
    constraint method_is_carried_or_maintained check (method in ('carried', 'maintained')),
  is_shadow boolean not null,
  comparisons bigint not null,
  differences bigint not null,
  primary key (run_id, method, is_shadow),
  constraint differences_are_part_of_comparisons check (differences between 0 and comparisons)
);
comment on table nms.table_metrics_comparisons is
  'How often runs have counted a table whose number of rows was known without that, and how often the two were not the same.';
comment on column nms.table_metrics_comparisons.run_id is
  'Run that compared.';
comment on column nms.table_metrics_comparisons.method is
  'How the number was known: carried or maintained.';
comment on column nms.table_metrics_comparisons.is_shadow is
  'True for tables of which nothing is carried yet, because their rule is new.';
comment on column nms.table_metrics_comparisons.comparisons is
  'How many tables were compared.';
comment on column nms.table_metrics_comparisons.differences is
  'How many of them had another number of rows. Each is in nms.table_metrics_differences.';

create table if not exists nms.table_metrics_differences (
  difference_id bigint generated always as identity primary key,
  run_id bigint not null,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  table_oid oid not null,
  method text not null
    constraint method_is_carried_or_maintained check (method in ('carried', 'maintained')),
  claimed_row_count bigint not null,
  row_count bigint not null,
  claimed_from_run bigint,
  detail text not null,
  found_at timestamptz not null default now(),
  resumed_at timestamptz,
  resumed_by text
);
comment on table nms.table_metrics_differences is
  'Counts that a recount has refuted. While one is open (resumed_at is null), that table is counted in every run.';
comment on column nms.table_metrics_differences.difference_id is
  'Number of the difference.';
comment on column nms.table_metrics_differences.run_id is
  'Run that found it, which retention may have deleted since.';
comment on column nms.table_metrics_differences.schema_name is
  'Schema of the table.';
comment on column nms.table_metrics_differences.table_name is
  'Name of the table.';
comment on column nms.table_metrics_differences.table_oid is
  'OID of the table.';
comment on column nms.table_metrics_differences.method is
  'How the wrong number was known: carried or maintained.';
comment on column nms.table_metrics_differences.claimed_row_count is
  'The number that was wrong.';
comment on column nms.table_metrics_differences.row_count is
  'The number that was counted.';
comment on column nms.table_metrics_differences.claimed_from_run is
  'Run that had counted the wrong number; null for maintained.';
comment on column nms.table_metrics_differences.detail is
  'What was known about the table both times, for a person.';
comment on column nms.table_metrics_differences.found_at is
  'When it was found.';
comment on column nms.table_metrics_differences.resumed_at is
  'When somebody had looked and called nms.resume_carrying(); null until then.';
comment on column nms.table_metrics_differences.resumed_by is
  'Who that was.';

create table if not exists nms.table_metrics_alert_rules (
  schema_name text collate "C" not null default '*',
  table_name text collate "C" not null default '*',
  kind text not null default '*'
    constraint kind_is_known check (
      kind in (
        '*', 'repeated_failures', 'run_late', 'no_tables', 'table_missing', 'table_new',
        'dropped_to_zero', 'drop', 'spike', 'count_differs', 'triggers_changed'
      )
    ),
  is_on boolean,
  silenced_until date,
  drop_percent numeric
    constraint drop_percent_is_between_1_and_100 check (drop_percent between 1 and 100),
  spike_percent numeric
    constraint spike_percent_is_between_1_and_1000000 check (spike_percent between 1 and 1000000),
  min_rows bigint
    constraint min_rows_is_0_or_more check (min_rows >= 0),
  min_change bigint
    constraint min_change_is_0_or_more check (min_change >= 0),
  sensitivity numeric
    constraint sensitivity_is_between_a_tenth_and_10 check (sensitivity between 0.1 and 10),
  failures_in_a_row bigint
    constraint failures_in_a_row_is_1_or_more check (failures_in_a_row >= 1),
  late_after interval
    constraint late_after_is_between_0_and_30_days check (late_after between '0' and '30 days'),
  comment text,
  primary key (schema_name, table_name, kind),
  constraint a_table_is_named_with_its_schema check (schema_name <> '*' or table_name = '*'),
  constraint a_rule_decides_something check (
    num_nonnulls(
      is_on, silenced_until, drop_percent, spike_percent, min_rows, min_change, sensitivity,
      failures_in_a_row, late_after
    ) > 0
  ),
  constraint failures_and_lateness_are_of_no_schema check (
    schema_name = '*' or num_nonnulls(failures_in_a_row, late_after) = 0
  )
);
comment on table nms.table_metrics_alert_rules is
  'What to be told about, for a table, for a schema, or for all (*). A column that is null decides nothing: for each column, of all rules that fit and decide it, that of the table wins, then that of its schema, then that for all; among these that of the kind. Without rules the defaults named at each column hold.';
comment on column nms.table_metrics_alert_rules.schema_name is
  'Schema as the catalogue spells it, or * for every schema.';
comment on column nms.table_metrics_alert_rules.table_name is
  'Table as the catalogue spells it, or * for every table of the schema.';
comment on column nms.table_metrics_alert_rules.kind is
  'Kind of alert, or * for every kind.';
comment on column nms.table_metrics_alert_rules.is_on is
  'False: no such alerts. Default: true.';
comment on column nms.table_metrics_alert_rules.silenced_until is
  'No such alerts before this business day. Default: none are silenced.';
comment on column nms.table_metrics_alert_rules.drop_percent is
  'By how many per cent a count may be below what is usual. Default: 15.';
comment on column nms.table_metrics_alert_rules.spike_percent is
  'By how many per cent a count may be above what is usual. Default: 30.';
comment on column nms.table_metrics_alert_rules.min_rows is
  'Tables that usually have fewer rows have no drop, and none that drops to zero; with fewer rows they have no spike. Default: 50.';
comment on column nms.table_metrics_alert_rules.min_change is
  'A change of fewer rows is neither drop nor spike. Default: 20.';
comment on column nms.table_metrics_alert_rules.sensitivity is
  'How closely a table is held to its habit: 2 allows half of its usual fluctuation, 0.5 the double. Default: 1.';
comment on column nms.table_metrics_alert_rules.failures_in_a_row is
  'After how many failed runs in a row there is an alert. Default: 3.';
comment on column nms.table_metrics_alert_rules.late_after is
  'How long after the usual time a business day may be without a result. Default: 1 hour.';
comment on column nms.table_metrics_alert_rules.comment is
  'Why, for whoever reads it later; decides nothing.';

create table if not exists nms.table_metrics_alert_log (
  alert_id bigint generated always as identity primary key,
  kind text not null
    constraint kind_is_known check (
      kind in (
        'repeated_failures', 'run_late', 'no_tables', 'table_missing', 'table_new',
        'dropped_to_zero', 'drop', 'spike', 'count_differs', 'triggers_changed'
      )
    ),
  schema_name text collate "C",
  table_name text collate "C",
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text not null,
  opened_at timestamptz not null,
  opened_by_run bigint,
  closed_at timestamptz,
  closed_by_run bigint,
  filter_name text collate "C",
  acknowledged_at timestamptz,
  acknowledged_by text,
  acknowledgement text
    constraint an_acknowledgement_has_1_to_500_characters check (length(acknowledgement) between 1 and 500),
  constraint schema_and_table_come_together check ((schema_name is null) = (table_name is null)),
  constraint a_filter_is_of_a_table check (filter_name is null or table_name is not null),
  constraint alerts_close_after_they_open check (closed_at >= opened_at),
  constraint an_acknowledgement_tells_when_who_and_why check (
    num_nulls(acknowledged_at, acknowledged_by, acknowledgement) in (0, 3)
  )
);
create unique index if not exists an_alert_is_open_once
  on nms.table_metrics_alert_log (kind, coalesce(schema_name, ''), coalesce(table_name, ''), coalesce(filter_name, ''))
  where closed_at is null;
comment on table nms.table_metrics_alert_log is
  'Every alert from when it was found until it held no longer. Those that are open are in nms.table_metrics_alerts.';
comment on column nms.table_metrics_alert_log.alert_id is
  'Number of the alert.';
comment on column nms.table_metrics_alert_log.kind is
  'What is strange: repeated_failures, run_late, no_tables, table_missing, table_new, dropped_to_zero, drop, spike, count_differs or triggers_changed.';
comment on column nms.table_metrics_alert_log.schema_name is
  'Schema of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alert_log.table_name is
  'Name of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alert_log.filter_name is
  'Filter whose count is strange; null when it is that of all rows.';
comment on column nms.table_metrics_alert_log.row_count is
  'Rows when it was last found; null where nothing was counted.';
comment on column nms.table_metrics_alert_log.expected_low is
  'As few rows would have been usual then; null where that means nothing.';
comment on column nms.table_metrics_alert_log.expected_high is
  'As many rows would have been usual then; null where that means nothing.';
comment on column nms.table_metrics_alert_log.detail is
  'The same for a person.';
comment on column nms.table_metrics_alert_log.opened_at is
  'When it was first found: the end of that run.';
comment on column nms.table_metrics_alert_log.opened_by_run is
  'Run in which it was first found, which retention may have deleted since; null for run_late.';
comment on column nms.table_metrics_alert_log.closed_at is
  'When it held no longer; null while it is open.';
comment on column nms.table_metrics_alert_log.closed_by_run is
  'Run in which it held no longer; null while it is open.';
comment on column nms.table_metrics_alert_log.acknowledged_at is
  'When somebody took it on, with nms.acknowledge_alert(); null until then.';
comment on column nms.table_metrics_alert_log.acknowledged_by is
  'The role that did.';
comment on column nms.table_metrics_alert_log.acknowledgement is
  'What that person said about it.';

create table if not exists nms_private.readings (
  reading_id bigint generated always as identity primary key,
  read_at timestamptz not null,
  epoch text not null,
  open_transactions text[] not null
);
comment on table nms_private.readings is
  'What was known about the server before a snapshot under which bases were counted.';
comment on column nms_private.readings.reading_id is
  'Number of the reading.';
comment on column nms_private.readings.read_at is
  'When that was.';
comment on column nms_private.readings.epoch is
  'As long as that is the same, counters of the server only grow.';
comment on column nms_private.readings.open_transactions is
  'Virtual transactions that were open in any session: as long as one stays open, its session commits nothing.';

create table if not exists nms_private.vouching ();
comment on table nms_private.vouching is
  'Always empty. Whoever holds a lock on it counts, and hides no change: nms_private.vouch().';

create table if not exists nms_private.bases (
  table_oid oid primary key,
  run_id bigint not null,
  reading_id bigint not null,
  own_row_count bigint not null,
  filtered jsonb,
  own_table_bytes bigint,
  own_index_bytes bigint,
  measured_at timestamptz not null,
  filenode oid not null,
  catalogue_xmin xid not null,
  inserted bigint not null,
  deleted bigint not null,
  updated bigint not null,
  wal_lsn pg_lsn
);
comment on table nms_private.bases is
  'Of each table, the count that later runs may carry, and what was known about the table just before it was taken.';
comment on column nms_private.bases.table_oid is
  'OID of the table.';
comment on column nms_private.bases.run_id is
  'Run that counted it.';
comment on column nms_private.bases.reading_id is
  'What was known about the server then.';
comment on column nms_private.bases.own_row_count is
  'Rows stored in it then.';
comment on column nms_private.bases.filtered is
  'Counts of its filters then.';
comment on column nms_private.bases.own_table_bytes is
  'Its bytes then.';
comment on column nms_private.bases.own_index_bytes is
  'Bytes of its indexes then.';
comment on column nms_private.bases.measured_at is
  'When the count ended.';
comment on column nms_private.bases.filenode is
  'The file in which it was stored.';
comment on column nms_private.bases.catalogue_xmin is
  'Transaction that wrote its row of pg_class.';
comment on column nms_private.bases.inserted is
  'Its n_tup_ins.';
comment on column nms_private.bases.deleted is
  'Its n_tup_del.';
comment on column nms_private.bases.updated is
  'Its n_tup_upd.';
comment on column nms_private.bases.wal_lsn is
  'Where the WAL ended before the snapshot of the count; null when somebody was writing to the table, or WAL is not summarized.';

create table if not exists nms_private.foreign_counts (
  table_oid oid not null,
  run_id bigint not null,
  row_count bigint,
  measured_at timestamptz not null,
  is_sure boolean not null,
  error_sqlstate text,
  error_message text,
  primary key (table_oid, run_id)
);
comment on table nms_private.foreign_counts is
  'What was last read of each foreign table that is a part of another one.';
comment on column nms_private.foreign_counts.table_oid is
  'OID of the foreign table.';
comment on column nms_private.foreign_counts.run_id is
  'Run that has read it.';
comment on column nms_private.foreign_counts.row_count is
  'Rows that were seen; null when it could not be read.';
comment on column nms_private.foreign_counts.measured_at is
  'When that was.';
comment on column nms_private.foreign_counts.is_sure is
  'False when it read as empty and had not before: it may have been emptied and filled again meanwhile.';
comment on column nms_private.foreign_counts.error_sqlstate is
  'SQLSTATE of why it could not be read; null when it was.';
comment on column nms_private.foreign_counts.error_message is
  'Why it could not be read; null when it was.';

create table if not exists nms_private.maintained_counts (
  table_oid oid primary key,
  row_count bigint,
  snapshot pg_snapshot,
  xid xid8,
  last_position bigint,
  generation bigint generated always as identity,
  server text,
  triggers text,
  columns text[],
  seeded_at timestamptz,
  runs_since_count bigint not null default 0,
  constraint counts_are_as_of_a_snapshot check ((row_count is null) = (snapshot is null))
);
comment on table nms_private.maintained_counts is
  'Of each table whose count is maintained by triggers, how many rows one snapshot saw. What that snapshot did not see is in nms_private.count_deltas.';
comment on column nms_private.maintained_counts.table_oid is
  'OID of the table.';
comment on column nms_private.maintained_counts.row_count is
  'Its rows; null until they are counted, and again when writes may have been missed.';
comment on column nms_private.maintained_counts.snapshot is
  'The snapshot that saw them.';
comment on column nms_private.maintained_counts.xid is
  'The transaction that had this snapshot, whose own deltas it saw as well; null when it had none.';
comment on column nms_private.maintained_counts.last_position is
  'The last of its own deltas that it saw; null when there was none.';
comment on column nms_private.maintained_counts.generation is
  'Another one each time that is written. Sums of an earlier one rest on deltas that are deleted.';
comment on column nms_private.maintained_counts.server is
  'System identifier and database in which the rows were counted: numbers of transactions mean nothing in another one.';
comment on column nms_private.maintained_counts.triggers is
  'The triggers as they were then: when they are not the same any more, writes may have been missed.';
comment on column nms_private.maintained_counts.columns is
  'Its columns as they were then, each with the transaction that wrote it: becoming a partition or a child writes them anew.';
comment on column nms_private.maintained_counts.seeded_at is
  'When its rows were last counted for that.';
comment on column nms_private.maintained_counts.runs_since_count is
  'How many runs have taken the count from here since one has counted the rows; it begins anywhere below 13, so that not all are counted in the same run.';

-- A key in the table itself: an index by itself would lock out writers whenever this is run again. By it, what a
-- snapshot did not see is found without reading what it saw.
create table if not exists nms_private.count_deltas (
  table_oid oid not null,
  xid xid8 not null default pg_current_xact_id(),
  position bigint generated always as identity,
  change bigint not null,
  is_truncate boolean not null default false,
  primary key (table_oid, xid, position)
);
alter table nms_private.count_deltas set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
comment on table nms_private.count_deltas is
  'What statements have changed in the number of rows of maintained tables, until it is folded into nms_private.maintained_counts. Writers only ever append to it.';
comment on column nms_private.count_deltas.table_oid is
  'OID of the table.';
comment on column nms_private.count_deltas.xid is
  'Transaction of the statement.';
comment on column nms_private.count_deltas.position is
  'Order in which they were written.';
comment on column nms_private.count_deltas.change is
  'Rows that a statement has inserted, or less those that it has deleted.';
comment on column nms_private.count_deltas.is_truncate is
  'True: what was before does not count any more.';

create table if not exists nms_private.count_sums (
  table_oid oid not null,
  generation bigint not null,
  sum_id bigint generated always as identity,
  row_count bigint not null,
  snapshot pg_snapshot not null,
  xid xid8 not null,
  last_position bigint,
  primary key (table_oid, generation, sum_id)
);
comment on table nms_private.count_sums is
  'What one in a thousand writers has added up, so that nobody has to read many deltas: as nms_private.maintained_counts, as of a later snapshot.';
comment on column nms_private.count_sums.table_oid is
  'OID of the table.';
comment on column nms_private.count_sums.generation is
  'That of the count to which the deltas were added.';
comment on column nms_private.count_sums.sum_id is
  'Order in which they were written.';
comment on column nms_private.count_sums.row_count is
  'Rows of the table.';
comment on column nms_private.count_sums.snapshot is
  'The snapshot that saw them.';
comment on column nms_private.count_sums.xid is
  'The transaction that had this snapshot.';
comment on column nms_private.count_sums.last_position is
  'The last of its own deltas that it saw.';

create table if not exists nms_private.trigger_changes (
  change_id bigint generated always as identity primary key,
  run_id bigint,
  schema_name text collate "C" not null,
  table_name text collate "C" not null,
  detail text not null,
  noticed_at timestamptz not null default now()
);
comment on table nms_private.trigger_changes is
  'Maintained tables whose triggers were not what they had been, so that their rows had to be counted again.';
comment on column nms_private.trigger_changes.change_id is
  'Number of the change.';
comment on column nms_private.trigger_changes.run_id is
  'The first run that ended its counting after that; null while there is none.';
comment on column nms_private.trigger_changes.schema_name is
  'Schema of the table.';
comment on column nms_private.trigger_changes.table_name is
  'Name of the table.';
comment on column nms_private.trigger_changes.detail is
  'What has changed, for a person.';
comment on column nms_private.trigger_changes.noticed_at is
  'When that was noticed.';

create table if not exists nms_private.key_positions (
  sequence_schema text collate "C" not null,
  sequence_name text collate "C" not null,
  run_id bigint not null,
  read_at timestamptz not null,
  "position" bigint,
  primary key (sequence_schema, sequence_name, run_id)
);
create index if not exists key_positions_run_idx
  on nms_private.key_positions (run_id);
comment on table nms_private.key_positions is
  'How far the sequences were whose numbers are keys that can run out. By name, because a restored database has other OIDs.';
comment on column nms_private.key_positions.sequence_schema is
  'Schema of the sequence.';
comment on column nms_private.key_positions.sequence_name is
  'Name of the sequence.';
comment on column nms_private.key_positions.run_id is
  'Run that has read it, and takes it along when it is deleted.';
comment on column nms_private.key_positions.read_at is
  'When it was read.';
comment on column nms_private.key_positions."position" is
  'The last number that it had given out; null when it had given out none.';

revoke all on all tables in schema nms, nms_private from public;

-- Functions and views

--! Included functions/alerts/acknowledge_alert.sql
create or replace function nms.acknowledge_alert(alert_id bigint, why text)
returns jsonb
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5 s' -- on a session that records the alerts of a run
as $$
declare
  v_why constant text := regexp_replace(acknowledge_alert.why, '^\s+|\s+$', '', 'g');
  v_id bigint := acknowledge_alert.alert_id;
  v_alert nms.table_metrics_alert_log;
begin
  if (length(v_why) between 1 and 500) is not true then
    raise exception 'an acknowledgement has 1 to 500 characters'
      using
        errcode = 'invalid_parameter_value',
        detail = format('saw %s', coalesce(length(v_why), 0)),
        hint = 'Say in a few words why nobody has to look any more.';
  end if;

  if v_id is null then
    perform nms_private.record_missing_run();
    select late.alert_id into v_id
    from nms.table_metrics_alerts as late
    where late.kind = 'run_late';
  end if;

  update nms.table_metrics_alert_log as log
  set
    acknowledged_at = clock_timestamp(),
    acknowledged_by = session_user,
    acknowledgement = v_why
  where log.alert_id = v_id and log.closed_at is null and log.acknowledged_at is null
  returning log.* into v_alert;
  if found then
    return to_jsonb(v_alert);
  end if;

  select log.* into v_alert from nms.table_metrics_alert_log as log where log.alert_id = v_id;
  if not found then
    raise exception 'no such alert: %', coalesce(acknowledge_alert.alert_id::text, 'run_late')
      using
        errcode = 'no_data_found',
        detail = 'expected the number of one that is open',
        hint = 'The open alerts are in nms.table_metrics_alerts.';
  elsif v_alert.closed_at is not null then
    raise exception 'alert % is closed', v_alert.alert_id
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('it held no longer on %s', nms.business_date(at => v_alert.closed_at)),
        hint = 'The open alerts are in nms.table_metrics_alerts.';
  end if;
  raise exception 'alert % is acknowledged already', v_alert.alert_id
    using
      errcode = 'object_not_in_prerequisite_state',
      detail = format(
        'by %s on %s: %s',
        v_alert.acknowledged_by, nms.business_date(at => v_alert.acknowledged_at), v_alert.acknowledgement
      ),
      hint = 'The open alerts are in nms.table_metrics_alerts.';
end
$$;
comment on function nms.acknowledge_alert(bigint, text) is
  'Notes that somebody has taken an open alert on, and why: the role of the session, now. It stays open until it holds no longer; when it is found again after that, it is a new alert. alert_id: as in nms.table_metrics_alerts; null for run_late, which has no number until a worker has announced it. Returns the row of nms.table_metrics_alert_log. Raises P0002 for an unknown alert, 55000 for one that is closed or acknowledged already, 22023 for an empty or endless reason.';
revoke execute on function nms.acknowledge_alert(bigint, text) from public;
--! EndIncluded functions/alerts/acknowledge_alert.sql
--! Included functions/alerts/alert_changes.sql
create or replace function nms_private.alert_changes(run_id bigint)
returns table (
  event text,
  kind text,
  schema_name text,
  table_name text,
  filter_name text,
  alerts bigint,
  schemas bigint,
  tables text[],
  detail text,
  opened_at timestamptz,
  opened_by_run bigint,
  closed_at timestamptz,
  closed_by_run bigint
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select
    change.event, told.kind, told.schema_name, told.table_name, told.filter_name, told.alerts, told.schemas, told.tables,
    told.detail, told.opened_at, told.opened_by_run, told.closed_at, told.closed_by_run
  from (
    select
      'alert_opened' as event,
      array(select log from nms.table_metrics_alert_log as log where log.opened_by_run = alert_changes.run_id) as alerts
    union all
    select
      'alert_closed',
      array(select log from nms.table_metrics_alert_log as log where log.closed_by_run = alert_changes.run_id)
  ) as change
  cross join lateral nms_private.grouped_alerts(alerts => change.alerts) as told
  order by
    change.event desc, told.opened_at, told.kind, told.schema_name nulls first, told.table_name,
    told.filter_name nulls first
$$;
comment on function nms_private.alert_changes(bigint) is
  'Which alerts a run has opened and closed, put together as nms_private.grouped_alerts() does. event: alert_opened or alert_closed.';
revoke execute on function nms_private.alert_changes(bigint) from public;
--! EndIncluded functions/alerts/alert_changes.sql
--! Included functions/alerts/alert_decisions.sql
create or replace function nms_private.alert_decisions(rule nms.table_metrics_alert_rules)
returns table (
  place bigint,
  decision text, -- column of nms.table_metrics_alert_rules
  value text,
  in_words text,
  kinds text[]   -- the kinds of alerts that it matters for; null: all
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
set intervalstyle = 'postgres_verbose'
rows 5
as $$
  select listed.place, listed.decision, listed.value, listed.in_words, listed.kinds::text[]
  from (
    values
      (
        bigint '1', 'is_on', (rule).is_on::text,
        case when (rule).is_on then 'on' else 'no alerts' end,
        null
      ),
      (
        2, 'silenced_until', (rule).silenced_until::text,
        format(
          case when (rule).silenced_until > nms.business_date() then 'silent until %s' else 'was silent until %s' end,
          (rule).silenced_until
        ),
        null
      ),
      (3, 'drop_percent', (rule).drop_percent::text, format('drop from %s %%', trim_scale((rule).drop_percent)), '{drop}'),
      (4, 'spike_percent', (rule).spike_percent::text, format('spike from %s %%', trim_scale((rule).spike_percent)), '{spike}'),
      (
        5, 'min_rows', (rule).min_rows::text,
        format('tables of %s rows or more', nms_private.with_separators(number => (rule).min_rows)),
        '{dropped_to_zero,drop,spike}'
      ),
      (
        6, 'min_change', (rule).min_change::text,
        format('changes of %s rows or more', nms_private.with_separators(number => (rule).min_change)),
        '{drop,spike}'
      ),
      (7, 'sensitivity', (rule).sensitivity::text, format('sensitivity %s', trim_scale((rule).sensitivity)), '{drop,spike}'),
      (
        8, 'failures_in_a_row', (rule).failures_in_a_row::text,
        format('after %s failed runs in a row', (rule).failures_in_a_row),
        '{repeated_failures}'
      ),
      (9, 'late_after', (rule).late_after::text, format('late %s after the usual time', ltrim((rule).late_after::text, '@ ')), '{run_late}')
  ) as listed (place, decision, value, in_words, kinds)
  where listed.value is not null
$$;
comment on function nms_private.alert_decisions(nms.table_metrics_alert_rules) is
  'What one alert rule decides, in words, and for which kinds of alerts that matters.';
revoke execute on function nms_private.alert_decisions(nms.table_metrics_alert_rules) from public;
--! EndIncluded functions/alerts/alert_decisions.sql
--! Included functions/alerts/alert_kinds.sql
create or replace function nms_private.alert_kinds()
returns table (kind text, is_of_table boolean)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
rows 10
as $$
  values
    ('repeated_failures', false),
    ('run_late', false),
    ('no_tables', false),
    ('table_missing', true),
    ('table_new', true),
    ('dropped_to_zero', true),
    ('drop', true),
    ('spike', true),
    ('count_differs', true),
    ('triggers_changed', true)
$$;
comment on function nms_private.alert_kinds() is
  'Every kind of alert, and whether it is about a table or about a whole run.';
revoke execute on function nms_private.alert_kinds() from public;
--! EndIncluded functions/alerts/alert_kinds.sql
--! Included functions/alerts/alert_rule.sql
-- With the rights of its owner, because views call it for whoever reads them.
create or replace function nms_private.alert_rule(schema_name text, table_name text, kind text)
returns table (
  is_on boolean,
  silenced_until date,
  drop_percent numeric,
  spike_percent numeric,
  min_rows bigint,
  min_change bigint,
  sensitivity numeric,
  failures_in_a_row bigint,
  late_after interval
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
rows 1
as $$
  with
  fitting as (
    select
      rule.*,
      row_number() over (order by rule.table_name = '*', rule.schema_name = '*', rule.kind = '*') as rank
    from nms.table_metrics_alert_rules as rule
    where
      rule.schema_name in ('*', alert_rule.schema_name)
      and rule.table_name in ('*', alert_rule.table_name)
      and rule.kind in ('*', alert_rule.kind)
  ),
  decided as (
    select
      (array_agg(fitting.is_on order by rank) filter (where fitting.is_on is not null))[1] as is_on,
      (array_agg(fitting.silenced_until order by rank) filter (where fitting.silenced_until is not null))[1] as silenced_until,
      (array_agg(fitting.drop_percent order by rank) filter (where fitting.drop_percent is not null))[1] as drop_percent,
      (array_agg(fitting.spike_percent order by rank) filter (where fitting.spike_percent is not null))[1] as spike_percent,
      (array_agg(fitting.min_rows order by rank) filter (where fitting.min_rows is not null))[1] as min_rows,
      (array_agg(fitting.min_change order by rank) filter (where fitting.min_change is not null))[1] as min_change,
      (array_agg(fitting.sensitivity order by rank) filter (where fitting.sensitivity is not null))[1] as sensitivity,
      (array_agg(fitting.failures_in_a_row order by rank) filter (where fitting.failures_in_a_row is not null))[1] as failures_in_a_row,
      (array_agg(fitting.late_after order by rank) filter (where fitting.late_after is not null))[1] as late_after
    from fitting
  )
  select
    coalesce(decided.is_on, (fallback.rule).is_on),
    decided.silenced_until,
    coalesce(decided.drop_percent, (fallback.rule).drop_percent),
    coalesce(decided.spike_percent, (fallback.rule).spike_percent),
    coalesce(decided.min_rows, (fallback.rule).min_rows),
    coalesce(decided.min_change, (fallback.rule).min_change),
    coalesce(decided.sensitivity, (fallback.rule).sensitivity),
    coalesce(decided.failures_in_a_row, (fallback.rule).failures_in_a_row),
    coalesce(decided.late_after, (fallback.rule).late_after)
  from decided
  cross join (select nms_private.default_alert_rule()) as fallback (rule)
$$;
comment on function nms_private.alert_rule(text, text, text) is
  'What the rules decide about one kind of alert for one table, or with nulls for whole runs: always one row, with the defaults where no rule decides.';
revoke execute on function nms_private.alert_rule(text, text, text) from public;
--! EndIncluded functions/alerts/alert_rule.sql
--! Included functions/alerts/alert_rules_report.sql
create or replace function nms.alert_rules_report(schema_name text default null, table_name text default null)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if num_nonnulls(alert_rules_report.schema_name, alert_rules_report.table_name) > 0 then
    perform nms_private.refuse_unknown_table(
      schema_name => alert_rules_report.schema_name,
      table_name => alert_rules_report.table_name
    );
  end if;

  return jsonb_build_object(
    'business_date', nms.business_date(),
    'schema_name', alert_rules_report.schema_name,
    'table_name', alert_rules_report.table_name,
    'rules', (
      select coalesce(
        jsonb_agg(
          to_jsonb(rule) || jsonb_build_object(
            'named', nms_private.name_of_rule(rule => rule),
            'decides', (
              select jsonb_agg(decided.in_words order by decided.place)
              from nms_private.alert_decisions(rule => rule) as decided
            )
          )
          order by rule.table_name = '*', rule.schema_name = '*', rule.schema_name, rule.table_name, rule.kind = '*', rule.kind
        ),
        '[]'
      )
      from nms.table_metrics_alert_rules as rule
      where
        alert_rules_report.table_name is null
        or (
          rule.schema_name in ('*', alert_rules_report.schema_name)
          and rule.table_name in ('*', alert_rules_report.table_name)
        )
    ),
    'defaults', (
      select jsonb_object_agg(decided.decision, to_jsonb(fallback.rule) -> decided.decision)
      || jsonb_build_object('decides', jsonb_agg(decided.in_words order by decided.place))
      from (select nms_private.default_alert_rule()) as fallback (rule)
      cross join nms_private.alert_decisions(rule => fallback.rule) as decided
    ),
    'kinds', (
      select jsonb_agg(to_jsonb(explained) - 'place' order by explained.place)
      from nms_private.explain_alert_rules(
        schema_name => alert_rules_report.schema_name,
        table_name => alert_rules_report.table_name
      ) as explained
      where alert_rules_report.table_name is not null
    )
  );
end
$$;
comment on function nms.alert_rules_report(text, text) is
  'The alert rules and what each decides in words: {business_date, schema_name, table_name, rules, defaults, kinds}. rules: those of nms.table_metrics_alert_rules, the most specific first, with named and decides; of a table only those that fit it. defaults: what holds where none decides. kinds: null unless for a table, then what is decided about it for each kind of alert: {kind, decides: [{decision, value, in_words, rule}]}, where rule is that which decides, such as sales.* (drop), and null for a default. Raises P0002 for a table that no run has met.';
revoke execute on function nms.alert_rules_report(text, text) from public;
--! EndIncluded functions/alerts/alert_rules_report.sql
--! Included functions/alerts/alert_scope.sql
create or replace function nms_private.alert_scope(named text)
returns table (schema_name text, table_name text)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema constant text := substring(alert_scope.named from '^(.+)\.\*$');
  v_tables jsonb;
begin
  if alert_scope.named = '*' then
    return query values ('*', '*');
    return;
  elsif v_schema is not null then
    schema_name := coalesce(replace(substring(v_schema from '^"((?:[^"]|"")+)"$'), '""', '"'), v_schema);
    table_name := '*';
    perform nms_private.refuse_unknown_schema(schema_name => schema_name);
    return next;
    return;
  end if;

  v_tables := nms.find_table(named => alert_scope.named);
  if jsonb_array_length(v_tables -> 'found') <> 1 then
    raise exception '%', format(
        case when v_tables -> 'found' = '[]' then 'no run has met a table %s' else '%s is more than one table' end,
        coalesce(alert_scope.named, 'null')
      )
      using
        errcode = 'no_data_found',
        detail = 'expected schema.table, schema.* for a whole schema, or * for all',
        hint = coalesce(
          (
            select format('Did you mean %s?', string_agg(name, ', '))
            from (
              select jsonb_array_elements_text(v_tables -> 'alike')
              union all
              select meant ->> 'quoted' from jsonb_array_elements(v_tables -> 'found') as meant
            ) as candidate (name)
            having count(*) > 0
          ),
          'Those of the last run are in nms.table_metrics_latest.'
        );
  end if;
  schema_name := v_tables #>> '{found,0,schema_name}';
  table_name := v_tables #>> '{found,0,table_name}';
  return next;
end
$$;
comment on function nms_private.alert_scope(text) is
  'What a rule for this name is about, as nms.table_metrics_alert_rules has it: a table as nms.find_table() knows it, a whole schema (sales.*), or everything (*). Raises P0002, with the names most alike, for what no run has met, and for what is more than one table.';
revoke execute on function nms_private.alert_scope(text) from public;
--! EndIncluded functions/alerts/alert_scope.sql
--! Included functions/alerts/announce_alerts.sql
create or replace function nms_private.announce_alerts(
  opened nms.table_metrics_alert_log[],
  closed nms.table_metrics_alert_log[] default '{}'
)
returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record;
  v_notification jsonb;
  v_lines text[] := array[]::text[];
begin
  for v_change in
    select 'alert_opened' as event, told.* from nms_private.grouped_alerts(alerts => announce_alerts.opened) as told
    union all
    select 'alert_closed', told.* from nms_private.grouped_alerts(alerts => announce_alerts.closed) as told
  loop
    v_notification := jsonb_build_object('event', v_change.event) || case
      when v_change.alerts = 1 then to_jsonb(v_change.alert)
      else to_jsonb(v_change) - '{event,schemas,acknowledged_at,alert}'::text[]
    end;
    -- The longest notification has 7,999 bytes, and a character takes up to six of them as JSON.
    if octet_length(v_notification::text) > 7999 then
      v_notification := v_notification - 'acknowledgement' || jsonb_build_object(
        'schema_name', left(v_change.schema_name, 63),
        'table_name', left(v_change.table_name, 63),
        'detail', left(v_change.detail, 1000) || '…'
      );
    end if;
    -- A full queue would make the transaction fail when it commits.
    if pg_notification_queue_usage() < 0.5 then
      perform pg_notify('nms_alerts', v_notification::text);
    end if;

    v_lines := v_lines || format(
      '%s %s: %s',
      v_change.event,
      concat_ws(
        ' ',
        v_change.kind,
        case
          when v_change.table_name is not null
            then format('%I.%I', left(v_change.schema_name, 63), left(v_change.table_name, 63))
          when v_change.schema_name is not null then format('in %I', left(v_change.schema_name, 63))
        end,
        case when v_change.event = 'alert_closed' then format('(since %s)', v_change.opened_at) end
      ),
      regexp_replace(left(v_change.detail, 1000), '\s+', ' ', 'g')
    );
  end loop;
  return array_to_string(v_lines, '; ');
end
$$;
comment on function nms_private.announce_alerts(nms.table_metrics_alert_log[], nms.table_metrics_alert_log[]) is
  'Tells of alerts that were opened and closed, put together as nms_private.grouped_alerts() does: a notification each on the channel nms_alerts, with event, which is alert_opened or alert_closed, and the row of nms.table_metrics_alert_log as JSON, cut where that is too long; or, for several at once, with alerts, their number, and tables, the names of the first three. Returns a line for the server log. The caller writes it: with each line come all the calls that lie between.';
revoke execute on function nms_private.announce_alerts(nms.table_metrics_alert_log[], nms.table_metrics_alert_log[]) from public;
--! EndIncluded functions/alerts/announce_alerts.sql
--! Included functions/alerts/beside_before.sql
create or replace function nms_private.beside_before(
  row_count bigint,
  row_count_low bigint,  -- null unless it is an estimate
  row_count_high bigint,
  before bigint,
  before_is_estimate boolean,
  before_date date
)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat(
    today.in_words,
    case
      when beside_before.before_date is null then null
      when beside_before.before = beside_before.row_count then format(' as on %s', day.in_words)
      when beside_before.before = 0 then format(', empty on %s', day.in_words)
      else
        format(
          ', %s%s on %s (%s%s %%)',
          sign.of_before,
          nms_private.rows_in_words(number => beside_before.before),
          day.in_words,
          case when beside_before.row_count_low is not null or beside_before.before_is_estimate then '≈ ' end,
          -- Towards 0: what is not empty has not lost all.
          rtrim(
            to_char(
              trunc((beside_before.row_count - beside_before.before) * 100.0 / beside_before.before, 1),
              'FMSG9,999,999,999,999,999,999,999,990.9'
            ),
            '.'
          )
        )
    end
  )
  from (
    select case
      when beside_before.row_count = 0 and beside_before.row_count_low is null then 'empty'
      when beside_before.row_count_low is null then nms_private.rows_in_words(number => beside_before.row_count)
      else
        concat(
          nms_private.with_range(
            row_count => beside_before.row_count,
            row_count_low => beside_before.row_count_low,
            row_count_high => beside_before.row_count_high
          ),
          ' rows'
        )
    end
  ) as today (in_words)
  cross join (select to_char(beside_before.before_date, 'YYYY-MM-DD')) as day (in_words)
  cross join (select case when beside_before.before_is_estimate then '≈ ' end) as sign (of_before)
$$;
comment on function nms_private.beside_before(bigint, bigint, bigint, bigint, boolean, date) is
  'A count beside the one before it, for a person: 155 rows, 310 rows on 2026-11-19 (-50 %); empty as on 2026-11-19 where it is the same.';
revoke execute on function nms_private.beside_before(bigint, bigint, bigint, bigint, boolean, date) from public;
--! EndIncluded functions/alerts/beside_before.sql
--! Included functions/alerts/changed_counts.sql
create or replace function nms_private.changed_counts(run_id bigint)
returns table (
  schema_name text,
  table_name text,
  filter_name text, -- null: all rows
  is_partition boolean,
  row_count bigint
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_owners constant bigint[] := array(
    select history.owner
    from nms_private.day_owners(run_id => changed_counts.run_id) as history
    order by history.snapshot_date desc
    limit 7
  );
  v_tolerance double precision;
begin
  if v_owners = '{}' then
    return;
  end if;

  -- Half of the smallest change that any rule asks for: less than that is nothing to any of them.
  select
    ln(
      1 + least(
        (nms_private.default_alert_rule()).drop_percent,
        (nms_private.default_alert_rule()).spike_percent,
        min(rule.drop_percent),
        min(rule.spike_percent)
      )::double precision / 100
    ) / 2
  into strict v_tolerance
  from nms.table_metrics_alert_rules as rule;

  -- Grouped rather than joined: of a run that has just ended, the planner knows nothing, and would compare all with all.
  return query
  select
    found.schema_name,
    found.table_name,
    nullif(found.filter_name, ''),
    (
      select measurement.is_partition
      from nms.table_metrics_measurements as measurement
      where
        measurement.run_id = changed_counts.run_id
        and measurement.schema_name = found.schema_name
        and measurement.table_name = found.table_name
    ),
    found.row_count
  from (
    select
      result.schema_name,
      result.table_name,
      result.filter_name,
      max(result.row_count) filter (where result.is_today) as row_count,
      array_agg(result.row_count) filter (where not result.is_today) as past_counts,
      min(result.row_count) as fewest,
      max(result.row_count) as most
    from unnest(v_owners || changed_counts.run_id) as among (run_id)
    -- offset: the index of each run, rather than a scan of years of measurements
    cross join lateral (
      select past.schema_name, past.table_name, '' as filter_name, past.row_count, past.run_id = changed_counts.run_id as is_today
      from nms.table_metrics_measurements as past
      where past.run_id = among.run_id
      union all
      select past.schema_name, past.table_name, past.filter_name, past.row_count, past.run_id = changed_counts.run_id
      from nms.table_metrics_filtered_counts as past
      where past.run_id = among.run_id
      offset 0
    ) as result
    where result.row_count is not null
    group by result.schema_name, result.table_name, result.filter_name
  ) as found
  where
    found.row_count is not null -- counted today
    -- Most often all are the same, and need no median.
    and (v_tolerance > 0 and found.past_counts is not null and found.fewest = found.most) is not true
    and (
      abs(
        ln(greatest(found.row_count::double precision, 0.5))
        - (
          select ln(greatest(percentile_disc(0.5) within group (order by past.row_count)::double precision, 0.5))
          from unnest(found.past_counts) as past (row_count)
          having count(*) > 0
        )
      ) < v_tolerance
    ) is not true;
end
$$;
comment on function nms_private.changed_counts(bigint) is
  'The tables of a finished run, and their filters, that are not near the median of their last week, for any rule: those that are worth judging by their whole past. None while there is no earlier day.';
revoke execute on function nms_private.changed_counts(bigint) from public;
--! EndIncluded functions/alerts/changed_counts.sql
--! Included functions/alerts/counts_by_day.sql
create or replace function nms_private.counts_by_day(
  run_id bigint,
  schema_names text[],
  table_names text[],
  filter_names text[] default null -- null among them: all rows
)
returns table (
  table_number bigint, -- its position in the arrays
  day integer,
  row_count bigint,
  size double precision
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 100000
as $$
  with
  result as materialized (
    select history.owner as run_id, history.snapshot_date - given.snapshot_date as day
    from nms.table_metrics_runs as given
    cross join nms_private.day_owners(run_id => counts_by_day.run_id) as history
    where given.run_id = counts_by_day.run_id
    union all
    select counts_by_day.run_id, 0
  )
  select candidate.number, result.day, past.row_count, ln(greatest(past.row_count::double precision, 0.5))
  from unnest(counts_by_day.schema_names, counts_by_day.table_names, counts_by_day.filter_names)
    with ordinality as candidate (schema_name, table_name, filter_name, number)
  -- offset: the index of each table, however many there are, rather than a scan of the whole history
  cross join lateral (
    select measurement.run_id, measurement.row_count
    from nms.table_metrics_measurements as measurement
    where
      candidate.filter_name is null
      and measurement.schema_name = candidate.schema_name
      and measurement.table_name = candidate.table_name
      and measurement.run_id between (select min(result.run_id) from result) and counts_by_day.run_id
    union all
    select filtered.run_id, filtered.row_count
    from nms.table_metrics_filtered_counts as filtered
    where
      filtered.filter_name = candidate.filter_name
      and filtered.schema_name = candidate.schema_name
      and filtered.table_name = candidate.table_name
      and filtered.run_id between (select min(result.run_id) from result) and counts_by_day.run_id
    offset 0
  ) as past
  join result using (run_id)
  where past.row_count is not null
$$;
comment on function nms_private.counts_by_day(bigint, text[], text[], text[]) is
  'Some tables, or the rows of them that match a filter, as counted in a run and in the history by which it is judged. day: 0 is that of the run, -1 the day before. size: the natural logarithm of the count, so that differences are changes in per cent; that of half a row for none.';
revoke execute on function nms_private.counts_by_day(bigint, text[], text[], text[]) from public;
--! EndIncluded functions/alerts/counts_by_day.sql
--! Included functions/alerts/day_owners.sql
create or replace function nms_private.day_owners(run_id bigint)
returns table (owner bigint, snapshot_date date)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 91
as $$
  select distinct on (run.snapshot_date) run.run_id, run.snapshot_date
  from nms.table_metrics_runs as given
  join nms.table_metrics_runs as run
    on run.snapshot_date between given.snapshot_date - 91 and given.snapshot_date - 1
  where
    given.run_id = day_owners.run_id
    and run.status = 'SUCCEEDED'
    and run.run_id < given.run_id
    and run.finished_at <= given.finished_at
  order by run.snapshot_date, run.is_imported, run.run_id desc
$$;
comment on function nms_private.day_owners(bigint) is
  'The history by which a finished run is judged: the runs that owned the business days of the 13 weeks before its own when it ended. What ended later changes nothing.';
revoke execute on function nms_private.day_owners(bigint) from public;
--! EndIncluded functions/alerts/day_owners.sql
--! Included functions/alerts/default_alert_rule.sql
create or replace function nms_private.default_alert_rule()
returns nms.table_metrics_alert_rules
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(
    '*', -- schema_name
    '*', -- table_name
    '*', -- kind
    true, -- is_on
    null, -- silenced_until
    15, -- drop_percent
    30, -- spike_percent
    50, -- min_rows
    20, -- min_change
    1, -- sensitivity
    3, -- failures_in_a_row
    interval '1 hour', -- late_after
    null -- comment
  )::nms.table_metrics_alert_rules
$$;
comment on function nms_private.default_alert_rule() is
  'What holds where no row of nms.table_metrics_alert_rules decides: the defaults that the comments of its columns name.';
revoke execute on function nms_private.default_alert_rule() from public;
--! EndIncluded functions/alerts/default_alert_rule.sql
--! Included functions/alerts/departures_by_day.sql
create or replace function nms_private.departures_by_day(
  run_id bigint,
  schema_names text[],
  table_names text[],
  filter_names text[] default null
)
returns table (
  table_number bigint,
  day integer,
  row_count bigint,
  size double precision,
  is_refilled boolean,
  from_week double precision,
  from_weekday double precision
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 100000
as $$
  with
  -- The seven results before each one: a the last three, b the three before those, c the seventh.
  last_seven as (
    select
      counted.*,
      lag(size, 1) over by_day as a1, lag(size, 2) over by_day as a2, lag(size, 3) over by_day as a3,
      lag(size, 4) over by_day as b1, lag(size, 5) over by_day as b2, lag(size, 6) over by_day as b3,
      lag(size, 7) over by_day as c
    from nms_private.counts_by_day(
      run_id => departures_by_day.run_id,
      schema_names => departures_by_day.schema_names,
      table_names => departures_by_day.table_names,
      filter_names => departures_by_day.filter_names
    ) as counted
    window by_day as (partition by counted.table_number order by counted.day)
  ),
  last_three_of_weekday as (
    select
      last_seven.*,
      least(a1, a2, a3) as a_low,
      a1 + a2 + a3 - least(a1, a2, a3) - greatest(a1, a2, a3) as a_mid,
      greatest(a1, a2, a3) as a_high,
      least(b1, b2, b3) as b_low,
      b1 + b2 + b3 - least(b1, b2, b3) - greatest(b1, b2, b3) as b_mid,
      greatest(b1, b2, b3) as b_high,
      lag(size, 1) over by_weekday as w1, lag(size, 2) over by_weekday as w2, lag(size, 3) over by_weekday as w3
    from last_seven
    window by_weekday as (partition by last_seven.table_number, mod(last_seven.day, 7) order by last_seven.day)
  )
  select
    last.table_number,
    last.day,
    last.row_count,
    last.size,
    a1 < 0 and size >= 0, -- only that of an empty table is negative
    -- The median of seven is c, unless the third or the fourth of the other six is nearer to the middle.
    case
      when c is not null then
        size - greatest(
          least(a_high, greatest(a_mid, b_low), greatest(a_low, b_mid), b_high),
          least(c, least(greatest(a_low, b_high), greatest(a_mid, b_mid), greatest(a_high, b_low)))
        )
    end,
    case
      when c is null then null
      when w3 is not null then size - greatest(least(w1, w2), least(greatest(w1, w2), w3))
      when w2 is not null then size - (w1 + w2) / 2
      else size - w1
    end
  from last_three_of_weekday as last
$$;
comment on function nms_private.departures_by_day(bigint, text[], text[], text[]) is
  'How far each count of nms_private.counts_by_day() is from the median of the seven results before it, and from that of the last three of its weekday; null before there are seven. is_refilled: the result before was empty and this one is not.';
revoke execute on function nms_private.departures_by_day(bigint, text[], text[], text[]) from public;
--! EndIncluded functions/alerts/departures_by_day.sql
--! Included functions/alerts/earlier_results.sql
create or replace function nms_private.earlier_results(run_id bigint)
returns table (run_id bigint)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 8
as $$
  (
    select history.owner
    from nms_private.day_owners(run_id => earlier_results.run_id) as history
    order by history.snapshot_date desc
    limit 7
  )
  union all
  (
    select run.run_id
    from nms.table_metrics_runs as given
    join nms.table_metrics_runs as run on run.snapshot_date = given.snapshot_date
    where
      given.run_id = earlier_results.run_id
      and run.status = 'SUCCEEDED'
      and run.run_id < given.run_id
      and run.finished_at <= given.finished_at
    order by run.is_imported, run.run_id desc
    limit 1
  )
$$;
comment on function nms_private.earlier_results(bigint) is
  'What the tables of a finished run are compared with: the results of the seven days before, and the latest of its own day.';
revoke execute on function nms_private.earlier_results(bigint) from public;
--! EndIncluded functions/alerts/earlier_results.sql
--! Included functions/alerts/expected_counts.sql
create or replace function nms_private.expected_counts(
  run_id bigint,
  schema_names text[],
  table_names text[],
  filter_names text[] default null
)
returns table (
  table_number bigint,    -- its position in the arrays
  row_count bigint,
  days bigint,            -- of its history
  is_long_enough boolean, -- that history, to tell a drop or a spike
  usual bigint,
  times_refilled bigint,
  kind text,              -- of the alert that it would be
  min_rows bigint,
  min_change bigint,
  middle double precision,
  is_below boolean,
  is_above boolean,
  expected_low bigint,
  expected_high bigint
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with judged as (
    select
      score.*,
      today.y,
      aim.kind,
      rule.min_rows,
      rule.min_change,
      round(exp(middle.y)) as middle, -- exp(ln(50)) is a little less than 50
      -- A count is strange outside of what was expected of that day, or outside of all that the 13 weeks had.
      greatest(
        score.expected - greatest(fall.least, score.lower_reach / rule.sensitivity),
        score.lowest - fall.least - score.noise / 2 / rule.sensitivity
      ) as low,
      least(
        score.expected + greatest(rise.least, score.upper_reach / rule.sensitivity),
        score.highest + rise.least + score.noise / 2 / rule.sensitivity
      ) as high
    from nms_private.score_counts(
      run_id => expected_counts.run_id,
      schema_names => expected_counts.schema_names,
      table_names => expected_counts.table_names,
      filter_names => expected_counts.filter_names
    ) as score
    cross join lateral (select ln(greatest(score.row_count::double precision, 0.5))) as today (y)
    cross join lateral (select least(greatest(score.expected, score.lowest), score.highest)) as middle (y)
    cross join lateral (
      select case
        when score.row_count = 0 then 'dropped_to_zero'
        when today.y < middle.y then 'drop'
        else 'spike'
      end
    ) as aim (kind)
    cross join nms_private.alert_rule(
      schema_name => score.schema_name,
      table_name => score.table_name,
      kind => aim.kind
    ) as rule
    cross join lateral (select -ln(greatest(1 - rule.drop_percent / 100, 1e-9))::double precision) as fall (least)
    cross join lateral (select ln(1 + rule.spike_percent / 100)::double precision) as rise (least)
  )
  select
    judged.table_number,
    judged.row_count,
    judged.days,
    judged.days >= 14,
    judged.usual,
    judged.times_refilled,
    judged.kind,
    judged.min_rows,
    judged.min_change,
    judged.middle,
    judged.y < judged.low,
    judged.y > judged.high,
    round(least(exp(coalesce(judged.low, judged.lowest)), 9.2e18))::bigint,
    round(least(exp(coalesce(judged.high, judged.highest)), 9.2e18))::bigint
  from judged
$$;
comment on function nms_private.expected_counts(bigint, text[], text[], text[]) is
  'How many rows each of these tables was expected to have on the day of a run that has counted it, by its past and by the alert rules: expected_low to expected_high, and whether row_count lies outside. Before 14 days of history the range is what it has been, and nothing is told of it.';
revoke execute on function nms_private.expected_counts(bigint, text[], text[], text[]) from public;
--! EndIncluded functions/alerts/expected_counts.sql
--! Included functions/alerts/explain_alert_rules.sql
create or replace function nms_private.explain_alert_rules(schema_name text, table_name text)
returns table (place bigint, kind text, decides jsonb)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 7
as $$
  with
  -- As nms_private.alert_rule() ranks them.
  fitting as (
    select known.place as kind_place, known.kind, rule.rule, rule.rank
    from nms_private.alert_kinds() with ordinality as known (kind, is_of_table, place)
    cross join lateral (
      select
        given as rule,
        row_number() over (order by given.table_name = '*', given.schema_name = '*', given.kind = '*') as rank
      from nms.table_metrics_alert_rules as given
      where
        given.schema_name in ('*', explain_alert_rules.schema_name)
        and given.table_name in ('*', explain_alert_rules.table_name)
        and given.kind in ('*', known.kind)
      union all
      select nms_private.default_alert_rule(), null -- where none of them decides
    ) as rule
    where known.is_of_table
  ),
  decided as (
    select distinct on (fitting.kind_place, decision.place)
      fitting.kind_place,
      fitting.kind,
      decision.place,
      decision.decision,
      decision.value,
      decision.in_words,
      case when fitting.rank is not null then nms_private.name_of_rule(rule => fitting.rule) end as rule
    from fitting
    cross join lateral nms_private.alert_decisions(rule => fitting.rule) as decision
    where decision.kinds is null or fitting.kind = any (decision.kinds)
    order by fitting.kind_place, decision.place, fitting.rank nulls last
  )
  select
    decided.kind_place,
    decided.kind,
    jsonb_agg(
      jsonb_build_object(
        'decision', decided.decision,
        'value', decided.value,
        'in_words', decided.in_words,
        'rule', decided.rule
      )
      order by decided.place
    )
  from decided
  group by decided.kind_place, decided.kind
$$;
comment on function nms_private.explain_alert_rules(text, text) is
  'What nms_private.alert_rule() decides about each kind of alert for one table: each decision with the name of the rule that it comes from, null for a default.';
revoke execute on function nms_private.explain_alert_rules(text, text) from public;
--! EndIncluded functions/alerts/explain_alert_rules.sql
--! Included functions/alerts/find_alerts.sql
create or replace function nms.find_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text,
  filter_name text
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling these queries takes longer than running them
as $$
declare
  v_run nms.table_metrics_runs;
  v_has_changes boolean;
  v_has_differences boolean;
  v_has_other_tables boolean;
begin
  select run.* into v_run from nms.table_metrics_runs as run where run.run_id = find_alerts.run_id;
  if not found then
    raise exception 'no such run: %', coalesce(find_alerts.run_id::text, 'null')
      using
        errcode = 'no_data_found',
        detail = format('saw run_id %s, expected that of a finished run', coalesce(find_alerts.run_id::text, 'null')),
        hint = 'The runs are in nms.table_metrics_runs.';
  elsif v_run.status = 'RUNNING' then
    raise exception 'run % has not ended', v_run.run_id
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'its status is RUNNING',
        hint = 'Ask again when it has ended, or for an earlier run.';
  end if;

  -- Most often no count has changed, no table has come or gone, and planning what looks closer takes longer than this.
  v_has_other_tables := nms_private.has_other_tables(run_id => v_run.run_id);
  v_has_changes := exists (select from nms_private.changed_counts(run_id => v_run.run_id));
  v_has_differences := exists (select from nms.table_metrics_differences);

  return query
  select alert.*
  from (
    select *, null as filter_name from nms_private.find_run_alerts(run_id => v_run.run_id)
    where v_run.status = 'FAILED' or v_run.target_count = 0
    union all
    select *, null as filter_name from nms_private.find_table_alerts(run_id => v_run.run_id) where v_has_other_tables
    union all
    select * from nms_private.find_count_alerts(run_id => v_run.run_id) where v_has_changes
    union all
    select *, null as filter_name from nms_private.find_difference_alerts(run_id => v_run.run_id) where v_has_differences
    union all
    select *, null as filter_name from nms_private.find_trigger_alerts(run_id => v_run.run_id)
    where exists (select from nms_private.trigger_changes)
  ) as alert
  cross join nms_private.alert_rule(
    schema_name => alert.schema_name,
    table_name => alert.table_name,
    kind => alert.kind
  ) as rule
  where rule.is_on and (v_run.snapshot_date < rule.silenced_until) is not true
  order by alert.schema_name nulls first, alert.table_name, alert.filter_name nulls first, alert.kind;
end
$$;
comment on function nms.find_alerts(bigint) is
  'What is strange about a finished run, by the runs before it: repeated_failures, run_late, no_tables, table_missing, table_new, dropped_to_zero, drop, spike, count_differs, triggers_changed. Under the same rules the answer is the same whenever one asks. expected_low and expected_high: what would have been usual. filter_name: null unless it is the count of a filter. Raises P0002 for an unknown run, 55000 for one that has not ended.';
revoke execute on function nms.find_alerts(bigint) from public;
--! EndIncluded functions/alerts/find_alerts.sql
--! Included functions/alerts/find_count_alerts.sql
create or replace function nms_private.find_count_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text,
  filter_name text -- null: all rows of the table
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  candidate as materialized (
    select changed.*, row_number() over () as number
    from nms_private.changed_counts(run_id => find_count_alerts.run_id) as changed
  ),
  named as (
    select
      array_agg(candidate.schema_name order by candidate.number) as schema_names,
      array_agg(candidate.table_name order by candidate.number) as table_names,
      array_agg(candidate.filter_name order by candidate.number) as filter_names
    from candidate
  ),
  history as materialized (
    select * from nms_private.day_owners(run_id => find_count_alerts.run_id)
  ),
  found as (
    select
      candidate.schema_name, candidate.table_name, candidate.filter_name, judged.*,
      measurement.row_count_low, measurement.row_count_high
    from named
    cross join nms_private.expected_counts(
      run_id => find_count_alerts.run_id,
      schema_names => named.schema_names,
      table_names => named.table_names,
      filter_names => named.filter_names
    ) as judged
    join candidate on candidate.number = judged.table_number
    left join nms.table_metrics_measurements as measurement
      on measurement.run_id = find_count_alerts.run_id
      and measurement.schema_name = candidate.schema_name
      and measurement.table_name = candidate.table_name
      and candidate.filter_name is null
    -- An estimate is strange when nothing in its range is usual.
    where case judged.kind
      when 'dropped_to_zero' then
        judged.days >= 3 and judged.usual >= judged.min_rows and judged.times_refilled < 2
      when 'drop' then
        judged.is_long_enough
        and judged.is_below
        and judged.middle >= judged.min_rows
        and judged.middle - coalesce(measurement.row_count_high, judged.row_count) >= judged.min_change
        and (measurement.row_count_high < judged.expected_low) is not false
      else
        judged.is_long_enough
        and judged.is_above
        and not candidate.is_partition -- created empty, it fills at once when its time comes
        and coalesce(measurement.row_count_low, judged.row_count) >= judged.min_rows
        and coalesce(measurement.row_count_low, judged.row_count) - judged.middle >= judged.min_change
        and (measurement.row_count_low > judged.expected_high) is not false
    end
  )
  select
    found.kind,
    found.schema_name,
    found.table_name,
    found.row_count,
    found.expected_low,
    found.expected_high,
    concat(
      case when found.filter_name is not null then format('filter %I: ', found.filter_name) end,
      nms_private.beside_before(
        row_count => found.row_count,
        row_count_low => found.row_count_low,
        row_count_high => found.row_count_high,
        before => past.row_count,
        before_is_estimate => past.is_estimate,
        before_date => past.snapshot_date
      ),
      case
        when found.kind = 'dropped_to_zero' then
          format(', usually about %s', nms_private.rows_in_words(number => found.usual))
        else
          format(
            ', expected %s to %s',
            nms_private.with_separators(number => found.expected_low),
            nms_private.with_separators(number => found.expected_high)
          )
      end
    ),
    found.filter_name
  from found
  -- The last day that has counted it, most often the day before.
  left join lateral (
    select counted.row_count, counted.is_estimate, day.snapshot_date
    from (select history.* from history order by history.snapshot_date desc offset 0) as day
    cross join lateral (
      select measurement.row_count, measurement.row_count_low is not null as is_estimate
      from nms.table_metrics_measurements as measurement
      where
        found.filter_name is null
        and measurement.run_id = day.owner
        and measurement.schema_name = found.schema_name
        and measurement.table_name = found.table_name
      union all
      select filtered.row_count, false
      from nms.table_metrics_filtered_counts as filtered
      where
        filtered.filter_name = found.filter_name
        and filtered.run_id = day.owner
        and filtered.schema_name = found.schema_name
        and filtered.table_name = found.table_name
    ) as counted
    where counted.row_count is not null
    order by day.snapshot_date desc
    limit 1
  ) as past on true
$$;
comment on function nms_private.find_count_alerts(bigint) is
  'Tables, and filters of tables, whose count in this run is not what their past lets one expect: dropped_to_zero, drop, spike. After at least 14 days of history, dropped_to_zero after 3; an estimate is neither unless all of its range is; never for what the run could not count.';
revoke execute on function nms_private.find_count_alerts(bigint) from public;
--! EndIncluded functions/alerts/find_count_alerts.sql
--! Included functions/alerts/find_difference_alerts.sql
create or replace function nms_private.find_difference_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    'count_differs',
    measurement.schema_name,
    measurement.table_name,
    measurement.row_count,
    null::bigint,
    null::bigint,
    format(
      case difference.method
        when 'carried' then
          '%1$s rows counted by run %2$s, %3$s carried from run %4$s: what was carried since then may be wrong. '
          'Every run counts the table until you have found out why'
        else
          '%1$s rows counted by run %2$s, %3$s kept by triggers: what was maintained before may be wrong. '
          'It is maintained anew from that count. Find out what writes past the triggers'
      end
      || ' (table-metrics doctor tells what the server knew), and then: select nms.resume_carrying(%5$L, %6$L);',
      nms_private.with_separators(number => difference.row_count),
      difference.run_id,
      nms_private.with_separators(number => difference.claimed_row_count),
      difference.claimed_from_run,
      measurement.schema_name,
      measurement.table_name
    )
  from nms.table_metrics_runs as given
  cross join lateral (
    select distinct on (open.table_oid) open.*
    from nms.table_metrics_differences as open
    left join nms.table_metrics_runs as finder on finder.run_id = open.run_id
    where
      open.run_id <= given.run_id
      and (finder.run_id is null or finder.finished_at <= given.finished_at) -- null: retention has deleted it
      and (open.resumed_at <= given.finished_at) is not true
    order by open.table_oid, open.difference_id desc
  ) as difference
  -- By its OID: the table may have another name by now, or be gone.
  join nms.table_metrics_measurements as measurement
    on measurement.run_id = given.run_id and measurement.table_oid = difference.table_oid
  where given.run_id = find_difference_alerts.run_id and not given.is_imported
$$;
comment on function nms_private.find_difference_alerts(bigint) is
  'Tables of which a recount in this run or an earlier one has refuted the number that was carried or maintained, and of which nobody had said by the end of this run that it may be trusted again: count_differs.';
revoke execute on function nms_private.find_difference_alerts(bigint) from public;
--! EndIncluded functions/alerts/find_difference_alerts.sql
--! Included functions/alerts/find_run_alerts.sql
create or replace function nms_private.find_run_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  given as (
    select run.* from nms.table_metrics_runs as run where run.run_id = find_run_alerts.run_id
  ),
  rule as (
    select rule.failures_in_a_row
    from nms_private.alert_rule(schema_name => null, table_name => null, kind => 'repeated_failures') as rule
  ),
  finished as (
    select run.*
    from given
    join nms.table_metrics_runs as run on run.run_id <= given.run_id and run.finished_at <= given.finished_at
    where not run.is_imported
    order by run.run_id desc
    limit (select rule.failures_in_a_row from rule)
  ),
  last_success as (
    select run.*
    from given
    join nms.table_metrics_runs as run on run.run_id <= given.run_id and run.finished_at <= given.finished_at
    where run.status = 'SUCCEEDED' and not run.is_imported
    order by run.snapshot_date desc, run.run_id desc
    limit 1
  ),
  found (kind, detail) as (
    select
      'repeated_failures',
      format('the last %s runs FAILED, this one because: %s', count(*), left((select given.error_message from given), 500))
    from finished
    having count(*) = (select rule.failures_in_a_row from rule) and bool_and(finished.status = 'FAILED')
    union all
    select 'no_tables', 'the run found no table'
    from given
    where
      given.status = 'SUCCEEDED'
      and not exists (
        select from nms.table_metrics_measurements as measurement where measurement.run_id = given.run_id
      )
    union all
    select 'run_late', format('no result for %s, the last one is of %s', due.next_date, due.snapshot_date)
    from given
    cross join last_success
    join nms.table_metrics_next_due as due on due.run_id = last_success.run_id
    where given.finished_at > due.due_at
  )
  select found.kind, null::text, null::text, null::bigint, null::bigint, null::bigint, found.detail from found
$$;
comment on function nms_private.find_run_alerts(bigint) is
  'What is strange about a finished run as a whole, as of its end: repeated_failures, no_tables, run_late.';
revoke execute on function nms_private.find_run_alerts(bigint) from public;
--! EndIncluded functions/alerts/find_run_alerts.sql
--! Included functions/alerts/find_table_alerts.sql
create or replace function nms_private.find_table_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  given as materialized (
    select run.* from nms.table_metrics_runs as run where run.run_id = find_table_alerts.run_id
  ),
  -- results_back: 1 is the latest counted one.
  earlier as materialized (
    select run.run_id, row_number() over (order by run.is_imported, run.snapshot_date desc) as results_back
    from nms_private.earlier_results(run_id => find_table_alerts.run_id) as result
    join nms.table_metrics_runs as run using (run_id)
  ),
  present as (
    select today.*
    from nms.table_metrics_measurements as today
    where today.run_id = find_table_alerts.run_id
  ),
  -- Grouped rather than joined: of a run that has just ended, the planner knows nothing, and would compare all with all.
  unpaired as materialized (
    select
      found.schema_name,
      found.table_name,
      bool_or(found.is_present) as is_present,
      bool_or(found.is_present and not found.is_partition) as is_counted,
      max(found.row_count) filter (where found.is_present) as row_count,
      max(found.row_count_low) filter (where found.is_present) as row_count_low,
      max(found.row_count_high) filter (where found.is_present) as row_count_high,
      count(*) filter (where not found.is_present) as days,
      min(found.row_count) filter (where not found.is_present) as fewest,
      max(found.row_count) filter (where not found.is_present) as most,
      bool_or(found.row_count_low is not null) filter (where not found.is_present) as is_estimated,
      (max(array[found.run_id, found.table_oid::bigint]) filter (where not found.is_present))[2]::oid as table_oid -- the latest
    from (
      select past.*
      from earlier
      -- offset: the index of each run, rather than a scan of years of measurements
      cross join lateral (
        select
          measurement.schema_name,
          measurement.table_name,
          measurement.table_oid,
          measurement.run_id,
          measurement.row_count,
          measurement.row_count_low,
          measurement.row_count_high,
          measurement.is_partition,
          false as is_present
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = earlier.run_id and not measurement.is_partition -- they come and go, and their parent stays
        offset 0
      ) as past
      union all
      select
        present.schema_name,
        present.table_name,
        present.table_oid,
        present.run_id,
        present.row_count,
        present.row_count_low,
        present.row_count_high,
        present.is_partition,
        true
      from present
    ) as found
    group by found.schema_name, found.table_name
    having bool_and(found.is_present) or not bool_or(found.is_present)
  ),
  absent as materialized (
    select unpaired.* from unpaired where not unpaired.is_present
  ),
  -- These few are looked up in the whole history, below.
  fresh as materialized (
    select unpaired.* from unpaired where unpaired.is_counted and exists (select from earlier)
  ),
  -- A result says nothing about a table that its run was told to leave out.
  left_out as materialized (
    select
      known.schema_name,
      known.table_name,
      bool_or(result.results_back = 0) as is_now,
      bool_or(result.results_back = 1) as is_last,
      count(*) filter (where result.results_back > 0) as days
    from (
      select array_agg(unpaired.schema_name) as schema_names, array_agg(unpaired.table_name) as table_names
      from (
        select absent.schema_name, absent.table_name from absent
        union all
        select fresh.schema_name, fresh.table_name from fresh
      ) as unpaired
      having count(*) > 0 -- most often none
    ) as unpaired
    cross join (
      select given.run_id, 0 as results_back from given
      union all
      select earlier.run_id, earlier.results_back from earlier
    ) as result
    cross join lateral nms_private.request_excludes(
      run_id => result.run_id,
      schema_names => unpaired.schema_names,
      table_names => unpaired.table_names
    ) as known
    group by known.schema_name, known.table_name
  ),
  gone as materialized (
    select absent.*
    from absent
    left join left_out using (schema_name, table_name)
    where
      left_out.is_now is not true
      and absent.days * 2 > (select count(*) from earlier) - coalesce(left_out.days, 0) -- most results had it
  )
  select
    'table_missing',
    gone.schema_name,
    gone.table_name,
    null::bigint,
    gone.fewest,
    gone.most,
    coalesce(
      case
        when renamed.table_oid is not null then
          format('gone: %I.%I is what it is called now', renamed.schema_name, renamed.table_name)
      end,
      format(
        'gone: it had %s%s',
        case when gone.is_estimated then '≈ ' else '' end,
        nms_private.rows_in_words(number => gone.most)
      )
    )
  from gone
  cross join given
  left join (
    select present.table_oid, min(present.schema_name) as schema_name, min(present.table_name) as table_name
    from present
    where present.table_oid <> 0 -- of imported counts of a table that did not exist
    group by present.table_oid
  ) as renamed using (table_oid)
  where
    given.status = 'SUCCEEDED'
  union all
  select
    'table_new',
    fresh.schema_name,
    fresh.table_name,
    fresh.row_count,
    null,
    null,
    coalesce(
      'new: it has '
        || nms_private.with_range(
          row_count => fresh.row_count,
          row_count_low => fresh.row_count_low,
          row_count_high => fresh.row_count_high
        )
        || case fresh.row_count when 1 then ' row' else ' rows' end,
      'new: it could not be counted'
    )
  from fresh
  left join left_out using (schema_name, table_name)
  where
    left_out.is_last is not true
    and not exists (
      select
      from nms.table_metrics_measurements as past
      where
        past.schema_name = fresh.schema_name
        and past.table_name = fresh.table_name
        and past.run_id < find_table_alerts.run_id
        -- What a run had found before it ended cannot be told later, so it never counts.
        and past.run_id <> all (
          array(
            select run.run_id
            from nms.table_metrics_runs as run
            join given on run.run_id < given.run_id
            where (run.finished_at <= given.finished_at) is not true
          )
        )
    )
$$;
comment on function nms_private.find_table_alerts(bigint) is
  'Tables that most of the last seven results have and this run has not, and such that no earlier run has: table_missing, table_new. Partitions are neither, nor is what this run or the last one leaves out.';
revoke execute on function nms_private.find_table_alerts(bigint) from public;
--! EndIncluded functions/alerts/find_table_alerts.sql
--! Included functions/alerts/grouped_alerts.sql
create or replace function nms_private.grouped_alerts(alerts nms.table_metrics_alert_log[])
returns table (
  kind text,
  schema_name text,
  table_name text,
  filter_name text,
  alerts bigint,
  schemas bigint,
  tables text[],
  detail text,
  opened_at timestamptz,
  opened_by_run bigint,
  closed_at timestamptz,
  closed_by_run bigint,
  acknowledged_at timestamptz,
  alert nms.table_metrics_alert_log
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  given as (
    select
      alert.*,
      alert as itself,
      alert.acknowledged_at is not null as is_acknowledged,
      alert.schema_name is not null and count(*) over of_schema > 5 as is_of_schema,
      alert_size.rows as size,
      row_number() over (
        of_schema order by alert_size.rows desc nulls last, alert.table_name, alert.filter_name nulls first
      ) as place,
      row_number() over (
        partition by alert.kind, alert.acknowledged_at is null, alert.schema_name, alert.table_name
        order by alert.filter_name nulls first
      ) = 1 as is_first_of_table
    from unnest(grouped_alerts.alerts) as alert
    cross join lateral (select greatest(alert.row_count, alert.expected_high)) as alert_size (rows)
    window of_schema as (partition by alert.kind, alert.acknowledged_at is null, alert.schema_name)
  ),
  placed as (
    select
      given.*,
      -- However many schemas there are, such as one for each tenant.
      given.schema_name is not null
        and count(*) filter (where not given.is_of_schema or given.place = 1) over (
          partition by given.kind, given.is_acknowledged
        ) > 10 as is_of_kind
    from given
  ),
  folded as (
    select
      placed.kind,
      placed.is_acknowledged,
      case when not placed.is_of_kind then placed.schema_name end as schema_name,
      count(*) as alerts,
      count(distinct placed.schema_name) as schemas,
      count(distinct (placed.schema_name, placed.table_name)) as tables,
      (
        array_agg(
          format('%I.%I', placed.schema_name, placed.table_name)
          order by placed.size desc nulls last, placed.place, placed.schema_name, placed.table_name
        ) filter (where placed.is_first_of_table)
      )[1:3] as names,
      min(placed.opened_at) as opened_at,
      case when min(placed.opened_by_run) = max(placed.opened_by_run) then min(placed.opened_by_run) end as opened_by_run,
      max(placed.acknowledged_at) as acknowledged_at,
      max(placed.closed_at) as closed_at,
      case when min(placed.closed_by_run) = max(placed.closed_by_run) then min(placed.closed_by_run) end as closed_by_run
    from placed
    where placed.is_of_kind or placed.is_of_schema
    group by placed.kind, placed.is_acknowledged, 3
  )
  select
    found.kind, found.schema_name, found.table_name, found.filter_name, found.alerts, found.schemas, found.tables,
    found.detail, found.opened_at, found.opened_by_run, found.closed_at, found.closed_by_run,
    found.acknowledged_at, found.alert
  from (
    select
      placed.kind,
      placed.schema_name,
      placed.table_name,
      placed.filter_name,
      bigint '1' as alerts,
      (placed.schema_name is not null)::integer::bigint as schemas,
      case
        when placed.table_name is not null then array[format('%I.%I', placed.schema_name, placed.table_name)]
        else '{}'
      end as tables,
      placed.detail,
      placed.opened_at,
      placed.opened_by_run,
      placed.closed_at,
      placed.closed_by_run,
      placed.acknowledged_at,
      placed.itself as alert
    from placed
    where not placed.is_of_kind and not placed.is_of_schema
    union all
    select
      folded.kind,
      folded.schema_name,
      null,
      null,
      folded.alerts,
      folded.schemas,
      folded.names,
      concat(
        case when folded.alerts > folded.tables then format('%s counts of ', nms_private.with_separators(number => folded.alerts)) end,
        nms_private.with_separators(number => folded.tables),
        case when folded.tables = 1 then ' table' else ' tables' end,
        case when folded.schemas > 1 then format(' in %s schemas', nms_private.with_separators(number => folded.schemas)) end,
        case when folded.tables > cardinality(folded.names) then ', such as ' else ': ' end,
        array_to_string(folded.names, ', ')
      ),
      folded.opened_at,
      folded.opened_by_run,
      folded.closed_at,
      folded.closed_by_run,
      folded.acknowledged_at,
      null
    from folded
  ) as found
  order by
    found.acknowledged_at is not null, found.opened_at, found.kind, found.schema_name nulls first, found.table_name,
    found.filter_name nulls first
$$;
comment on function nms_private.grouped_alerts(nms.table_metrics_alert_log[]) is
  'Alerts as one tells of them: those of one kind and one schema are one row when there are more than five; and those of one kind when that would still be more than ten rows. alerts: how many a row stands for; in a row of several, table_name is null, and so is schema_name where they are in several schemas, tables has the names of three, those with most rows, now or as expected, quoted where they have to be, and detail says it for a person. acknowledged_at: null while nobody has taken it on, else when the last one was. alert: the alert itself where it is alone. Neither what concerns a whole run is put together, nor what somebody has acknowledged with what nobody has. Oldest first, what is acknowledged last.';
revoke execute on function nms_private.grouped_alerts(nms.table_metrics_alert_log[]) from public;
--! EndIncluded functions/alerts/grouped_alerts.sql
--! Included functions/alerts/has_other_tables.sql
create or replace function nms_private.has_other_tables(run_id bigint)
returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_earlier constant bigint[] := array(
    select result.run_id from nms_private.earlier_results(run_id => has_other_tables.run_id) as result
  );
begin
  if v_earlier = '{}' then
    return false;
  end if;

  return exists (
    select
    from unnest(v_earlier || has_other_tables.run_id) as result (run_id)
    -- offset: the index of each run, rather than a scan of years of measurements
    cross join lateral (
      select measurement.schema_name, measurement.table_name
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = result.run_id and not measurement.is_partition
      offset 0
    ) as found
    group by found.schema_name, found.table_name
    having bool_or(result.run_id = has_other_tables.run_id) <> bool_or(result.run_id <> has_other_tables.run_id)
  );
end
$$;
comment on function nms_private.has_other_tables(bigint) is
  'Whether a finished run has a table that no result of the last week has, or lacks one that some has: what nms_private.find_table_alerts() looks at.';
revoke execute on function nms_private.has_other_tables(bigint) from public;
--! EndIncluded functions/alerts/has_other_tables.sql
--! Included functions/alerts/name_of_rule.sql
create or replace function nms_private.name_of_rule(rule nms.table_metrics_alert_rules)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat(
    case when (rule).schema_name = '*' then '*' else concat((rule).schema_name, '.', (rule).table_name) end,
    case when (rule).kind <> '*' then format(' (%s)', (rule).kind) end
  )
$$;
comment on function nms_private.name_of_rule(nms.table_metrics_alert_rules) is
  'What an alert rule is for, such as sales.orders, sales.* (drop) or *.';
revoke execute on function nms_private.name_of_rule(nms.table_metrics_alert_rules) from public;
--! EndIncluded functions/alerts/name_of_rule.sql
--! Included functions/alerts/record_alerts.sql
create or replace function nms.record_alerts(run_id bigint)
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- on a session that records another run
as $$
declare
  v_run nms.table_metrics_runs;
  v_found nms.table_metrics_alert_log[];
  v_opened nms.table_metrics_alert_log[] := array[]::nms.table_metrics_alert_log[];
  v_closed nms.table_metrics_alert_log[] := array[]::nms.table_metrics_alert_log[];
begin
  perform nms_private.take_turn(of => 'nms_private.alert_turn');
  select run.* into v_run from nms.table_metrics_runs as run where run.run_id = record_alerts.run_id;

  -- The latest run decides what is open, whichever ends last; a failed one does not outrank one that succeeded.
  if v_run.is_imported or exists (
    select
    from nms.table_metrics_runs as later
    where
      (later.status = 'SUCCEEDED' or (v_run.status = 'FAILED' and later.status = 'FAILED'))
      and not later.is_imported
      and (later.snapshot_date, later.run_id) > (v_run.snapshot_date, v_run.run_id)
  ) then
    return cardinality(v_opened)::bigint;
  end if;

  v_found := array(
    select
      jsonb_populate_record(
        null::nms.table_metrics_alert_log,
        to_jsonb(alert) || jsonb_build_object(
          'schema_name', left(alert.schema_name, 63), -- no table has a longer name, and no index takes any
          'table_name', left(alert.table_name, 63),
          'filter_name', left(alert.filter_name, 63),
          'opened_at', v_run.finished_at,
          'opened_by_run', v_run.run_id
        )
      )
    from nms.find_alerts(run_id => record_alerts.run_id) as alert
  );

  if exists (select from nms.table_metrics_alert_log as log where log.closed_at is null) then
    with
    open as (
      select array_agg(log.schema_name) as schema_names, array_agg(log.table_name) as table_names
      from nms.table_metrics_alert_log as log
      where log.closed_at is null and log.table_name is not null
    ),
    left_out as (
      select excluded.schema_name, excluded.table_name
      from open
      cross join nms_private.request_excludes(
        run_id => v_run.run_id,
        schema_names => open.schema_names,
        table_names => open.table_names
      ) as excluded
      where excluded.schema_name <> all (v_run.machinery_schemas) -- no later run looks at those either
    ),
    closed as (
      update nms.table_metrics_alert_log as log
      set closed_at = greatest(v_run.finished_at, log.opened_at), closed_by_run = v_run.run_id
      where
        log.closed_at is null
        and (log.kind, coalesce(log.schema_name, ''), coalesce(log.table_name, ''), coalesce(log.filter_name, '')) not in (
          select
            found.kind, coalesce(found.schema_name, ''), coalesce(found.table_name, ''), coalesce(found.filter_name, '')
          from unnest(v_found) as found
        )
        and case
          when log.kind = 'repeated_failures' then true
          when log.table_name is null then v_run.status = 'SUCCEEDED'
          -- A run says nothing about a table that it left out or could not count, nor about such a filter.
          when exists (
            select
            from nms.table_metrics_filtered_counts as filtered
            where
              filtered.run_id = v_run.run_id
              and filtered.schema_name = log.schema_name
              and filtered.table_name = log.table_name
              and filtered.filter_name = log.filter_name
              and filtered.row_count is null
          ) then false
          else
            exists (
              select
              from nms.table_metrics_measurements as measurement
              where
                measurement.run_id = v_run.run_id
                and measurement.schema_name = log.schema_name
                and measurement.table_name = log.table_name
                and measurement.row_count is not null
            )
            or (
              v_run.status = 'SUCCEEDED'
              and (log.schema_name, log.table_name) not in (
                select left_out.schema_name, left_out.table_name from left_out
              )
            )
        end
      returning log as itself
    )
    select coalesce(array_agg(closed.itself), '{}') into v_closed from closed;
  end if;

  if cardinality(v_found) > 0 then
    update nms.table_metrics_alert_log as log
    set
      row_count = found.row_count,
      expected_low = found.expected_low,
      expected_high = found.expected_high,
      detail = found.detail
    from unnest(v_found) as found
    where
      log.closed_at is null
      and log.kind = found.kind
      and coalesce(log.schema_name, '') = coalesce(found.schema_name, '')
      and coalesce(log.table_name, '') = coalesce(found.table_name, '')
      and coalesce(log.filter_name, '') = coalesce(found.filter_name, '');

    with opened as (
      insert into nms.table_metrics_alert_log as log (
        kind, schema_name, table_name, row_count, expected_low, expected_high, detail, opened_at, opened_by_run,
        filter_name
      )
      select
        found.kind, found.schema_name, found.table_name, found.row_count, found.expected_low, found.expected_high,
        found.detail, found.opened_at, found.opened_by_run, found.filter_name
      from unnest(v_found) as found
      on conflict do nothing
      returning log as itself
    )
    select coalesce(array_agg(opened.itself), '{}') into v_opened from opened;
  end if;

  if cardinality(v_opened) + cardinality(v_closed) > 0 then
    -- One line for all: each has as many lines of context as there are calls around it.
    raise log 'table metrics: %', nms_private.announce_alerts(opened => v_opened, closed => v_closed);
  end if;
  return cardinality(v_opened)::bigint;
end
$$;
comment on function nms.record_alerts(bigint) is
  'Brings nms.table_metrics_alert_log up to date with what nms.find_alerts() says about a finished run: opens what is new, closes what holds no longer, and announces both. Nothing for recorded counts, nor when a later run has ended; that one failed does not count for one that has succeeded. Returns how many alerts are new.';
revoke execute on function nms.record_alerts(bigint) from public;
--! EndIncluded functions/alerts/record_alerts.sql
--! Included functions/alerts/record_alerts_of_run.sql
create or replace function nms_private.record_alerts_of_run()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform nms.record_alerts(run_id => new.run_id);
  return null;
exception
  -- No failure here may undo the end of the run. Its alerts can be recorded again.
  when query_canceled or assert_failure or others then
    raise warning 'the alerts of run % were not recorded', new.run_id
      using
        errcode = sqlstate,
        detail = left(sqlerrm, 2000),
        hint = format('To try again: select nms.record_alerts(%s);', new.run_id);
    return null;
end
$$;
comment on function nms_private.record_alerts_of_run() is
  'Trigger function that records the alerts of a run when it ends. A failure there is a warning, and the run ends as it would have.';
revoke execute on function nms_private.record_alerts_of_run() from public;
--! EndIncluded functions/alerts/record_alerts_of_run.sql
--! Included functions/alerts/record_missing_run.sql
create or replace function nms_private.record_missing_run()
returns boolean
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- on a session that records the same
as $$
declare
  v_alert nms.table_metrics_alert_log;
begin
  insert into nms.table_metrics_alert_log (kind, detail, opened_at)
  select alert.kind, alert.detail, alert.since
  from nms.table_metrics_alerts as alert
  where alert.kind = 'run_late'
  on conflict do nothing
  returning * into v_alert;
  if not found then
    return false;
  end if;
  raise log 'table metrics: %', nms_private.announce_alerts(opened => array[v_alert]);
  return true;
end
$$;
comment on function nms_private.record_missing_run() is
  'Announces that a business day has no result although it should have one by now. A worker calls it every minute: no run does that for it. Returns whether this is news.';
revoke execute on function nms_private.record_missing_run() from public;
--! EndIncluded functions/alerts/record_missing_run.sql
--! Included functions/alerts/refuse_unknown_kind.sql
create or replace function nms_private.refuse_unknown_kind(kind text, is_of_all boolean)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_of_table boolean;
begin
  if refuse_unknown_kind.kind is null then
    return;
  end if;
  select known.is_of_table into v_is_of_table
  from nms_private.alert_kinds() as known
  where known.kind = refuse_unknown_kind.kind;
  if not found then
    raise exception 'no such kind of alert: %', refuse_unknown_kind.kind
      using
        errcode = 'invalid_parameter_value',
        detail = (select format('expected one of %s', string_agg(known.kind, ', ')) from nms_private.alert_kinds() as known),
        hint = 'Name one of these, or none for all.';
  elsif not (v_is_of_table or refuse_unknown_kind.is_of_all) then
    raise exception '% is about whole runs', refuse_unknown_kind.kind
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a kind that is about tables',
        hint = 'Name * rather than a table.';
  end if;
end
$$;
comment on function nms_private.refuse_unknown_kind(text, boolean) is
  'Raises 22023 for what is no kind of alert, and for one about whole runs unless all is meant. Null: every kind.';
revoke execute on function nms_private.refuse_unknown_kind(text, boolean) from public;
--! EndIncluded functions/alerts/refuse_unknown_kind.sql
--! Included functions/alerts/rows_in_words.sql
create or replace function nms_private.rows_in_words(number bigint)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select nms_private.with_separators(number => rows_in_words.number) || case rows_in_words.number when 1 then ' row' else ' rows' end
$$;
comment on function nms_private.rows_in_words(bigint) is
  'A number of rows for a person to read, such as 1,234,567 rows, or 1 row.';
revoke execute on function nms_private.rows_in_words(bigint) from public;
--! EndIncluded functions/alerts/rows_in_words.sql
--! Included functions/alerts/score_counts.sql
create or replace function nms_private.score_counts(
  run_id bigint,
  schema_names text[],
  table_names text[],
  filter_names text[] default null
)
returns table (
  table_number bigint, -- its position in the arrays
  schema_name text,
  table_name text,
  row_count bigint,
  days bigint,          -- of its history
  usual bigint,
  times_refilled bigint,
  expected double precision,
  lower_reach double precision,
  upper_reach double precision,
  lowest double precision,
  highest double precision,
  noise double precision
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with past as (
    select
      result.table_number as number,
      max(result.row_count) filter (where day = 0) as row_count,
      count(*) filter (where day < 0) as days,
      percentile_disc(0.5) within group (order by result.row_count) filter (where day < 0) as usual,
      count(*) filter (where day < 0 and is_refilled) as times_refilled,
      min(size) filter (where day < 0) as lowest,
      max(size) filter (where day < 0) as highest,
      max(size - unexplained) filter (where day = 0) as expected,
      -- 1.4826 times the median deviation estimates the standard deviation.
      1.4826 * percentile_cont(0.5) within group (order by abs(departure)) filter (where day < 0) as noise,
      percentile_cont(array[0.05, 0.95]) within group (order by unexplained) filter (where day < 0) as reach
    from nms_private.unexplained_by_day(
      run_id => score_counts.run_id,
      schema_names => score_counts.schema_names,
      table_names => score_counts.table_names,
      filter_names => score_counts.filter_names
    ) as result
    group by result.table_number
  )
  select
    past.number,
    candidate.schema_name,
    candidate.table_name,
    past.row_count,
    past.days,
    past.usual,
    past.times_refilled,
    past.expected,
    greatest(4.5 * past.noise, -1.75 * past.reach[1]),
    greatest(4.5 * past.noise, 1.75 * past.reach[2]),
    past.lowest,
    past.highest,
    past.noise
  from past
  join unnest(score_counts.schema_names, score_counts.table_names)
    with ordinality as candidate (schema_name, table_name, number) using (number)
  where past.days > 0 and past.row_count is not null
$$;
comment on function nms_private.score_counts(bigint, text[], text[], text[]) is
  'What is usual for each of these tables, by its own past, on the day of a run that has counted it. Logarithms: expected on that day, how far below and above it other days have been, lowest and highest of 13 weeks, and noise; nulls where the past is too short. Rows: row_count, and usual, the median. times_refilled: how often it was empty and was filled again.';
revoke execute on function nms_private.score_counts(bigint, text[], text[], text[]) from public;
--! EndIncluded functions/alerts/score_counts.sql
--! Included functions/alerts/silence_alerts.sql
create or replace function nms.silence_alerts(
  named text,
  until text,
  kind text default null,
  why text default null
)
returns jsonb
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5 s' -- on a session that changes the same rule
as $$
declare
  v_end constant date := case
    when silence_alerts.until is not null then nms_private.silence_end(until => silence_alerts.until)
  end;
  v_today constant date := nms.business_date();
  v_schema text;
  v_table text;
  v_ended bigint;
  v_rule record;
begin
  select scope.schema_name, scope.table_name into strict v_schema, v_table
  from nms_private.alert_scope(named => silence_alerts.named) as scope;
  perform nms_private.refuse_unknown_kind(kind => silence_alerts.kind, is_of_all => v_schema = '*');

  -- A narrower rule would win, although it ends earlier or is over.
  with
  ended as (
    select
      rule.schema_name,
      rule.table_name,
      rule.kind,
      num_nonnulls(
        rule.is_on, rule.drop_percent, rule.spike_percent, rule.min_rows, rule.min_change, rule.sensitivity,
        rule.failures_in_a_row, rule.late_after
      ) = 0 as decides_nothing_else
    from nms.table_metrics_alert_rules as rule
    where
      case
        when v_end is null then rule.schema_name = v_schema and rule.table_name = v_table
        else v_schema in ('*', rule.schema_name) and v_table in ('*', rule.table_name)
      end
      and coalesce(silence_alerts.kind, rule.kind) = rule.kind
      and rule.silenced_until <= coalesce(v_end, 'infinity')
    for update
  ),
  deleted as (
    delete from nms.table_metrics_alert_rules as rule
    using ended
    where
      ended.decides_nothing_else
      and (rule.schema_name, rule.table_name, rule.kind) = (ended.schema_name, ended.table_name, ended.kind)
  ),
  updated as (
    update nms.table_metrics_alert_rules as rule
    set silenced_until = null
    from ended
    where
      not ended.decides_nothing_else
      and (rule.schema_name, rule.table_name, rule.kind) = (ended.schema_name, ended.table_name, ended.kind)
  )
  select count(*) into strict v_ended from ended;

  if v_end is null and v_ended = 0 then
    raise exception 'no silence of % to end', silence_alerts.named
      using
        errcode = 'no_data_found',
        detail = 'expected what was silenced, spelled in the same way: a table, schema.* or *',
        hint = 'The silences are in nms.table_metrics_alert_rules.';
  elsif v_end is not null then
    insert into nms.table_metrics_alert_rules as rule (schema_name, table_name, kind, silenced_until, comment)
    values (v_schema, v_table, coalesce(silence_alerts.kind, '*'), v_end, silence_alerts.why)
    on conflict on constraint table_metrics_alert_rules_pkey
    do update set silenced_until = excluded.silenced_until, comment = coalesce(excluded.comment, rule.comment);
  end if;

  select decided.is_on, decided.silenced_until into strict v_rule
  from nms_private.alert_rule(
    schema_name => v_schema,
    table_name => v_table,
    kind => coalesce(silence_alerts.kind, '*')
  ) as decided;
  return jsonb_build_object(
    'schema_name', v_schema,
    'table_name', v_table,
    'kind', coalesce(silence_alerts.kind, '*'),
    'is_on', v_rule.is_on,
    'silenced_until', case when v_rule.silenced_until > v_today then v_rule.silenced_until end,
    'open_alerts', (
      select count(*)
      from nms.table_metrics_alert_log as log
      where
        log.closed_at is null
        and v_schema in ('*', log.schema_name)
        and v_table in ('*', log.table_name)
        and coalesce(silence_alerts.kind, log.kind) = log.kind
    )
  );
end
$$;
comment on function nms.silence_alerts(text, text, text, text) is
  'Silences the alerts of a table (sales.orders), a schema (sales.*) or everything (*) until a business day: a date to come, or a time from today such as 7d or 2w. Null for until ends that silence. kind: only that kind of alert. why: kept as the comment of the rule. It writes nms.table_metrics_alert_rules, and ends narrower silences that end no later. Returns {schema_name, table_name, kind, is_on, silenced_until, open_alerts}: what holds now, and how many open alerts it is about. Raises P0002 for what no run has met and where there is no silence to end, 22023 for a day that is not to come and an unknown kind.';
revoke execute on function nms.silence_alerts(text, text, text, text) from public;
--! EndIncluded functions/alerts/silence_alerts.sql
--! Included functions/alerts/silence_end.sql
create or replace function nms_private.silence_end(until text)
returns date
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_today constant date := nms.business_date();
  v_end date;
begin
  if silence_end.until ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
    begin
      v_end := silence_end.until::date;
    exception
      when datetime_field_overflow then
        null; -- the calendar does not have it
    end;
  elsif silence_end.until ~ '^[0-9]{1,4} ?(d|w|mons?|y|days?|weeks?|months?|years?)$' then
    v_end := (v_today + nms_private.parse_duration(duration => silence_end.until))::date;
  end if;
  if (v_end > v_today) is not true then
    raise exception 'a silence cannot end on %', coalesce(silence_end.until, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = format('expected a day after today, %s', v_today),
        hint = 'Name a day to come such as 2030-12-01, or a time from today such as 7d or 2w.';
  end if;
  return v_end;
end
$$;
comment on function nms_private.silence_end(text) is
  'The business day on which a silence ends: a date to come, or a time from today such as 7d, 2w or 3mon. Raises 22023 for anything else.';
revoke execute on function nms_private.silence_end(text) from public;
--! EndIncluded functions/alerts/silence_end.sql
--! Included functions/alerts/unexplained_by_day.sql
create or replace function nms_private.unexplained_by_day(
  run_id bigint,
  schema_names text[],
  table_names text[],
  filter_names text[] default null
)
returns table (
  table_number bigint,
  day integer,
  row_count bigint,
  size double precision,
  is_refilled boolean,
  departure double precision,
  unexplained double precision
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 100000
as $$
  with
  departed as materialized (
    select departed.*
    from nms_private.departures_by_day(
      run_id => unexplained_by_day.run_id,
      schema_names => unexplained_by_day.schema_names,
      table_names => unexplained_by_day.table_names,
      filter_names => unexplained_by_day.filter_names
    ) as departed
    order by departed.table_number, departed.day
  ),
  growth as materialized (
    select
      departed.table_number,
      percentile_cont(0.5) within group (order by from_week) as since_week,
      percentile_cont(0.5) within group (order by from_weekday) as since_weekday
    from departed
    where departed.day < 0
    group by departed.table_number
  ),
  grown as not materialized (
    select
      departed.*,
      departed.from_week - growth.since_week as off_week,
      departed.from_weekday - growth.since_weekday as off_weekday
    from departed
    left join growth using (table_number)
  ),
  -- A table whose counts are twice as near to those of their weekday follows the week.
  habit as (
    select
      grown.table_number,
      count(*) >= 14
        and percentile_cont(0.9) within group (order by abs(off_weekday))
          < 0.5 * percentile_cont(0.9) within group (order by abs(off_week)) as is_weekly
    from grown
    where grown.day < 0 and grown.off_weekday is not null
    group by grown.table_number
  ),
  nearest as (
    select
      grown.*,
      case
        when off_weekday is null then off_week
        when habit.is_weekly or abs(off_weekday) < abs(off_week) then off_weekday
        else off_week
      end as departure
    from grown
    left join habit using (table_number)
  ),
  monthly as (
    select
      nearest.*,
      min(departure) over last_month as last_low, max(departure) over last_month as last_high,
      min(departure) over month_before as before_low, max(departure) over month_before as before_high
    from nearest
    window
      last_month as (partition by nearest.table_number order by nearest.day range between 31 preceding and 28 preceding),
      month_before as (partition by nearest.table_number order by nearest.day range between 62 preceding and 59 preceding)
  )
  select
    monthly.table_number,
    monthly.day,
    monthly.row_count,
    monthly.size,
    monthly.is_refilled,
    monthly.departure,
    -- A departure up to the size of one at that time of the last two months is explained.
    departure - least(greatest(departure, least(0, last_low, before_low)), greatest(0, last_high, before_high))
  from monthly
$$;
comment on function nms_private.unexplained_by_day(bigint, text[], text[], text[]) is
  'How much of each departure of nms_private.departures_by_day() is left when what is usual is taken off. departure: from the nearer of week and weekday, always the weekday where a table follows the week, without the usual growth, which is the median. unexplained: without what it was at that time of the last two months. Null before there are seven results.';
revoke execute on function nms_private.unexplained_by_day(bigint, text[], text[], text[]) from public;
--! EndIncluded functions/alerts/unexplained_by_day.sql
--! Included functions/alerts/with_range.sql
create or replace function nms_private.with_range(row_count bigint, row_count_low bigint, row_count_high bigint)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when with_range.row_count_low is null then nms_private.with_separators(number => with_range.row_count)
    else
      format(
        '≈ %s (%s to %s)',
        nms_private.with_separators(number => with_range.row_count),
        nms_private.with_separators(number => with_range.row_count_low),
        nms_private.with_separators(number => with_range.row_count_high)
      )
  end
$$;
comment on function nms_private.with_range(bigint, bigint, bigint) is
  'A number of rows for a person: 1,234,567, or ≈ 1,234,567 (1,200,000 to 1,270,000) for an estimate; null for null.';
revoke execute on function nms_private.with_range(bigint, bigint, bigint) from public;
--! EndIncluded functions/alerts/with_range.sql
--! Included functions/alerts/with_separators.sql
create or replace function nms_private.with_separators(number bigint)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select to_char(with_separators.number, 'FM9,999,999,999,999,999,990')
$$;
comment on function nms_private.with_separators(bigint) is
  'A number for a person to read, such as 1,234,567.';
revoke execute on function nms_private.with_separators(bigint) from public;
--! EndIncluded functions/alerts/with_separators.sql
--! Included functions/carry/begin_shadow_anew.sql
create or replace function nms_private.begin_shadow_anew()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.since = old.since then
    new.since := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function nms_private.begin_shadow_anew() is
  'Trigger function: a rule that has become one to carry compares first, as a new one does.';
revoke execute on function nms_private.begin_shadow_anew() from public;
--! EndIncluded functions/carry/begin_shadow_anew.sql
--! Included functions/carry/carriable_tables.sql
-- Stable, so that it reads the snapshot under which the targets were found.
create or replace function nms_private.carriable_tables(targets nms_private.target[], unchanged oid[])
returns oid[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_carriable oid[];
  v_suspect oid[];
  v_empty oid[];
begin
  if coalesce(carriable_tables.unchanged, '{}') = '{}' then
    return '{}'::oid[];
  end if;

  -- Of a family all members have to be such that their counters, or the WAL, tell. Rows in an empty file lie
  -- elsewhere; where the catalogue knows of pages, there are some.
  with
  given as materialized (
    select
      target.table_oid,
      coalesce(target.family, target.table_oid) as family,
      target.filenode,
      target.pages,
      target.is_whole
        or not target.is_reported
        or target.table_kind not in ('table', 'partitioned table')
        or (target.table_kind = 'table' and coalesce(target.filenode, 0) = 0) as is_doubtful
    from unnest(targets) as target
  )
  select
    coalesce(array_agg(given.table_oid), '{}'),
    coalesce(array_agg(given.table_oid) filter (where given.pages <= 0 and base.own_row_count > 0), '{}')
  into strict v_carriable, v_suspect
  from given
  join unnest(carriable_tables.unchanged) as unchanged (oid) on unchanged.oid = given.table_oid
  join nms_private.bases as base on base.table_oid = given.table_oid and base.filenode = given.filenode
  where given.family not in (select doubtful.family from given as doubtful where doubtful.is_doubtful);

  if v_suspect = '{}' then
    return v_carriable;
  end if;
  v_empty := nms_private.empty_tables(table_oids => v_suspect);
  return array(
    select listed.oid
    from unnest(v_carriable) as listed (oid)
    where listed.oid not in (select unfilled.oid from unnest(v_empty) as unfilled (oid))
  );
end
$$;
comment on function nms_private.carriable_tables(nms_private.target[], oid[]) is
  'Of these targets, those among the unchanged whose count may be carried if that is proven: each member of their family is a table of which the server knows every change, and their rows lie in the file that was counted.';
revoke execute on function nms_private.carriable_tables(nms_private.target[], oid[]) from public;
--! EndIncluded functions/carry/carriable_tables.sql
--! Included functions/carry/carry_counts.sql
-- Stable, so that everything that is counted is as of the snapshot of the calling query, however long it waits.
create or replace function nms_private.carry_counts(
  targets nms_private.target[],
  reading nms_private.reading, -- of before the snapshot
  stop_at text[],
  lock_timeout text
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_since constant timestamptz := clock_timestamp();
  v_wal_end constant pg_lsn := case when reading.wal_lsn is not null then pg_current_wal_insert_lsn() end;
  v_unchanged oid[];
  v_carriable oid[];
  v_counted nms_private.finding[];
  v_proven oid[];
begin
  v_unchanged := nms_private.carriable_tables(targets => carry_counts.targets, unchanged => reading.unchanged);
  v_carriable := array(
    select listed.oid
    from unnest(v_unchanged) as listed (oid)
    where listed.oid not in (select verified.oid from unnest(reading.verified) as verified (oid))
  );

  -- Sessions settle while everything is counted that has to be counted anyway.
  v_counted := array(
    select counted
    from nms_private.count_tables(
      targets => array(
        select given.target
        from (select unnest(targets) as target) as given
        where (given.target).table_oid not in (select listed.oid from unnest(v_carriable) as listed (oid))
      ),
      stop_at => carry_counts.stop_at,
      lock_timeout => carry_counts.lock_timeout
    ) as counted
  );
  if
    v_unchanged = '{}'
    or exists (select from unnest(v_counted) as counted where counted.error_sqlstate = any (stop_at))
  then
    return query select counted.* from unnest(v_counted) as counted;
    return;
  end if;

  v_proven := nms_private.proven_tables(
    table_oids => v_unchanged,
    since => v_since,
    wal_end => v_wal_end,
    deadline => greatest(v_since + interval '15 s', clock_timestamp() + interval '5 s')
  );

  return query
  select
    counted.table_oid, counted.own_row_count, counted.method, counted.carried_from_run, counted.own_row_count_low,
    counted.own_row_count_high, counted.own_table_bytes, counted.own_index_bytes, counted.filtered,
    case when base.table_oid is not null then 'carried' end,
    base.own_row_count,
    base.run_id,
    counted.measured_at, counted.error_sqlstate, counted.error_message
  from unnest(v_counted) as counted
  left join unnest(v_proven) as proven (oid) on proven.oid = counted.table_oid and counted.error_sqlstate is null
  left join nms_private.bases as base on base.table_oid = proven.oid
  union all
  select
    base.table_oid, base.own_row_count, 'carried', base.run_id, null, null, base.own_table_bytes,
    base.own_index_bytes, base.filtered, null, null, null, clock_timestamp(), null, null
  from unnest(v_carriable) as listed (oid)
  join unnest(v_proven) as proven (oid) on proven.oid = listed.oid
  join nms_private.bases as base on base.table_oid = proven.oid;

  v_carriable := array(
    select listed.oid
    from unnest(v_carriable) as listed (oid)
    where listed.oid not in (select proven.oid from unnest(v_proven) as proven (oid))
  );
  if v_carriable <> '{}' then
    return query
    select counted.*
    from nms_private.count_tables(
      targets => array(
        select target
        from unnest(targets) as target
        join unnest(v_carriable) as listed (oid) on listed.oid = target.table_oid
      ),
      stop_at => carry_counts.stop_at,
      lock_timeout => carry_counts.lock_timeout
    ) as counted;
  end if;
end
$$;
comment on function nms_private.carry_counts(nms_private.target[], nms_private.reading, text[], text) is
  'How many rows are stored in each of these tables: carried from an earlier run where it is proven that none has come or gone since, otherwise counted. Of those that could be carried some are counted nevertheless, and say what they verify.';
revoke execute on function nms_private.carry_counts(nms_private.target[], nms_private.reading, text[], text) from public;
--! EndIncluded functions/carry/carry_counts.sql
--! Included functions/carry/compare_counters.sql
create or replace function nms_private.compare_counters(
  run_id bigint,
  epoch text,
  out unchanged oid[],
  out verified oid[],
  out shadowed oid[],
  out base_readings bigint[],
  out others nms_private.counters[]
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what a run has just stored
as $$
declare
  v_runs constant bigint := nms_private.recount_cycle();
  v_oldest_run bigint;
begin
  select run.run_id into v_oldest_run
  from nms.table_metrics_runs as run
  where run.run_id < compare_counters.run_id
  order by run.run_id desc
  offset v_runs - 1
  limit 1;

  with
  rule as materialized (
    select
      rule.schema_name,
      rule.table_name,
      clock_timestamp() - rule.recount_after as recount_before,
      clock_timestamp() < rule.since + rule.shadow as is_shadow,
      rule.method = 'carried' as is_carried
    from nms.table_metrics_count_rules as rule
  ),
  known as materialized (
    select
      relation.oid,
      relation.relfilenode,
      relation.xmin,
      greatest(relation.relpages, 1) as pages,
      rule.recount_before,
      rule.is_shadow,
      pg_stat_get_tuples_inserted(relation.oid) as inserted,
      pg_stat_get_tuples_deleted(relation.oid) as deleted
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    left join nms_private.named_rules() as named on named.table_oid = relation.oid
    left join rule as of_schema on of_schema.schema_name = schema.nspname and of_schema.table_name = '*'
    join rule
      on rule.schema_name = coalesce(named.schema_name, of_schema.schema_name, '*')
      and rule.table_name = coalesce(named.table_name, of_schema.table_name, '*')
    where
      rule.is_carried
      and relation.relkind = 'r'
      and relation.relam = 2 -- only heap keeps its rows in this one file
      and relation.relpersistence in ('p', 'u')
      and schema.nspname not in ('pg_catalog', 'information_schema')
  ),
  compared as materialized (
    select
      known.*,
      base.table_oid is not null as is_unchanged,
      base.is_same_epoch and (base.inserted, base.deleted) = (known.inserted, known.deleted) as is_equal,
      base.run_id as base_run,
      base.reading_id,
      base.measured_at
    from known
    left join (
      select base.*, former.is_same_epoch, former.is_same_wal
      from nms_private.bases as base
      join (
        select
          reading.reading_id,
          reading.epoch = compare_counters.epoch as is_same_epoch,
          split_part(reading.epoch, ';', 1) = split_part(compare_counters.epoch, ';', 1) as is_same_wal
        from nms_private.readings as reading
      ) as former on former.reading_id = base.reading_id
      where
        base.table_oid not in (
          select difference.table_oid from nms.table_metrics_differences as difference where difference.resumed_at is null
        )
        and base.table_oid not in (select filtered.table_oid from nms_private.filtered_tables() as filtered)
    ) as base
      on base.table_oid = known.oid
      and base.filenode = known.relfilenode
      and base.catalogue_xmin = known.xmin
      and base.measured_at > known.recount_before
      and (
        (base.is_same_epoch and (base.inserted, base.deleted) = (known.inserted, known.deleted))
        -- The WAL may tell what counters cannot that have begun anew. What they have seen change is in the WAL, too.
        or (base.wal_lsn is not null and not base.is_same_epoch and base.is_same_wal)
      )
  ),
  share as materialized (
    select sum(compared.pages) / v_runs as pages from compared where compared.is_unchanged
  ),
  -- Of whole runs, and of one a part. What is larger than all that a run verifies has its turn by number.
  former_run as materialized (
    select
      compared.base_run,
      sum(sum(compared.pages)) over (order by compared.base_run) as pages_until,
      sum(sum(compared.pages)) over (order by compared.base_run) - sum(compared.pages) as pages_before
    from compared
    join share on compared.pages <= share.pages
    where compared.is_unchanged
    group by compared.base_run
  ),
  queued as (
    select
      compared.oid,
      former_run.pages_before + sum(compared.pages) over (order by compared.measured_at, compared.oid) as pages_until
    from former_run
    join share on former_run.pages_before < share.pages and former_run.pages_until > share.pages
    join compared on compared.base_run = former_run.base_run and compared.is_unchanged and compared.pages <= share.pages
  ),
  turn as materialized (
    select compared.oid
    from former_run
    join share on former_run.pages_until <= share.pages
    join compared on compared.base_run = former_run.base_run and compared.is_unchanged and compared.pages <= share.pages
    union all
    select queued.oid from queued join share on queued.pages_until <= share.pages
  ),
  due as materialized (
    select compared.oid, compared.is_shadow
    from compared
    cross join share
    where
      compared.is_unchanged
      and (
        compared.is_shadow
        or compared.base_run <= v_oldest_run
        or (compared.pages > share.pages and (compare_counters.run_id + compared.oid::bigint) % v_runs = 0)
        or compared.oid in (select turn.oid from turn)
      )
  )
  select
    array(select compared.oid from compared where compared.is_unchanged),
    array(select due.oid from due),
    array(select due.oid from due where due.is_shadow),
    array(select distinct compared.reading_id from compared where compared.is_unchanged),
    array(
      select
        row(
          compared.oid, compared.relfilenode, compared.xmin, compared.inserted, compared.deleted,
          pg_stat_get_tuples_updated(compared.oid)
        )::nms_private.counters
      from compared
      where compared.is_equal is not true
    )
  into strict unchanged, verified, shadowed, base_readings, others;
end
$$;
comment on function nms_private.compare_counters(bigint, text) is
  'Of the tables whose counts may be carried: those that have an earlier count which holds still, unless sessions hide something; of these, those that this run counts nevertheless, to compare: the oldest fourteenth by size, so that none is carried through more than thirteen runs, and all whose rule is new; the readings from which those counts are; and the counters of all that have not the same as then. Call pg_stat_clear_snapshot() before.';
revoke execute on function nms_private.compare_counters(bigint, text) from public;
--! EndIncluded functions/carry/compare_counters.sql
--! Included functions/carry/counter_epoch.sql
-- Times as numbers: as text, they would depend on the session's time zone.
create or replace function nms_private.counter_epoch()
returns text
language sql stable parallel restricted
set search_path = pg_catalog, pg_temp
as $$
  select
    format(
      'system %s, timeline %s, database %s; version %s, server of %s, resets %s %s %s %s',
      (select control.system_identifier from pg_control_system() as control),
      left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
      (select db.oid from pg_database as db where db.datname = current_database()),
      current_setting('server_version_num'),
      extract(epoch from pg_postmaster_start_time()),
      extract(epoch from (select stats.stats_reset from pg_stat_database as stats where stats.datname = current_database())),
      extract(epoch from (select stats.stats_reset from pg_stat_archiver as stats)),
      extract(epoch from (select stats.stats_reset from pg_stat_bgwriter as stats)),
      extract(epoch from (select stats.stats_reset from pg_stat_wal as stats))
    )
$$;
comment on function nms_private.counter_epoch() is
  'As long as that is the same, what the server counts about changes of tables only grows: a restart, a crash, a reset, a promotion and a copy of the database each begin another. What stands before the semicolon holds for the WAL.';
revoke execute on function nms_private.counter_epoch() from public;
--! EndIncluded functions/carry/counter_epoch.sql
--! Included functions/carry/empty_tables.sql
create or replace function nms_private.empty_tables(table_oids oid[])
returns oid[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 ms' -- the size of a file waits for a lock
as $$
begin
  return array(
    select listed.oid
    from unnest(table_oids) as listed (oid)
    where coalesce(pg_relation_size(listed.oid), 0) = 0
  );
exception
  when lock_not_available then
    return table_oids;
end
$$;
comment on function nms_private.empty_tables(oid[]) is
  'Of these tables, those whose file is empty; all of them when a lock keeps that from being known.';
revoke execute on function nms_private.empty_tables(oid[]) from public;
--! EndIncluded functions/carry/empty_tables.sql
--! Included functions/carry/filtered_tables.sql
create or replace function nms_private.filtered_tables()
returns table (table_oid oid)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 10
as $$
  with recursive named (oid) as (
    select relation.oid
    from nms.table_metrics_filters as filter
    join pg_namespace as schema on schema.nspname = filter.schema_name
    join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = filter.table_name
    where filter.filter is not null -- a function is called in each run
    union
    select child.inhrelid
    from named
    join pg_inherits as child on child.inhparent = named.oid
  )
  select named.oid from named
$$;
comment on function nms_private.filtered_tables() is
  'The tables that nms.table_metrics_filters names, with their partitions and children.';
revoke execute on function nms_private.filtered_tables() from public;
--! EndIncluded functions/carry/filtered_tables.sql
--! Included functions/carry/keep_bases.sql
create or replace function nms_private.keep_bases(
  run_id bigint,
  findings nms_private.finding[],
  reading nms_private.reading
)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what a run has just stored
as $$
declare
  v_reading_id bigint;
begin
  if reading.read_at is null then
    return;
  end if;

  -- Another run may keep its own until its transaction ends: those that are there stay true, and nobody waits.
  begin
    lock table nms_private.bases in share row exclusive mode nowait;
  exception
    when lock_not_available then
      return;
  end;

  insert into nms_private.readings (read_at, epoch, open_transactions)
  values (reading.read_at, reading.epoch, reading.open_transactions)
  returning readings.reading_id into strict v_reading_id;

  insert into nms_private.bases (
    table_oid, run_id, reading_id, own_row_count, filtered, own_table_bytes, own_index_bytes, measured_at, filenode,
    catalogue_xmin, inserted, deleted, updated, wal_lsn
  )
  select
    found.table_oid, keep_bases.run_id, v_reading_id, found.own_row_count, found.filtered, found.own_table_bytes,
    found.own_index_bytes, found.measured_at, known.filenode, known.catalogue_xmin, known.inserted, known.deleted,
    known.updated,
    case when found.table_oid not in (select written.oid from unnest(reading.written) as written (oid)) then reading.wal_lsn end
  from unnest(findings) as found
  join (
    select other.* from unnest(reading.others) as other
    union all
    -- Its counters were those of its base.
    select former.table_oid, former.filenode, former.catalogue_xmin, former.inserted, former.deleted, former.updated
    from unnest(reading.unchanged) as unchanged (oid)
    join nms_private.bases as former on former.table_oid = unchanged.oid
    where
      former.reading_id = any (reading.base_readings) -- it is that base still
      and former.table_oid not in (select other.table_oid from unnest(reading.others) as other)
  ) as known on known.table_oid = found.table_oid
  where found.method = 'exact'
  order by found.table_oid
  on conflict on constraint bases_pkey do update
  set
    run_id = excluded.run_id,
    reading_id = excluded.reading_id,
    own_row_count = excluded.own_row_count,
    filtered = excluded.filtered,
    own_table_bytes = excluded.own_table_bytes,
    own_index_bytes = excluded.own_index_bytes,
    measured_at = excluded.measured_at,
    filenode = excluded.filenode,
    catalogue_xmin = excluded.catalogue_xmin,
    inserted = excluded.inserted,
    deleted = excluded.deleted,
    updated = excluded.updated,
    wal_lsn = excluded.wal_lsn;

  delete from nms_private.bases as base
  where
    keep_bases.run_id % 14 = 0 -- often enough
    and not exists (select from pg_class as relation where relation.oid = base.table_oid);
  delete from nms_private.readings as former
  where former.reading_id not in (select base.reading_id from nms_private.bases as base);
end
$$;
comment on function nms_private.keep_bases(bigint, nms_private.finding[], nms_private.reading) is
  'Keeps the counts of these tables that later runs may carry, with what was known about the tables before, of those that were counted and have their measurement.';
revoke execute on function nms_private.keep_bases(bigint, nms_private.finding[], nms_private.reading) from public;
--! EndIncluded functions/carry/keep_bases.sql
--! Included functions/carry/keep_comparisons.sql
create or replace function nms_private.keep_comparisons(
  run_id bigint,
  findings nms_private.finding[],
  reading nms_private.reading
)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few of a claim
set enable_nestloop = off -- no statistics know what a run has just stored
as $$
begin
  if not exists (select from unnest(findings) as found where found.claimed_method is not null) then
    return;
  end if;

  insert into nms.table_metrics_comparisons as former (run_id, method, is_shadow, comparisons, differences)
  select
    keep_comparisons.run_id,
    found.claimed_method,
    found.claimed_method = 'carried'
      and found.table_oid in (select shadowed.oid from unnest(reading.shadowed) as shadowed (oid)),
    count(*),
    count(*) filter (where found.own_row_count <> found.claimed_row_count)
  from unnest(findings) as found
  where found.claimed_method is not null
  group by 1, 2, 3
  on conflict on constraint table_metrics_comparisons_pkey do update
  set
    comparisons = former.comparisons + excluded.comparisons,
    differences = former.differences + excluded.differences;

  if not exists (select from unnest(findings) as found where found.own_row_count <> found.claimed_row_count) then
    return;
  end if;

  insert into nms.table_metrics_differences (
    run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, claimed_from_run, detail
  )
  select
    keep_comparisons.run_id, measurement.schema_name, measurement.table_name, found.table_oid, found.claimed_method,
    found.claimed_row_count, found.own_row_count, found.claimed_from_run,
    case
      when base.table_oid is null then
        format('%s rows were known, %s were counted', found.claimed_row_count, found.own_row_count)
      else
        format(
          'run %s counted %s rows at %s, when the server knew of %s inserted and %s deleted in file %s%s; run %s counted %s, when it knew of %s and %s in file %s; %s',
          base.run_id, base.own_row_count, base.measured_at, base.inserted, base.deleted, base.filenode,
          ', WAL from ' || base.wal_lsn::text,
          keep_comparisons.run_id, found.own_row_count, pg_stat_get_tuples_inserted(found.table_oid),
          pg_stat_get_tuples_deleted(found.table_oid), pg_relation_filenode(found.table_oid),
          case
            when reading.epoch = former.epoch then format('both times %s', reading.epoch)
            else format('first %s, then %s', former.epoch, reading.epoch)
          end
        )
    end
  from unnest(findings) as found
  join nms.table_metrics_measurements as measurement
    on measurement.run_id = keep_comparisons.run_id and measurement.table_oid = found.table_oid
  left join nms_private.bases as base on base.table_oid = found.table_oid and base.run_id = found.claimed_from_run
  left join nms_private.readings as former on former.reading_id = base.reading_id
  where found.own_row_count <> found.claimed_row_count;
end
$$;
comment on function nms_private.keep_comparisons(bigint, nms_private.finding[], nms_private.reading) is
  'Keeps how often a count of this run has confirmed or refuted what was known without it. Call it when the measurements are stored, and before the bases of what was known are replaced.';
revoke execute on function nms_private.keep_comparisons(bigint, nms_private.finding[], nms_private.reading) from public;
--! EndIncluded functions/carry/keep_comparisons.sql
--! Included functions/carry/look_for_proof.sql
create or replace function nms_private.look_for_proof(
  table_oids oid[],
  readings bigint[],   -- before the bases of these tables
  since timestamptz,   -- just after the snapshot
  wal_end pg_lsn,      -- the end of the WAL just after the snapshot; null: it is not summarized
  needs_wal boolean,
  inout unsettled integer[], -- what the look before has returned; null for the first one
  inout unwritten oid[],
  out settled bigint[],
  out is_enough boolean
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_transactions text[];
begin
  perform pg_stat_clear_snapshot();
  select
    coalesce(array_agg(session.pid), '{}'),
    coalesce(array_agg(coalesce(session.open_transaction, '')), '{}')
  into unsettled, v_transactions
  from nms_private.unsettled_sessions(since => look_for_proof.since, among => unsettled) as session;
  -- What a transaction hides that was open before the base was counted, the base has.
  settled := array(
    select former.reading_id
    from nms_private.readings as former
    where
      former.reading_id = any (readings)
      and (v_transactions = '{}' or former.open_transactions @> v_transactions)
  );
  unwritten := coalesce(
    unwritten, nms_private.unwritten_tables(table_oids => look_for_proof.table_oids, until => wal_end)
  );
  is_enough := coalesce(
    (cardinality(settled) = cardinality(readings) and (unwritten is not null or not needs_wal))
    or cardinality(unwritten) = cardinality(table_oids),
    false
  );
end
$$;
comment on function nms_private.look_for_proof(oid[], bigint[], timestamptz, pg_lsn, boolean, integer[], oid[]) is
  'Whether it can be told by now which of these tables have not changed between their base and the snapshot: settled are the readings since which no session hides anything, unwritten the tables to which nothing was written as far as the WAL tells, null as long as it does not, unsettled the sessions to look at again. Nobody is waited for.';
revoke execute on function nms_private.look_for_proof(oid[], bigint[], timestamptz, pg_lsn, boolean, integer[], oid[]) from public;
--! EndIncluded functions/carry/look_for_proof.sql
--! Included functions/carry/needs_wal.sql
create or replace function nms_private.needs_wal(table_oids oid[], wal_end pg_lsn)
returns boolean
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off -- no statistics know what this array holds
as $$
declare
  v_epoch text;
begin
  if wal_end is null then
    return false;
  end if;

  perform pg_stat_clear_snapshot();
  v_epoch := nms_private.counter_epoch();
  return exists (
    select
    from unnest(table_oids) as listed (oid)
    join nms_private.bases as base on base.table_oid = listed.oid
    join nms_private.readings as former on former.reading_id = base.reading_id
    where former.epoch <> v_epoch
  );
end
$$;
comment on function nms_private.needs_wal(oid[], pg_lsn) is
  'Whether the counters of any of these tables have begun anew since its base: then only the WAL can tell whether rows have come or gone. False where it is not summarized.';
revoke execute on function nms_private.needs_wal(oid[], pg_lsn) from public;
--! EndIncluded functions/carry/needs_wal.sql
--! Included functions/carry/proven_tables.sql
-- Stable: whoever calls it counts what is not proven under the snapshot that has been waiting meanwhile.
create or replace function nms_private.proven_tables(
  table_oids oid[],
  since timestamptz, -- just after the snapshot
  wal_end pg_lsn,    -- the end of the WAL just after the snapshot; null: it is not summarized
  deadline timestamptz
)
returns oid[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_readings constant bigint[] := array(
    select distinct base.reading_id
    from nms_private.bases as base
    join unnest(table_oids) as listed (oid) on listed.oid = base.table_oid
  );
  v_needs_wal constant boolean := nms_private.needs_wal(table_oids => proven_tables.table_oids, wal_end => proven_tables.wal_end);
  v_look record;
  v_unsettled integer[];
  v_unwritten oid[];
begin
  loop
    v_look := nms_private.look_for_proof(
      table_oids => proven_tables.table_oids,
      readings => v_readings,
      since => proven_tables.since,
      wal_end => proven_tables.wal_end,
      needs_wal => v_needs_wal,
      unsettled => v_unsettled,
      unwritten => v_unwritten
    );
    exit when v_look.is_enough or clock_timestamp() > deadline;
    v_unsettled := v_look.unsettled;
    v_unwritten := v_look.unwritten;
    perform pg_sleep(0.25);
  end loop;

  return nms_private.tables_proven_by(
    table_oids => proven_tables.table_oids, settled => v_look.settled, unwritten => v_look.unwritten
  );
end
$$;
comment on function nms_private.proven_tables(oid[], timestamptz, pg_lsn, timestamptz) is
  'Of these tables, those of which no row has come or gone between their base and the snapshot of the calling query. Waits until every session of the database has told the server what it has changed, or the summaries of the WAL say so, until the deadline at most. Holds no lock on any table.';
revoke execute on function nms_private.proven_tables(oid[], timestamptz, pg_lsn, timestamptz) from public;
--! EndIncluded functions/carry/proven_tables.sql
--! Included functions/carry/read_counters.sql
-- Volatile: each statement sees what is there by then.
create or replace function nms_private.read_counters(run_id bigint)
returns nms_private.reading
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reading nms_private.reading;
begin
  if
    current_setting('server_version_num')::integer < 150000
    -- Such a transaction may have its snapshot already: the counters would be younger.
    or current_setting('transaction_isolation') <> 'read committed'
    or current_setting('track_counts') <> 'on'
    or not pg_has_role('pg_read_all_stats', 'usage')
    or not exists (select from nms.table_metrics_count_rules as rule where rule.method = 'carried')
  then
    return null;
  end if;

  -- First the end of the WAL, then who may have written before it and not committed yet.
  if
    current_setting('server_version_num')::integer >= 170000
    and current_setting('summarize_wal', true) = 'on'
  then
    v_reading.wal_lsn := pg_current_wal_insert_lsn();
  end if;
  v_reading.written := array(
    select distinct held.relation
    from pg_locks as held
    where
      v_reading.wal_lsn is not null
      and held.locktype = 'relation'
      and held.mode not in ('AccessShareLock', 'RowShareLock')
    union all
    select relation.oid
    from pg_class as relation
    where v_reading.wal_lsn is not null and relation.relpersistence <> 'p'
  );
  v_reading.open_transactions := array(
    select held.virtualxid
    from pg_locks as held
    where held.locktype = 'virtualxid' and held.mode = 'ExclusiveLock' and held.granted
  );

  perform pg_stat_clear_snapshot();
  v_reading.read_at := clock_timestamp();
  v_reading.epoch := nms_private.counter_epoch();
  select known.unchanged, known.verified, known.shadowed, known.base_readings, known.others
  into v_reading.unchanged, v_reading.verified, v_reading.shadowed, v_reading.base_readings, v_reading.others
  from nms_private.compare_counters(run_id => read_counters.run_id, epoch => v_reading.epoch) as known;
  return v_reading;
end
$$;
comment on function nms_private.read_counters(bigint) is
  'What the server counts about the tables whose counts may be carried. Null when there is no such rule, when the transaction may have a snapshot already, when the role may not see what other sessions do, or before PostgreSQL 15. The snapshot of a count has to be later.';
revoke execute on function nms_private.read_counters(bigint) from public;
--! EndIncluded functions/carry/read_counters.sql
--! Included functions/carry/recount_cycle.sql
create or replace function nms_private.recount_cycle()
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select bigint '14'
$$;
comment on function nms_private.recount_cycle() is
  'In so many runs each table is counted at least once, however its number is known otherwise.';
revoke execute on function nms_private.recount_cycle() from public;
--! EndIncluded functions/carry/recount_cycle.sql
--! Included functions/carry/resume_carrying.sql
create or replace function nms.resume_carrying(schema_name text, table_name text)
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s'
as $$
declare
  v_resumed bigint;
begin
  update nms.table_metrics_differences as difference
  set resumed_at = clock_timestamp(), resumed_by = session_user
  where
    difference.resumed_at is null
    and (
      (difference.schema_name = resume_carrying.schema_name and difference.table_name = resume_carrying.table_name)
      or difference.table_oid = (
        select relation.oid
        from pg_class as relation
        join pg_namespace as schema on schema.oid = relation.relnamespace
        where schema.nspname = resume_carrying.schema_name and relation.relname = resume_carrying.table_name
      )
    );
  get diagnostics v_resumed = row_count;
  if v_resumed = 0 then
    raise exception 'no open difference of table %', format('%I.%I', coalesce(schema_name, ''), coalesce(table_name, ''))
      using
        errcode = 'no_data_found',
        detail = format(
          'saw schema_name %s and table_name %s, expected those of a row of nms.table_metrics_differences whose resumed_at is null',
          coalesce(quote_literal(schema_name), 'null'), coalesce(quote_literal(table_name), 'null')
        ),
        hint = 'Which are open: select schema_name, table_name, detail from nms.table_metrics_differences where resumed_at is null;';
  end if;
  return v_resumed;
end
$$;
comment on function nms.resume_carrying(text, text) is
  'After somebody has looked why a recount refuted the number of rows of this table: its count may be carried or maintained again. Returns how many differences that settles. Raises P0002 when none is open.';
revoke execute on function nms.resume_carrying(text, text) from public;
--! EndIncluded functions/carry/resume_carrying.sql
--! Included functions/carry/tables_proven_by.sql
create or replace function nms_private.tables_proven_by(table_oids oid[], settled bigint[], unwritten oid[])
returns oid[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_epoch text;
begin
  -- Whatever a session has hidden until it settled is counted by now.
  perform pg_stat_clear_snapshot();
  v_epoch := nms_private.counter_epoch();
  return array(
    select base.table_oid
    from unnest(table_oids) as listed (oid)
    join nms_private.bases as base on base.table_oid = listed.oid
    join nms_private.readings as former on former.reading_id = base.reading_id
    join unnest(tables_proven_by.settled) as settled (reading_id) on settled.reading_id = former.reading_id
    where
      former.epoch = v_epoch
      and base.inserted = pg_stat_get_tuples_inserted(base.table_oid)
      and base.deleted = pg_stat_get_tuples_deleted(base.table_oid)
      -- What this session hides itself.
      and pg_stat_get_xact_tuples_inserted(base.table_oid) = 0
      and pg_stat_get_xact_tuples_deleted(base.table_oid) = 0
    union
    select unwritten.oid from unnest(tables_proven_by.unwritten) as unwritten (oid)
  );
end
$$;
comment on function nms_private.tables_proven_by(oid[], bigint[], oid[]) is
  'Of these tables, those of which no row has come or gone since their base, as what nms_private.look_for_proof() has last returned says, and the counters of the server now.';
revoke execute on function nms_private.tables_proven_by(oid[], bigint[], oid[]) from public;
--! EndIncluded functions/carry/tables_proven_by.sql
--! Included functions/carry/unsettled_sessions.sql
-- A session tells the server what it has changed when it goes idle: if a second has passed since it last did so, as of
-- the end of its transaction; otherwise ten seconds later, or when it ends. query_start, not state_change: a commit may
-- take long, and a lone Sync message goes idle again without any transaction.
create or replace function nms_private.unsettled_sessions(since timestamptz, among integer[] default null)
returns table (pid integer, open_transaction text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
rows 10
as $$
  select activity.pid, held.virtualxid
  from pg_stat_activity as activity
  left join pg_locks as held
    on held.pid = activity.pid and held.locktype = 'virtualxid' and held.mode = 'ExclusiveLock' and held.granted
  where
    activity.datid = (select db.oid from pg_database as db where db.datname = current_database())
    and activity.pid <> pg_backend_pid()
    and (among is null or activity.pid = any (among))
    and (activity.backend_start <= since) is not false
    and activity.backend_type <> 'parallel worker'
    and (activity.backend_type <> 'walsender' or activity.state is distinct from 'active') -- it streams
    -- It counts for another run, and has vouched.
    and not exists (
      select
      from pg_locks as vouching
      where
        vouching.pid = activity.pid
        and vouching.locktype = 'relation'
        and vouching.database = activity.datid
        and vouching.relation = 'nms_private.vouching'::regclass
        and vouching.mode = 'RowShareLock'
        and vouching.granted
    )
    -- Analyzing may run functions of the tables' owners, which may write.
    and (
      activity.backend_type <> 'autovacuum worker'
      or exists (
        select
        from pg_depend as part
        join pg_proc as routine on routine.oid = part.refobjid
        join pg_language as language on language.oid = routine.prolang
        where
          part.refclassid = 'pg_proc'::regclass
          and part.classid in ('pg_class'::regclass, 'pg_statistic_ext'::regclass, 'pg_type'::regclass)
          and language.lanname not in ('internal', 'c')
      )
    )
    and (
      activity.state = 'idle'
      and (
        (
          activity.state_change < clock_timestamp() - interval '11.5 s'
          and activity.backend_type in (
            'client backend', 'walsender', 'logical replication worker', 'logical replication apply worker'
          )
        )
        or (
          activity.query_start >= since + interval '1.5 s'
          and activity.backend_type in ('client backend', 'walsender')
        )
      )
    ) is not true
$$;
comment on function nms_private.unsettled_sessions(timestamptz, integer[]) is
  'The sessions of this database, of these only those among the given, that may have committed something before that time which the counters of the server do not have yet, and the virtual transaction that is open in each. Call pg_stat_clear_snapshot() before.';
revoke execute on function nms_private.unsettled_sessions(timestamptz, integer[]) from public;
--! EndIncluded functions/carry/unsettled_sessions.sql
--! Included functions/carry/unwritten_tables.sql
-- A summary lists each block of a file that WAL records between two places have changed.
create or replace function nms_private.unwritten_tables(table_oids oid[], until pg_lsn)
returns oid[]
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  v_summaries constant text := 'pg_available_wal_summaries'; -- since 17: named when it is asked
  v_contents constant text := 'pg_wal_summary_contents';
  v_timeline bigint;
  v_from pg_lsn;
  v_base_from pg_lsn;
  v_files oid[];
begin
  if until is null then
    return null;
  end if;

  -- From the first summary that reaches so far backwards, to where one is missing.
  v_timeline := ('x' || left(pg_walfile_name(until), 8))::bit(32)::integer::bigint;
  execute format(
    $query$
      select max(known.start_lsn) filter (where known.is_after_gap)
      from (
        select
          summary.start_lsn,
          (summary.start_lsn <= max(summary.end_lsn) over former) is not true as is_after_gap,
          coalesce(max(summary.end_lsn) over former < $2, true) as is_needed,
          max(summary.end_lsn) over () >= $2 as is_far_enough
        from pg_catalog.%I() as summary
        where summary.tli = $1
        window former as (order by summary.end_lsn rows between unbounded preceding and 1 preceding)
      ) as known
      where known.is_needed and known.is_far_enough
    $query$,
    v_summaries
  ) into v_from using v_timeline, until;
  select min(base.wal_lsn) into v_base_from
  from nms_private.bases as base
  where base.table_oid = any (table_oids) and base.wal_lsn >= v_from;
  if v_from is null then
    return null;
  end if;

  execute format(
    $query$
      select array_agg(distinct changed.relfilenode)
      from pg_catalog.%I() as known
      cross join lateral pg_catalog.%I(known.tli, known.start_lsn, known.end_lsn) as changed
      where
        known.tli = $1
        and known.end_lsn > $2
        and changed.reldatabase = (select db.oid from pg_database as db where db.datname = current_database())
        and (changed.relforknumber = 0 or changed.is_limit_block)
    $query$,
    v_summaries, v_contents
  ) into v_files using v_timeline, v_base_from;

  return array(
    select base.table_oid
    from unnest(table_oids) as listed (oid)
    join nms_private.bases as base on base.table_oid = listed.oid
    left join unnest(v_files) as written (filenode) on written.filenode = base.filenode
    where base.wal_lsn >= v_from and written.filenode is null
  );
exception
  -- A summary may be deleted before it is read.
  when others then
    return '{}'::oid[];
end
$$;
comment on function nms_private.unwritten_tables(oid[], pg_lsn) is
  'Of these tables, those to which nothing was written between the wal_lsn of their base and that place in the WAL, as far as its summaries tell. Null as long as none reaches that place, which takes a checkpoint.';
revoke execute on function nms_private.unwritten_tables(oid[], pg_lsn) from public;
--! EndIncluded functions/carry/unwritten_tables.sql
--! Included functions/carry/vouch.sql
-- The transaction cannot commit anything before that lock is gone, and whatever it commits comes after the snapshot of
-- whoever sees the lock. Only roles with rights on that table could take it.
create or replace function nms_private.vouch()
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from nms_private.bases as base
    where pg_stat_get_xact_tuples_inserted(base.table_oid) <> 0 or pg_stat_get_xact_tuples_deleted(base.table_oid) <> 0
  ) then
    lock table nms_private.vouching in row share mode;
  end if;
end
$$;
comment on function nms_private.vouch() is
  'Tells other runs, until the transaction ends, that this session hides no change of any table whose count may be carried: they need not wait for it. Does nothing when it does hide one.';
revoke execute on function nms_private.vouch() from public;
--! EndIncluded functions/carry/vouch.sql
--! Included functions/count/add_up_findings.sql
create or replace function nms_private.add_up_findings(
  run_id bigint,
  targets nms_private.target[],
  findings nms_private.finding[],
  as_one boolean,
  retryable text[],
  out measured nms.table_metrics_measurements[],
  out filtered nms.table_metrics_filtered_counts[],
  out changed_targets nms_private.target[],
  out locked_targets nms_private.target[]
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few of a claim
as $$
begin
  with
  found as materialized (
    select
      target,
      target.*,
      case when as_one then oid '0' else coalesce(target.family, target.table_oid) end as unit
    from unnest(targets) as target
  ),
  counted as materialized (
    select result.* from unnest(add_up_findings.findings) as result
  ),
  -- No row where storage is not measured.
  state as materialized (
    select known.*
    from (select array_agg(found.table_oid) as table_oids from found) as among
    join nms.table_metrics_settings as settings on settings.measure_storage
    cross join nms_private.storage_states(among => among.table_oids) as known
  ),
  -- Each member is read once, however many tables its rows are part of.
  added as (
    select
      parent.table_oid,
      sum(part.own_row_count)::bigint as row_count,
      sum(coalesce(part.own_row_count_low, part.own_row_count))::bigint as row_count_low,
      sum(coalesce(part.own_row_count_high, part.own_row_count))::bigint as row_count_high,
      min(part.carried_from_run) as carried_from_run,
      -- Of a parent that misses the bytes of one member, none: the rest would look like all.
      case when count(part.own_table_bytes) = count(*) then sum(part.own_table_bytes)::bigint end as table_bytes,
      case when count(part.own_index_bytes) = count(*) then sum(part.own_index_bytes)::bigint end as index_bytes,
      sum(state.dead_rows)::bigint as dead_rows,
      max(state.frozen_age) as frozen_age,
      -- The least sure of them.
      case
        when bool_or(part.method = 'estimate') then 'estimate'
        when bool_or(part.method = 'carried') then 'carried'
        else 'exact'
      end as method,
      max(part.measured_at) as measured_at,
      min(part.error_sqlstate) as error_sqlstate,
      (
        array_agg(
          format('%I.%I: %s', child.schema_name, child.table_name, part.error_message)
          order by part.error_sqlstate, child.schema_name, child.table_name
        ) filter (where part.error_sqlstate is not null)
      )[1] as error_message
    from found as parent
    cross join unnest(parent.members) as member (table_oid)
    left join found as child on child.table_oid = member.table_oid
    left join counted as part on part.table_oid = member.table_oid
    left join state on state.table_oid = member.table_oid
    group by parent.table_oid
  ),
  outcome as materialized (
    select
      found.unit,
      found.table_oid,
      found.schema_name,
      found.table_name,
      found.table_kind,
      found.is_partition,
      found.is_reported,
      outcome.error_sqlstate,
      coalesce(added.error_message, itself.error_message) as error_message,
      -- One time for a family, which tells later that all of it was counted together.
      case
        when found.family is null then coalesce(itself.measured_at, clock_timestamp())
        else max(coalesce(itself.measured_at, clock_timestamp())) over (partition by found.unit, found.family is null)
      end as measured_at,
      case
        when outcome.error_sqlstate is not null then null
        when found.members = '{}' then 0
        when found.members is not null then added.row_count
        else itself.own_row_count
      end as row_count,
      case
        when outcome.error_sqlstate is not null then null
        when found.table_kind = 'partitioned table' then 0
        else itself.own_row_count
      end as own_row_count,
      outcome.method,
      case when outcome.method = 'carried' then coalesce(added.carried_from_run, itself.carried_from_run) end as carried_from_run,
      case
        when outcome.error_sqlstate is null and outcome.method = 'estimate' then
          coalesce(added.row_count_low, itself.own_row_count_low)
      end as row_count_low,
      case
        when outcome.error_sqlstate is null and outcome.method = 'estimate' then
          coalesce(added.row_count_high, itself.own_row_count_high)
      end as row_count_high,
      bytes.table_bytes,
      bytes.index_bytes,
      bytes.own_total_bytes,
      case when found.members is null then state.dead_rows else added.dead_rows end as dead_rows,
      case when found.members is null then state.frozen_age else added.frozen_age end as frozen_age,
      state.last_vacuum,
      state.last_analyze
    from found
    left join counted as itself on itself.table_oid = found.table_oid
    left join added on added.table_oid = found.table_oid
    left join state on state.table_oid = found.table_oid
    cross join lateral (
      select
        coalesce(added.error_sqlstate, itself.error_sqlstate) as error_sqlstate,
        case
          when coalesce(added.error_sqlstate, itself.error_sqlstate) is not null then 'exact'
          else coalesce(added.method, itself.method, 'exact')
        end as method
    ) as outcome
    left join lateral (
      select
        case when found.members is null then itself.own_table_bytes else coalesce(added.table_bytes, no_member.bytes) end as table_bytes,
        case when found.members is null then itself.own_index_bytes else coalesce(added.index_bytes, no_member.bytes) end as index_bytes,
        case
          when found.table_kind = 'partitioned table' then 0
          else itself.own_table_bytes + itself.own_index_bytes
        end as own_total_bytes
      from (values (case when found.members = '{}' then bigint '0' end)) as no_member (bytes)
    ) as bytes on state.table_oid is not null and outcome.error_sqlstate is null
  ),
  -- Of a parent, what its members have together.
  matched as (
    select
      wanted.table_oid,
      filter.name as filter_name,
      coalesce(sum(part.row_count), 0)::bigint as row_count,
      case when bool_or(counted.method = 'carried') then 'carried' else 'exact' end as method,
      min(part.error_sqlstate) as error_sqlstate,
      (
        array_agg(
          concat_ws(
            ': ',
            case when child.table_oid <> wanted.table_oid then format('%I.%I', child.schema_name, child.table_name) end,
            part.error_message
          )
          order by part.error_sqlstate, child.schema_name, child.table_name
        ) filter (where part.error_sqlstate is not null)
      )[1] as error_message
    from nms_private.filters_of(table_oids => array(select found.table_oid from found where found.is_reported)) as wanted
    cross join jsonb_each(wanted.filters) as filter (name, value)
    join found as parent on parent.table_oid = wanted.table_oid
    left join unnest(coalesce(parent.members, array[parent.table_oid])) as member (table_oid) on true
    left join found as child on child.table_oid = member.table_oid
    left join counted on counted.table_oid = member.table_oid
    left join nms_private.filter_outcome(
      finding => row(counted.*)::nms_private.finding, filter_name => filter.name, filter => filter.value
    ) as part on member.table_oid is not null
    group by wanted.table_oid, filter.name
  ),
  -- Asked of each count: the sum of a parent keeps only one of the errors.
  undecided as materialized (
    select found.unit, bool_or(counted.error_sqlstate in ('55P03', 'NM004')) as is_locked
    from counted
    join found on found.table_oid = counted.table_oid
    where counted.error_sqlstate = any (retryable)
    group by found.unit
  )
  select
    array(
      select
        row(
          add_up_findings.run_id, outcome.schema_name, outcome.table_name, outcome.row_count, outcome.own_row_count,
          outcome.carried_from_run, outcome.row_count_low, outcome.row_count_high, outcome.own_total_bytes, outcome.method,
          outcome.measured_at, outcome.table_kind, outcome.is_partition, outcome.table_oid, outcome.error_sqlstate,
          outcome.error_message, outcome.table_bytes + outcome.index_bytes, outcome.table_bytes, outcome.index_bytes,
          outcome.dead_rows, outcome.frozen_age, outcome.last_vacuum, outcome.last_analyze
        )::nms.table_metrics_measurements
      from outcome
      where outcome.is_reported and outcome.unit not in (select undecided.unit from undecided)
    ),
    array(
      select
        row(
          add_up_findings.run_id, outcome.schema_name, outcome.table_name, matched.filter_name,
          case when matched.error_sqlstate is null then matched.row_count end, matched.method, outcome.measured_at,
          outcome.table_oid, matched.error_sqlstate, matched.error_message
        )::nms.table_metrics_filtered_counts
      from matched
      join outcome using (table_oid)
    ),
    array(select found.target from found join undecided using (unit) where not undecided.is_locked),
    array(select found.target from found join undecided using (unit) where undecided.is_locked)
  into strict measured, filtered, changed_targets, locked_targets;
end
$$;
comment on function nms_private.add_up_findings(bigint, nms_private.target[], nms_private.finding[], boolean, text[]) is
  'The measurements of these targets, parents with the sums of their members, and the counts of their filters, as far as they can be stored; the targets that cannot because of an error that is retryable, changed or to be put off.';
revoke execute on function nms_private.add_up_findings(bigint, nms_private.target[], nms_private.finding[], boolean, text[]) from public;
--! EndIncluded functions/count/add_up_findings.sql
--! Included functions/count/chunks_of.sql
create or replace function nms_private.chunks_of(table_oid oid)
returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_chunks text;
  v_states text;
  v_catalogue constant text[] := array['_timescaledb_catalog.chunk', '_timescaledb_catalog.hypertable'];
begin
  with recursive chunk (oid) as (
    select child.inhrelid from pg_inherits as child where child.inhparent = chunks_of.table_oid
    union
    select child.inhrelid from chunk join pg_inherits as child on child.inhparent = chunk.oid
  )
  select string_agg(format('%s %s', relation.oid, relation.relfilenode), ',' order by relation.oid) into v_chunks
  from chunk
  join pg_class as relation on relation.oid = chunk.oid;

  -- Whether a chunk is compressed.
  if v_chunks is not null and exists (select from pg_extension as extension where extension.extname = 'timescaledb') then
    execute format(
      $query$
        select string_agg(known::text, ',' order by known::text)
        from %s as known
        join %s as hypertable on hypertable.id = known.hypertable_id
        join pg_namespace as schema on schema.nspname = hypertable.schema_name
        join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = hypertable.table_name
        where relation.oid = $1
      $query$,
      to_regclass(v_catalogue[1]), to_regclass(v_catalogue[2])
    ) into v_states using chunks_of.table_oid;
  end if;
  return concat_ws(';', v_chunks, v_states);
end
$$;
comment on function nms_private.chunks_of(oid) is
  'Which chunks a hypertable has, in which files, and in which state, as the snapshot of the calling query sees it: when that is the same before and after a count, no chunk was dropped, truncated or compressed meanwhile.';
revoke execute on function nms_private.chunks_of(oid) from public;
--! EndIncluded functions/count/chunks_of.sql
--! Included functions/count/chunks_of_now.sql
-- Volatile, so that it looks under a snapshot of its own.
create or replace function nms_private.chunks_of_now(table_oid oid)
returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return nms_private.chunks_of(table_oid => chunks_of_now.table_oid);
end
$$;
comment on function nms_private.chunks_of_now(oid) is
  'As nms_private.chunks_of(), as of this moment rather than as of the calling query.';
revoke execute on function nms_private.chunks_of_now(oid) from public;
--! EndIncluded functions/count/chunks_of_now.sql
--! Included functions/count/classify_relations.sql
-- pg_class rather than information_schema, which hides what the role may not read.
create or replace function nms_private.classify_relations(skip jsonb, exclude jsonb, among oid[] default null)
returns table (
  table_oid oid,
  schema_name text,
  table_name text,
  table_kind text,
  is_partition boolean,
  pages integer,
  filenode oid,
  is_whole boolean,
  outcome text
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all relations, or the few that are asked for
as $$
begin
  return query
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
    -- Only heap keeps its rows in this one file, and gets another one when it is rewritten or truncated.
    case when extension.treatment is null and relation.relam in (0, 2) then relation.relfilenode end,
    extension.treatment is not distinct from 'whole',
    case
      when schema.nspname = any (settings.machinery_schemas) or extension.treatment = 'machinery' then 'machinery'
      when relation.relkind in ('v', 'm') or relation.relpersistence = 't' then 'not counted'
      when
        relation.relkind = 'f'
        and not exists (select from pg_inherits as child where child.inhrelid = relation.oid)
      then 'not counted'
      when schema.nspname in (
        select resolved.schema_name
        from nms_private.resolve_schemas(nms_private.request_entries(classify_relations.skip)) as resolved
      ) then 'schema skipped'
      when relation.oid in (
        select resolved.table_oid
        from nms_private.resolve_tables(
          entries => nms_private.request_entries(classify_relations.exclude),
          among => classify_relations.among
        ) as resolved
      ) then 'excluded'
      else 'counted'
    end
  from pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  cross join nms.table_metrics_settings as settings
  left join nms_private.extension_tables() as extension on extension.table_oid = relation.oid
  where
    relation.relkind in ('r', 'p', 'f', 'v', 'm')
    and (among is null or relation.oid = any (among))
    and schema.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    -- Of temporary tables only the session's own.
    and (
      schema.nspname !~ '^pg_(toast_)?temp_[0-9]+$'
      or schema.oid = pg_my_temp_schema()
    );
end
$$;
comment on function nms_private.classify_relations(jsonb, jsonb, oid[]) is
  'Every table, view and foreign table outside the system schemas, or of these those among the given, and what a run with this request does with it: counted, machinery, schema skipped, excluded, or not counted because of its kind; of a foreign table, if a parent of it is counted. filenode: null where a change of it would tell nothing. is_whole: an extension keeps its rows elsewhere, so that only a plain select shows them.';
revoke execute on function nms_private.classify_relations(jsonb, jsonb, oid[]) from public;
--! EndIncluded functions/count/classify_relations.sql
--! Included functions/count/count_each.sql
-- Stable, so that every count reads the snapshot of the calling query.
create or replace function nms_private.count_each(
  targets nms_private.target[],
  stop_at text[] default '{}',
  lock_timeout text default null, -- for each table; null: that of the session
  is_sampled boolean default false, -- large ones are estimated
  filters jsonb default null -- of each table, by its OID, as nms_private.filters_of() returns them
)
returns setof nms_private.finding
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
  -- A view that takes the place of a table would run functions of its owner. Servers without updates since 2024 cannot.
  v_can_refuse_views constant boolean := current_setting('restrict_nonsystem_relation_kind', true) is not null;
  v_target nms_private.target;
  v_found nms_private.finding;
  v_name text;
  v_chunks text;
  v_sample record;
  v_filters jsonb;
  v_matches record;
  v_is_counted boolean;
  v_is_measured boolean; -- bytes as well
  v_sizes record;
begin
  select settings.measure_storage into strict v_is_measured from nms.table_metrics_settings as settings;

  foreach v_target in array targets loop
    v_found := null;
    v_found.table_oid := v_target.table_oid;
    v_found.method := 'exact';
    v_is_counted := false;
    -- Its present name; its OID once it is gone.
    v_name := v_target.table_oid::regclass::text;

    -- Raising and catching releases the locks at once: they belong to the aborted subtransaction.
    begin
      -- A count runs code of the table's owner, such as the predicate of an index: nothing that it does may stay.
      perform
        set_config('transaction_read_only', 'on', true),
        set_config('lock_timeout', coalesce(count_each.lock_timeout, current_setting('lock_timeout')), true);
      if v_can_refuse_views and not v_target.is_whole then
        perform set_config('restrict_nonsystem_relation_kind', 'view', true);
      end if;
      -- Only of heap is it known how rows lie in the pages of the file.
      if is_sampled and v_target.filenode <> 0 then
        v_sample := nms_private.estimate_rows(table_oid => v_target.table_oid);
        v_found.own_row_count := v_sample.row_count;
        v_found.own_row_count_low := v_sample.row_count_low;
        v_found.own_row_count_high := v_sample.row_count_high;
      end if;
      -- Large ones are read as the server, database or role has it. No pages: the catalogue does not know.
      if
        v_target.is_whole
        or v_target.pages * v_page_size >= v_large_from
        or (v_target.pages = 0 and pg_relation_size(v_target.table_oid) >= v_large_from)
      then
        perform set_config(setting.name, setting.reset_val, true)
        from pg_settings as setting
        where setting.name in ('enable_indexonlyscan', 'effective_io_concurrency');
      end if;
      if v_target.is_whole then
        v_chunks := nms_private.chunks_of(table_oid => v_target.table_oid);
      end if;

      v_filters := count_each.filters -> v_target.table_oid::text;
      if v_found.own_row_count is not null then
        v_found.method := 'estimate';
      elsif v_filters is null then
        -- "execute … into" may use parallel workers; "select … into" never does.
        execute format('select count(*) from %s%s', case when not v_target.is_whole then 'only ' end, v_name)
          into strict v_found.own_row_count;
      else
        v_matches := nms_private.count_filtered(
          target => v_target.table_oid, is_whole => v_target.is_whole, filters => v_filters
        );
        v_found.own_row_count := v_matches.row_count;
        v_found.filtered := v_matches.filtered;
      end if;
      v_found.measured_at := clock_timestamp();

      -- Under an older snapshot a rewritten or truncated table reads as empty. As long as its lock
      -- is held, neither its file nor its name can change any more.
      if
        to_regclass(v_name)::oid is distinct from v_target.table_oid
        or coalesce(pg_relation_filenode(v_target.table_oid), 0) <> v_target.filenode
        or (v_target.is_whole and nms_private.chunks_of_now(table_oid => v_target.table_oid) is distinct from v_chunks)
      then
        raise sqlstate 'NM001' using message = 'rewritten, truncated or replaced after the snapshot was taken';
      end if;
      v_is_counted := true;
      -- The rows of one that is whole are in other files.
      if v_is_measured and not v_target.is_whole then
        v_sizes := nms_private.sizes_of(table_oid => v_target.table_oid);
        v_found.own_table_bytes := v_sizes.table_bytes;
        v_found.own_index_bytes := v_sizes.index_bytes;
      end if;
      raise sqlstate 'NM002' using message = 'counted: release the locks';
    exception
      when query_canceled then
        raise exception '%, while counting %.%', sqlerrm, v_target.schema_name, v_target.table_name
          using errcode = 'query_canceled';
      -- Whatever keeps one table from being counted is that table's outcome, not the run's end. The
      -- SQLSTATE does not tell a count from a failure: a function in an index may raise any.
      when assert_failure or others then
        if not v_is_counted then
          v_found.method := 'exact';
          v_found.own_row_count := null;
          v_found.own_row_count_low := null;
          v_found.own_row_count_high := null;
          v_found.filtered := null;
          v_found.measured_at := clock_timestamp();
          v_found.error_sqlstate := sqlstate;
          v_found.error_message := left(sqlerrm, 2000);
          if v_target.table_oid::regclass::text <> v_name or v_name = v_target.table_oid::text then
            v_found.error_sqlstate := 'NM001';
            v_found.error_message := 'dropped or renamed after the snapshot was taken';
          end if;
        end if;
    end;
    return next v_found;
    exit when v_found.error_sqlstate = any (stop_at);
  end loop;
end
$$;
comment on function nms_private.count_each(nms_private.target[], text[], text, boolean, jsonb) is
  'Exact number of rows stored in each of these tables, and of those that match its filters, with their bytes when the measure_storage setting is true, or the SQLSTATE and message of why there is none. NM001: the table is not the one that the snapshot of the calling query sees, which would read as empty; look at it under a later snapshot. No lock on a table outlasts its count. is_sampled: where nms_private.estimate_rows() has an estimate, that is taken instead. stop_at: the SQLSTATEs after which the rest is not counted any more.';
revoke execute on function nms_private.count_each(nms_private.target[], text[], text, boolean, jsonb) from public;
--! EndIncluded functions/count/count_each.sql
--! Included functions/count/count_elsewhere.sql
create or replace function nms_private.count_elsewhere(
  run_id bigint,
  is_one_server boolean default false, -- of several that have something left, only the first
  failure text default null            -- why that one cannot be asked: it is not asked again
)
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- of the tables of the collector
as $$
declare
  v_run nms.table_metrics_runs;
  v_targets nms_private.target[];
  v_of_one nms_private.target[];
  v_asked nms_private.target[];
  v_findings nms_private.finding[];
begin
  if not exists (
    select
    from pg_foreign_table as foreign_table
    join pg_inherits as child on child.inhrelid = foreign_table.ftrelid
  ) then
    return bigint '0';
  end if;

  v_run := nms_private.claim_run(run_id => count_elsewhere.run_id);
  v_targets := array(
    select target
    from nms_private.current_targets(skip => v_run.skip_schemas, exclude => v_run.exclude_tables, among => null) as target
    where target.table_kind = 'foreign table'
  );
  v_targets := nms_private.targets_left(
    targets => v_targets,
    findings => array(select prepared from nms_private.prepared_counts(run_id => count_elsewhere.run_id) as prepared)
  );
  select array_agg(target) into v_of_one
  from unnest(v_targets) as target
  join pg_foreign_table as foreign_table on foreign_table.ftrelid = target.table_oid
  group by foreign_table.ftserver
  order by foreign_table.ftserver
  limit 1;
  v_asked := case when is_one_server then coalesce(v_of_one, '{}') else v_targets end;

  if failure is null then
    perform nms_private.use_lock_timeout();
    v_findings := array(select counted from nms_private.count_foreign(targets => v_asked) as counted);
  else
    v_findings := array(
      select
        row(
          target.table_oid, null, 'exact', null, null, null, null, null, null, null, null, null, clock_timestamp(), '08006',
          left(failure, 2000)
        )::nms_private.finding
      from unnest(v_asked) as target
    );
  end if;
  perform nms_private.keep_foreign_counts(
    run_id => count_elsewhere.run_id, findings => v_findings, is_beforehand => true
  );
  return (
    select count(*)
    from unnest(v_targets) as target
    where target.table_oid not in (
      select found.table_oid
      from unnest(v_findings) as found
      where coalesce(found.error_sqlstate not in ('NM001', 'NM004'), true)
    )
  );
end
$$;
comment on function nms_private.count_elsewhere(bigint, boolean, text) is
  'Reads what a RUNNING run has to count on other servers, in a transaction that has nothing else to lose, and keeps it for the run. Returns how many tables are left to be looked at in another transaction: those that read as empty and had not before. Raises 08006 when the connection to a server is lost; tell that with is_one_server, and it is what keeps the tables over there from being counted. Raises what claim_run raises.';
revoke execute on function nms_private.count_elsewhere(bigint, boolean, text) from public;
--! EndIncluded functions/count/count_elsewhere.sql
--! Included functions/count/count_foreign.sql
create or replace function nms_private.count_foreign(
  targets nms_private.target[],
  stop_at text[] default '{}',
  lock_timeout text default null, -- for each table; null: that of the session
  prepared_for bigint default null -- a run; null: what it has read beforehand is read again
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_prepared nms_private.finding[];
  v_batch nms_private.target[];
  v_target nms_private.target;
  v_together record;
  v_alone record;
  v_place integer;
  v_found nms_private.finding;
begin
  v_prepared := array(select prepared from nms_private.prepared_counts(run_id => prepared_for) as prepared);
  return query
  select prepared.*
  from unnest(v_prepared) as prepared
  where prepared.table_oid in (select target.table_oid from unnest(targets) as target);

  for v_batch in
    select grouped.batch
    from nms_private.foreign_batches(
      targets => nms_private.targets_left(targets => count_foreign.targets, findings => v_prepared)
    ) as grouped
  loop
    v_together := nms_private.read_foreign(
      targets => v_batch,
      -- None stays locked for long because another one is.
      lock_timeout => case when cardinality(v_batch) > 1 then '10' else count_foreign.lock_timeout end
    );

    v_place := 0;
    foreach v_target in array v_batch loop
      v_place := v_place + 1;
      v_found := null;
      v_found.table_oid := v_target.table_oid;
      v_found.method := 'exact';
      if v_together.row_counts is not null then
        v_found.own_row_count := v_together.row_counts[v_place];
      else
        -- Which of several it was, and why, is seen when each is counted by itself.
        v_alone := v_together;
        if cardinality(v_batch) > 1 then
          v_alone := nms_private.read_foreign(targets => array[v_target], lock_timeout => count_foreign.lock_timeout);
        end if;
        v_found.own_row_count := v_alone.row_counts[1];
        v_found.error_sqlstate := v_alone.error_sqlstate;
        v_found.error_message := v_alone.error_message;
      end if;
      v_found.measured_at := clock_timestamp();

      -- Emptied and filled again under the snapshot of the server over there, a table reads as empty.
      if v_found.own_row_count = 0 and not nms_private.was_empty(table_oid => v_found.table_oid) then
        v_found.own_row_count := null;
        v_found.error_sqlstate := 'NM004';
        v_found.error_message := 'read as empty, which is believed when another transaction has read the same';
      end if;
      return next v_found;
      if v_found.error_sqlstate = any (stop_at) then
        return;
      end if;
    end loop;
  end loop;
end
$$;
comment on function nms_private.count_foreign(nms_private.target[], text[], text, bigint) is
  'Exact number of rows in each of these foreign tables, or the SQLSTATE and message of why there is none. NM004: it read as empty, and was not known to be. Their servers are asked at once where they are async_capable, each only for numbers; when one of them fails, each table is counted by itself. Every server has a snapshot of its own. stop_at: the SQLSTATEs after which the rest is not counted any more.';
revoke execute on function nms_private.count_foreign(nms_private.target[], text[], text, bigint) from public;
--! EndIncluded functions/count/count_foreign.sql
--! Included functions/count/count_methods.sql
create or replace function nms_private.count_methods(targets nms_private.target[])
returns table (table_oid oid, method text, recount_after interval, is_shadow boolean)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few that are asked for
as $$
begin
  return query
  select
    target.table_oid,
    rule.method,
    rule.recount_after,
    rule.method = 'carried' and clock_timestamp() < rule.since + rule.shadow
  from unnest(targets) as target
  left join nms_private.named_rules() as named on named.table_oid = target.table_oid
  left join nms.table_metrics_count_rules as of_schema
    on of_schema.schema_name = target.schema_name and of_schema.table_name = '*'
  join nms.table_metrics_count_rules as rule
    on rule.schema_name = coalesce(named.schema_name, of_schema.schema_name, '*')
    and rule.table_name = coalesce(named.table_name, of_schema.table_name, '*');
end
$$;
comment on function nms_private.count_methods(nms_private.target[]) is
  'What nms.table_metrics_count_rules says about these tables: the method, how old a carried count may get, and whether the rule is so new that nothing is carried yet. No row for a table without a rule, which is counted.';
revoke execute on function nms_private.count_methods(nms_private.target[]) from public;
--! EndIncluded functions/count/count_methods.sql
--! Included functions/count/count_tables.sql
-- Stable, so that every count reads the snapshot of the calling query.
create or replace function nms_private.count_tables(
  targets nms_private.target[],
  stop_at text[] default '{}',
  lock_timeout text default null -- for each table; null: that of the session
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
-- As in count_each, for the same reasons.
set row_security = off
set jit = off
set enable_indexonlyscan = off
set effective_io_concurrency = 0
-- Whoever calls may have other ideas.
set plan_cache_mode = auto
set enable_nestloop = on
as $$
declare
  v_together constant bigint := bigint '16'; -- tables
  v_small_to constant bigint := bigint '32'; -- pages
  v_can_refuse_views constant boolean := current_setting('restrict_nonsystem_relation_kind', true) is not null;
  -- No pages: it is empty, or was never vacuumed nor analyzed. A few of these are read by themselves.
  v_small_from constant bigint := case
    when (select count(*) from unnest(targets) as target where target.pages = 0 and target.filenode <> 0) >= 100 then bigint '0'
    else bigint '1'
  end;
  v_page_size constant bigint := current_setting('block_size')::bigint;
  v_filters jsonb := jsonb '{}';
  v_small nms_private.target[];
  v_batch record;
  v_is_measured boolean; -- bytes as well
  v_counts bigint[];
  v_table_bytes bigint[];
  v_index_bytes bigint[];
  v_are_counted boolean;
  v_left oid[] := array[]::oid[];
begin
  select settings.measure_storage into strict v_is_measured from nms.table_metrics_settings as settings;
  if exists (select from nms.table_metrics_filters) then
    select coalesce(jsonb_object_agg(filtered.table_oid, filtered.filters), '{}') into v_filters
    from nms_private.filters_of(table_oids => array(select target.table_oid from unnest(targets) as target)) as filtered;
  end if;
  v_small := array(
    select target
    from unnest(targets) as target
    where
      not target.is_whole
      and target.filenode <> 0
      and target.pages between v_small_from and v_small_to
      and (v_filters = '{}' or not v_filters ? target.table_oid::text)
  );

  -- The newest file first, also below: what is often rewritten or replaced is read before that can happen again.
  if v_small = '{}' then
    return query
    select counted.*
    from nms_private.count_each(
      targets => array(select target from unnest(targets) as target order by target.filenode desc nulls last),
      stop_at => stop_at,
      lock_timeout => count_tables.lock_timeout,
      filters => v_filters
    ) as counted;
    return;
  end if;

  -- Planning and locking a small table takes longer than reading it: several in one statement.
  for v_batch in
    select
      array_agg(small.table_oid) as table_oids,
      small.is_of_unknown_size,
      array_agg(small.filenode) as filenodes,
      array_agg(format('%I.%I', small.schema_name, small.table_name)) as names,
      format(
        'select array[%s]',
        string_agg(format('(select count(*) from only %I.%I)', small.schema_name, small.table_name), ', ')
      ) as query
    from (
      select
        target.*,
        target.pages = 0 as is_of_unknown_size,
        row_number() over (partition by target.pages = 0 order by target.filenode desc) / v_together as batch
      from unnest(v_small) as target
    ) as small
    group by small.is_of_unknown_size, small.batch
    order by small.is_of_unknown_size, small.batch
  loop
    v_are_counted := false;
    begin
      perform
        set_config('transaction_read_only', 'on', true), -- as in count_each
        set_config('lock_timeout', '10', true), -- none stays locked for long because another one is
        case when v_can_refuse_views then set_config('restrict_nonsystem_relation_kind', 'view', true) end;
      if v_batch.is_of_unknown_size and exists (
        select
        from unnest(v_batch.table_oids) as unknown (oid)
        where pg_relation_size(unknown.oid) > v_small_to * v_page_size
      ) then
        raise sqlstate 'NM002' using message = 'one is large: each by itself';
      end if;
      execute v_batch.query into strict v_counts;
      if v_is_measured then
        select
          array_agg(pg_table_size(counted.oid) order by counted.place),
          array_agg(pg_indexes_size(counted.oid) order by counted.place)
        into v_table_bytes, v_index_bytes
        from unnest(v_batch.table_oids) with ordinality as counted (oid, place);
      end if;
      -- Asked while the locks are held, for the reason that count_each gives.
      select
        bool_and(
          coalesce(to_regclass(counted.name) = counted.oid and pg_relation_filenode(counted.oid) = counted.filenode, false)
        )
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
      select
        counted.table_oid, counted.row_count, 'exact', null::bigint, null::bigint, null::bigint,
        counted.table_bytes, counted.index_bytes, null::jsonb, null::text, null::bigint, null::bigint, clock_timestamp(), null::text, null::text
      from unnest(v_batch.table_oids, v_counts, v_table_bytes, v_index_bytes)
        as counted (table_oid, row_count, table_bytes, index_bytes);
    else
      v_left := v_left || v_batch.table_oids;
    end if;
  end loop;

  return query
  select counted.*
  from nms_private.count_each(
    targets => array(
      select target
      from unnest(targets) as target
      where
        target.is_whole
        or target.filenode is null
        or target.filenode = 0
        or target.pages not between v_small_from and v_small_to
        or target.table_oid = any (v_left)
        or (v_filters <> '{}' and v_filters ? target.table_oid::text)
      order by target.table_oid = any (v_left) desc, target.filenode desc nulls last
    ),
    stop_at => stop_at,
    lock_timeout => count_tables.lock_timeout,
    filters => v_filters
  ) as counted;
end
$$;
comment on function nms_private.count_tables(nms_private.target[], text[], text) is
  'Exact number of rows stored in each of these tables, with their bytes when the measure_storage setting is true, or the SQLSTATE and message of why there is none. Small tables are read several at a time; the others, and those of which one could not be counted at once, as nms_private.count_each() does. No lock outlasts the count of its table, or of its few small companions. stop_at: the SQLSTATEs after which the rest is not counted any more.';
revoke execute on function nms_private.count_tables(nms_private.target[], text[], text) from public;
--! EndIncluded functions/count/count_tables.sql
--! Included functions/count/count_targets.sql
create or replace function nms_private.count_targets(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = 0 -- that of the settings, below
as $$
declare
  -- A repeatable read transaction has no other snapshot.
  v_snapshots constant integer := case current_setting('transaction_isolation') when 'read committed' then 3 else 1 end;
  v_result record;
begin
  perform nms_private.use_lock_timeout();

  -- A table that was rewritten, truncated or dropped under the snapshot cannot be counted as of it any
  -- more. Its rows may be elsewhere by now: one instant for all means that all are counted again.
  for v_snapshot in 1..v_snapshots loop
    v_result := nms_private.measure(
      run_id => count_targets.run_id,
      among => null,
      as_one => true,
      retryable => case when v_snapshot < v_snapshots then '{NM001}'::text[] else '{}' end
    );
    exit when v_result.changed_targets = '{}';
  end loop;

  perform nms_private.finish_counting(run_id => count_targets.run_id);
end
$$;
comment on function nms_private.count_targets(bigint) is
  'Counts every target of a run under one snapshot. When a table turns out to have been rewritten, truncated or dropped after it was taken, everything is counted again under a later one: at most three snapshots, after which such a table is recorded as not counted.';
revoke execute on function nms_private.count_targets(bigint) from public;
--! EndIncluded functions/count/count_targets.sql
--! Included functions/count/count_under_one_snapshot.sql
-- Stable: the snapshot of the calling query decides what there is to count, which tables are a family, and each count.
create or replace function nms_private.count_under_one_snapshot(
  run_id bigint,
  among oid[],
  as_one boolean,
  retryable text[],
  reading nms_private.reading, -- of before this statement; null: nothing may be carried
  out measured nms.table_metrics_measurements[],
  out filtered nms.table_metrics_filtered_counts[],
  out changed_targets nms_private.target[],
  out locked_targets nms_private.target[],
  out schema_places tid[], -- where the catalogue had the schemas of all these tables
  out findings nms_private.finding[] -- as far as later runs may use them
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few of a claim
as $$
declare
  v_targets nms_private.target[];
  v_intricate oid[]; -- parents, members, and all where there is more to find than one number for each
  v_units bigint;
  v_findings nms_private.finding[];
  v_is_undecided boolean;
  v_added record;
begin
  select
    coalesce(array_agg(target), '{}'),
    coalesce(array_agg(target.table_oid) filter (where target.family is not null or target.members is not null), '{}'),
    count(distinct coalesce(target.family, target.table_oid))
  into strict v_targets, v_intricate, v_units
  from nms.table_metrics_runs as run
  cross join nms_private.current_targets(
    skip => run.skip_schemas, exclude => run.exclude_tables, among => count_under_one_snapshot.among
  ) as target
  where run.run_id = count_under_one_snapshot.run_id;
  if
    exists (select from nms.table_metrics_filters)
    or exists (select from nms.table_metrics_settings as settings where settings.measure_storage)
  then
    v_intricate := array(select (listed.target).table_oid from (select unnest(v_targets) as target) as listed);
  end if;

  with
  found as materialized (
    select target.* from unnest(v_targets) as target
  ),
  counted as materialized (
    select result.*
    from nms_private.find_counts(
      targets => case
        when v_intricate = '{}' then v_targets
        else array(select target from unnest(v_targets) as target where target.table_kind <> 'partitioned table')
      end,
      reading => count_under_one_snapshot.reading,
      stop_at => case when as_one or v_units = 1 then retryable else '{}' end,
      -- Who waits in the queue of a lock is in the way of those behind: the online mode comes back instead.
      lock_timeout => case when not as_one then '10 ms' end,
      prepared_for => case when as_one then count_under_one_snapshot.run_id end
    ) as result
  ),
  undecided as materialized (
    select from counted where counted.error_sqlstate = any (retryable) limit 1
  )
  select
    array(
      select
        row(
          count_under_one_snapshot.run_id, found.schema_name, found.table_name, counted.own_row_count, counted.own_row_count,
          counted.carried_from_run, counted.own_row_count_low, counted.own_row_count_high, null, counted.method,
          counted.measured_at, found.table_kind, found.is_partition, found.table_oid, counted.error_sqlstate,
          counted.error_message, null, null, null, null, null, null, null
        )::nms.table_metrics_measurements
      from found
      left join counted on counted.table_oid = found.table_oid
      where
        not exists (select from undecided)
        and found.table_oid not in (select listed.oid from unnest(v_intricate) as listed (oid))
    ),
    array(
      select row(counted.*)::nms_private.finding
      from counted
      where
        exists (select from undecided)
        or counted.table_oid in (select listed.oid from unnest(v_intricate) as listed (oid))
    ),
    exists (select from undecided),
    array(
      select schema.ctid from pg_namespace as schema where schema.nspname in (select found.schema_name from found)
    ),
    array(
      select row(counted.*)::nms_private.finding
      from counted
      where
        (((count_under_one_snapshot.reading).read_at is not null or not as_one) and counted.method = 'exact')
        or counted.claimed_method is not null
        or counted.table_oid in (select found.table_oid from found where found.table_kind = 'foreign table')
    )
  into strict measured, v_findings, v_is_undecided, schema_places, findings;

  filtered := array[]::nms.table_metrics_filtered_counts[];
  changed_targets := array[]::nms_private.target[];
  locked_targets := array[]::nms_private.target[];
  if v_is_undecided or v_intricate <> '{}' then
    v_added := nms_private.add_up_findings(
      run_id => count_under_one_snapshot.run_id,
      targets => case
        when v_is_undecided then v_targets
        else array(select target from unnest(v_targets) as target where target.table_oid = any (v_intricate))
      end,
      findings => v_findings,
      as_one => count_under_one_snapshot.as_one,
      retryable => count_under_one_snapshot.retryable
    );
    measured := measured || v_added.measured;
    filtered := v_added.filtered;
    changed_targets := v_added.changed_targets;
    locked_targets := v_added.locked_targets;
  end if;
end
$$;
comment on function nms_private.count_under_one_snapshot(bigint, oid[], boolean, text[], nms_private.reading) is
  'The counting of nms_private.measure(), as of one snapshot: the measurements that can be stored, the counts of filters, the targets that cannot because of an error that is retryable, changed or to be put off, the rows of the catalogue that name their schemas, and what was found out about each table.';
revoke execute on function nms_private.count_under_one_snapshot(bigint, oid[], boolean, text[], nms_private.reading) from public;
--! EndIncluded functions/count/count_under_one_snapshot.sql
--! Included functions/count/current_targets.sql
create or replace function nms_private.current_targets(skip jsonb, exclude jsonb, among oid[])
returns setof nms_private.target
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few that are asked for
as $$
declare
  v_relatives oid[];
begin
  if
    (current_targets.skip, current_targets.exclude) <> ('[]', '[]') -- another name may be left out
    or exists (select from nms_private.extension_tables())
  then
    return query
    select target.*
    from nms_private.find_targets(
      skip => current_targets.skip, exclude => current_targets.exclude, among => current_targets.among
    ) as target;
    return;
  end if;

  -- Most tables are not part of a family: looking for one takes longer than counting a small table.
  return query
  select
    relation.oid, schema.nspname::text, relation.relname::text,
    case relation.relkind when 'p' then 'partitioned table' else 'table' end, relation.relispartition,
    relation.relpages::bigint, case when relation.relam in (0, 2) then relation.relfilenode end,
    case relation.relkind when 'p' then '{}'::oid[] end, null::oid, true, false
  from pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  cross join nms.table_metrics_settings as settings
  where
    (among is null or relation.oid = any (among))
    and relation.relkind in ('r', 'p')
    and relation.relpersistence <> 't'
    and schema.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    and schema.nspname <> all (settings.machinery_schemas)
    and relation.oid not in (select inhrelid from pg_inherits)
    and relation.oid not in (select inhparent from pg_inherits);

  v_relatives := array(
    select inhrelid from pg_inherits where among is null or inhrelid = any (among)
    union
    select inhparent from pg_inherits where among is null or inhparent = any (among)
  );
  if v_relatives <> '{}' then
    return query
    select target.*
    from nms_private.find_targets(
      skip => current_targets.skip, exclude => current_targets.exclude, among => v_relatives
    ) as target;
  end if;
end
$$;
comment on function nms_private.current_targets(jsonb, jsonb, oid[]) is
  'What a run with this request has to read now of these tables, which it has found before, and of their families; of all tables for null. No row for one that is gone.';
revoke execute on function nms_private.current_targets(jsonb, jsonb, oid[]) from public;
--! EndIncluded functions/count/current_targets.sql
--! Included functions/count/extension_tables.sql
-- Only catalogues that belong to the extension are believed: anybody may make a table of that name.
create or replace function nms_private.extension_tables()
returns table (table_oid oid, treatment text)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 10
as $$
declare
  v_catalogue regclass;
  v_extension text;
begin
  if not exists (select from pg_extension as extension where extension.extname in ('timescaledb', 'citus')) then
    return;
  end if;

  for v_extension, v_catalogue in
    select extension.extname::text, relation.oid::regclass
    from pg_extension as extension
    join pg_depend as part
      on part.refclassid = 'pg_extension'::regclass and part.refobjid = extension.oid and part.deptype = 'e'
    join pg_class as relation on part.classid = 'pg_class'::regclass and relation.oid = part.objid
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where
      (extension.extname, schema.nspname, relation.relname)
        in (('timescaledb', '_timescaledb_catalog', 'hypertable'), ('citus', 'pg_catalog', 'pg_dist_partition'))
  loop
    if v_extension = 'timescaledb' then
      -- Chunks are children of their hypertable, wherever they lie; "only" shows no compressed row.
      return query execute format(
        $query$
          with recursive
          hypertable as (
            select relation.oid
            from %s as known
            join pg_namespace as schema on schema.nspname = known.schema_name
            join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = known.table_name
            where schema.nspname <> '_timescaledb_internal'
          ),
          chunk (oid) as (
            select child.inhrelid from hypertable join pg_inherits as child on child.inhparent = hypertable.oid
            union
            select child.inhrelid from chunk join pg_inherits as child on child.inhparent = chunk.oid
          )
          select hypertable.oid, 'whole' from hypertable
          union
          select chunk.oid, 'machinery' from chunk
          union
          select relation.oid, 'machinery'
          from pg_class as relation
          join pg_namespace as schema on schema.oid = relation.relnamespace
          where schema.nspname ~ '^_timescaledb_'
        $query$,
        v_catalogue
      );
    else
      -- Shards lie beside their table. Citus hides them by the session's application_name, not in background workers.
      return query execute format(
        $query$
          select known.logicalrelid::oid, 'whole' from %s as known
          union
          select relation.oid, 'machinery'
          from pg_dist_shard as shard
          join pg_class as logical on logical.oid = shard.logicalrelid
          join pg_class as relation
            on relation.relnamespace = logical.relnamespace
            and substring(relation.relname::text from '_([0-9]{1,18})$')::bigint = shard.shardid
            and relation.oid <> logical.oid
        $query$,
        v_catalogue
      );
    end if;
  end loop;
end
$$;
comment on function nms_private.extension_tables() is
  'Tables that TimescaleDB or Citus keeps in its own way: whole, a hypertable or distributed table, which is counted as a plain select shows it; machinery, its chunks and shards, which are no tables of their own. No row for any other table, and none without these extensions.';
revoke execute on function nms_private.extension_tables() from public;
--! EndIncluded functions/count/extension_tables.sql
--! Included functions/count/find_counts.sql
-- Stable, so that whatever it reads is as of the snapshot of the calling query.
create or replace function nms_private.find_counts(
  targets nms_private.target[],
  reading nms_private.reading, -- of before the snapshot; null: nothing may be carried
  stop_at text[] default '{}',
  lock_timeout text default null, -- for each table; null: that of the session
  prepared_for bigint default null -- a run; null: what it has read beforehand on other servers is read again
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_left nms_private.target[] := targets;
  v_foreign nms_private.target[] := array[]::nms_private.target[];
  v_found nms_private.finding[] := array[]::nms_private.finding[];
begin
  -- Each of these is rare, and looking closer takes longer than counting a small table.
  if exists (select from pg_foreign_table) then
    v_foreign := array(select target from unnest(targets) as target where target.table_kind = 'foreign table');
    v_left := array(select target from unnest(targets) as target where target.table_kind <> 'foreign table');
  end if;
  if exists (select from nms_private.maintained_counts) then
    v_found := array(
      select maintained
      from nms_private.find_maintained(
        targets => v_left, stop_at => stop_at, lock_timeout => find_counts.lock_timeout
      ) as maintained
    );
    v_left := nms_private.targets_left(targets => v_left, findings => v_found);
    return query select found.* from unnest(v_found) as found;
  end if;
  if exists (select from nms.table_metrics_count_rules as rule where rule.method = 'estimate') then
    v_found := array(
      select estimated
      from nms_private.estimate_tables(
        targets => v_left, stop_at => stop_at, lock_timeout => find_counts.lock_timeout
      ) as estimated
    );
    v_left := nms_private.targets_left(targets => v_left, findings => v_found);
    return query select found.* from unnest(v_found) as found;
  end if;

  if (reading).read_at is null then
    return query
    select counted.*
    from nms_private.count_tables(
      targets => v_left, stop_at => stop_at, lock_timeout => find_counts.lock_timeout
    ) as counted;
  else
    return query
    select counted.*
    from nms_private.carry_counts(
      targets => v_left,
      reading => find_counts.reading,
      stop_at => find_counts.stop_at,
      lock_timeout => find_counts.lock_timeout
    ) as counted;
  end if;

  -- Last: what was begun on another server stays open until the transaction ends.
  if v_foreign <> '{}' then
    return query
    select counted.*
    from nms_private.count_foreign(
      targets => v_foreign,
      stop_at => stop_at,
      lock_timeout => find_counts.lock_timeout,
      prepared_for => find_counts.prepared_for
    ) as counted;
  end if;
end
$$;
comment on function nms_private.find_counts(nms_private.target[], nms_private.reading, text[], text, bigint) is
  'How many rows are stored in each of these tables, each found out as the rules say: counted, carried from an earlier run, maintained by triggers or estimated. stop_at: the SQLSTATEs after which the rest is not counted any more.';
revoke execute on function nms_private.find_counts(nms_private.target[], nms_private.reading, text[], text, bigint) from public;
--! EndIncluded functions/count/find_counts.sql
--! Included functions/count/find_targets.sql
create or replace function nms_private.find_targets(skip jsonb, exclude jsonb, among oid[] default null)
returns setof nms_private.target
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few that are asked for
as $$
declare
  v_relatives oid[];
begin
  -- Families are found whole: parents, children, other parents of the children, and so on.
  if among is not null then
    v_relatives := array(
      with recursive relative (oid) as (
        select unnest(among)
        union
        select next.oid
        from relative
        cross join lateral (
          select inhparent from pg_inherits where inhrelid = relative.oid
          union all
          select inhrelid from pg_inherits where inhparent = relative.oid
        ) as next (oid)
      )
      select relative.oid from relative
    );
  end if;

  return query
  with recursive
  relation as materialized (
    select known.*
    from nms_private.classify_relations(find_targets.skip, find_targets.exclude, v_relatives) as known
    where known.table_kind in ('table', 'partitioned table', 'foreign table')
  ),
  link as materialized (
    select child.inhparent as parent, child.inhrelid as child
    from pg_inherits as child
    join pg_class as heir on heir.oid = child.inhrelid and heir.relkind in ('r', 'p', 'f') and heir.relpersistence <> 't'
    where
      not child.inhdetachpending
      and (v_relatives is null or child.inhparent = any (v_relatives))
      and child.inhparent not in (
        select relation.table_oid from relation where relation.is_whole and relation.table_kind = 'table'
      )
  ),
  -- Most databases have no families; "union" visits a child of several parents once.
  descent (ancestor, member) as (
    select link.parent, link.parent from link
    union
    select descent.ancestor, link.child from descent join link on link.parent = descent.member
  ),
  stored as (
    select descent.ancestor, relation.*
    from descent
    join relation on relation.table_oid = descent.member and relation.table_kind <> 'partitioned table'
  ),
  parent as (
    select stored.ancestor, array_agg(stored.table_oid order by stored.table_oid) as members
    from stored
    group by stored.ancestor
  ),
  -- The root with the lowest OID, where a table has several.
  family as (
    select descent.member, min(descent.ancestor) as root
    from descent
    where descent.ancestor not in (select link.child from link)
    group by descent.member
  )
  select
    relation.table_oid,
    relation.schema_name,
    relation.table_name,
    relation.table_kind,
    relation.is_partition,
    relation.pages::bigint,
    relation.filenode,
    case relation.table_kind when 'partitioned table' then coalesce(parent.members, '{}'::oid[]) else parent.members end,
    family.root,
    relation.outcome = 'counted',
    relation.is_whole
  from relation
  left join parent on parent.ancestor = relation.table_oid
  left join family on family.member = relation.table_oid
  where
    (relation.outcome = 'counted' and relation.table_kind <> 'foreign table')
    -- Of what is foreign or left out, only what a parent has to add up.
    or relation.table_oid in (
      select stored.table_oid
      from stored
      join relation as counted
        on counted.table_oid = stored.ancestor
        and counted.outcome = 'counted'
        and counted.table_kind <> 'foreign table'
    );
end
$$;
comment on function nms_private.find_targets(jsonb, jsonb, oid[]) is
  'The tables that a run with this request has to read: those that it counts, foreign ones among them where a parent of theirs is counted, and those that are left out while a parent of theirs is counted. among: only these tables and their families.';
revoke execute on function nms_private.find_targets(jsonb, jsonb, oid[]) from public;
--! EndIncluded functions/count/find_targets.sql
--! Included functions/count/foreign_batches.sql
create or replace function nms_private.foreign_batches(targets nms_private.target[])
returns table (batch nms_private.target[])
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_servers constant bigint := bigint '8'; -- at a time
  v_tables constant bigint := bigint '16'; -- of each of them
begin
  return query
  select array_agg(placed.target order by placed.table_oid)
  from (
    select
      target,
      target.table_oid,
      case
        when wrapper.fdwname = 'postgres_fdw' then
          array[
            (dense_rank() over (partition by wrapper.fdwname = 'postgres_fdw' order by server.oid) - 1) / v_servers,
            (row_number() over (partition by server.oid order by target.table_oid) - 1) / v_tables
          ]
        -- Another wrapper may not ask several servers at once: nothing is gained by reading them together.
        else array[-1, target.table_oid::bigint]
      end as place
    from unnest(targets) as target
    join pg_foreign_table as foreign_table on foreign_table.ftrelid = target.table_oid
    join pg_foreign_server as server on server.oid = foreign_table.ftserver
    join pg_foreign_data_wrapper as wrapper on wrapper.oid = server.srvfdw
  ) as placed
  group by placed.place
  order by placed.place;
end
$$;
comment on function nms_private.foreign_batches(nms_private.target[]) is
  'These foreign tables, in groups that one statement counts: of at most eight servers, sixteen tables each.';
revoke execute on function nms_private.foreign_batches(nms_private.target[]) from public;
--! EndIncluded functions/count/foreign_batches.sql
--! Included functions/count/have_their_names.sql
create or replace function nms_private.have_their_names(targets nms_private.target[])
returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    bool_and(coalesce(to_regclass(format('%I.%I', target.schema_name, target.table_name)) = target.table_oid, false)), true
  )
  from unnest(have_their_names.targets) as target
$$;
comment on function nms_private.have_their_names(nms_private.target[]) is
  'Whether the name of each of these targets still stands for it.';
revoke execute on function nms_private.have_their_names(nms_private.target[]) from public;
--! EndIncluded functions/count/have_their_names.sql
--! Included functions/count/keep_foreign_counts.sql
create or replace function nms_private.keep_foreign_counts(
  run_id bigint,
  findings nms_private.finding[],
  is_beforehand boolean default false -- the run takes its errors from here, too
)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into nms_private.foreign_counts (
    table_oid, run_id, row_count, measured_at, is_sure, error_sqlstate, error_message
  )
  select
    found.table_oid,
    keep_foreign_counts.run_id,
    case when doubt.is_empty then 0 else found.own_row_count end,
    found.measured_at,
    not doubt.is_empty,
    case when not doubt.is_empty then found.error_sqlstate end,
    case when not doubt.is_empty then found.error_message end
  from unnest(findings) as found
  join pg_foreign_table as foreign_table on foreign_table.ftrelid = found.table_oid
  cross join lateral (select coalesce(found.error_sqlstate = 'NM004', false)) as doubt (is_empty)
  where
    found.own_row_count is not null
    or doubt.is_empty
    or (is_beforehand and found.error_sqlstate <> 'NM001')
  order by found.table_oid
  on conflict on constraint foreign_counts_pkey do update
  set
    row_count = excluded.row_count,
    measured_at = excluded.measured_at,
    is_sure = excluded.is_sure,
    error_sqlstate = excluded.error_sqlstate,
    error_message = excluded.error_message;

  delete from nms_private.foreign_counts as former
  where
    (former.table_oid, former.run_id) in (
      select older.table_oid, older.run_id
      from nms_private.foreign_counts as older
      where
        older.run_id < keep_foreign_counts.run_id
        and (
          older.row_count is null
          or older.table_oid in (
            select latest.table_oid
            from nms_private.foreign_counts as latest
            where latest.run_id = keep_foreign_counts.run_id and latest.row_count is not null
          )
          or not exists (select from pg_foreign_table as foreign_table where foreign_table.ftrelid = older.table_oid)
        )
      for update skip locked -- another run deletes it as well
    );
end
$$;
comment on function nms_private.keep_foreign_counts(bigint, nms_private.finding[], boolean) is
  'Keeps what a run has read of foreign tables, and no longer what earlier runs have. What read as empty all of a sudden (NM004) is kept as 0 that is not sure.';
revoke execute on function nms_private.keep_foreign_counts(bigint, nms_private.finding[], boolean) from public;
--! EndIncluded functions/count/keep_foreign_counts.sql
--! Included functions/count/measure.sql
create or replace function nms_private.measure(
  run_id bigint,
  among oid[],      -- only these tables and their families; null for all
  as_one boolean,   -- true: nothing is stored unless everything can be; false: the same for each family
  retryable text[], -- SQLSTATEs that keep a table and its family from being stored
  out tables_counted bigint,
  out rows_counted numeric,
  out changed_targets nms_private.target[],
  out locked_targets nms_private.target[],
  out findings nms_private.finding[] -- unless as_one: what has been found out that is still to be used
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reading nms_private.reading;
  v_counted record;
  v_sure record;
  v_stored record;
begin
  -- In a statement of its own: what these counters tell must not be younger than the snapshot that follows.
  -- An online run has read them before it queued anything.
  if as_one then
    v_reading := nms_private.read_counters(run_id => measure.run_id);
    if v_reading.read_at is not null then
      perform nms_private.vouch();
    end if;
  end if;
  v_counted := nms_private.count_under_one_snapshot(
    run_id => measure.run_id,
    among => measure.among,
    as_one => measure.as_one,
    retryable => measure.retryable,
    reading => v_reading
  );
  locked_targets := v_counted.locked_targets;
  v_sure := nms_private.retract_renamed(
    schema_places => v_counted.schema_places,
    retryable => measure.retryable,
    measured => v_counted.measured,
    changed_targets => v_counted.changed_targets
  );
  changed_targets := v_sure.changed_targets;

  -- Under one snapshot no two tables have one name.
  if not as_one then
    perform nms_private.retract_namesakes(run_id => measure.run_id, measured => v_sure.measured);
  end if;
  v_stored := nms_private.store_measurements(measured => v_sure.measured, as_one => measure.as_one);
  perform nms_private.store_filtered_counts(filtered => v_counted.filtered);
  tables_counted := v_stored.tables_counted;
  rows_counted := v_stored.rows_counted;

  findings := '{}';
  if cardinality(v_counted.findings) > 0 then
    perform nms_private.keep_foreign_counts(run_id => measure.run_id, findings => v_counted.findings);
    findings := array(
      select finding
      from unnest(v_counted.findings) as finding
      join (select unnest(v_sure.measured) as measurement) as stored
        on (stored.measurement).table_oid = finding.table_oid
        and (stored.measurement).own_row_count = finding.own_row_count
    );
  end if;
  -- What one claim keeps would lock out the others: an online run keeps all of it at its end.
  if as_one and findings <> '{}' then
    perform nms_private.keep_comparisons(run_id => measure.run_id, findings => measure.findings, reading => v_reading);
    perform nms_private.keep_bases(run_id => measure.run_id, findings => measure.findings, reading => v_reading);
  end if;
end
$$;
comment on function nms_private.measure(bigint, oid[], boolean, text[]) is
  'Counts tables of a run under one snapshot, adds up parents and stores the measurements: of each family all or nothing. Returns the targets that were not stored, because they, or others of their family, changed under the snapshot (NM001) or were locked (55P03) or are on another server and empty all of a sudden (NM004), where the caller names these as retryable. A table that does not exist any more leaves nothing. How long a count waits for a locked table: as the lock_timeout of the session says when as_one, otherwise 10 ms.';
revoke execute on function nms_private.measure(bigint, oid[], boolean, text[]) from public;
--! EndIncluded functions/count/measure.sql
--! Included functions/count/named_rules.sql
create or replace function nms_private.named_rules()
returns table (table_oid oid, schema_name text, table_name text)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 10
as $$
  with recursive named (table_oid, schema_name, table_name, distance) as (
    select relation.oid, rule.schema_name, rule.table_name, 0
    from nms.table_metrics_count_rules as rule
    join pg_namespace as schema on schema.nspname = rule.schema_name
    join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = rule.table_name
    where rule.table_name <> '*'
    union
    select child.inhrelid, named.schema_name, named.table_name, named.distance + 1
    from named
    join pg_inherits as child on child.inhparent = named.table_oid
  )
  select distinct on (named.table_oid) named.table_oid, named.schema_name, named.table_name
  from named
  order by named.table_oid, named.distance, named.schema_name, named.table_name
$$;
comment on function nms_private.named_rules() is
  'The tables for which a rule of nms.table_metrics_count_rules names them or a parent of theirs, the nearest, and that rule.';
revoke execute on function nms_private.named_rules() from public;
--! EndIncluded functions/count/named_rules.sql
--! Included functions/count/prepared_counts.sql
create or replace function nms_private.prepared_counts(run_id bigint)
returns setof nms_private.finding
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known record;
  v_found nms_private.finding;
begin
  for v_known in
    select known.*
    from nms_private.foreign_counts as known
    where known.run_id = prepared_counts.run_id and known.is_sure
  loop
    v_found.table_oid := v_known.table_oid;
    v_found.own_row_count := v_known.row_count;
    v_found.method := 'exact';
    v_found.measured_at := v_known.measured_at;
    v_found.error_sqlstate := v_known.error_sqlstate;
    v_found.error_message := v_known.error_message;
    return next v_found;
  end loop;
end
$$;
comment on function nms_private.prepared_counts(bigint) is
  'What a run has read of foreign tables already, as far as that is sure; nothing for null.';
revoke execute on function nms_private.prepared_counts(bigint) from public;
--! EndIncluded functions/count/prepared_counts.sql
--! Included functions/count/read_foreign.sql
-- Stable, as count_each; another server has a snapshot of its own, which it keeps until the transaction ends.
create or replace function nms_private.read_foreign(
  targets nms_private.target[],
  lock_timeout text, -- null: that of the session
  out row_counts bigint[],
  out error_sqlstate text,
  out error_message text
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
-- As in count_each, for the same reasons.
set row_security = off
set jit = off
as $$
declare
  v_is_counted boolean := false;
  v_counts text;
  v_names text;
  v_server text;
  v_context text;
  v_detail text;
begin
  select
    string_agg(
      format('select %s, count(*) from only %I.%I', part.place, part.schema_name, part.table_name),
      ' union all ' order by part.place
    ),
    string_agg(format('%I.%I', part.schema_name, part.table_name), ', ' order by part.place)
  into strict v_counts, v_names
  from unnest(read_foreign.targets) with ordinality
    as part (
      table_oid, schema_name, table_name, table_kind, is_partition, pages, filenode, members, family, is_reported, is_whole,
      place
    );

  begin
    perform
      set_config('transaction_read_only', 'on', true), -- as in count_each
      set_config('lock_timeout', coalesce(read_foreign.lock_timeout, current_setting('lock_timeout')), true);
    -- Asks all servers at once where they are async_capable, and each only for numbers; as a plain subquery, it would
    -- ask one after the other.
    execute format(
      'with counted (place, row_count) as materialized (%s) '
      'select array_agg(counted.row_count order by counted.place) from counted',
      v_counts
    ) into strict row_counts;
    v_is_counted := nms_private.have_their_names(targets => read_foreign.targets);
    -- What was locked over there, or written by a view, is rolled back as well.
    raise sqlstate 'NM002' using message = 'counted: release the locks';
  exception
    when query_canceled or assert_failure or others then
      if v_is_counted then
        return;
      end if;
      get stacked diagnostics
        error_sqlstate = returned_sqlstate,
        error_message = message_text,
        v_detail = pg_exception_detail,
        v_context = pg_exception_context;
  end;
  row_counts := null;

  -- What another server reports comes with the command that was sent there, above the line with our statement.
  if strpos(left(v_context, strpos(v_context, v_counts)), e'\n') > 0 then
    select string_agg(distinct quote_ident(server.srvname), ' or ')
    into v_server
    from unnest(read_foreign.targets) as target
    join pg_foreign_table as foreign_table on foreign_table.ftrelid = target.table_oid
    join pg_foreign_server as server on server.oid = foreign_table.ftserver
    join pg_foreign_data_wrapper as wrapper on wrapper.oid = server.srvfdw and wrapper.fdwname = 'postgres_fdw';
  end if;

  if error_sqlstate = '57014' and v_server is null then
    raise exception '%, while counting %', error_message, v_names
      using errcode = 'query_canceled', detail = coalesce(v_detail, '');
  end if;
  -- A transaction that has used a connection which is lost cannot be committed any more.
  if left(error_sqlstate, 2) = '08' and v_server is not null then
    raise exception 'server % went away while it counted %: %',
      v_server, v_names, regexp_replace(error_message, '\s+', ' ', 'g')
      using
        errcode = 'connection_failure',
        detail = coalesce(nullif(v_detail, ''), 'nothing of this transaction can be committed'),
        hint = 'Collect again when it is back; the online mode does so by itself.';
  end if;
  if not nms_private.have_their_names(targets => read_foreign.targets) then
    error_sqlstate := 'NM001';
    error_message := 'dropped or renamed after the snapshot was taken';
  elsif v_server is not null then
    error_sqlstate := case error_sqlstate when '57014' then 'HV000' else error_sqlstate end; -- none of this session
    error_message := format('server %s: %s', v_server, error_message);
  end if;
  if left(error_sqlstate, 2) in ('08', '2F') then
    error_message := concat_ws(': ', error_message, nullif(regexp_replace(v_detail, '\s+', ' ', 'g'), ''));
  end if;
  error_message := left(error_message, 2000);
end
$$;
comment on function nms_private.read_foreign(nms_private.target[], text) is
  'Counts these foreign tables in one statement: a number for each, or the SQLSTATE and message of why there is none for any of them. HV000: another server canceled its part. NM001: one of them is not the table that the calling query sees. Raises 57014 only when this session was canceled, and 08006 when the connection to another server was lost, after which the transaction cannot be committed.';
revoke execute on function nms_private.read_foreign(nms_private.target[], text) from public;
--! EndIncluded functions/count/read_foreign.sql
--! Included functions/count/record_failure.sql
create or replace function nms_private.record_failure(
  run_id bigint,
  target nms_private.target,
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
comment on function nms_private.record_failure(bigint, nms_private.target, text, text) is
  'Stores for one table of a run why it has no count.';
revoke execute on function nms_private.record_failure(bigint, nms_private.target, text, text) from public;
--! EndIncluded functions/count/record_failure.sql
--! Included functions/count/retract_namesakes.sql
-- Looked up one by one: a plan that joins them reads all that the run has stored, for each claim.
create or replace function nms_private.retract_namesakes(run_id bigint, measured nms.table_metrics_measurements[])
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from unnest(measured) as counted
    cross join lateral (
      select former.table_oid
      from nms.table_metrics_measurements as former
      where
        former.run_id = retract_namesakes.run_id
        and former.schema_name = counted.schema_name
        and former.table_name = counted.table_name
      offset 0
    ) as former
    where former.table_oid <> counted.table_oid
  ) then
    return;
  end if;

  delete from nms.table_metrics_measurements as former
  using unnest(measured) as counted
  where
    former.run_id = retract_namesakes.run_id
    and former.schema_name = counted.schema_name
    and former.table_name = counted.table_name
    and former.table_oid <> counted.table_oid;
end
$$;
comment on function nms_private.retract_namesakes(bigint, nms.table_metrics_measurements[]) is
  'Deletes what an online run has stored under the names of these measurements for other tables, which had those names before. Such a table is found, and counted again, when nothing is left in the queue.';
revoke execute on function nms_private.retract_namesakes(bigint, nms.table_metrics_measurements[]) from public;
--! EndIncluded functions/count/retract_namesakes.sql
--! Included functions/count/retract_renamed.sql
-- A schema is renamed without a lock on its tables: for a moment, a name may stand for a table of another schema. The
-- row that named the schema is not the latest one then, even when it has its old name again.
create or replace function nms_private.retract_renamed(
  schema_places tid[],
  retryable text[],
  inout measured nms.table_metrics_measurements[],
  inout changed_targets nms_private.target[]
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from unnest(schema_places) as seen (place) where currtid2('pg_catalog.pg_namespace', seen.place) <> seen.place
  ) then
    return;
  end if;

  if 'NM001' = any (retryable) then
    changed_targets := changed_targets || array(
      select
        row(
          counted.table_oid, counted.schema_name, counted.table_name, counted.table_kind, counted.is_partition,
          null, null, null, null, true, null
        )::nms_private.target
      from unnest(measured) as counted
    );
    measured := '{}';
  else
    measured := array(
      select
        row(
          counted.run_id, counted.schema_name, counted.table_name, null, null, null, null, null, null, 'exact',
          counted.measured_at, counted.table_kind, counted.is_partition, counted.table_oid,
          coalesce(counted.error_sqlstate, 'NM001'),
          coalesce(
            counted.error_message,
            'its schema, or one of those it was counted with, was renamed or altered meanwhile'
          ),
          null, null, null, null, null, null, null
        )::nms.table_metrics_measurements
      from unnest(measured) as counted
    );
  end if;
end
$$;
comment on function nms_private.retract_renamed(tid[], text[], nms.table_metrics_measurements[], nms_private.target[]) is
  'When one of these schemas was renamed or altered after its tables were looked up: no measurement stands. Its table is a changed target where NM001 is retryable, and has failed otherwise.';
revoke execute on function nms_private.retract_renamed(tid[], text[], nms.table_metrics_measurements[], nms_private.target[]) from public;
--! EndIncluded functions/count/retract_renamed.sql
--! Included functions/count/sizes_of.sql
-- The size functions wait for whoever has the table, its toast or an index exclusively; they release their locks at once.
create or replace function nms_private.sizes_of(table_oid oid, out table_bytes bigint, out index_bytes bigint)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 ms' -- a count is worth waiting for, its size is not
as $$
begin
  table_bytes := pg_table_size(sizes_of.table_oid);
  index_bytes := pg_indexes_size(sizes_of.table_oid);
exception
  -- Whatever it is, the count stands without a size. A cancel is none of these.
  when assert_failure or others then
    table_bytes := null;
    index_bytes := null;
end
$$;
comment on function nms_private.sizes_of(oid) is
  'Bytes of a table with its toast, free space and visibility maps, and bytes of its indexes, without partitions and children. Null when they are locked, gone or cannot be read.';
revoke execute on function nms_private.sizes_of(oid) from public;
--! EndIncluded functions/count/sizes_of.sql
--! Included functions/count/storage_states.sql
create or replace function nms_private.storage_states(among oid[])
returns table (
  table_oid oid,
  dead_rows bigint,
  frozen_age bigint,
  last_vacuum timestamptz,
  last_analyze timestamptz
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few that are asked for
as $$
begin
  return query
  select
    relation.oid,
    pg_stat_get_dead_tuples(relation.oid),
    -- 0 is that of what has no rows of its own: its age would be the greatest there is.
    greatest(
      case when relation.relfrozenxid <> '0' then age(relation.relfrozenxid) end,
      case when toast.relfrozenxid <> '0' then age(toast.relfrozenxid) end
    )::bigint,
    greatest(pg_stat_get_last_vacuum_time(relation.oid), pg_stat_get_last_autovacuum_time(relation.oid)),
    greatest(pg_stat_get_last_analyze_time(relation.oid), pg_stat_get_last_autoanalyze_time(relation.oid))
  from pg_class as relation
  left join pg_class as toast on toast.oid = relation.reltoastrelid
  where relation.oid = any (among);
end
$$;
comment on function nms_private.storage_states(oid[]) is
  'What the catalogue and the statistics know about each of these tables, without its partitions and children. Waits for no lock.';
revoke execute on function nms_private.storage_states(oid[]) from public;
--! EndIncluded functions/count/storage_states.sql
--! Included functions/count/store_measurements.sql
create or replace function nms_private.store_measurements(
  measured nms.table_metrics_measurements[],
  as_one boolean, -- true: nobody else stores any of this run meanwhile
  out tables_counted bigint,
  out rows_counted numeric
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if
    as_one
    and not exists (
      select from nms.table_metrics_measurements as former where former.run_id = (measured[1]).run_id
    )
  then
    -- In the order of the key, which lets the end of its index be appended to.
    with stored as (
      insert into nms.table_metrics_measurements as measurement
      select counted.*
      from unnest(store_measurements.measured) as counted
      order by counted.schema_name, counted.table_name
      returning measurement.own_row_count
    )
    select count(*), coalesce(sum(stored.own_row_count), 0)
    into strict tables_counted, rows_counted
    from stored;
    return;
  end if;

  with stored as (
    insert into nms.table_metrics_measurements as measurement
    select counted.*
    from unnest(store_measurements.measured) as counted
    order by counted.schema_name, counted.table_name
    -- Somebody may have counted a table before it came into its family.
    on conflict on constraint table_metrics_measurements_pkey do update
    set
      table_kind = excluded.table_kind,
      is_partition = excluded.is_partition,
      row_count = excluded.row_count,
      own_row_count = excluded.own_row_count,
      measured_at = excluded.measured_at,
      error_sqlstate = excluded.error_sqlstate,
      error_message = excluded.error_message,
      method = excluded.method,
      carried_from_run = excluded.carried_from_run,
      row_count_low = excluded.row_count_low,
      row_count_high = excluded.row_count_high,
      total_bytes = excluded.total_bytes,
      table_bytes = excluded.table_bytes,
      index_bytes = excluded.index_bytes,
      own_total_bytes = excluded.own_total_bytes,
      dead_rows = excluded.dead_rows,
      frozen_age = excluded.frozen_age,
      last_vacuum = excluded.last_vacuum,
      last_analyze = excluded.last_analyze
    where
      measurement.table_oid = excluded.table_oid
      and exists (
        select from pg_inherits where excluded.table_oid in (inhrelid, inhparent)
      )
    returning measurement.own_row_count
  )
  select count(*), coalesce(sum(stored.own_row_count), 0)
  into strict tables_counted, rows_counted
  from stored;
end
$$;
comment on function nms_private.store_measurements(nms.table_metrics_measurements[], boolean) is
  'Stores these measurements, and returns how many tables and rows they are. Of a table that has one already, the later one stays when it belongs to a family, which was counted together; otherwise the former.';
revoke execute on function nms_private.store_measurements(nms.table_metrics_measurements[], boolean) from public;
--! EndIncluded functions/count/store_measurements.sql
--! Included functions/count/targets_left.sql
create or replace function nms_private.targets_left(targets nms_private.target[], findings nms_private.finding[])
returns nms_private.target[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if findings = '{}' then
    return targets;
  end if;
  return array(
    select target
    from unnest(targets) as target
    where target.table_oid not in (select finding.table_oid from unnest(findings) as finding)
  );
end
$$;
comment on function nms_private.targets_left(nms_private.target[], nms_private.finding[]) is
  'Those of these targets that have no finding yet.';
revoke execute on function nms_private.targets_left(nms_private.target[], nms_private.finding[]) from public;
--! EndIncluded functions/count/targets_left.sql
--! Included functions/count/validate_count_rule.sql
create or replace function nms_private.validate_count_rule()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.method = 'maintained' then
    raise exception 'no rule maintains a count'
      using
        errcode = 'check_violation',
        detail = 'expected exact, carried or estimate',
        hint = format(
          'Triggers do, which the table''s owner lets it have: select nms.maintain_count(%L);',
          case new.table_name when '*' then 'public.orders' else format('%I.%I', new.schema_name, new.table_name) end
        );
  end if;

  -- It may be created later.
  if
    new.schema_name <> '*'
    and not exists (
      select
      from pg_namespace as schema
      where
        schema.nspname = new.schema_name
        and (
          new.table_name = '*'
          or exists (
            select
            from pg_class as relation
            where
              relation.relnamespace = schema.oid
              and relation.relname = new.table_name
              and relation.relkind in ('r', 'p', 'f')
          )
        )
    )
  then
    raise notice 'rule for %.%: there is no such %',
      new.schema_name, new.table_name, case new.table_name when '*' then 'schema' else 'table' end
      using hint = 'Names are written as the catalogue does, without quotes. Until there is one, the rule says nothing.';
  end if;
  return new;
end
$$;
comment on function nms_private.validate_count_rule() is
  'Trigger function that refuses a rule to maintain a count, and tells of one whose table or schema does not exist.';
revoke execute on function nms_private.validate_count_rule() from public;
--! EndIncluded functions/count/validate_count_rule.sql
--! Included functions/count/was_empty.sql
create or replace function nms_private.was_empty(table_oid oid)
returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (
      -- This transaction itself would read it under the same snapshot again.
      select known.row_count = 0 and known.measured_at < transaction_timestamp()
      from nms_private.foreign_counts as known
      where known.table_oid = was_empty.table_oid and known.row_count is not null
      order by known.measured_at desc
      limit 1
    ),
    false
  )
$$;
comment on function nms_private.was_empty(oid) is
  'Whether a foreign table was read as empty when it was last read, in a transaction that had looked before this one began.';
revoke execute on function nms_private.was_empty(oid) from public;
--! EndIncluded functions/count/was_empty.sql
--! Included functions/deliver/alert_groups.sql
create or replace function nms_private.alert_groups(alerts nms.table_metrics_alert_log[])
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'kind', found.kind,
        'schema_name', found.schema_name,
        'table_name', found.table_name,
        'filter_name', found.filter_name,
        'alerts', found.alerts,
        'tables', to_jsonb(found.tables),
        'detail', left(found.detail, 500),
        'opened_at', found.opened_at,
        'opened_by_run', found.opened_by_run,
        'closed_at', found.closed_at,
        'closed_by_run', found.closed_by_run,
        'alert_id', (found.alert).alert_id,
        'row_count', (found.alert).row_count,
        'expected_low', (found.alert).expected_low,
        'expected_high', (found.alert).expected_high
      )
      order by found.kind, found.schema_name nulls first, found.table_name, found.filter_name nulls first
    ),
    '[]'
  )
  from nms_private.grouped_alerts(alerts => alert_groups.alerts) as found
$$;
comment on function nms_private.alert_groups(nms.table_metrics_alert_log[]) is
  'Alerts as a message has them: put together by nms_private.grouped_alerts(), alert_id and the numbers where an entry is a single one.';
revoke execute on function nms_private.alert_groups(nms.table_metrics_alert_log[]) from public;
--! EndIncluded functions/deliver/alert_groups.sql
--! Included functions/deliver/message_of_run.sql
create or replace function nms_private.message_of_run(run_id bigint)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  given as (
    select run.*
    from nms.table_metrics_runs as run
    where run.run_id = message_of_run.run_id and run.finished_at is not null and not run.is_imported
  ),
  earlier as (
    select run.status, run.snapshot_date, run.error_message
    from nms.table_metrics_runs as run
    where run.run_id < message_of_run.run_id and run.finished_at is not null and not run.is_imported
    order by run.run_id desc
    limit 1
  ),
  told as (
    select
      nms_private.alert_groups(
        alerts => array(select log from nms.table_metrics_alert_log as log where log.opened_by_run = given.run_id)
      ) as opened,
      nms_private.alert_groups(
        alerts => array(select log from nms.table_metrics_alert_log as log where log.closed_by_run = given.run_id)
      ) as closed,
      case given.status
        -- A job is tried again within minutes, and fails again.
        when 'FAILED' then not exists (
          select
          from earlier
          where
            earlier.status = 'FAILED'
            and earlier.snapshot_date = given.snapshot_date
            and earlier.error_message is not distinct from given.error_message
        )
        else exists (select from earlier where earlier.status = 'FAILED')
      end as is_news
    from given
  )
  select jsonb_build_object(
    'type', case given.status when 'FAILED' then 'run.failed' else 'run.succeeded' end,
    'timestamp', given.finished_at,
    'data', jsonb_build_object(
      'database', current_database(),
      'run', jsonb_build_object(
        'run_id', given.run_id,
        'snapshot_date', given.snapshot_date,
        'status', given.status,
        'error_message', left(given.error_message, 500),
        'collected_at', given.collected_at,
        'finished_at', given.finished_at,
        'is_after_failure', exists (select from earlier where earlier.status = 'FAILED')
      ) || case given.status when 'SUCCEEDED' then nms_private.run_totals(run_id => given.run_id) else '{}' end,
      'opened', told.opened,
      'closed', told.closed,
      'open_alerts', (select count(*) from nms.table_metrics_alerts)
    )
  )
  from given
  cross join told
  where told.is_news or told.opened <> '[]' or told.closed <> '[]'
$$;
comment on function nms_private.message_of_run(bigint) is
  'What a webhook is told about a run that has ended: {type, timestamp, data: {database, run, opened, closed, open_alerts}}, the alerts that it has opened and closed as nms_private.grouped_alerts() puts them together. Null when there is nothing to tell: no alert, and it succeeded like the run before it, or failed like that on the same day and for the same reason.';
revoke execute on function nms_private.message_of_run(bigint) from public;
--! EndIncluded functions/deliver/message_of_run.sql
--! Included functions/deliver/settle_message.sql
create or replace function nms_private.settle_message(
  ticket uuid,
  problem text default null,
  is_final boolean default false
)
returns void
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  update nms_private.messages as message
  set
    taken_at = null,
    ticket = null,
    sent_at = case when settle_message.problem is null then clock_timestamp() end,
    given_up_at = case
      when settle_message.problem is null then null
      when settle_message.is_final then clock_timestamp()
      else message.given_up_at
    end,
    problem = left(settle_message.problem, 1000)
  where message.ticket = settle_message.ticket
$$;
comment on function nms_private.settle_message(uuid, text, boolean) is
  'Says how the sending of a message went. ticket: from nms_private.take_message(); nothing happens when somebody else has taken it since. problem: why it failed, null when it was sent. is_final: no other try would help.';
revoke execute on function nms_private.settle_message(uuid, text, boolean) from public;
--! EndIncluded functions/deliver/settle_message.sql
--! Included functions/deliver/take_message.sql
create or replace function nms_private.take_message(
  about text,
  out state text,
  out message_id uuid,
  out body jsonb,
  out ticket uuid
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- on a session that takes it as well
as $$
begin
  update nms_private.messages as message
  set taken_at = clock_timestamp(), ticket = gen_random_uuid()
  where
    message.about = take_message.about
    and message.body is not null
    and message.sent_at is null
    and message.given_up_at is null
    -- Who has taken it for longer is dead.
    and (message.taken_at > clock_timestamp() - interval '1 minute') is not true
  returning message.message_id, message.body, message.ticket
  into take_message.message_id, take_message.body, take_message.ticket;
  state := case
    when found then 'taken'
    when exists (
      select
      from nms_private.messages as message
      where message.about = take_message.about and message.taken_at is not null and message.given_up_at is null
    ) then 'busy'
    else 'done'
  end;
end
$$;
comment on function nms_private.take_message(text) is
  'Lets one caller send a message. state: taken, the caller is to send the body and to say how that went, by nms_private.settle_message() with this ticket, within a minute; busy, somebody else does; done, there is nothing to send.';
revoke execute on function nms_private.take_message(text) from public;
--! EndIncluded functions/deliver/take_message.sql
--! Included functions/deliver/write_digest.sql
create or replace function nms_private.write_digest(slot timestamptz default now())
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- on a session that writes the same
as $$
declare
  -- By the clock of the schedule: the slots of a week lie in a week of their own, whatever the business clock says.
  v_about constant text := 'digest ' || date_trunc('week', write_digest.slot at time zone 'UTC')::date;
  v_until constant timestamptz := least(write_digest.slot, now());
begin
  -- An hour more where the clock of a worker is ahead, and a day where one was away.
  if (write_digest.slot between now() - interval '8 days' and now() + interval '1 hour') is not true then
    raise exception 'slot % of a weekly digest: expected one of the last eight days', coalesce(write_digest.slot::text, 'null')
      using errcode = 'invalid_parameter_value';
  end if;
  insert into nms_private.messages (about, body)
  select
    v_about,
    jsonb_build_object(
      'type', 'digest.weekly',
      'timestamp', v_until,
      'data', nms.period_report(until => (v_until at time zone settings.business_time_zone)::date, at_most => 0)
        - '{daily,tables,more_tables}'::text[]
    )
  from nms.table_metrics_settings as settings
  where not exists (select from nms_private.messages as message where message.about = v_about)
  on conflict (about) do nothing;
  return v_about;
end
$$;
comment on function nms_private.write_digest(timestamptz) is
  'Writes a message about the seven business days up to that of a slot of the schedule, as nms.period_report() has them, unless there is one already for that week, which begins on Monday in UTC. 22023: the slot is older than eight days, or in the future. Returns what it is about.';
revoke execute on function nms_private.write_digest(timestamptz) from public;
--! EndIncluded functions/deliver/write_digest.sql
--! Included functions/deliver/write_messages.sql
create or replace function nms_private.write_messages()
returns setof text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- on a session that writes the same
as $$
declare
  -- Where nobody was told until now, nothing but the last run is news; and never what is older than a day.
  v_after constant timestamptz := greatest(
    now() - interval '1 day',
    coalesce(
      (select min(message.written_at) from nms_private.messages as message where message.about not like 'digest %'),
      (
        select run.finished_at - interval '1 microsecond'
        from nms.table_metrics_runs as run
        where run.finished_at is not null and not run.is_imported
        order by run.finished_at desc
        limit 1
      )
    )
  );
begin
  delete from nms_private.messages as message where message.written_at < now() - interval '31 days';
  update nms_private.messages as message
  set given_up_at = now(), taken_at = null
  where
    message.body is not null
    and message.sent_at is null
    and message.given_up_at is null
    and message.written_at < now() - interval '3 days';

  insert into nms_private.messages (about, body)
  select 'run ' || run.run_id, nms_private.message_of_run(run_id => run.run_id)
  from nms.table_metrics_runs as run
  where
    run.finished_at > v_after
    and not run.is_imported
    and not exists (select from nms_private.messages as message where message.about = 'run ' || run.run_id)
  order by run.run_id
  limit 100 -- the next call writes the others
  on conflict (about) do nothing;

  insert into nms_private.messages (about, body)
  select
    'alert ' || log.alert_id,
    jsonb_build_object(
      'type', 'run.late',
      'timestamp', log.opened_at,
      'data', jsonb_build_object(
        'database', current_database(),
        'run', null,
        'opened', nms_private.alert_groups(alerts => array[log]),
        'closed', jsonb '[]',
        'open_alerts', (select count(*) from nms.table_metrics_alerts)
      )
    )
  from nms.table_metrics_alert_log as log
  where
    log.kind = 'run_late'
    and log.opened_by_run is null
    and log.closed_at is null
    and log.opened_at > now() - interval '31 days' -- what was told before is deleted by then
  on conflict (about) do nothing;

  return query
  select message.about
  from nms_private.messages as message
  where message.body is not null and message.sent_at is null and message.given_up_at is null
  order by message.about like 'digest %', message.written_at, message.about
  limit 100;
end
$$;
comment on function nms_private.write_messages() is
  'Writes what there is to tell since the last call, about runs that have ended in the last day and results that are missing, and returns what the messages are about that wait to be sent: 100 at most, the oldest first, digests last. Gives up those that could not be sent for three days, and deletes those of 31. Called where a webhook is configured.';
revoke execute on function nms_private.write_messages() from public;
--! EndIncluded functions/deliver/write_messages.sql
--! Included functions/doctor/collecting_call.sql
create or replace function nms_private.collecting_call(payload jsonb)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format(
    'select * from nms.collect_table_metrics(%s);',
    concat_ws(
      ', ',
      'skip => ' || quote_literal(nullif(request.skipped, '[]')),
      'exclude => ' || quote_literal(nullif(request.excluded, '[]'))
    )
  )
  from nms_private.job_request(payload => collecting_call.payload) as request
$$;
comment on function nms_private.collecting_call(jsonb) is
  'The statement that counts what a job with this payload would count.';
revoke execute on function nms_private.collecting_call(jsonb) from public;
--! EndIncluded functions/doctor/collecting_call.sql
--! Included functions/doctor/counting_role.sql
create or replace function nms_private.counting_role()
returns oid
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select routine.proowner
  from pg_proc as routine
  where routine.pronamespace = 'nms'::regnamespace and routine.proname = 'collect_table_metrics'
$$;
comment on function nms_private.counting_role() is
  'The role whose rights decide what a run may read: the owner of nms.collect_table_metrics.';
revoke execute on function nms_private.counting_role() from public;
--! EndIncluded functions/doctor/counting_role.sql
--! Included functions/doctor/family_members.sql
create or replace function nms_private.family_members(targets nms_private.target[])
returns table (ancestor oid, member oid)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with recursive
  target as materialized (
    select given.table_oid, given.is_whole
    from unnest(family_members.targets) as given
    where given.table_kind <> 'partitioned table' -- which is added up
  ),
  descent (ancestor, member) as (
    select target.table_oid, target.table_oid from target where target.is_whole
    union
    select descent.ancestor, child.inhrelid
    from descent
    join pg_inherits as child on child.inhparent = descent.member
  )
  select target.table_oid, target.table_oid from target where not target.is_whole
  union all
  select descent.ancestor, descent.member from descent
$$;
comment on function nms_private.family_members(nms_private.target[]) is
  'What one statement reads for each of these targets, and so locks until it ends: the table itself and, where an extension keeps its rows elsewhere, its children.';
revoke execute on function nms_private.family_members(nms_private.target[]) from public;
--! EndIncluded functions/doctor/family_members.sql
--! Included functions/doctor/find_problems.sql
-- One function per problem, all alike: what they need in common is found once.
-- After an update by another role, the owner of this one may have no right on new ones.
create or replace function nms.find_problems(payload jsonb default '{}')
returns table (severity text, problem text, subject text, detail text, remedy text)
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling this takes longer than running it
as $$
declare
  v_targets nms_private.target[];
  v_today date;
begin
  select coalesce(array_agg(target), '{}') into v_targets
  from nms_private.job_request(payload => find_problems.payload) as request
  cross join nms_private.find_targets(skip => request.skipped, exclude => request.excluded) as target;

  v_today := nms_private.known_business_date();

  return query
  with found as (
    select * from nms_private.lint_carries_nothing(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_carrying_is_kept_waiting(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_changes_not_counted(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_count_differs(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_count_not_maintained(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_count_rule_names_nothing(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_filter_not_counted(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_key_runs_out(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_last_run_failed(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_machinery_is_counted(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_malformed_payload(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_message_not_sent(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_no_run_today(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_notes_are_not_folded(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_nothing_to_count(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_other_server_may_keep_runs_waiting(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_owned_by_superuser(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_owner_lacks_right(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_run_abandoned(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_runs_functions_of_others(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_server_is_read_only(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_servers_are_asked_in_turn(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_table_not_readable(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_table_thinned_by_policies(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_time_is_limited(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_time_zone_unknown(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_too_few_locks(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_user_mapping_missing(payload => find_problems.payload, targets => v_targets, today => v_today)
    union all select * from nms_private.lint_wraparound_ahead(payload => find_problems.payload, targets => v_targets, today => v_today)
  )
  select found.* from found order by found.severity, found.problem collate "C", found.subject collate "C";
exception
  when insufficient_privilege then
    return query
    select
      'error', 'owner_lacks_right', 'nms.find_problems',
      format('%I owns it, and may not look at everything: %s', current_user, sqlerrm),
      format(
        'grant usage on schema nms, nms_private to %1$I; '
        'grant select on all tables in schema nms, nms_private to %1$I; '
        'grant execute on all functions in schema nms, nms_private to %1$I;',
        current_user
      );
end
$$;
comment on function nms.find_problems(jsonb) is
  'What would make a run fail, or its result misleading, and the statement that mends it. payload: the request of the run, as that of a graphile-worker job. severity: error (a run fails, or has failed and its day has no result) or warning. No row: nothing to mend. Changes nothing and locks no table.';
revoke execute on function nms.find_problems(jsonb) from public;
--! EndIncluded functions/doctor/find_problems.sql
--! Included functions/doctor/find_strange_jobs.sql
-- Security invoker: the rights that count are those of the worker, who asks. Whoever asks has made sure before, with
-- find_worker_problems, that nothing of a stranger lies in that schema.
create or replace function nms_private.find_strange_jobs(tasks text[], worker_schema text default 'graphile_worker')
returns table (task text, jobs bigint, remedy text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass(format('%I._private_tasks', find_strange_jobs.worker_schema)) is null then
    return;
  end if;
  return query execute format(
    $query$
      select
        task.identifier,
        count(*),
        format(
          'select %%s.complete_jobs(array(select id from %%s.jobs where task_identifier = %%L)); and add them as %%s',
          $2, $2, task.identifier, array_to_string($1, ' or ')
        )
      from %1$s._private_jobs as job
      join %1$s._private_tasks as task on task.id = job.task_id
      where nms_private.is_misspelt(name => task.identifier, names => $1)
      group by task.identifier
      order by task.identifier collate "C"
    $query$,
    quote_ident(find_strange_jobs.worker_schema)
  ) using find_strange_jobs.tasks, quote_ident(find_strange_jobs.worker_schema);
end
$$;
comment on function nms_private.find_strange_jobs(text[], text) is
  'Jobs that wait for a task which nobody has, because its name is one of ours with a typing error; and the statement that takes them away. tasks: the names of ours. worker_schema: that of graphile-worker, of which the caller needs to read its jobs and tasks. Jobs for the tasks of others are none of them.';
revoke execute on function nms_private.find_strange_jobs(text[], text) from public;
--! EndIncluded functions/doctor/find_strange_jobs.sql
--! Included functions/doctor/find_worker_problems.sql
-- Security invoker: the rights that count are those of the worker, who asks.
create or replace function nms_private.find_worker_problems(worker_schema text default 'graphile_worker')
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  schema as (
    select
      found.*,
      quote_ident(found.nspname) as name,
      found.nspowner::regrole::text as owner,
      pg_has_role(found.nspowner, 'usage') as is_ours
    from pg_namespace as found
    where found.nspname = find_worker_problems.worker_schema
  ),
  -- Functions, triggers and views run with the rights of whoever uses them. Whoever may add one later counts as well.
  left_by (object, role, way_out) as (
    select 'schema ' || schema.name, schema.nspowner, null
    from schema

    union all
    select format('%s %s', case relation.relkind when 'v' then 'view' else 'table' end, relation.oid::regclass), relation.relowner, null
    from schema
    join pg_class as relation on relation.relnamespace = schema.oid
    where relation.relkind in ('r', 'p', 'v', 'm', 'f')

    union all
    select format('function %s', routine.oid::regprocedure), routine.proowner, null
    from schema
    join pg_proc as routine on routine.pronamespace = schema.oid

    union all
    select format('type %s', type.oid::regtype), type.typowner, null
    from schema
    join pg_type as type on type.typnamespace = schema.oid
    where type.typelem = 0 and type.typrelid = 0

    union all
    select
      format('trigger %I on %s', trigger.tgname, relation.oid::regclass),
      routine.proowner,
      format('drop trigger %I on %s', trigger.tgname, relation.oid::regclass)
    from schema
    join pg_class as relation on relation.relnamespace = schema.oid
    join pg_trigger as trigger on trigger.tgrelid = relation.oid
    join pg_proc as routine on routine.oid = trigger.tgfoid
    where not trigger.tgisinternal

    union all
    select
      format('the right to create in schema %s', schema.name),
      granted.grantee,
      format('revoke create on schema %s from %s', schema.name, coalesce(nullif(granted.grantee, 0)::regrole::text, 'public'))
    from schema
    cross join aclexplode(schema.nspacl) as granted
    where granted.privilege_type = 'CREATE'

    union all
    select
      format('the right to create triggers on %s', relation.oid::regclass),
      granted.grantee,
      format('revoke trigger on %s from %s', relation.oid::regclass, coalesce(nullif(granted.grantee, 0)::regrole::text, 'public'))
    from schema
    join pg_class as relation on relation.relnamespace = schema.oid
    cross join aclexplode(relation.relacl) as granted
    where granted.privilege_type = 'TRIGGER' and relation.relkind in ('r', 'p', 'v')
  ),
  of_strangers as (
    select left_by.*, coalesce(nullif(left_by.role, 0)::regrole::text, 'everybody') as owner
    from left_by
    where not nms_private.worker_trusts(role => left_by.role)
  ),
  needed (relation, privilege, command) as (
    values
      ('migrations', 'select', 'r'),
      ('jobs', 'select', null),
      ('_private_jobs', 'select', 'r'), ('_private_jobs', 'insert', 'a'), ('_private_jobs', 'update', 'w'), ('_private_jobs', 'delete', 'd'),
      ('_private_job_queues', 'select', 'r'), ('_private_job_queues', 'insert', 'a'), ('_private_job_queues', 'update', 'w'),
      ('_private_tasks', 'select', 'r'), ('_private_tasks', 'insert', 'a'),
      ('_private_known_crontabs', 'select', 'r'), ('_private_known_crontabs', 'insert', 'a'), ('_private_known_crontabs', 'update', 'w')
  ),
  missing (what) as (
    select format('usage on schema %s', schema.name)
    from schema
    where not has_schema_privilege(schema.oid, 'usage')

    union all
    select
      case
        when relation.oid is null then format('the table %s.%I', schema.name, needed.relation)
        when not has_table_privilege(relation.oid, needed.privilege)
          then format('%s on %s.%I', needed.privilege, schema.name, needed.relation)
        else format('a policy for %s on %s.%I', needed.privilege, schema.name, needed.relation)
      end
    from schema
    cross join needed
    left join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = needed.relation
    where
      relation.oid is null
      or not has_table_privilege(relation.oid, needed.privilege)
      or (
        row_security_active(relation.oid)
        and not exists (
          select
          from pg_policy as policy
          where
            policy.polrelid = relation.oid
            and policy.polpermissive
            and policy.polcmd in ('*', needed.command::"char")
            and exists (
              select
              from unnest(policy.polroles) as role
              where case when role = 0 then true else pg_has_role(role, 'usage') end
            )
        )
      )

    union all
    select format('execute on function %s', routine.oid::regprocedure)
    from schema
    join pg_proc as routine on routine.pronamespace = schema.oid
    where
      routine.proname in ('add_job', 'add_jobs', 'force_unlock_workers')
      and not has_function_privilege(routine.oid, 'execute')
  ),
  found (severity, problem, subject, detail, remedy) as (
    (
      select
        'warning', 'worker_schema_of_stranger', stranger.object,
        format(
          '%s belongs to %s, who would get the rights of %s: a worker runs what lies in that schema',
          stranger.object, stranger.owner, quote_ident(current_user)
        ),
        coalesce(
          stranger.way_out,
          format(
            'run the worker as %s, or with a schema of its own: table-metrics worker --schema table_metrics_jobs',
            stranger.owner
          )
        )
      from of_strangers as stranger
    )

    union all
    (
      select
        'warning', 'worker_not_permitted', quote_ident(current_user),
        format('a worker as %s lacks %s', quote_ident(current_user), string_agg(missing.what, ', ' order by missing.what collate "C")),
        format(
          'grant table_metrics_worker to %s; and, as %s: psql -v ON_ERROR_STOP=1%s -f migrations/worker_roles.sql',
          quote_ident(current_user), schema.owner,
          case
            when schema.nspname <> 'graphile_worker' then format(' -c "set nms.worker_schema = %L"', schema.nspname)
          end
        )
      from schema
      cross join missing
      where
        not schema.is_ours
        -- Nothing is there yet, and the worker may install it: "create schema if not exists" needs the right on the database.
        and not (
          has_database_privilege(current_database(), 'create')
          and has_schema_privilege(schema.oid, 'usage')
          and has_schema_privilege(schema.oid, 'create')
          and not exists (select from pg_class as relation where relation.relnamespace = schema.oid)
        )
      group by schema.owner, schema.nspname
    )

    union all
    select
      'warning', 'worker_not_permitted', quote_ident(current_user),
      format('there is no schema %I, and %I may not create it', find_worker_problems.worker_schema, current_user),
      format('grant create on database %I to %I', current_database(), current_user)
    where not exists (select from schema) and not has_database_privilege(current_database(), 'create')
  )
  select found.* from found order by found.problem = 'worker_not_permitted', found.subject not like 'schema %', found.subject collate "C"
$$;
comment on function nms_private.find_worker_problems(text) is
  'Why a worker that connects as the current user must not or cannot use the schema of graphile-worker, and the statement that mends it. worker_schema: its name. problem: worker_schema_of_stranger, something in it belongs to somebody who would gain the rights of the worker; worker_not_permitted, a right is missing. A worker does not start with either. No row: nothing to mend. Reads nothing but the catalogue.';
revoke execute on function nms_private.find_worker_problems(text) from public;
--! EndIncluded functions/doctor/find_worker_problems.sql
--! Included functions/doctor/is_misspelt.sql
create or replace function nms_private.is_misspelt(name text, names text[])
returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    is_misspelt.name <> all (is_misspelt.names)
    and length(is_misspelt.name) < 100
    and (
      lower(is_misspelt.name) ~ 'table[^a-z]*metric'
      -- Without one letter each they are the same: one was left out, added, replaced, or took the place of its neighbour.
      or exists (
        select
        from unnest(is_misspelt.names) as known (name)
        cross join generate_series(0, length(known.name)) as in_known
        cross join generate_series(0, length(is_misspelt.name)) as in_given
        where
          substr(known.name, 1, greatest(in_known - 1, 0)) || substr(known.name, in_known + 1)
            = substr(is_misspelt.name, 1, greatest(in_given - 1, 0)) || substr(is_misspelt.name, in_given + 1)
      )
    )
$$;
comment on function nms_private.is_misspelt(text, text[]) is
  'True for what is none of these names, but likely meant to be one: it speaks of table metrics, or is but a letter away from one of them.';
revoke execute on function nms_private.is_misspelt(text, text[]) from public;
--! EndIncluded functions/doctor/is_misspelt.sql
--! Included functions/doctor/job_request.sql
create or replace function nms_private.job_request(payload jsonb)
returns table (problem text, skipped jsonb, excluded jsonb)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    malformed.problem,
    coalesce(usable.payload -> 'skipSchemas', '[]'),
    coalesce(usable.payload -> 'exclude', '[]')
  from nms_private.validate_job(payload => coalesce(job_request.payload, '{}')) as malformed (problem)
  cross join lateral (select case when malformed.problem is null then job_request.payload end) as usable (payload)
$$;
comment on function nms_private.job_request(jsonb) is
  'What a run for this payload would leave out, and what is wrong with the payload: such a one leaves nothing out. problem: null when nothing is.';
revoke execute on function nms_private.job_request(jsonb) from public;
--! EndIncluded functions/doctor/job_request.sql
--! Included functions/doctor/known_business_date.sql
create or replace function nms_private.known_business_date()
returns date
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_zone text := (select settings.business_time_zone from nms.table_metrics_settings as settings);
begin
  if nms_private.is_time_zone(name => v_zone) then
    return nms.business_date();
  end if;
  return null;
end
$$;
comment on function nms_private.known_business_date() is
  'The business day of now; null where this server does not know the business time zone.';
revoke execute on function nms_private.known_business_date() from public;
--! EndIncluded functions/doctor/known_business_date.sql
--! Included functions/doctor/lint/lint_carries_nothing.sql
create or replace function nms_private.lint_carries_nothing(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select 'warning', 'carries_nothing', reason.subject, reason.detail, reason.remedy
  from pg_roles as counting
  cross join lateral (
    select
      'PostgreSQL ' || current_setting('server_version'),
      'rules say that counts are carried, and before PostgreSQL 15 the counters of a server may lose changes: every table is counted',
      'delete from nms.table_metrics_count_rules where method = ''carried''; -- or upgrade the server'
    where current_setting('server_version_num')::integer < 150000
    union all
    select
      counting.rolname::text,
      format(
        'rules say that counts are carried, and %I, which counts, may not see whether sessions of others have ended their transactions: every table is counted',
        counting.rolname
      ),
      format('grant pg_read_all_stats to %I;', counting.rolname)
    where not pg_has_role(counting.oid, 'pg_read_all_stats', 'usage')
  ) as reason (subject, detail, remedy)
  where
    counting.oid = (select nms_private.counting_role())
    and exists (select from nms.table_metrics_count_rules as rule where rule.method = 'carried')
$$;
comment on function nms_private.lint_carries_nothing(jsonb, nms_private.target[], date) is
  'Rules let counts be carried, and nothing ever is: the server is too old, or the role that counts does not see what sessions do.';
revoke execute on function nms_private.lint_carries_nothing(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_carries_nothing.sql
--! Included functions/doctor/lint/lint_carrying_is_kept_waiting.sql
create or replace function nms_private.lint_carrying_is_kept_waiting(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'carrying_is_kept_waiting', format('session %s', session.pid),
    format(
      '%s: %s, its transaction has been open for %s. A run before it ends counts %s instead of carrying: the session may not have told yet what it changed before',
      session.name,
      session.state,
      date_trunc('second', statement_timestamp() - session.since),
      case session.tables when 1 then '1 table' else format('%s tables', session.tables) end
    ),
    format('select pg_terminate_backend(%s); -- when nobody needs that transaction any more', session.pid)
  from nms_private.transactions_in_the_way(open_for => '5 minutes') as session
  where exists (select from nms.table_metrics_count_rules as rule where rule.method = 'carried')
$$;
comment on function nms_private.lint_carrying_is_kept_waiting(jsonb, nms_private.target[], date) is
  'Counts are carried, and a transaction that has been open for more than 5 minutes would keep a run from it.';
revoke execute on function nms_private.lint_carrying_is_kept_waiting(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_carrying_is_kept_waiting.sql
--! Included functions/doctor/lint/lint_changes_not_counted.sql
create or replace function nms_private.lint_changes_not_counted(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  configured as (
    select
      nullif(setting.setdatabase, 0) as database,
      nullif(setting.setrole, 0) as role
    from pg_db_role_setting as setting
    cross join lateral unnest(setting.setconfig) as entry (value)
    where
      case when entry.value like 'track\_counts=%' then not split_part(entry.value, '=', 2)::boolean end
      and setting.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  ),
  found (subject, detail, remedy) as (
    select
      'track_counts',
      'it is off for the server: nobody counts what changes in a table',
      'alter system set track_counts = on; -- then: select pg_reload_conf();'
    from pg_settings as setting
    where
      setting.name = 'track_counts'
      and setting.reset_val = 'off'
      and not exists (
        select from configured where coalesce(configured.role, session_user::regrole) = session_user::regrole
      )
    union all
    select
      concat_ws(' in ', configured.role::regrole::text, quote_ident(database.datname)),
      'its sessions have track_counts = off: nobody counts what they change in a table',
      format(
        'alter %s reset track_counts;',
        concat_ws(' in ', 'role ' || configured.role::regrole::text, 'database ' || quote_ident(database.datname))
      )
    from configured
    left join pg_database as database on database.oid = configured.database
    union all
    select
      grantee.name,
      'it may set track_counts to off: then nobody counts what it changes in a table',
      format('revoke set on parameter track_counts from %s;', grantee.name)
    from nms_private.may_set(parameter => 'track_counts') as granted (role)
    cross join lateral (
      select case granted.role when 0 then 'public' else granted.role::regrole::text end
    ) as grantee (name)
    union all
    select
      routine.oid::regprocedure::text,
      'while it runs, track_counts is off: nobody counts what it changes in a table',
      format('alter routine %s reset track_counts;', routine.oid::regprocedure)
    from pg_proc as routine
    where
      routine.proconfig is not null
      and exists (
        select
        from unnest(routine.proconfig) as entry (value)
        where case when entry.value like 'track\_counts=%' then not split_part(entry.value, '=', 2)::boolean end
      )
  )
  select
    'warning',
    'changes_not_counted',
    found.subject,
    found.detail || ', and a count that is carried from an earlier run may be wrong until it is counted again',
    found.remedy
  from found
  where exists (select from nms.table_metrics_count_rules as rule where rule.method = 'carried')
$$;
comment on function nms_private.lint_changes_not_counted(jsonb, nms_private.target[], date) is
  'Counts are carried, and sessions do not count their changes, or may stop to: track_counts is off for the server, a database, a role or a function, or somebody was granted to set it.';
revoke execute on function nms_private.lint_changes_not_counted(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_changes_not_counted.sql
--! Included functions/doctor/lint/lint_count_differs.sql
create or replace function nms_private.lint_count_differs(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select distinct on (difference.table_oid)
    'warning', 'count_differs', difference.table_oid::regclass::text,
    format(
      'run %s counted %s rows, where %s were known: %s. %s',
      difference.run_id,
      nms_private.with_separators(number => difference.row_count),
      nms_private.with_separators(number => difference.claimed_row_count),
      case difference.method
        when 'carried' then 'every run counts it until somebody has looked'
        else 'something wrote past its triggers, and it is maintained anew from that count'
      end,
      difference.detail
    ),
    format('select nms.resume_carrying(%L, %L); -- when you know why', namespace.nspname, relation.relname)
  from nms.table_metrics_differences as difference
  join pg_class as relation on relation.oid = difference.table_oid
  join pg_namespace as namespace on namespace.oid = relation.relnamespace
  where difference.resumed_at is null
  order by difference.table_oid, difference.difference_id desc
$$;
comment on function nms_private.lint_count_differs(jsonb, nms_private.target[], date) is
  'A count that was carried or maintained has turned out to be wrong, and nobody has said since that it may be trusted again.';
revoke execute on function nms_private.lint_count_differs(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_count_differs.sql
--! Included functions/doctor/lint/lint_count_not_maintained.sql
create or replace function nms_private.lint_count_not_maintained(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'count_not_maintained', present.table_oid::regclass::text,
    format('triggers should maintain its count, and every run counts its rows: %s', present.problem),
    format(
      'select nms.maintain_count(%1$L); -- or, where that is refused: select nms.stop_maintaining(%1$L);',
      present.table_oid::regclass
    )
  from nms_private.maintained_now(
    among => array(select counted.table_oid from nms_private.maintained_counts as counted)
  ) as present
  where not present.is_repairable
$$;
comment on function nms_private.lint_count_not_maintained(jsonb, nms_private.target[], date) is
  'A table whose count should be maintained has not, or not any more, the triggers that note every write.';
revoke execute on function nms_private.lint_count_not_maintained(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_count_not_maintained.sql
--! Included functions/doctor/lint/lint_count_rule_names_nothing.sql
create or replace function nms_private.lint_count_rule_names_nothing(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'count_rule_names_nothing',
    case rule.table_name
      when '*' then format('%I', rule.schema_name)
      else format('%I.%I', rule.schema_name, rule.table_name)
    end,
    format(
      'a rule says how to find its number of rows (%s), and there is no such %s',
      rule.method,
      case when namespace.oid is null then 'schema' else 'table' end
    ),
    format(
      'delete from nms.table_metrics_count_rules where (schema_name, table_name) = (%L, %L); -- or write the name as the catalogue does',
      rule.schema_name, rule.table_name
    )
  from nms.table_metrics_count_rules as rule
  left join pg_namespace as namespace on namespace.nspname = rule.schema_name
  where
    rule.schema_name <> '*'
    and (namespace.oid is null or rule.table_name <> '*')
    and not exists (
      select
      from pg_class as relation
      where relation.relnamespace = namespace.oid and relation.relname = rule.table_name and relation.relkind in ('r', 'p', 'f')
    )
$$;
comment on function nms_private.lint_count_rule_names_nothing(jsonb, nms_private.target[], date) is
  'A rule of nms.table_metrics_count_rules is for a table or a schema that does not exist.';
revoke execute on function nms_private.lint_count_rule_names_nothing(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_count_rule_names_nothing.sql
--! Included functions/doctor/lint/lint_filter_not_counted.sql
create or replace function nms_private.lint_filter_not_counted(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'filter_not_counted', format('%I.%I', rule.schema_name, rule.table_name),
    format('its filter %I cannot be counted: %s', rule.filter_name, fault.problem),
    format(
      'delete from nms.table_metrics_filters where (schema_name, table_name, filter_name) = (%L, %L, %L); -- or change it',
      rule.schema_name, rule.table_name, rule.filter_name
    )
  from nms.table_metrics_filters as rule
  cross join nms_private.filter_problem(
    schema_name => rule.schema_name, table_name => rule.table_name, filter => rule.filter,
    function_name => rule.function_name
  ) as fault (problem)
  where fault.problem is not null
$$;
comment on function nms_private.lint_filter_not_counted(jsonb, nms_private.target[], date) is
  'A filter whose table, column or literal does not fit is not counted; the table itself is.';
revoke execute on function nms_private.lint_filter_not_counted(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_filter_not_counted.sql
--! Included functions/doctor/lint/lint_key_runs_out.sql
create or replace function nms_private.lint_key_runs_out(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  target as materialized (
    select target.table_oid from unnest(lint_key_runs_out.targets) as target
  ),
  key as materialized (
    select limits.*
    from nms_private.key_limits() as limits
    where limits.sequence_oid is not null and limits.table_oid in (select target.table_oid from target)
  ),
  recorded as materialized (
    select
      key.*,
      latest."position",
      latest.read_at,
      oldest."position" as oldest_position,
      oldest.read_at as oldest_read_at
    from key
    left join lateral (
      select known.*
      from nms_private.key_positions as known
      where known.sequence_schema = key.sequence_schema and known.sequence_name = key.sequence_name
      order by known.run_id desc
      limit 1
    ) as latest on true
    left join lateral (
      select known.*
      from nms_private.key_positions as known
      where
        known.sequence_schema = key.sequence_schema
        and known.sequence_name = key.sequence_name
        and known."position" is not null
        and known.read_at > statement_timestamp() - interval '90 days'
      order by known.run_id
      limit 1
    ) as oldest on true
  ),
  -- What is recorded may be a day old, and of another sequence of that name.
  ranked as (
    select
      recorded.sequence_oid,
      ending.keys_left,
      row_number() over (
        partition by recorded.sequence_schema
        order by
          least(
            ending.keys_left / nullif((recorded.last_key::numeric - recorded.first_key) / recorded.increment, 0),
            ending.days_left / 7300
          ) < 0.5 desc nulls last,
          ending.keys_left
      ) as turn
    from recorded
    cross join lateral (
      select
        (recorded.last_key::numeric - coalesce(recorded."position", recorded.first_key)) / recorded.increment,
        (recorded.last_key::numeric - recorded."position")
          / nullif(recorded."position"::numeric - recorded.oldest_position, 0)
          * extract(epoch from recorded.read_at - recorded.oldest_read_at) / 86400
    ) as ending (keys_left, days_left)
  ),
  -- Each stays locked as nextval() does, until the transaction ends: so many, and each schema takes turns.
  now_read as materialized (
    select found.sequence_oid, found."position"
    from (
      select array_agg(first.sequence_oid) as sequences
      from (
        select ranked.sequence_oid
        from ranked
        group by ranked.sequence_oid
        order by min(ranked.turn), min(ranked.keys_left)
        limit 500
      ) as first
    ) as given
    cross join nms_private.sequence_positions(sequences => given.sequences) as found
  ),
  placed as materialized (
    select
      recorded.table_oid, recorded.schema_name, recorded.table_name, recorded.column_name, recorded.data_type,
      recorded.first_key, recorded.last_key, recorded.increment, recorded.is_limited_by_type, recorded.is_cyclic,
      recorded.sequence_oid, recorded.sequence_schema, recorded.sequence_name, recorded.default_oid,
      latest."position",
      latest."position"::numeric - recorded.oldest_position as used_since,
      extract(epoch from latest.read_at - recorded.oldest_read_at) / 86400 as days,
      (recorded.last_key::numeric - recorded.first_key) / recorded.increment as steps
    from recorded
    left join now_read on now_read.sequence_oid = recorded.sequence_oid
    cross join lateral (
      select now_read."position", statement_timestamp() where now_read.sequence_oid is not null
      union all
      select recorded."position", recorded.read_at where now_read.sequence_oid is null
    ) as latest ("position", read_at)
  ),
  -- No range begins before a tenth of what the mean pace allows: the others need not be looked at closely.
  pressing as materialized (
    select placed.*
    from placed
    where
      (
        placed.steps < 0 -- the sequence begins beyond what the type of the column holds
        or (placed.last_key::numeric - placed."position") / placed.increment <= 0.2 * placed.steps
        or (placed.last_key::numeric - placed."position") / placed.increment
          <= 3650 * placed.used_since / placed.increment / nullif(placed.days, 0)
      )
      and nms_private.gives_numbers(sequence_oid => placed.sequence_oid, default_oid => placed.default_oid)
  ),
  judged as (
    select
      pressing.*,
      greatest(0, floor((pressing.last_key::numeric - pressing."position") / pressing.increment)) as keys_left,
      case
        when pressing.steps > 0
          then 100 - 100 * (pressing.last_key::numeric - pressing."position") / pressing.increment / pressing.steps
        else 100
      end as used_percent,
      pace.until
    from pressing
    left join lateral (
      select nms_private.dates_until(
        since => lint_key_runs_out.today,
        distance => ((pressing.last_key::numeric - pressing."position") / pressing.increment)::double precision,
        slope => found.slope,
        wander => found.wander,
        span => found.span
      ) as until
      from nms_private.key_pace(
        sequence_schema => pressing.sequence_schema,
        sequence_name => pressing.sequence_name,
        increment => pressing.increment,
        "position" => pressing."position",
        days => 90
      ) as found
      where found.slope is not null
    ) as pace on true
  )
  select
    case when judged.keys_left < 1 and (judged.steps < 0 or not judged.is_cyclic) then 'error' else 'warning' end,
    'key_runs_out',
    judged.table_oid::regclass::text,
    format(
      'its key %I (%s) %s %s of %s: %s',
      judged.column_name,
      judged.data_type,
      case when judged."position" is null then 'begins at' else 'is at' end,
      nms_private.with_separators(coalesce(judged."position", judged.first_key)),
      nms_private.with_separators(judged.last_key),
      case
        when judged.steps < 0 then 'no row can be inserted'
        when judged.keys_left < 1 and judged.is_cyclic then 'its sequence begins again, with keys that there may be already'
        when judged.keys_left < 1 then 'no row can be inserted any more'
        when judged.until ->> 'outcome' = 'between'
          then format('it runs out between %s and %s', judged.until ->> 'earliest', judged.until ->> 'latest')
        when judged.until ->> 'outcome' = 'not before' then format('it runs out not before %s', judged.until ->> 'earliest')
        when judged.until is null then format('%s per cent are used, and too few days are known to say when it runs out', floor(judged.used_percent))
        else format('%s per cent are used, and at the present pace it does not run out', floor(judged.used_percent))
      end
    ),
    nms_private.key_remedy(
      schema_name => judged.schema_name,
      table_name => judged.table_name,
      column_name => judged.column_name,
      data_type => judged.data_type,
      is_limited_by_type => judged.is_limited_by_type,
      sequence_oid => judged.sequence_oid,
      default_oid => judged.default_oid
    ) || case
      when judged.is_limited_by_type then ' -- rewrites the table and its indexes, and nobody can read it meanwhile: docs/forecast.md'
      else ''
    end
  from judged
  where
    judged.used_percent > 80
    or judged.keys_left < 1
    or (judged.until ->> 'earliest')::date <= lint_key_runs_out.today + 365
$$;
comment on function nms_private.lint_key_runs_out(jsonb, nms_private.target[], date) is
  'The numbers of a primary key that a sequence gives out are used up (error), by more than 80 per cent, or may be within a year: by the early end of the range. By the positions now of 500 sequences at most, those with the fewest keys left by what runs have kept, each schema in turn; of the others by what runs have kept.';
revoke execute on function nms_private.lint_key_runs_out(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_key_runs_out.sql
--! Included functions/doctor/lint/lint_last_run_failed.sql
create or replace function nms_private.lint_last_run_failed(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    case
      when exists (
        select from nms.table_metrics_daily_snapshot as daily where daily.snapshot_date = last_run.snapshot_date
      ) then 'warning'
      else 'error'
    end,
    'last_run_failed', format('run %s', last_run.run_id), last_run.error_message,
    nms_private.collecting_call(payload => lint_last_run_failed.payload)
  from (
    select run.*
    from nms.table_metrics_runs as run
    where run.status <> 'RUNNING'
    order by run.run_id desc
    limit 1
  ) as last_run
  where last_run.status = 'FAILED'
$$;
comment on function nms_private.lint_last_run_failed(jsonb, nms_private.target[], date) is
  'The last run that has ended is FAILED: an error while its day has no result, a warning when it has.';
revoke execute on function nms_private.lint_last_run_failed(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_last_run_failed.sql
--! Included functions/doctor/lint/lint_machinery_is_counted.sql
create or replace function nms_private.lint_machinery_is_counted(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'machinery_is_counted', quote_ident(target.schema_name),
    'it holds the tables of a tool, and machinery_schemas does not name it: they would be counted',
    format(
      'update %s set machinery_schemas = array_append(machinery_schemas, %L);',
      'nms.table_metrics_settings'::regclass, target.schema_name
    )
  from unnest(lint_machinery_is_counted.targets) as target
  group by target.schema_name
  having
    target.schema_name in ('nms', 'nms_private', 'graphile_migrate')
    or array_agg(target.table_name) @> '{_private_jobs,_private_known_crontabs}'
    or array_agg(target.table_name) @> '{jobs,known_crontabs,job_queues}'
$$;
comment on function nms_private.lint_machinery_is_counted(jsonb, nms_private.target[], date) is
  'The tables of a tool would be counted, such as those of a worker in a schema of another name.';
revoke execute on function nms_private.lint_machinery_is_counted(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_machinery_is_counted.sql
--! Included functions/doctor/lint/lint_malformed_payload.sql
create or replace function nms_private.lint_malformed_payload(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'malformed_payload', 'the job', request.problem || ': every such job would be rejected',
    'mend it where the job comes from, the crontab or graphile_worker.add_job'
  from nms_private.job_request(payload => lint_malformed_payload.payload) as request
  where request.problem is not null
$$;
comment on function nms_private.lint_malformed_payload(jsonb, nms_private.target[], date) is
  'The payload is one that no job accepts.';
revoke execute on function nms_private.lint_malformed_payload(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_malformed_payload.sql
--! Included functions/doctor/lint/lint_message_not_sent.sql
create or replace function nms_private.lint_message_not_sent(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning',
    'message_not_sent',
    message.about,
    concat_ws(
      ': ',
      case when message.given_up_at is null then 'it waits to be sent' else 'it will not be sent' end,
      coalesce(message.problem, 'nobody has tried, no worker or collect that has an ALERT_WEBHOOK_URL ran since')
    ),
    'table-metrics test-webhook'
  from nms_private.messages as message
  where
    message.body is not null
    and message.sent_at is null
    and (message.given_up_at is not null or message.written_at < now() - interval '1 hour')
    and message.written_at > now() - interval '7 days'
  order by message.written_at desc
  limit 3
$$;
comment on function nms_private.lint_message_not_sent(jsonb, nms_private.target[], date) is
  'A webhook was not told for an hour what it should have been told, or never will be: the last three messages of the past week.';
revoke execute on function nms_private.lint_message_not_sent(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_message_not_sent.sql
--! Included functions/doctor/lint/lint_no_run_today.sql
create or replace function nms_private.lint_no_run_today(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'no_run_today', lint_no_run_today.today::text,
    format('no run of this business day (%s) has succeeded yet', settings.business_time_zone),
    nms_private.collecting_call(payload => lint_no_run_today.payload)
  from nms.table_metrics_settings as settings
  where
    lint_no_run_today.today is not null
    and not exists (select from nms.table_metrics_daily_snapshot as daily where daily.snapshot_date = lint_no_run_today.today)
$$;
comment on function nms_private.lint_no_run_today(jsonb, nms_private.target[], date) is
  'The business day has no result yet.';
revoke execute on function nms_private.lint_no_run_today(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_no_run_today.sql
--! Included functions/doctor/lint/lint_notes_are_not_folded.sql
create or replace function nms_private.lint_notes_are_not_folded(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'notes_are_not_folded', 'nms_private.count_deltas',
    format(
      'more than 1,000,000 notes of triggers wait, and it has %s: nobody adds them up often enough',
      pg_size_pretty(pg_total_relation_size('nms_private.count_deltas'))
    ),
    'select * from nms.fold_counts(); -- and let a worker run, which does that each minute, or pg_cron'
  where exists (select from nms_private.count_deltas offset 1000000)
$$;
comment on function nms_private.lint_notes_are_not_folded(jsonb, nms_private.target[], date) is
  'So much of what triggers have noted was not added up that it takes a lot of space.';
revoke execute on function nms_private.lint_notes_are_not_folded(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_notes_are_not_folded.sql
--! Included functions/doctor/lint/lint_nothing_to_count.sql
create or replace function nms_private.lint_nothing_to_count(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'nothing_to_count', current_database(),
    'a run would find no table; nms.preview_run() says why',
    'select * from nms.preview_run();'
  where cardinality(lint_nothing_to_count.targets) = 0
$$;
comment on function nms_private.lint_nothing_to_count(jsonb, nms_private.target[], date) is
  'A run with this request would find no table.';
revoke execute on function nms_private.lint_nothing_to_count(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_nothing_to_count.sql
--! Included functions/doctor/lint/lint_other_server_may_keep_runs_waiting.sql
-- From 16 on postgres_fdw does not heed connect_timeout, and a cancel ends its wait; before, nothing else does.
create or replace function nms_private.lint_other_server_may_keep_runs_waiting(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'other_server_may_keep_runs_waiting', format('server %I', elsewhere.server_name),
    format(
      'parts of counted tables lie there, and its options have no %s: a run waits for it without an end',
      concat_ws(' and no ', case when missing.connecting then 'connect_timeout' end, case when missing.counting then 'statement_timeout' end)
    ),
    concat_ws(
      ' ',
      case
        when missing.connecting then
          format('alter server %I options (add connect_timeout %L);', elsewhere.server_name, '10')
      end,
      case
        when missing.counting then
          format(
            'alter server %I options (%s options %L); -- in milliseconds, for whoever uses it; 0 when the user has one there',
            elsewhere.server_name,
            case when elsewhere.options is null then 'add' else 'set' end,
            concat_ws(' ', nullif(elsewhere.options, ''), '-c statement_timeout=3600000')
          )
      end
    )
  from (
    select part.server_name, part.options ->> 'options' as options, part.options ? 'connect_timeout' as has_connect_timeout
    from nms_private.parts_elsewhere(targets => lint_other_server_may_keep_runs_waiting.targets) as part
    group by 1, 2, 3
  ) as elsewhere
  cross join lateral (
    select
      not elsewhere.has_connect_timeout and current_setting('server_version_num')::integer < 160000,
      coalesce(elsewhere.options, '') !~ '\mstatement_timeout\M'
  ) as missing (connecting, counting)
  where missing.connecting or missing.counting
$$;
comment on function nms_private.lint_other_server_may_keep_runs_waiting(jsonb, nms_private.target[], date) is
  'Parts of counted tables lie on another server, whose options put no end to a wait for it.';
revoke execute on function nms_private.lint_other_server_may_keep_runs_waiting(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_other_server_may_keep_runs_waiting.sql
--! Included functions/doctor/lint/lint_owned_by_superuser.sql
create or replace function nms_private.lint_owned_by_superuser(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'owned_by_superuser', 'nms',
    format(
      '%s functions belong to the superuser %s: planning a count may run functions of a table''s owner, with the rights of a superuser',
      count(*), string_agg(distinct quote_ident(role.rolname), ', ')
    ),
    'psql -v ON_ERROR_STOP=1 -f migrations/roles.sql "$DATABASE_URL"'
  from pg_proc as routine
  join pg_roles as role on role.oid = routine.proowner
  where routine.pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and role.rolsuper
  having count(*) > 0
$$;
comment on function nms_private.lint_owned_by_superuser(jsonb, nms_private.target[], date) is
  'Functions of ours run with the rights of a superuser.';
revoke execute on function nms_private.lint_owned_by_superuser(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_owned_by_superuser.sql
--! Included functions/doctor/lint/lint_owner_lacks_right.sql
create or replace function nms_private.lint_owner_lacks_right(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'owner_lacks_right', 'nms',
    format(
      '%I counts, and lacks rights on %s objects such as %s: every run would fail',
      counting.rolname, count(*), array_to_string((array_agg(needed.name order by needed.name))[1:3], ', ')
    ),
    string_agg(format('grant %s to %I;', needed.privilege, counting.rolname), ' ' order by needed.name)
  from pg_roles as counting
  cross join lateral (
    select routine.oid::regprocedure::text, format('execute on function %s', routine.oid::regprocedure)
    from pg_proc as routine
    where
      routine.pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and not routine.prosecdef
      and routine.prorettype <> 'trigger'::regtype
      and not has_function_privilege(counting.oid, routine.oid, 'execute')
    union all
    select relation.oid::regclass::text, format('select, insert, update, delete on %s', relation.oid::regclass)
    from pg_class as relation
    where
      relation.relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and relation.relkind = 'r'
      and not (
        has_table_privilege(counting.oid, relation.oid, 'select')
        and (
          relation.relname = 'table_metrics_settings'
          or has_table_privilege(counting.oid, relation.oid, 'insert')
        )
      )
    union all
    select format('schema %I', schema.name), format('usage on schema %I', schema.name)
    from unnest('{nms,nms_private}'::text[]) as schema (name)
    where not has_schema_privilege(counting.oid, schema.name, 'usage')
  ) as needed (name, privilege)
  where counting.oid = (select nms_private.counting_role())
  group by counting.rolname
$$;
comment on function nms_private.lint_owner_lacks_right(jsonb, nms_private.target[], date) is
  'The role that counts may not use something of ours, as after an update that another role has made.';
revoke execute on function nms_private.lint_owner_lacks_right(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_owner_lacks_right.sql
--! Included functions/doctor/lint/lint_run_abandoned.sql
create or replace function nms_private.lint_run_abandoned(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'run_abandoned', format('run %s', run.run_id),
    format('RUNNING since %s, silent for longer than %s, and no session works on it', run.collected_at, settings.abandon_after),
    'select * from nms.abandon_silent_runs(); -- the next run does so as well'
  from nms.table_metrics_runs as run
  cross join nms.table_metrics_settings as settings
  where
    run.status = 'RUNNING'
    and nms_private.is_silent(run_id => run.run_id, silent_for => settings.abandon_after)
    and not exists (select from nms_private.header_holders(run_id => run.run_id))
$$;
comment on function nms_private.lint_run_abandoned(jsonb, nms_private.target[], date) is
  'A run is RUNNING, and nobody works on it any more.';
revoke execute on function nms_private.lint_run_abandoned(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_run_abandoned.sql
--! Included functions/doctor/lint/lint_runs_functions_of_others.sql
-- A planner may evaluate a function whose arguments are constant, in the expressions and predicates of indexes and
-- in statistics. It never does so for defaults, checks and policies, nor for the keys of partitions, as each
-- partition is read by itself.
create or replace function nms_private.lint_runs_functions_of_others(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'runs_functions_of_others', family.ancestor::regclass::text,
    format(
      'planning its count may run, with the rights of %I, %s',
      min(counting.rolname),
      string_agg(
        distinct format('%s of %I, for %s', routine.oid::regprocedure, maker.rolname, expression.place), '; '
      )
    ),
    format(
      'update %s set machinery_schemas = array_append(machinery_schemas, %L); -- unless you trust %s: leaves the schema out',
      'nms.table_metrics_settings'::regclass, schema.nspname, string_agg(distinct quote_ident(maker.rolname), ', ')
    )
  from nms_private.family_members(targets => lint_runs_functions_of_others.targets) as family
  join pg_roles as counting on counting.oid = (select nms_private.counting_role())
  cross join lateral (
    select 'pg_class'::regclass, index.indexrelid, format('index %s', index.indexrelid::regclass)
    from pg_index as index
    where index.indrelid = family.member and (index.indexprs is not null or index.indpred is not null)
    union all
    select 'pg_statistic_ext'::regclass, statistics.oid, format('statistics %I', statistics.stxname)
    from pg_statistic_ext as statistics
    where statistics.stxrelid = family.member
  ) as expression (class, oid, place)
  join pg_depend as uses
    on uses.classid = expression.class
    and uses.objid = expression.oid
    and uses.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
  left join pg_operator as operator on uses.refclassid = 'pg_operator'::regclass and operator.oid = uses.refobjid
  join pg_proc as routine
    on routine.oid = case when uses.refclassid = 'pg_proc'::regclass then uses.refobjid else operator.oprcode end
  join pg_roles as maker on maker.oid = routine.proowner
  join pg_class as relation on relation.oid = family.ancestor
  join pg_namespace as schema on schema.oid = relation.relnamespace
  where not maker.rolsuper and maker.oid <> counting.oid
  group by family.ancestor, schema.nspname
$$;
comment on function nms_private.lint_runs_functions_of_others(jsonb, nms_private.target[], date) is
  'Planning a count may run code of somebody else with the rights of the role that counts.';
revoke execute on function nms_private.lint_runs_functions_of_others(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_runs_functions_of_others.sql
--! Included functions/doctor/lint/lint_server_is_read_only.sql
create or replace function nms_private.lint_server_is_read_only(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
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
$$;
comment on function nms_private.lint_server_is_read_only(jsonb, nms_private.target[], date) is
  'A run could not write: the server is a standby, or sessions begin read only.';
revoke execute on function nms_private.lint_server_is_read_only(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_server_is_read_only.sql
--! Included functions/doctor/lint/lint_servers_are_asked_in_turn.sql
create or replace function nms_private.lint_servers_are_asked_in_turn(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with part as materialized (
    select elsewhere.*
    from nms_private.parts_elsewhere(targets => lint_servers_are_asked_in_turn.targets) as elsewhere
    where current_setting('server_version_num')::integer >= 150000 -- before, a count is never asynchronous
  )
  select
    'warning', 'servers_are_asked_in_turn', family.family::regclass::text,
    format(
      'its parts lie on %s servers, and these are counted one after the other rather than at once: not async_capable are %s',
      family.servers, family.names
    ),
    family.remedy
  from (
    select
      part.family,
      count(distinct part.server_oid) as servers,
      string_agg(distinct quote_ident(part.server_name), ', ') filter (where not capable.is_async) as names,
      string_agg(
        distinct format(
          'alter server %I options (%s async_capable %L);',
          part.server_name, case when server_options.has_option then 'set' else 'add' end, 'true'
        ),
        ' '
      ) filter (where not capable.is_async) as remedy
    from part
    join pg_foreign_server as server on server.oid = part.server_oid
    cross join lateral (
      select exists (
        select from pg_options_to_table(server.srvoptions) as option where option.option_name = 'async_capable'
      )
    ) as server_options (has_option)
    cross join lateral (
      select coalesce(part.options ->> 'async_capable', 'false') in ('true', 'on', 'yes', '1', 't', 'y')
    ) as capable (is_async)
    group by part.family
  ) as family
  where family.servers > 1 and family.names is not null
$$;
comment on function nms_private.lint_servers_are_asked_in_turn(jsonb, nms_private.target[], date) is
  'Parts of one table lie on several servers, which are not asked at the same time.';
revoke execute on function nms_private.lint_servers_are_asked_in_turn(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_servers_are_asked_in_turn.sql
--! Included functions/doctor/lint/lint_table_not_readable.sql
create or replace function nms_private.lint_table_not_readable(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'table_not_readable', relation.oid::regclass::text,
    format(
      '%I counts, and may not %s: every run would fail',
      counting.rolname,
      case when refused.may_enter then 'select from it' else format('use the schema %s', relation.relnamespace::regnamespace) end
    ),
    concat_ws(
      ' ',
      case when not refused.may_enter then format('grant usage on schema %s to %I;', relation.relnamespace::regnamespace, counting.rolname) end,
      case when not refused.may_select then format('grant select on %s to %I;', relation.oid::regclass, counting.rolname) end,
      format('-- or, for all tables: grant pg_read_all_data to %I;', counting.rolname)
    )
  from nms_private.refused_tables(
    tables => array(select target.table_oid from unnest(lint_table_not_readable.targets) as target)
  ) as refused
  join pg_class as relation on relation.oid = refused.table_oid
  join pg_roles as counting on counting.oid = (select nms_private.counting_role())
  where not (refused.may_enter and refused.may_select)
$$;
comment on function nms_private.lint_table_not_readable(jsonb, nms_private.target[], date) is
  'The role that counts may not select from a table, or not use its schema.';
revoke execute on function nms_private.lint_table_not_readable(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_table_not_readable.sql
--! Included functions/doctor/lint/lint_table_thinned_by_policies.sql
create or replace function nms_private.lint_table_thinned_by_policies(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'table_thinned_by_policies', refused.table_oid::regclass::text,
    format('row-level security would hide rows from %I, which counts: every run would fail', counting.rolname),
    format('alter role %I bypassrls;', counting.rolname)
  from nms_private.refused_tables(
    tables => array(select target.table_oid from unnest(lint_table_thinned_by_policies.targets) as target)
  ) as refused
  join pg_roles as counting on counting.oid = (select nms_private.counting_role())
  where refused.is_thinned
$$;
comment on function nms_private.lint_table_thinned_by_policies(jsonb, nms_private.target[], date) is
  'Row-level security would hide rows of a table from the role that counts.';
revoke execute on function nms_private.lint_table_thinned_by_policies(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_table_thinned_by_policies.sql
--! Included functions/doctor/lint/lint_time_is_limited.sql
create or replace function nms_private.lint_time_is_limited(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'warning', 'time_is_limited', limits.name,
    format(
      'it is %s ms for this role in this database: a statement that counts for longer is ended, and the run fails',
      limits.reset_val
    ),
    format('alter role %I in database %I set %I = 0;', session_user, current_database(), limits.name)
  from pg_settings as limits
  where limits.name in ('statement_timeout', 'transaction_timeout') and limits.reset_val <> '0'
$$;
comment on function nms_private.lint_time_is_limited(jsonb, nms_private.target[], date) is
  'A timeout of the session would end a long count.';
revoke execute on function nms_private.lint_time_is_limited(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_time_is_limited.sql
--! Included functions/doctor/lint/lint_time_zone_unknown.sql
create or replace function nms_private.lint_time_zone_unknown(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'time_zone_unknown', 'nms.table_metrics_settings',
    format('this server does not know the time zone %s: no run can start', settings.business_time_zone),
    format('update %s set business_time_zone = ''America/New_York'';', 'nms.table_metrics_settings'::regclass)
  from nms.table_metrics_settings as settings
  where lint_time_zone_unknown.today is null
$$;
comment on function nms_private.lint_time_zone_unknown(jsonb, nms_private.target[], date) is
  'The server does not know the business time zone, as after a restore on another one.';
revoke execute on function nms_private.lint_time_zone_unknown(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_time_zone_unknown.sql
--! Included functions/doctor/lint/lint_too_few_locks.sql
create or replace function nms_private.lint_too_few_locks(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  widest as (
    select family.ancestor::regclass::text as name, count(distinct family.member) + count(index.indexrelid) as locks
    from nms_private.family_members(targets => lint_too_few_locks.targets) as family
    left join pg_index as index on index.indrelid = family.member
    group by family.ancestor
    order by locks desc, name
    limit 1
  ),
  -- The server has some spare memory beyond this, but each worker of a parallel plan takes its locks once more.
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
  )
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
$$;
comment on function nms_private.lint_too_few_locks(jsonb, nms_private.target[], date) is
  'One statement takes more than half of the locks that the server has room for (warning), or more than all of them (error).';
revoke execute on function nms_private.lint_too_few_locks(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_too_few_locks.sql
--! Included functions/doctor/lint/lint_user_mapping_missing.sql
create or replace function nms_private.lint_user_mapping_missing(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select
    'error', 'user_mapping_missing', part.table_oid::regclass::text,
    format(
      'it lies on server %I, for which %I, which counts, has no user mapping: every run would fail',
      part.server_name, counting.rolname
    ),
    format('create user mapping for %I server %I options (user …, password …);', counting.rolname, part.server_name)
  from nms_private.parts_elsewhere(targets => lint_user_mapping_missing.targets) as part
  join pg_roles as counting on counting.oid = (select nms_private.counting_role())
  where not exists (
    select from pg_user_mappings as mapping
    where mapping.srvid = part.server_oid and mapping.umuser in (0, counting.oid)
  )
$$;
comment on function nms_private.lint_user_mapping_missing(jsonb, nms_private.target[], date) is
  'A foreign part of a table lies on a server that the role that counts has no user mapping for.';
revoke execute on function nms_private.lint_user_mapping_missing(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_user_mapping_missing.sql
--! Included functions/doctor/lint/lint_wraparound_ahead.sql
create or replace function nms_private.lint_wraparound_ahead(payload jsonb, targets nms_private.target[], today date)
returns table (severity text, problem text, subject text, detail text, remedy text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  -- Autovacuum begins at the first limit and is done long before half as much again. The second one is what vacuum uses.
  horizon as (
    select
      kind.unit,
      kind.freeze_at,
      kind.freeze_at + kind.freeze_at / 2 as late_at,
      greatest(kind.failsafe, kind.freeze_at + kind.freeze_at / 20) as failsafe_at
    from (
      values
        (
          'transactions',
          current_setting('autovacuum_freeze_max_age')::bigint,
          current_setting('vacuum_failsafe_age')::bigint
        ),
        (
          'multixacts',
          current_setting('autovacuum_multixact_freeze_max_age')::bigint,
          current_setting('vacuum_multixact_failsafe_age')::bigint
        )
    ) as kind (unit, freeze_at, failsafe)
  ),
  -- A toast is vacuumed with its table.
  stored as (
    select
      coalesce(owner.oid, relation.oid) as table_oid,
      aged.unit,
      max(aged.age) as age
    from pg_class as relation
    left join pg_class as owner on relation.relkind = 't' and owner.reltoastrelid = relation.oid
    cross join lateral (
      values
        ('transactions', case when relation.relfrozenxid <> '0' then age(relation.relfrozenxid) end),
        ('multixacts', case when relation.relminmxid <> '0' then mxid_age(relation.relminmxid) end)
    ) as aged (unit, age)
    where
      relation.relkind in ('r', 'm', 't')
      and relation.relpersistence <> 't'
      and aged.age >= (select min(least(horizon.late_at, horizon.failsafe_at)) from horizon)
    group by 1, 2
  ),
  late as (
    select
      horizon.*,
      count(*) as tables,
      max(stored.age) as age,
      (array_agg(stored.table_oid order by stored.age desc, stored.table_oid))[1] as oldest
    from stored
    join horizon on horizon.unit = stored.unit and stored.age >= least(horizon.late_at, horizon.failsafe_at)
    group by horizon.unit, horizon.freeze_at, horizon.late_at, horizon.failsafe_at
  )
  select
    case when late.age >= late.failsafe_at then 'error' else 'warning' end,
    'wraparound_ahead', late.oldest::regclass::text,
    format(
      'its oldest row is %s %s old%s, and a vacuum was due at %s: at 2,000,000,000 the server stops taking writes. %s',
      nms_private.with_separators(late.age),
      late.unit,
      case when late.tables > 1 then format(', that of %s other tables too old as well', late.tables - 1) end,
      nms_private.with_separators(late.freeze_at),
      coalesce(
        format('Vacuum waits for %s, %s transactions old', blocker.held_by, nms_private.with_separators(blocker.age)),
        'Nothing keeps vacuum from it: see whether autovacuum comes to an end there'
      )
    ),
    coalesce(blocker.remedy, format('vacuum (freeze) %s;', late.oldest::regclass))
  from late
  left join nms_private.oldest_transaction() as blocker
    on blocker.age >= current_setting('autovacuum_freeze_max_age')::bigint
$$;
comment on function nms_private.lint_wraparound_ahead(jsonb, nms_private.target[], date) is
  'A table has rows that should have been frozen long ago: they are half as old again as autovacuum_freeze_max_age allows, or its like for multixacts (warning), or as vacuum_failsafe_age (error). Asks the catalogue, of all tables of this database.';
revoke execute on function nms_private.lint_wraparound_ahead(jsonb, nms_private.target[], date) from public;
--! EndIncluded functions/doctor/lint/lint_wraparound_ahead.sql
--! Included functions/doctor/may_set.sql
-- Not language sql: there is no pg_parameter_acl before PostgreSQL 15.
create or replace function nms_private.may_set(parameter text)
returns setof oid
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('server_version_num')::integer >= 150000 then
    return query
    select distinct acl.grantee
    from pg_parameter_acl as known
    cross join lateral aclexplode(known.paracl) as acl
    left join pg_roles as grantee on grantee.oid = acl.grantee
    where known.parname = may_set.parameter and acl.privilege_type = 'SET' and grantee.rolsuper is not true;
  end if;
end
$$;
comment on function nms_private.may_set(text) is
  'The roles that were granted to set a parameter that only superusers may set otherwise; 0 is public.';
revoke execute on function nms_private.may_set(text) from public;
--! EndIncluded functions/doctor/may_set.sql
--! Included functions/doctor/oldest_transaction.sql
create or replace function nms_private.oldest_transaction()
returns table (age bigint, held_by text, remedy text)
language sql stable parallel restricted
set search_path = pg_catalog, pg_temp
rows 1
as $$
  select holder.age::bigint, holder.held_by, holder.remedy
  from (
    select
      age(prepared.transaction),
      format('the prepared transaction %L in database %I', prepared.gid, prepared.database),
      format('rollback prepared %L; -- or commit prepared, in its database', prepared.gid)
    from pg_prepared_xacts as prepared
    union all
    select
      greatest(age(slot.xmin), age(slot.catalog_xmin)),
      format('the replication slot %L', slot.slot_name),
      format('select pg_drop_replication_slot(%L); -- if nobody comes back to it', slot.slot_name)
    from pg_replication_slots as slot
    union all
    select
      greatest(age(session.backend_xid), age(session.backend_xmin)),
      format(
        'session %s of %s (%s)',
        session.pid, coalesce(session.usename, 'the server'), coalesce(session.state, session.backend_type)
      ),
      format('select pg_terminate_backend(%s); -- rolls back what it has begun', session.pid)
    from pg_stat_activity as session
    where
      session.pid <> pg_backend_pid()
      and session.pid not in (select vacuum.pid from pg_stat_progress_vacuum as vacuum) -- which hold back nothing
  ) as holder (age, held_by, remedy)
  where holder.age is not null
  order by holder.age desc
  limit 1
$$;
comment on function nms_private.oldest_transaction() is
  'Who keeps vacuum from freezing anything younger, how many transactions ago that began, and the statement that ends it. No row: nobody.';
revoke execute on function nms_private.oldest_transaction() from public;
--! EndIncluded functions/doctor/oldest_transaction.sql
--! Included functions/doctor/only_reads_and_requests.sql
create or replace function nms_private.only_reads_and_requests(role oid)
returns boolean
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select not exists (
    select
    from pg_roles as self
    where
      self.oid = only_reads_and_requests.role
      and (self.rolbypassrls or self.rolcreaterole or self.rolcreatedb or self.rolreplication)
  )
  and not exists (
    select
    from pg_roles as other
    where
      pg_has_role(only_reads_and_requests.role, other.oid, 'member')
      and other.oid <> only_reads_and_requests.role
      and other.rolname not in ('table_metrics_reader', 'table_metrics_requester')
  )
  and not exists (
    select
    from pg_shdepend as dependency
    join pg_roles as self on self.oid = dependency.refobjid and self.rolname <> 'table_metrics_requester'
    where
      dependency.refclassid = 'pg_authid'::regclass
      and dependency.refobjid = only_reads_and_requests.role
      -- To connect is no right that anybody could gain.
      and not (
        dependency.classid = 'pg_database'::regclass
        and dependency.deptype = 'a'
        and not exists (
          select
          from pg_database as database
          cross join aclexplode(database.datacl) as granted
          where
            database.oid = dependency.objid
            and granted.grantee = only_reads_and_requests.role
            and granted.privilege_type = 'CREATE'
        )
      )
  )
$$;
comment on function nms_private.only_reads_and_requests(oid) is
  'True for a role that may read table metrics or queue runs, and nothing else: it is a member of no other role, owns nothing, and was granted nothing itself, in any database, but to connect.';
revoke execute on function nms_private.only_reads_and_requests(oid) from public;
--! EndIncluded functions/doctor/only_reads_and_requests.sql
--! Included functions/doctor/parts_elsewhere.sql
create or replace function nms_private.parts_elsewhere(targets nms_private.target[])
returns table (table_oid oid, family oid, server_oid oid, server_name name, options jsonb)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select target.table_oid, target.family, server.oid, server.srvname, known.options
  from unnest(parts_elsewhere.targets) as target
  join pg_foreign_table as foreign_table on foreign_table.ftrelid = target.table_oid
  join pg_foreign_server as server on server.oid = foreign_table.ftserver
  join pg_foreign_data_wrapper as wrapper on wrapper.oid = server.srvfdw
  cross join lateral (
    -- What the table says goes before what its server says.
    select coalesce(jsonb_object_agg(option.option_name, option.option_value order by option.place), '{}')
    from (
      select of_server.*, 1 from pg_options_to_table(server.srvoptions) as of_server
      union all
      select of_table.*, 2 from pg_options_to_table(foreign_table.ftoptions) as of_table
    ) as option (option_name, option_value, place)
  ) as known (options)
  where wrapper.fdwname = 'postgres_fdw'
$$;
comment on function nms_private.parts_elsewhere(nms_private.target[]) is
  'Those of these targets that postgres_fdw reads from another server, with the options of table and server.';
revoke execute on function nms_private.parts_elsewhere(nms_private.target[]) from public;
--! EndIncluded functions/doctor/parts_elsewhere.sql
--! Included functions/doctor/refused_tables.sql
create or replace function nms_private.refused_tables(tables oid[])
returns table (table_oid oid, may_enter boolean, may_select boolean, is_thinned boolean)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select relation.oid, access.may_enter, access.may_select, access.is_thinned
  from unnest(refused_tables.tables) as given (oid)
  join pg_class as relation on relation.oid = given.oid
  join pg_roles as reader on reader.oid = (select nms_private.counting_role())
  cross join lateral (
    select
      has_schema_privilege(reader.oid, relation.relnamespace, 'usage'),
      has_any_column_privilege(reader.oid, relation.oid, 'select'), -- any column will do for a count
      relation.relrowsecurity
        and not (reader.rolsuper or reader.rolbypassrls)
        and (relation.relforcerowsecurity or not pg_has_role(reader.oid, relation.relowner, 'usage'))
  ) as access (may_enter, may_select, is_thinned)
  where
    relation.relkind <> 'p' -- which is added up
    and (not (access.may_enter and access.may_select) or access.is_thinned)
$$;
comment on function nms_private.refused_tables(oid[]) is
  'Those of these tables that a run could not count, and why: the role that counts may not use their schema, may select no column, or row-level security would hide rows from it.';
revoke execute on function nms_private.refused_tables(oid[]) from public;
--! EndIncluded functions/doctor/refused_tables.sql
--! Included functions/doctor/transactions_in_the_way.sql
create or replace function nms_private.transactions_in_the_way(open_for interval)
returns table (pid integer, name text, state text, since timestamptz, tables bigint)
language sql stable parallel restricted
set search_path = pg_catalog, pg_temp
as $$
  select
    session.pid,
    concat_ws(', ', quote_ident(session.usename), nullif(session.application_name, '')),
    session.state,
    session.xact_start,
    base.tables
  from pg_stat_activity as session
  join pg_locks as held
    on held.pid = session.pid and held.locktype = 'virtualxid' and held.mode = 'ExclusiveLock' and held.granted
  cross join lateral (
    select count(*) as tables
    from nms_private.readings as reading
    join nms_private.bases as base on base.reading_id = reading.reading_id
    where (held.virtualxid = any (reading.open_transactions)) is not true
  ) as base
  where
    session.datname = current_database()
    and session.backend_type = 'client backend'
    and session.pid <> pg_backend_pid()
    and session.xact_start <= statement_timestamp() - transactions_in_the_way.open_for
    and base.tables > 0
$$;
comment on function nms_private.transactions_in_the_way(interval) is
  'Transactions that have been open for at least so long, and began after tables were last counted: while they are open, those tables cannot be carried, because what their session did before may not show yet.';
revoke execute on function nms_private.transactions_in_the_way(interval) from public;
--! EndIncluded functions/doctor/transactions_in_the_way.sql
--! Included functions/doctor/worker_trusts.sql
-- A worker runs what lies in the schema of graphile-worker, and so does a requester: whoever may leave code there must
-- have nothing to gain by it. The user of the session counts as well, because such code may take that role back.
create or replace function nms_private.worker_trusts(role oid)
returns boolean
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(bool_and(
    worker_trusts.role <> 0 -- public
    and (
      pg_has_role(worker_trusts.role, worker.oid, 'member')
      or (
        (worker_trusts.role = database.datdba or pg_has_role(worker.oid, worker_trusts.role, 'member'))
        and not worker.rolbypassrls
        and not worker.rolcreaterole
        and not worker.rolreplication
        and not exists (
          select
          from pg_roles as other
          where
            pg_has_role(worker.oid, other.oid, 'member')
            and not pg_has_role(worker_trusts.role, other.oid, 'member')
            and other.oid <> worker.oid
            -- Those that every worker, and every requester, needs.
            and other.rolname not in (
              'table_metrics_worker', 'table_metrics_collector', 'table_metrics_reader', 'table_metrics_requester'
            )
        )
        and not exists (
          select
          from pg_namespace as schema
          where schema.nspname in ('nms', 'nms_private') and schema.nspowner = worker.oid
        )
      )
      or (
        nms_private.only_reads_and_requests(role => worker.oid)
        and exists (
          select
          from pg_roles as working
          where working.rolname = 'table_metrics_worker' and pg_has_role(worker_trusts.role, working.oid, 'member')
        )
      )
    )
  ), false)
  from pg_roles as worker
  cross join pg_database as database
  where worker.rolname in (current_user, session_user) and database.datname = current_database()
$$;
comment on function nms_private.worker_trusts(oid) is
  'True when a role may leave code in the schema of graphile-worker for a worker or a requester that connects as the current user: it can do already what that user may; or it owns the database, or that user is a member of it, and the user has no rights beyond it but those of a worker; or it is a worker''s, and the user may only read results and queue runs. role: 0 is everybody.';
revoke execute on function nms_private.worker_trusts(oid) from public;
--! EndIncluded functions/doctor/worker_trusts.sql
--! Included functions/estimate/estimate_count.sql
create or replace function nms.estimate_count(
  schema_name text,
  table_name text,
  out row_count bigint,
  out row_count_low bigint,
  out row_count_high bigint,
  out method text,
  out pages_read bigint,
  out pages bigint
)
returns record
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s'
as $$
declare
  v_page_size constant bigint := current_setting('block_size')::bigint;
  v_table_oid constant oid := (
    select relation.oid
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where schema.nspname = estimate_count.schema_name and relation.relname = estimate_count.table_name
  );
  v_family nms_private.target[];
  v_members oid[];
  v_stored nms_private.target;
  v_found nms_private.finding;
  v_pages bigint;
begin
  v_family := array(
    select target from nms_private.find_targets(skip => '[]', exclude => '[]', among => array[v_table_oid]) as target
  );
  select coalesce(target.members, array[target.table_oid]) into v_members
  from unnest(v_family) as target
  where target.table_oid = v_table_oid and target.is_reported;
  if not found then
    perform nms_private.refuse_unknown_table(
      schema_name => coalesce(estimate_count.schema_name, ''), table_name => coalesce(estimate_count.table_name, '')
    );
    raise exception 'no run would count a table %.% now', estimate_count.schema_name, estimate_count.table_name
      using
        errcode = 'no_data_found',
        detail = 'runs have met it, so it was dropped or renamed since, or a setting leaves it out now',
        hint = 'What they have found is in nms.table_metrics_history.';
  end if;

  row_count := 0;
  row_count_low := 0;
  row_count_high := 0;
  method := 'exact';
  pages_read := 0;
  pages := 0;
  for v_stored in
    select target.* from unnest(v_family) as target where target.table_oid = any (v_members) order by target.table_oid
  loop
    -- What would have to be read whole is for a run, which somebody has asked for who may.
    if v_stored.table_kind <> 'table' or v_stored.is_whole or coalesce(v_stored.filenode, 0) = 0 then
      raise exception 'no estimate for %.%', estimate_count.schema_name, estimate_count.table_name
        using
          errcode = 'feature_not_supported',
          detail = format(
            '%I.%I keeps its rows elsewhere than in pages of a heap', v_stored.schema_name, v_stored.table_name
          ),
          hint = 'A run counts it: nms.table_metrics_latest has what the last one has found.';
    end if;

    select counted.* into strict v_found
    from nms_private.count_each(targets => array[v_stored], lock_timeout => '1 s', is_sampled => true) as counted;
    if v_found.error_sqlstate is not null then
      raise exception 'no estimate for %.%', estimate_count.schema_name, estimate_count.table_name
        using
          errcode = v_found.error_sqlstate,
          detail = format(
            '%I.%I cannot be read: %s', v_stored.schema_name, v_stored.table_name, v_found.error_message
          ),
          hint = case
            when v_found.error_sqlstate in ('55P03', 'NM001') then 'Ask again.'
            else format('An administrator may %s.', nms_private.remedy(error_sqlstate => v_found.error_sqlstate))
          end;
    end if;

    v_pages := pg_relation_size(v_stored.table_oid) / v_page_size;
    row_count := row_count + v_found.own_row_count;
    row_count_low := row_count_low + coalesce(v_found.own_row_count_low, v_found.own_row_count);
    row_count_high := row_count_high + coalesce(v_found.own_row_count_high, v_found.own_row_count);
    pages := pages + v_pages;
    if v_found.method = 'estimate' then
      method := 'estimate';
      pages_read := pages_read + least(v_pages, 1000);
    else
      pages_read := pages_read + v_pages;
    end if;
  end loop;
end
$$;
comment on function nms.estimate_count(text, text) is
  'About how many rows a table has now, with its partitions and children, without a run: nothing is stored. Of each part that is large 1,000 pages are read, and row_count_low to row_count_high has the number with a confidence of 99 %; what has at most 1,000 pages, or no row in those read, is counted, so that 0 is never an estimate. method: exact when nothing had to be estimated, otherwise estimate. Raises P0002 for an unknown table, 0A000 for one with rows elsewhere than in a heap, 55P03 for one that is locked for longer than a second.';
revoke execute on function nms.estimate_count(text, text) from public;
--! EndIncluded functions/estimate/estimate_count.sql
--! Included functions/estimate/estimate_rows.sql
-- Stable, so that it reads the snapshot of the calling query.
create or replace function nms_private.estimate_rows(
  table_oid oid,
  out row_count bigint,
  out row_count_low bigint,
  out row_count_high bigint
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set row_security = off -- an error, rather than only the rows that a policy shows
set jit = off
-- One page after the other, each found by its number, whatever the planner is told that pages cost.
set enable_tidscan = on
set enable_seqscan = off
set max_parallel_workers_per_gather = 0
set effective_io_concurrency = 0 -- as in count_each
as $$
declare
  v_sample constant bigint := bigint '1000'; -- pages
  v_page_size constant bigint := current_setting('block_size')::bigint;
  -- A page has a header of 24 bytes; a row a pointer of 4, and a header of 23 that ends at a multiple of 8.
  v_rows_of_full_page constant bigint := (v_page_size - 24) / (4 + 24);
  v_deviations constant double precision := double precision '2.576'; -- two-sided 99 %
  v_miss constant double precision := double precision '0.01';
  v_pages double precision;
  v_largest_part double precision;
  v_rows double precision;
  v_most_rows double precision;
  v_estimate double precision;
  v_variance double precision;
  v_unlike double precision;
  v_error double precision;
begin
  -- Equal parts of the file, one page of each: each drawn once, and read once. Neighbours differ by at least as much as
  -- pages of one part do: half of the square of that, on average, is no less than the variance in a part.
  execute format(
    $query$
      with
      relation as materialized (
        select pg_relation_size($1) / $2 as pages -- while it is locked
      ),
      part as materialized (
        select
          number,
          (number + 1) * relation.pages / $3 - number * relation.pages / $3 as pages,
          number * relation.pages / $3 as first
        from relation
        cross join generate_series(0, $3 - 1) as number
        where relation.pages > $3
      ),
      drawn as materialized (
        select part.number, part.pages, part.first + floor(random() * part.pages)::bigint as page
        from part
      ),
      read as materialized (
        select
          drawn.number,
          drawn.pages,
          (
            select count(*)
            from only %s as stored
            where stored.ctid between format('(%%s,0)', drawn.page)::tid and format('(%%s,65535)', drawn.page)::tid
          ) as rows
        from drawn
      ),
      compared as (
        select
          read.*,
          coalesce(
            read.rows - lag(read.rows) over by_place, read.rows - lead(read.rows) over by_place
          )::double precision as difference
        from read
        window by_place as (order by read.number)
      )
      select
        sum(compared.pages)::double precision as pages,
        max(compared.pages)::double precision as largest_part,
        sum(compared.rows)::double precision as rows,
        max(compared.rows)::double precision as most_rows,
        sum(compared.pages * compared.rows)::double precision as estimate,
        sum(compared.pages ^ 2 * compared.difference ^ 2 / 2) filter (where compared.pages > 1) as variance
      from compared
    $query$,
    estimate_rows.table_oid::regclass
  )
  into strict v_pages, v_largest_part, v_rows, v_most_rows, v_estimate, v_variance
  using estimate_rows.table_oid, v_page_size, v_sample;

  if v_rows > 0 then
    -- With so many pages unlike all others, the sample would have met one of them.
    v_unlike := ln(v_miss) / ln(1 - 1 / v_largest_part);
    v_error := v_deviations * sqrt(v_variance);
    row_count := v_estimate::bigint;
    row_count_low := floor(greatest(v_rows, v_estimate - v_error - v_unlike * v_most_rows))::bigint;
    row_count_high := ceil(
      least(v_pages * v_rows_of_full_page, v_estimate + v_error + v_unlike * v_rows_of_full_page)
    )::bigint;
  end if;
end
$$;
comment on function nms_private.estimate_rows(oid) is
  'How many rows are stored in a heap table, from 1,000 of its pages: one of each of 1,000 equal parts. row_count_low to row_count_high has the number with a confidence of 99 %, also when up to 1 page in 217 is unlike all others: empty, or full of the shortest rows there can be. All null for a table of at most that many pages, and where none of them has a row: then only a count is able to tell.';
revoke execute on function nms_private.estimate_rows(oid) from public;
--! EndIncluded functions/estimate/estimate_rows.sql
--! Included functions/estimate/estimate_tables.sql
-- Stable, so that every estimate reads the snapshot of the calling query.
create or replace function nms_private.estimate_tables(
  targets nms_private.target[],
  stop_at text[] default '{}',
  lock_timeout text default null -- for each table; null: that of the session
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_small_to constant bigint := bigint '32'; -- pages, as in count_tables
  v_named nms_private.target[];
begin
  if not exists (select from nms.table_metrics_count_rules as rule where rule.method = 'estimate') then
    return;
  end if;

  -- The others are counted in their own ways, what is known to be small several at a time.
  v_named := array(
    select target
    from unnest(targets) as target
    join nms_private.count_methods(targets => targets) as rule on rule.table_oid = target.table_oid
    where
      rule.method = 'estimate'
      and target.table_kind = 'table'
      and target.filenode <> 0
      and target.pages not between 1 and v_small_to
    order by target.filenode desc -- as in count_tables
  );
  return query
  select estimated.*
  from nms_private.count_each(
    targets => v_named,
    stop_at => stop_at,
    lock_timeout => estimate_tables.lock_timeout,
    is_sampled => true,
    -- Of those that turn out to be small, every row is read.
    filters => (
      select jsonb_object_agg(filtered.table_oid, filtered.filters)
      from nms_private.filters_of(table_oids => array(select target.table_oid from unnest(v_named) as target)) as filtered
    )
  ) as estimated;
end
$$;
comment on function nms_private.estimate_tables(nms_private.target[], text[], text) is
  'Of these tables, those for which a rule asks for an estimate and that are not known to be small: how many rows they store, estimated or counted as nms_private.count_each() says. The others have no row here.';
revoke execute on function nms_private.estimate_tables(nms_private.target[], text[], text) from public;
--! EndIncluded functions/estimate/estimate_tables.sql
--! Included functions/filters/call_as_nobody.sql
-- Its owner is a role without rights. So the call is planned and executed without any, whatever the function has become
-- since it was looked at.
create or replace function nms_private.call_as_nobody(routine oid)
returns bigint
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  if current_user <> 'table_metrics_nobody' then
    raise exception 'not called as a role without rights'
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('saw %I, expected table_metrics_nobody', current_user),
        hint = 'Run migrations/roles.sql.';
  end if;
  execute format('select %s()', routine::regproc) into strict v_count;
  return v_count;
end
$$;
comment on function nms_private.call_as_nobody(oid) is
  'What a function without arguments returns, called by table_metrics_nobody, who may do what everybody may.';
revoke execute on function nms_private.call_as_nobody(oid) from public;
--! EndIncluded functions/filters/call_as_nobody.sql
--! Included functions/filters/call_filter_function.sql
create or replace function nms_private.call_filter_function(run_id bigint, table_oid oid, filter_name text)
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_target record;
  v_function record;
  v_routine regproc;
  v_count bigint;
  v_is_counted boolean := false;
  v_detail text;
  v_context text;
begin
  select rule.schema_name, rule.table_name, rule.function_name into strict v_target
  from nms_private.filter_functions(run_id => call_filter_function.run_id) as known
  join pg_class as relation on relation.oid = known.table_oid
  join pg_namespace as schema on schema.oid = relation.relnamespace
  join nms.table_metrics_filters as rule
    on rule.schema_name = schema.nspname
    and rule.table_name = relation.relname
    and rule.filter_name = known.filter_name
  where known.table_oid = call_filter_function.table_oid and known.filter_name = call_filter_function.filter_name;
  v_function := nms_private.filter_function(
    table_oid => call_filter_function.table_oid, function_name => v_target.function_name
  );
  v_routine := v_function.routine;

  if v_function.error_sqlstate is null then
    begin
      perform set_config('transaction_read_only', 'on', true);
      v_count := nms_private.call_as_nobody(routine => v_routine);
      if v_count is null or v_count < 0 then
        raise exception '%() returned no number of rows', v_routine
          using
            errcode = 'data_exception',
            detail = format('saw %s, expected 0 or more', coalesce(v_count::text, 'null'));
      end if;
      v_is_counted := true;
      raise sqlstate 'NM002' using message = 'counted: release the locks';
    exception
      -- Whatever it meets is its outcome, a timeout as well; but not that somebody cancels the run.
      when query_canceled or assert_failure or others then
        get stacked diagnostics v_detail = pg_exception_detail, v_context = pg_exception_context;
        if
          sqlstate = '57014'
          and split_part(v_context, e'\n', 1) !~ '\mRAISE$' -- or the function has raised it
          and (
            current_setting('statement_timeout')::interval = '0'
            or clock_timestamp() < transaction_timestamp() + current_setting('statement_timeout')::interval
          )
        then
          raise exception '%, while calling %()', sqlerrm, v_routine using errcode = 'query_canceled';
        end if;
        if not v_is_counted then
          v_count := null;
          v_function.error_sqlstate := sqlstate;
          v_function.error_message := left(concat_ws(': ', sqlerrm, nullif(v_detail, '')), 2000);
        end if;
    end;
  end if;

  if v_function.error_sqlstate is not null then
    raise warning 'filter % was not counted: %',
      format('%I of %I.%I', filter_name, v_target.schema_name, v_target.table_name), v_function.error_message
      using errcode = v_function.error_sqlstate, hint = 'Change or delete its row in nms.table_metrics_filters.';
  end if;
  insert into nms.table_metrics_filtered_counts (
    run_id, schema_name, table_name, filter_name, row_count, measured_at, table_oid, error_sqlstate, error_message
  )
  values (
    call_filter_function.run_id, v_target.schema_name, v_target.table_name, call_filter_function.filter_name, v_count,
    clock_timestamp(), call_filter_function.table_oid, v_function.error_sqlstate, v_function.error_message
  )
  on conflict on constraint table_metrics_filtered_counts_pkey do nothing;
  return v_count;
end
$$;
comment on function nms_private.call_filter_function(bigint, oid, text) is
  'Calls the function of a filter for a RUNNING run, once, and stores what it returns, or why there is nothing: null then. In a statement of its own, whose statement_timeout bounds it: that is its outcome, any other cancel (57014) is raised. Raises P0002 when the run has no such filter.';
revoke execute on function nms_private.call_filter_function(bigint, oid, text) from public;
--! EndIncluded functions/filters/call_filter_function.sql
--! Included functions/filters/count_filtered.sql
-- Stable, so that it reads the snapshot of the calling query.
create or replace function nms_private.count_filtered(
  target regclass,
  is_whole boolean,
  filters jsonb,
  out row_count bigint,
  out filtered jsonb
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_only constant text := case when is_whole then '' else 'only ' end;
  v_query text;
  v_names text[];
  v_counts bigint[];
  v_sqlstate text;
  v_message text;
begin
  select
    jsonb_object_agg(
      filter.name,
      jsonb_build_object('filter', filter.value, 'sqlstate', test.error_sqlstate, 'message', test.error_message)
    ),
    array_agg(filter.name order by filter.name) filter (where test.expression is not null),
    string_agg(format('count(*) filter (where %s)', test.expression), ', ' order by filter.name)
      filter (where test.expression is not null)
  into filtered, v_names, v_query
  from jsonb_each(filters) as filter (name, value)
  cross join lateral nms_private.filter_test(table_oid => target, filter => filter.value) as test;

  if v_query is not null then
    begin
      execute format('select count(*), array[%s] from %s%s', v_query, v_only, target) into strict row_count, v_counts;
    exception
      -- The count of all rows would end in the same.
      when query_canceled or lock_not_available or undefined_table then
        raise;
      -- Whatever a filter meets, such as a column that was altered just now, the rows are counted.
      when assert_failure or others then
        row_count := null;
        v_sqlstate := sqlstate;
        v_message := left(sqlerrm, 2000);
    end;
  end if;
  if row_count is null then
    execute format('select count(*) from %s%s', v_only, target) into strict row_count;
  end if;

  for v_number in 1..coalesce(cardinality(v_names), 0) loop
    filtered := jsonb_set(
      filtered,
      v_names[v_number:v_number],
      jsonb_build_object('filter', filters -> v_names[v_number])
        || case
          when v_counts is not null then jsonb_build_object('count', v_counts[v_number])
          else jsonb_build_object('sqlstate', v_sqlstate, 'message', v_message)
        end
    );
  end loop;
end
$$;
comment on function nms_private.count_filtered(regclass, boolean, jsonb) is
  'Rows of one table, and of each filter how many match, in one scan: {name: {"filter": …, "count": …}}, or "sqlstate" and "message" of why that one was not counted, which keeps nothing else from being counted.';
revoke execute on function nms_private.count_filtered(regclass, boolean, jsonb) from public;
--! EndIncluded functions/filters/count_filtered.sql
--! Included functions/filters/equals.sql
-- One type for both: where the column has any other, the query that calls this is refused when it is parsed, and no
-- cast, which could be a function of somebody else, is ever looked for.
-- No setting: it would keep the planner from putting the operator in place of the call, and no name needs one.
create or replace function nms_private.equals(value anyelement, literal anyelement)
returns boolean
language sql immutable parallel safe
as $$
  select value operator(pg_catalog.=) literal
$$;
comment on function nms_private.equals(anyelement, anyelement) is
  'True when a value equals another one of exactly the same built-in type.';
revoke execute on function nms_private.equals(anyelement, anyelement) from public;
--! EndIncluded functions/filters/equals.sql
--! Included functions/filters/filter_function.sql
create or replace function nms_private.filter_function(
  table_oid oid,
  function_name text,
  out routine regproc,
  out error_sqlstate text,
  out error_message text
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_function record;
begin
  select
    routine.oid::regproc as routine,
    concat_ws(
      ', ',
      case when routine.prokind <> 'f' or routine.proretset or routine.prorettype <> 'bigint'::regtype then 'returns bigint' end,
      case when not routine.prosecdef then 'is security definer' end,
      case when routine.proowner <> relation.relowner then format('belongs to %I', relation.relowner::regrole::text) end,
      case when not has_schema_privilege(nobody.oid, schema.oid, 'usage') then 'lies where table_metrics_nobody has usage of the schema' end,
      case when not has_function_privilege(nobody.oid, routine.oid, 'execute') then 'table_metrics_nobody may execute' end
    ) as lacks,
    nobody.has_rights,
    caller.proowner <> nobody.oid or not caller.prosecdef as is_not_used
  into v_function
  from pg_class as relation
  join pg_proc as routine on routine.oid = to_regprocedure(format('%s()', filter_function.function_name))
  join pg_namespace as schema on schema.oid = routine.pronamespace
  join pg_proc as caller on caller.oid = 'nms_private.call_as_nobody(oid)'::regprocedure
  left join lateral (
    select
      role.oid,
      role.rolsuper
        or role.rolbypassrls
        or role.rolcreaterole
        or role.rolreplication
        or exists (select from pg_auth_members as membership where membership.member = role.oid) as has_rights
    from pg_roles as role
    where role.rolname = 'table_metrics_nobody'
  ) as nobody on true
  where relation.oid = filter_function.table_oid and schema.nspname <> all (array['pg_catalog', 'nms', 'nms_private']);

  if not found then
    error_sqlstate := '42883';
    error_message := format('there is no function %s(), written as schema.function', filter_function.function_name);
  elsif v_function.is_not_used is not false or v_function.has_rights then
    error_sqlstate := '55000';
    error_message := format(
      '%s() is not called: expected a role without rights to call it as, table_metrics_nobody, which migrations/roles.sql makes',
      v_function.routine
    );
  elsif v_function.lacks <> '' then
    error_sqlstate := '42501';
    error_message := format('%s() is not called: expected one that %s', v_function.routine, v_function.lacks);
  else
    routine := v_function.routine;
  end if;
end
$$;
comment on function nms_private.filter_function(oid, text) is
  'The function that counts rows of this table, or the SQLSTATE and message of why it is not called: it has to return bigint, to be security definer and to belong to the owner of the table, so that it reads what that owner may read and nothing else. It is called as table_metrics_nobody, who has to be allowed that.';
revoke execute on function nms_private.filter_function(oid, text) from public;
--! EndIncluded functions/filters/filter_function.sql
--! Included functions/filters/filter_functions.sql
create or replace function nms_private.filter_functions(run_id bigint)
returns table (table_oid oid, filter_name text)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select relation.oid, rule.filter_name
  from nms.table_metrics_runs as run
  cross join nms.table_metrics_filters as rule
  join pg_namespace as schema on schema.nspname = rule.schema_name
  join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = rule.table_name
  where
    run.run_id = filter_functions.run_id
    and run.status = 'RUNNING'
    and rule.function_name is not null
    and relation.relkind in ('r', 'p')
  order by rule.schema_name, rule.table_name, rule.filter_name
$$;
comment on function nms_private.filter_functions(bigint) is
  'The filters of tables that are a function, for a RUNNING run: nms_private.call_filter_function() calls each.';
revoke execute on function nms_private.filter_functions(bigint) from public;
--! EndIncluded functions/filters/filter_functions.sql
--! Included functions/filters/filter_outcome.sql
create or replace function nms_private.filter_outcome(
  finding nms_private.finding,
  filter_name text,
  filter jsonb,
  out row_count bigint,
  out error_sqlstate text,
  out error_message text
)
returns record
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_matches constant jsonb := finding.filtered -> filter_name;
begin
  case
    when finding.error_sqlstate is not null then
      error_sqlstate := finding.error_sqlstate;
      error_message := finding.error_message;
    when v_matches is null then
      error_sqlstate := '0A000';
      error_message := format('not every row was read: the method of the count is %s', coalesce(finding.method, 'unknown'));
    when v_matches -> 'filter' is distinct from filter_outcome.filter then
      error_sqlstate := '42710';
      error_message := 'it has another filter of that name';
    when v_matches ? 'count' then
      row_count := (v_matches ->> 'count')::bigint;
    else
      error_sqlstate := v_matches ->> 'sqlstate';
      error_message := v_matches ->> 'message';
  end case;
end
$$;
comment on function nms_private.filter_outcome(nms_private.finding, text, jsonb) is
  'How many rows of one table match a filter, or the SQLSTATE and message of why that is not known.';
revoke execute on function nms_private.filter_outcome(nms_private.finding, text, jsonb) from public;
--! EndIncluded functions/filters/filter_outcome.sql
--! Included functions/filters/filter_problem.sql
create or replace function nms_private.filter_problem(schema_name text, table_name text, filter jsonb, function_name text)
returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
begin
  select relation.oid, relation.relkind into v_table
  from pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  where schema.nspname = filter_problem.schema_name and relation.relname = filter_problem.table_name;
  return case
    when not found then 'there is no such table'
    when v_table.relkind not in ('r', 'p', 'f') then 'that is not a table'
    when function_name is not null then (
      select checked.error_message
      from nms_private.filter_function(
        table_oid => v_table.oid, function_name => filter_problem.function_name
      ) as checked
    )
    else (select test.error_message from nms_private.filter_test(table_oid => v_table.oid, filter => filter_problem.filter) as test)
  end;
end
$$;
comment on function nms_private.filter_problem(text, text, jsonb, text) is
  'Why the rows that match a filter of this table cannot be counted; null when they can be.';
revoke execute on function nms_private.filter_problem(text, text, jsonb, text) from public;
--! EndIncluded functions/filters/filter_problem.sql
--! Included functions/filters/filter_test.sql
-- Volatile, so that it looks under a snapshot of its own: what the column is by now decides. Should it be another one
-- when the query is parsed, none of these expressions runs code of somebody else.
create or replace function nms_private.filter_test(
  table_oid oid,
  filter jsonb,
  out expression text,
  out error_sqlstate text,
  out error_message text
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is constant text := filter ->> 'is';
  v_literal constant text := filter ->> 'equals';
  v_column record;
begin
  select
    attribute.attname as name,
    attribute.attgenerated = 'v' as is_virtual,
    type.oid,
    type.typname as type_name,
    type.typtype = 'e' as is_enum,
    sorting.collisdeterministic is not false as is_deterministic,
    -- varchar has the operator of text.
    type.typnamespace = 'pg_catalog'::regnamespace
      and type.typtype = 'b'
      and type.typcategory <> 'A'
      and exists (
        select
        from pg_operator as operator
        where
          operator.oprname = '='
          and operator.oprnamespace = 'pg_catalog'::regnamespace
          and operator.oprleft = case type.oid when 'varchar'::regtype then 'text'::regtype else type.oid end
          and operator.oprright = operator.oprleft
          and operator.oprcanmerge
      ) as is_comparable
  into v_column
  from pg_attribute as attribute
  join pg_type as type on type.oid = attribute.atttypid
  left join pg_collation as sorting on sorting.oid = attribute.attcollation
  where
    attribute.attrelid = filter_test.table_oid
    and attribute.attname = filter ->> 'column'
    and attribute.attnum > 0
    and not attribute.attisdropped;

  if not found then
    error_sqlstate := '42703';
    error_message := format('there is no column %I', filter ->> 'column');
  elsif v_column.is_virtual then
    error_sqlstate := '0A000';
    error_message := format(
      'the column %I is virtual: it is computed by an expression of the table''s owner; expected one that is stored',
      v_column.name
    );
  elsif v_is in ('null', 'not null') then
    expression := format('%I is %s', v_column.name, v_is);
  elsif v_is in ('true', 'false') then
    if v_column.oid = 'boolean'::regtype then
      expression := format('nms_private.equals(%I, %L::pg_catalog.bool)', v_column.name, v_is);
    else
      error_sqlstate := '42804';
      error_message := format(
        'the column %I is of type %s, expected boolean', v_column.name, format_type(v_column.oid, null)
      );
    end if;
  elsif v_column.is_enum then
    -- Takes enums only, without a cast, and the literal as a label of that type.
    if exists (select from pg_enum as label where label.enumtypid = v_column.oid and label.enumlabel = v_literal) then
      expression := format('pg_catalog.enum_eq(%I, %L)', v_column.name, v_literal);
    else
      error_sqlstate := '22P02';
      error_message := format('%s has no label %L', format_type(v_column.oid, null), v_literal);
    end if;
  elsif not v_column.is_comparable then
    error_sqlstate := '42804';
    error_message := format(
      'the column %I is of type %s, expected a built-in base type that can be compared, or an enum',
      v_column.name, format_type(v_column.oid, null)
    );
  elsif not v_column.is_deterministic then
    error_sqlstate := '0A000';
    error_message := format('the collation of the column %I is not deterministic', v_column.name);
  else
    begin
      execute format('select %L::pg_catalog.%I', v_literal, v_column.type_name);
      expression := format('nms_private.equals(%I, %L::pg_catalog.%I)', v_column.name, v_literal, v_column.type_name);
    exception
      -- Whatever a built-in type says about a literal that it does not take.
      when others then
        error_sqlstate := sqlstate;
        error_message := sqlerrm;
    end;
  end if;
end
$$;
comment on function nms_private.filter_test(oid, jsonb) is
  'A filter as the expression that tests a row of this table, or the SQLSTATE and message of why there is none. The expression is safe whatever the column is when it is used: it is refused unless the column has that very type.';
revoke execute on function nms_private.filter_test(oid, jsonb) from public;
--! EndIncluded functions/filters/filter_test.sql
--! Included functions/filters/filters_of.sql
-- Stable: the members of a family have the same filters throughout a run.
create or replace function nms_private.filters_of(table_oids oid[])
returns table (table_oid oid, filters jsonb)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
rows 10
as $$
begin
  if not exists (select from nms.table_metrics_filters) then
    return;
  end if;
  return query
  with recursive
  lineage (member, ancestor, distance) as (
    select given.oid, given.oid, 0
    from unnest(filters_of.table_oids) as given (oid)
    union
    select lineage.member, parent.inhparent, lineage.distance + 1
    from lineage
    join pg_inherits as parent on parent.inhrelid = lineage.ancestor
  ),
  -- Of the same name, that of the nearest.
  nearest as (
    select distinct on (lineage.member, rule.filter_name) lineage.member, rule.filter_name, rule.filter
    from nms.table_metrics_filters as rule
    join pg_namespace as schema on schema.nspname = rule.schema_name
    join pg_class as relation on relation.relnamespace = schema.oid and relation.relname = rule.table_name
    join lineage on lineage.ancestor = relation.oid
    where rule.filter is not null
    order by lineage.member, rule.filter_name, lineage.distance, lineage.ancestor
  )
  select nearest.member, jsonb_object_agg(nearest.filter_name, nearest.filter)
  from nearest
  group by nearest.member;
end
$$;
comment on function nms_private.filters_of(oid[]) is
  'The filters that hold for each of these tables, by their names: its own, and those of the tables whose partition or child it is. No row for a table without any.';
revoke execute on function nms_private.filters_of(oid[]) from public;
--! EndIncluded functions/filters/filters_of.sql
--! Included functions/filters/is_filter.sql
create or replace function nms_private.is_filter(filter jsonb)
returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(filter) is distinct from 'object' or jsonb_typeof(filter -> 'column') is distinct from 'string' then
      false
    when octet_length(filter ->> 'column') not between 1 and 63 then
      false
    when filter ? 'is' then
      filter - '{column,is}'::text[] = '{}'
      and filter -> 'is' in ('"null"', '"not null"', '"true"', '"false"', 'true', 'false')
    else
      filter - '{column,equals}'::text[] = '{}'
      and coalesce(jsonb_typeof(filter -> 'equals') in ('string', 'number', 'boolean'), false)
  end
$$;
comment on function nms_private.is_filter(jsonb) is
  'True for a test of a column as nms.table_metrics_filters takes it.';
revoke execute on function nms_private.is_filter(jsonb) from public;
--! EndIncluded functions/filters/is_filter.sql
--! Included functions/filters/store_filtered_counts.sql
create or replace function nms_private.store_filtered_counts(filtered nms.table_metrics_filtered_counts[])
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_failed record;
begin
  if cardinality(filtered) = 0 then
    return;
  end if;

  for v_failed in
    insert into nms.table_metrics_filtered_counts as stored
    select counted.*
    from unnest(filtered) as counted
    -- Only what belongs to a measurement that was kept.
    join nms.table_metrics_measurements as measurement
      on measurement.run_id = counted.run_id
      and measurement.schema_name = counted.schema_name
      and measurement.table_name = counted.table_name
      and measurement.table_oid = counted.table_oid
      and measurement.measured_at = counted.measured_at
    order by counted.schema_name, counted.table_name, counted.filter_name
    on conflict on constraint table_metrics_filtered_counts_pkey do update
    set
      row_count = excluded.row_count,
      method = excluded.method,
      measured_at = excluded.measured_at,
      table_oid = excluded.table_oid,
      error_sqlstate = excluded.error_sqlstate,
      error_message = excluded.error_message
    returning stored.*
  loop
    continue when v_failed.error_sqlstate is null;
    raise warning 'filter % was not counted: %',
      format('%I of %I.%I', v_failed.filter_name, v_failed.schema_name, v_failed.table_name), v_failed.error_message
      using
        errcode = v_failed.error_sqlstate,
        hint = 'Change or delete its row in nms.table_metrics_filters.';
  end loop;
end
$$;
comment on function nms_private.store_filtered_counts(nms.table_metrics_filtered_counts[]) is
  'Stores the counts of filters, of those tables whose measurement was stored with them. One that was not counted is a warning.';
revoke execute on function nms_private.store_filtered_counts(nms.table_metrics_filtered_counts[]) from public;
--! EndIncluded functions/filters/store_filtered_counts.sql
--! Included functions/filters/validate_filter.sql
create or replace function nms_private.validate_filter()
returns trigger
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
begin
  if new.filter is not null and not nms_private.is_filter(filter => new.filter) then
    raise exception 'not a filter: %', left(new.filter::text, 200)
      using
        errcode = 'check_violation',
        constraint = 'filter_tests_one_column',
        detail = 'expected a column and either what it is (null, not null, true or false) or the literal that it equals',
        hint = 'Write {"column": "deleted_at", "is": "null"} or {"column": "status", "equals": "active"}.';
  end if;

  if (new.filter is null) = (new.function_name is null) then
    return new; -- which the table refuses
  end if;

  -- Its table may be created, or altered, later.
  v_fault := nms_private.filter_problem(
    schema_name => new.schema_name, table_name => new.table_name, filter => new.filter,
    function_name => new.function_name
  );
  if v_fault is not null then
    raise notice 'filter %: %', format('%I of %I.%I', new.filter_name, new.schema_name, new.table_name), v_fault
      using hint = 'Until that is mended, it is recorded as not counted.';
  end if;
  return new;
end
$$;
comment on function nms_private.validate_filter() is
  'Trigger function that refuses a filter that is none, and tells what is wrong with one whose table, column or literal does not fit.';
revoke execute on function nms_private.validate_filter() from public;
--! EndIncluded functions/filters/validate_filter.sql
--! Included functions/forecast/dates_until.sql
create or replace function nms_private.dates_until(
  since date, -- the day of the last point
  distance double precision,
  slope double precision,
  wander double precision,
  span double precision
)
returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'outcome', case
      when found.earliest > horizon.days then 'not within 100 years'
      when found.latest > horizon.days then 'not before'
      else found.outcome
    end,
    'earliest', case
      when found.earliest <= horizon.days then dates_until.since + floor(found.earliest)::integer
    end,
    'middle', case
      when found.latest <= horizon.days then dates_until.since + round(found.middle)::integer
    end,
    'latest', case
      when found.latest <= horizon.days then dates_until.since + ceil(found.latest)::integer
    end
  )
  from nms_private.time_until(
    distance => dates_until.distance, slope => dates_until.slope, wander => dates_until.wander, span => dates_until.span
  ) as found
  cross join (select 36525 as days) as horizon
$$;
comment on function nms_private.dates_until(date, double precision, double precision, double precision, double precision) is
  'The dates of nms_private.time_until(): {outcome, earliest, middle, latest}, as far as they lie within 100 years.';
revoke execute on function nms_private.dates_until(date, double precision, double precision, double precision, double precision) from public;
--! EndIncluded functions/forecast/dates_until.sql
--! Included functions/forecast/days_needed.sql
create or replace function nms_private.days_needed()
returns integer
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 14
$$;
comment on function nms_private.days_needed() is
  'Of how many days something has to be known before its pace is told.';
revoke execute on function nms_private.days_needed() from public;
--! EndIncluded functions/forecast/days_needed.sql
--! Included functions/forecast/forecast_report.sql
create or replace function nms.forecast_report(
  schema_name text,
  table_name text,
  "rows" bigint default null, -- when does it have as many?
  days integer default 90
)
returns jsonb
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_report jsonb;
  v_line jsonb;
  v_last date;
begin
  if (forecast_report.days between nms_private.days_needed() and 366) is not true then
    raise exception 'no forecast from % days', coalesce(forecast_report.days::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = format('expected %s to 366', nms_private.days_needed()),
        hint = 'For example: days => 90.';
  elsif forecast_report."rows" < 1 then
    raise exception 'no forecast of % rows', forecast_report."rows"
      using errcode = 'invalid_parameter_value', detail = 'expected 1 or more', hint = 'For example: rows => 1000000.';
  end if;
  perform nms_private.refuse_unknown_table(
    schema_name => forecast_report.schema_name, table_name => forecast_report.table_name
  );

  with
  day as materialized (
    select found.snapshot_date, found.row_count, found.method
    from nms.table_trend(
      schema_name => forecast_report.schema_name,
      table_name => forecast_report.table_name,
      days => forecast_report.days
    ) as found
    where found.row_count is not null
  ),
  newest as (
    select day.* from day order by day.snapshot_date desc limit 1
  )
  select
    jsonb_build_object(
      'schema_name', forecast_report.schema_name,
      'table_name', forecast_report.table_name,
      'days', forecast_report.days,
      'days_found', (select count(*) from day),
      'days_needed', nms_private.days_needed(),
      'first_date', (select min(day.snapshot_date) from day),
      'last_date', newest.snapshot_date,
      'last_rows', newest.row_count,
      'methods', (
        select jsonb_object_agg(counted.method, counted.days)
        from (select day.method, count(*) as days from day group by day.method) as counted
      )
    ),
    newest.snapshot_date,
    (
      select to_jsonb(line)
      from (
        select
          array_agg((day.snapshot_date - newest.snapshot_date)::double precision) as places,
          array_agg((day.row_count - newest.row_count)::double precision) as amounts
        from day
        having count(*) >= nms_private.days_needed()
      ) as point
      cross join lateral nms_private.robust_line(places => point.places, amounts => point.amounts) as line
    )
  into v_report, v_last, v_line
  from (select) as always
  left join newest on true;

  return v_report || jsonb_build_object(
    'trend', (
      select jsonb_build_object(
        'level', (v_report ->> 'last_rows')::bigint + round(line.level)::bigint,
        'is_last_off_line', round(abs(line.level)) > line.wander * sqrt(30 + power(30, 2) / line.span),
        'ahead', (
          select jsonb_agg(
            jsonb_build_object(
              'days', ahead.days,
              'date', v_last + ahead.days,
              'rows', greatest(0, round(expected.middle)),
              'rows_low', greatest(0, floor(least(expected.middle - expected.doubt, expected.from_last))),
              'rows_high', greatest(0, ceil(greatest(expected.middle + expected.doubt, expected.from_last)))
            )
            order by ahead.days
          )
          from (values (30), (90), (365)) as ahead (days)
          cross join lateral (
            select
              ((v_report ->> 'last_rows')::bigint + line.level + line.slope * ahead.days)::numeric,
              (line.wander * sqrt(ahead.days + power(ahead.days, 2) / line.span))::numeric,
              -- Should the last day be no exception.
              (v_report ->> 'last_rows')::numeric + (line.slope * ahead.days)::numeric
          ) as expected (middle, doubt, from_last)
        )
      ) || nms_private.shown_pace(slope => line.slope, slope_low => line.slope_low, slope_high => line.slope_high)
      from jsonb_to_record(v_line) as line (
        slope double precision, slope_low double precision, slope_high double precision,
        level double precision, wander double precision, span double precision
      )
      where v_line is not null
    ),
    'reaches', (
      select jsonb_build_object('rows', forecast_report."rows") || nms_private.dates_until(
        since => v_last,
        distance => (forecast_report."rows" - (v_report ->> 'last_rows')::bigint - line.level)::double precision,
        slope => line.slope,
        wander => line.wander,
        span => line.span
      )
      from jsonb_to_record(v_line) as line (
        slope double precision, level double precision, wander double precision, span double precision
      )
      where forecast_report."rows" is not null and v_line is not null
    ),
    'key', (
      select nms_private.key_forecast(
        table_oid => to_regclass(format('%I.%I', forecast_report.schema_name, forecast_report.table_name)),
        days => forecast_report.days,
        rows_line => v_line
      )
      from nms.table_metrics_settings as settings
      where forecast_report.schema_name <> all (settings.machinery_schemas)
    )
  );
end
$$;
comment on function nms.forecast_report(text, text, bigint, integer) is
  'When a table is full, by its counts of the last so many business days: {schema_name, table_name, days, days_found, days_needed, first_date, last_date, last_rows, methods, trend, reaches, key}. trend: its level, rows per day from per_day_low to per_day_high, and ahead: rows in 30, 90 and 365 days, in a range that holds what comes of the last count as well; is_last_off_line: the range of the line alone would not; null when days_found are too few. reaches: null unless asked for a number of rows, then outcome: passed, between (earliest and latest), not before (earliest, perhaps never), never, not within 100 years. key: the same for its primary key when it can run out and machinery_schemas does not name its schema, with its position now, what limits it, the pace of its positions (pace_of) or else of the rows, by which it runs out not after latest, and the remedy; is_pressing: nms.find_problems() names it as well. All ranges are of 95 % confidence. methods: by how many of its days each was used. Names as the catalogue spells them. Raises P0002 for a table that no run has met, 22023 for a number that cannot be.';
revoke execute on function nms.forecast_report(text, text, bigint, integer) from public;
--! EndIncluded functions/forecast/forecast_report.sql
--! Included functions/forecast/gives_numbers.sql
create or replace function nms_private.gives_numbers(sequence_oid oid, default_oid oid)
returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    gives_numbers.default_oid is null
    or exists (
      select
      from pg_attrdef as fallback
      where
        fallback.oid = gives_numbers.default_oid
        and pg_get_expr(fallback.adbin, fallback.adrelid)
          = format('nextval(%L::regclass)', gives_numbers.sequence_oid::regclass::text)
    )
$$;
comment on function nms_private.gives_numbers(oid, oid) is
  'Whether the numbers of a sequence are what a column gets: always for an identity (default_oid is null), otherwise when the default is nextval() of it and nothing else.';
revoke execute on function nms_private.gives_numbers(oid, oid) from public;
--! EndIncluded functions/forecast/gives_numbers.sql
--! Included functions/forecast/highest_key.sql
-- Planning runs functions in predicates, expressions and statistics of the table: one that has any is left alone.
create or replace function nms_private.highest_key(table_oid oid, column_name text)
returns bigint
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set constraint_exclusion = off
set row_security = off
set jit = off
as $$
declare
  v_highest bigint;
  v_name text := table_oid::regclass::text;
begin
  begin
    perform
      set_config('transaction_read_only', 'on', true),
      set_config('lock_timeout', '1s', true);
    if current_setting('restrict_nonsystem_relation_kind', true) is not null then
      perform set_config('restrict_nonsystem_relation_kind', 'view', true);
    end if;
    execute format('lock table only %s in access share mode', v_name);
    if
      to_regclass(v_name)::oid = highest_key.table_oid
      and exists (
        select
        from pg_class as relation
        join pg_index as key on key.indrelid = relation.oid and key.indisprimary and key.indisvalid
        join pg_class as index on index.oid = key.indexrelid
        join pg_opclass as operators on operators.oid = key.indclass[0]
        join pg_attribute as attribute on attribute.attrelid = relation.oid and attribute.attnum = key.indkey[0]
        where
          relation.oid = highest_key.table_oid
          and relation.relkind = 'r'
          and not relation.relhassubclass
          and key.indnkeyatts = 1
          and attribute.attname = highest_key.column_name
          and attribute.atttypid in ('smallint'::regtype, 'integer'::regtype)
          and operators.opcnamespace = 'pg_catalog'::regnamespace
          and operators.opcdefault
          and index.relam = (select method.oid from pg_am as method where method.amname = 'btree')
      )
      and not exists (
        select
        from pg_index as other
        where other.indrelid = highest_key.table_oid and num_nonnulls(other.indexprs, other.indpred) > 0
      )
      and not exists (
        select
        from pg_statistic_ext as statistics
        where statistics.stxrelid = highest_key.table_oid and statistics.stxexprs is not null
      )
    then
      execute format('select max(%I) from only %s', highest_key.column_name, v_name) into v_highest;
    end if;
    raise sqlstate 'NM002' using message = 'read: release the lock';
  exception
    when sqlstate 'NM002' then
      return v_highest;
    when query_canceled then
      raise;
    when assert_failure or others then
      return null;
  end;
end
$$;
comment on function nms_private.highest_key(oid, text) is
  'The highest value of a primary key of one column, smallint or integer, from its index; null when the table is empty, locked, partitioned or has children, or when reading it could run code of its owner: an index or statistics of an expression, or an index of some rows only.';
revoke execute on function nms_private.highest_key(oid, text) from public;
--! EndIncluded functions/forecast/highest_key.sql
--! Included functions/forecast/key_forecast.sql
create or replace function nms_private.key_forecast(table_oid oid, days integer, rows_line jsonb)
returns jsonb
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  -- Of several columns that which ends first.
  key as (
    select limits.*, given.is_sequence, given."position"
    from nms_private.key_limits(table_oid => key_forecast.table_oid) as limits
    cross join lateral (
      select
        limits.sequence_oid is not null
          and nms_private.gives_numbers(sequence_oid => limits.sequence_oid, default_oid => limits.default_oid) as is_sequence
    ) as kind
    cross join lateral (
      select
        true as is_sequence, found."position", true as is_known
      from nms_private.sequence_positions(sequences => array[limits.sequence_oid]) as found
      where kind.is_sequence
      union all
      select false, found.highest, found.highest is not null
      from nms_private.highest_key(table_oid => limits.table_oid, column_name => limits.column_name) as found (highest)
      where not kind.is_sequence and limits.is_only_column and limits.data_type <> 'bigint'
    ) as given
    where given.is_known
    order by (limits.last_key::numeric - coalesce(given."position", limits.first_key)) / limits.increment
    limit 1
  ),
  measured as (
    select
      key.*,
      greatest(
        0,
        floor(
          (key.last_key::numeric - coalesce(key."position"::numeric, coalesce(key.first_key, 1)::numeric - key.increment))
            / key.increment
        )
      ) as keys_left,
      -- None where the sequence begins beyond what the type of the column holds.
      greatest(0, floor((key.last_key::numeric - coalesce(key.first_key, 1)) / key.increment) + 1) as keys
    from key
  ),
  paced as (
    select
      measured.*,
      pace.points,
      case
        when pace.slope is not null
          then jsonb_build_object(
            'of', 'positions', 'slope', pace.slope, 'slope_low', pace.slope_low, 'slope_high', pace.slope_high,
            'wander', pace.wander, 'span', pace.span
          )
        when measured.increment > 0 or measured.is_sequence then '{"of": "rows"}' || key_forecast.rows_line
      end as line
    from measured
    left join lateral nms_private.key_pace(
      sequence_schema => measured.sequence_schema,
      sequence_name => measured.sequence_name,
      increment => measured.increment,
      "position" => measured."position",
      days => key_forecast.days
    ) as pace on measured.is_sequence
  )
  select jsonb_build_object(
    'column_name', paced.column_name,
    'data_type', paced.data_type,
    'position', paced."position",
    'last_key', paced.last_key,
    'keys_left', paced.keys_left,
    'used_percent', greatest(0, coalesce(trunc(100 * (1 - paced.keys_left / nullif(paced.keys, 0)), 2), 100)),
    'limited_by', case when paced.is_limited_by_type then 'type' else 'sequence' end,
    'sequence', case when paced.is_sequence then paced.sequence_oid::regclass::text end,
    'increment', paced.increment,
    'is_cyclic', paced.is_cyclic,
    'points_found', coalesce(paced.points, 0),
    'points_needed', nms_private.days_needed() + 1,
    'pace_of', paced.line ->> 'of',
    'remedy', nms_private.key_remedy(
      schema_name => paced.schema_name,
      table_name => paced.table_name,
      column_name => paced.column_name,
      data_type => paced.data_type,
      is_limited_by_type => paced.is_limited_by_type or not paced.is_sequence,
      sequence_oid => case when paced.is_sequence then paced.sequence_oid end,
      default_oid => paced.default_oid
    )
  )
    || nms_private.shown_pace(
      slope => (paced.line ->> 'slope')::double precision,
      slope_low => (paced.line ->> 'slope_low')::double precision,
      slope_high => (paced.line ->> 'slope_high')::double precision
    )
    || coalesce(outcome.said, '{"outcome": null, "earliest": null, "middle": null, "latest": null}')
    || jsonb_build_object(
      'is_pressing',
      paced.keys_left = 0
        or paced.keys_left < 0.2 * paced.keys
        or coalesce((outcome.said ->> 'earliest')::date <= nms.business_date() + 365, false)
    )
  from paced
  cross join lateral (
    select nms_private.dates_until(
      since => nms.business_date(),
      distance => paced.keys_left::double precision,
      slope => (paced.line ->> 'slope')::double precision,
      wander => (paced.line ->> 'wander')::double precision,
      span => (paced.line ->> 'span')::double precision
    )
    where paced.keys_left > 0 and paced.line is not null
    union all
    select '{"outcome": "passed", "earliest": null, "middle": null, "latest": null}' where paced.keys_left = 0
    union all
    select null where paced.keys_left > 0 and paced.line is null
  ) as dated (until)
  -- Rows that were deleted have used keys as well: what grows by rows runs out no later, and says nothing of sooner.
  cross join lateral (
    select
      case
        when dated.until ->> 'outcome' = 'passed' or paced.line ->> 'of' = 'positions' then dated.until
        when dated.until ->> 'latest' is not null
          then dated.until || '{"outcome": "not after", "earliest": null, "middle": null}'
      end
  ) as outcome (said)
$$;
comment on function nms_private.key_forecast(oid, integer, jsonb) is
  'When the primary key of a table runs out, by the position of its sequence, or else by its highest value: as the key of nms.forecast_report(). rows_line: how the rows grow, for where too few positions are known. Null: it has none that could run out, or none that can be read.';
revoke execute on function nms_private.key_forecast(oid, integer, jsonb) from public;
--! EndIncluded functions/forecast/key_forecast.sql
--! Included functions/forecast/key_limits.sql
create or replace function nms_private.key_limits(table_oid oid default null) -- null: of all tables
returns table (
  table_oid oid,
  schema_name text,
  table_name text,
  column_name text,
  data_type text,
  first_key bigint,
  last_key bigint,
  is_only_column boolean,
  is_limited_by_type boolean,
  sequence_oid oid,
  sequence_schema text,
  sequence_name text,
  increment bigint,
  is_cyclic boolean,
  default_oid oid
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  key_column as materialized (
    select
      relation.oid as table_oid,
      namespace.nspname as schema_name,
      relation.relname as table_name,
      attribute.attname as column_name,
      attribute.attnum,
      attribute.atttypid,
      key.indnkeyatts = 1 as is_only_column,
      (power(2::numeric, 8 * attribute.attlen - 1) - 1)::bigint as greatest_of_type
    from pg_index as key
    join pg_class as relation on relation.oid = key.indrelid
    join pg_namespace as namespace on namespace.oid = relation.relnamespace
    join pg_attribute as attribute
      on attribute.attrelid = relation.oid
      and attribute.attnum = any ((key.indkey::smallint[])[0:key.indnkeyatts - 1])
    where
      key.indisprimary
      and relation.relkind in ('r', 'p')
      and not relation.relispartition
      and relation.relpersistence <> 't'
      and attribute.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
      and (key_limits.table_oid is null or relation.oid = key_limits.table_oid)
  )
  select
    key_column.table_oid,
    key_column.schema_name,
    key_column.table_name,
    key_column.column_name,
    key_column.atttypid::regtype::text,
    case when sequence.seqincrement < 0 then sequence.seqmax else sequence.seqmin end,
    ending.last_key,
    key_column.is_only_column,
    abs(ending.last_key::numeric) >= key_column.greatest_of_type,
    sequence.seqrelid,
    sequence_namespace.nspname,
    sequence_relation.relname,
    coalesce(sequence.seqincrement, 1),
    coalesce(sequence.seqcycle, false),
    given_by.default_oid
  from key_column
  -- An identity has its sequence, a default names one. The limit keeps the planner to look-ups.
  left join lateral (
    select dependency.objid as sequence_oid, null::oid as default_oid
    from pg_depend as dependency
    where
      dependency.refclassid = 'pg_class'::regclass
      and dependency.refobjid = key_column.table_oid
      and dependency.refobjsubid = key_column.attnum
      and dependency.classid = 'pg_class'::regclass
      and dependency.deptype = 'i'
    union all
    select dependency.refobjid, fallback.oid
    from pg_attrdef as fallback
    join pg_depend as dependency
      on dependency.classid = 'pg_attrdef'::regclass
      and dependency.objid = fallback.oid
      and dependency.refclassid = 'pg_class'::regclass
      and dependency.refobjid <> key_column.table_oid
    where fallback.adrelid = key_column.table_oid and fallback.adnum = key_column.attnum
    limit 1
  ) as given_by on true
  left join pg_sequence as sequence on sequence.seqrelid = given_by.sequence_oid
  left join pg_class as sequence_relation on sequence_relation.oid = sequence.seqrelid
  left join pg_namespace as sequence_namespace on sequence_namespace.oid = sequence_relation.relnamespace
  cross join lateral (
    select
      case
        when sequence.seqincrement < 0 then greatest(sequence.seqmin, -key_column.greatest_of_type - 1)
        else least(sequence.seqmax, key_column.greatest_of_type)
      end
  ) as ending (last_key)
  where
    (sequence.seqrelid is not null or (key_column.is_only_column and key_column.atttypid <> 'bigint'::regtype))
    and (
      key_column.atttypid <> 'bigint'::regtype
      or ending.last_key not in (bigint '9223372036854775807', -9223372036854775807, (-9223372036854775808)::bigint)
    )
$$;
comment on function nms_private.key_limits(oid) is
  'Primary keys that can run out: columns of smallint or integer, and of bigint whose sequence ends earlier. From first_key to last_key, in steps of increment, as the type of the column and the sequence that gives the numbers allow; without a sequence (sequence_oid is null) first_key is null, and the key has no other column. default_oid: the default that names the sequence, null for an identity. Not of partitions: their parent has the column. Asks the catalogue.';
revoke execute on function nms_private.key_limits(oid) from public;
--! EndIncluded functions/forecast/key_limits.sql
--! Included functions/forecast/key_pace.sql
create or replace function nms_private.key_pace(
  sequence_schema text,
  sequence_name text,
  increment bigint,
  "position" bigint, -- now
  days integer
)
returns table (
  points bigint,
  slope double precision,
  slope_low double precision,
  slope_high double precision,
  wander double precision,
  span double precision
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
  with
  known as (
    select known.read_at, known."position"
    from nms_private.key_positions as known
    where
      known.sequence_schema = key_pace.sequence_schema
      and known.sequence_name = key_pace.sequence_name
      and known."position" is not null
      and known.read_at > statement_timestamp() - make_interval(days => key_pace.days)
    union all
    select statement_timestamp(), key_pace."position" where key_pace."position" is not null
  ),
  point as (
    select
      extract(epoch from known.read_at - statement_timestamp())::double precision / 86400 as place,
      ((known."position"::numeric - key_pace."position") / key_pace.increment)::double precision as amount
    from known
  ),
  gathered as (
    select count(*) as points, array_agg(point.place) as places, array_agg(point.amount) as amounts from point
  )
  select gathered.points, line.slope, line.slope_low, line.slope_high, line.wander, line.span
  from gathered
  left join lateral nms_private.robust_line(places => gathered.places, amounts => gathered.amounts) as line
    on gathered.points > nms_private.days_needed()
$$;
comment on function nms_private.key_pace(text, text, bigint, bigint, integer) is
  'How many keys a sequence has used a day, as of nms_private.robust_line(), by its position now and those that runs have kept in the last so many days. points: how many there are, now included; the others are null when they are too few.';
revoke execute on function nms_private.key_pace(text, text, bigint, bigint, integer) from public;
--! EndIncluded functions/forecast/key_pace.sql
--! Included functions/forecast/key_remedy.sql
create or replace function nms_private.key_remedy(
  schema_name text,
  table_name text,
  column_name text,
  data_type text,
  is_limited_by_type boolean,
  sequence_oid oid,
  default_oid oid
)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(
    ' ',
    case
      when key_remedy.is_limited_by_type
        then format(
          'alter table %I.%I alter column %I type bigint;',
          key_remedy.schema_name, key_remedy.table_name, key_remedy.column_name
        )
    end,
    (
      -- That of an identity takes the type of its column along.
      select format(
        'alter sequence %s as bigint no %svalue;',
        key_remedy.sequence_oid::regclass, case when sequence.seqincrement < 0 then 'min' else 'max' end
      )
      from pg_sequence as sequence
      where
        sequence.seqrelid = key_remedy.sequence_oid
        and (not key_remedy.is_limited_by_type or (key_remedy.default_oid is not null and sequence.seqtypid <> 'bigint'::regtype))
    )
  )
$$;
comment on function nms_private.key_remedy(text, text, text, text, boolean, oid, oid) is
  'The statements after which a key does not run out any more. A new type rewrites the table and its indexes under an access exclusive lock.';
revoke execute on function nms_private.key_remedy(text, text, text, text, boolean, oid, oid) from public;
--! EndIncluded functions/forecast/key_remedy.sql
--! Included functions/forecast/record_key_positions.sql
-- 500 a day at most, so that no run is held up by them, and each schema takes turns: of each those that are used by more
-- than a hundredth, then what was read longest ago.
create or replace function nms_private.record_key_positions()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  with
  kept as materialized (
    select known.sequence_schema, known.sequence_name
    from nms.table_metrics_runs as earlier
    join nms_private.key_positions as known on known.run_id = earlier.run_id
    where earlier.snapshot_date = new.snapshot_date
  ),
  backed as materialized (
    select distinct on (key.sequence_schema, key.sequence_name) key.*
    from nms_private.key_limits() as key
    where
      key.sequence_oid is not null
      and exists (
        select
        from nms.table_metrics_measurements as measured
        where
          measured.run_id = new.run_id
          and measured.schema_name = key.schema_name
          and measured.table_name = key.table_name
      )
    order by key.sequence_schema, key.sequence_name, key.table_oid
  ),
  chosen as (
    select backed.*
    from backed
    left join lateral (
      select known.*
      from nms_private.key_positions as known
      where known.sequence_schema = backed.sequence_schema and known.sequence_name = backed.sequence_name
      order by known.run_id desc
      limit 1
    ) as latest on true
    cross join lateral (
      select
        abs(latest.position::numeric - backed.first_key) * 100 > abs(backed.last_key::numeric - backed.first_key)
    ) as usage (is_used)
    where not exists (
      select
      from kept
      where kept.sequence_schema = backed.sequence_schema and kept.sequence_name = backed.sequence_name
    )
    order by
      row_number() over (
        partition by backed.sequence_schema order by usage.is_used desc nulls last, latest.run_id nulls first
      ),
      usage.is_used desc nulls last,
      latest.run_id nulls first
    limit greatest(0, 500 - (select count(*) from kept))
  )
  insert into nms_private.key_positions (sequence_schema, sequence_name, run_id, read_at, "position")
  select chosen.sequence_schema, chosen.sequence_name, new.run_id, clock_timestamp(), found."position"
  from (select array_agg(chosen.sequence_oid) as sequences from chosen) as given
  cross join nms_private.sequence_positions(sequences => given.sequences) as found
  join chosen on chosen.sequence_oid = found.sequence_oid;
  return null;
exception
  -- No failure here may undo the end of the run.
  when query_canceled or assert_failure or others then
    raise warning 'the positions of keys were not recorded by run %', new.run_id
      using errcode = sqlstate, detail = left(sqlerrm, 2000);
    return null;
end
$$;
comment on function nms_private.record_key_positions() is
  'Trigger function that keeps how far the sequences of keys are that can run out: those of tables that the run has measured, each once a business day, and 500 a day at most. A failure there is a warning, and the run ends as it would have.';
revoke execute on function nms_private.record_key_positions() from public;
--! EndIncluded functions/forecast/record_key_positions.sql
--! Included functions/forecast/robust_line.sql
-- Sums of changes wander: what is left of a line is no independent noise, and Sen's own range would be too narrow.
-- So the range is that of a line whose steps are independent, by the medians of stretches of whole weeks.
create or replace function nms_private.robust_line(
  places double precision[], -- days, each once, in any order
  amounts double precision[]
)
returns table (
  slope double precision,
  slope_low double precision,
  slope_high double precision,
  level double precision,
  wander double precision,
  span double precision
)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
  with
  point as materialized (
    select given.place, given.amount from unnest(robust_line.places, robust_line.amounts) as given (place, amount)
  ),
  line as materialized (
    select percentile_cont(0.5) within group (order by (latter.amount - former.amount) / (latter.place - former.place)) as slope
    from point as former
    join point as latter on latter.place > former.place
  ),
  stretched as (
    select
      bounds.last,
      bounds.span,
      cut.stretches,
      case when bounds.span < 28 then bounds.span / cut.stretches else 7 * floor(bounds.span / 7 / cut.stretches) end as length
    from (select max(point.place) as last, max(point.place) - min(point.place) + 1 as span from point) as bounds
    cross join lateral (
      select case when bounds.span < 28 then 4 else least(12, floor(bounds.span / 7)) end as stretches
    ) as cut
  ),
  middle as (
    select
      floor((stretched.last - point.place) / stretched.length) as stretch,
      percentile_cont(0.5) within group (order by point.amount - line.slope * (point.place - stretched.last)) as rest
    from point
    cross join line
    cross join stretched
    where floor((stretched.last - point.place) / stretched.length) < stretched.stretches
    group by 1
  ),
  step as (
    select
      (middle.rest - lead(middle.rest) over by_stretch) / sqrt(lead(middle.stretch) over by_stretch - middle.stretch) as size
    from middle
    window by_stretch as (order by middle.stretch)
  ),
  -- The middles of two stretches differ by two thirds of what their ends do.
  variance as (
    select 1.5 * avg(step.size * step.size) as of_stretch, count(step.size)::integer as steps from step
  ),
  -- Student's t at 97.5 %, for as many steps, less one for the slope.
  scaled as (
    select
      sqrt(variance.of_stretch / stretched.length)
        * ('{12.706,12.706,4.303,3.182,2.776,2.571,2.447,2.365,2.306,2.262,2.228}'::double precision[])[variance.steps] as wander
    from variance
    cross join stretched
    where variance.steps >= 2
  ),
  latest as (
    select percentile_cont(0.5) within group (order by newest.amount - line.slope * (newest.place - stretched.last)) as level
    from (select point.* from point order by point.place desc limit 7) as newest
    cross join line
    cross join stretched
  )
  select
    line.slope,
    line.slope - scaled.wander / sqrt(known.span),
    line.slope + scaled.wander / sqrt(known.span),
    latest.level,
    scaled.wander,
    known.span
  from line
  cross join stretched
  -- Of a sum of independent steps, the median of slopes knows as little as its ends after four fifths of the time.
  cross join lateral (select 0.8 * stretched.span) as known (span)
  cross join scaled
  cross join latest
$$;
comment on function nms_private.robust_line(double precision[], double precision[]) is
  'A line through points that a few wild ones do not move: the median of the slopes between any two of them (Theil and Sen), between slope_low and slope_high with 95 % confidence, and its level at the last point, the median of the last seven. wander: by how much, with the same confidence, the amount leaves the line within a day, times the square root of the days within several; span: of how many days the slope is known as well as the ends of a sum tell it. No row: the points lie in too few weeks.';
revoke execute on function nms_private.robust_line(double precision[], double precision[]) from public;
--! EndIncluded functions/forecast/robust_line.sql
--! Included functions/forecast/sequence_positions.sql
-- By OID: a name could be given to a table meanwhile, whose indexes run code of its owner. The price is a lock on each
-- sequence, the one that nextval() takes, until the transaction ends.
create or replace function nms_private.sequence_positions(sequences oid[])
returns table (sequence_oid oid, "position" bigint)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '10ms' -- on who drops or alters a sequence
as $$
declare
  v_read jsonb;
  v_place bigint := bigint '1';
  v_size bigint := bigint '50';
  v_unread bigint := bigint '0';
begin
  while v_place <= cardinality(sequences) and v_unread < 20 loop
    begin
      select jsonb_agg(jsonb_build_array(sequence.oid, pg_sequence_last_value(sequence.oid::regclass))) into v_read
      from pg_class as sequence
      where sequence.oid = any (sequences[v_place : v_place + v_size - 1]) and sequence.relkind = 'S';
    exception
      when query_canceled then
        raise;
      -- One that is dropped, locked or not ours to read: the others of its batch are read each by itself.
      when assert_failure or others then
        if v_size > 1 then
          v_size := 1;
          continue;
        end if;
        v_unread := v_unread + 1;
        v_read := null;
    end;
    return query
    select (found.value ->> 0)::oid, (found.value ->> 1)::bigint
    from jsonb_array_elements(v_read) as found (value);
    v_place := v_place + v_size;
    -- Back to batches at the end of the one that had to be taken apart.
    if v_place % 50 = 1 then
      v_size := 50;
    end if;
  end loop;
end
$$;
comment on function nms_private.sequence_positions(oid[]) is
  'The last number that each of these sequences has given out; null when it has given out none. No row: it could not be read, or twenty before it could not. Locks each as nextval() does, until the transaction ends, and waits for nobody.';
revoke execute on function nms_private.sequence_positions(oid[]) from public;
--! EndIncluded functions/forecast/sequence_positions.sql
--! Included functions/forecast/shown_pace.sql
create or replace function nms_private.shown_pace(slope double precision, slope_low double precision, slope_high double precision)
returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'per_day', round(shown_pace.slope::numeric, precision.digits),
    'per_day_low', trunc(floor(shown_pace.slope_low::numeric * precision.factor) / precision.factor, precision.digits),
    'per_day_high', trunc(ceil(shown_pace.slope_high::numeric * precision.factor) / precision.factor, precision.digits)
  )
  from (
    select given.digits, power(10::numeric, given.digits) as factor
    from (
      select case when greatest(abs(shown_pace.slope_low), abs(shown_pace.slope_high)) >= 100 then 0 else 2 end as digits
    ) as given
  ) as precision
$$;
comment on function nms_private.shown_pace(double precision, double precision, double precision) is
  'A pace and its range as they are shown, the range rounded outward: {per_day, per_day_low, per_day_high}.';
revoke execute on function nms_private.shown_pace(double precision, double precision, double precision) from public;
--! EndIncluded functions/forecast/shown_pace.sql
--! Included functions/forecast/time_until.sql
-- What is left to the line, squared, is what the amount wanders in as many days and what the slope may be wrong by:
-- (distance - slope * days)² = wander² * (days + days² / span). Its two solutions are the range.
create or replace function nms_private.time_until(
  distance double precision, -- from the level of the line to what is to be reached, in the direction of growth
  slope double precision,
  wander double precision,
  span double precision
)
returns table (outcome text, earliest double precision, middle double precision, latest double precision)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
  select
    range.outcome,
    case when range.outcome in ('between', 'not before') then least(range.earliest, 1e6) end,
    case when range.outcome = 'between' then least(time_until.distance / time_until.slope, 1e6) end,
    case when range.outcome = 'between' then least((term.b + term.root) / nullif(2 * term.a, 0), 1e6) end
  from (select power(time_until.wander, 2) / time_until.span as doubt) as squared
  cross join lateral (
    select
      power(time_until.slope, 2) - squared.doubt as a,
      2 * time_until.distance * time_until.slope + squared.doubt * time_until.span as b,
      sqrt(greatest(
        0,
        4 * time_until.distance * squared.doubt * time_until.slope * time_until.span
          + power(squared.doubt * time_until.span, 2)
          + 4 * squared.doubt * power(time_until.distance, 2)
      )) as root
    where time_until.distance > 0 and time_until.slope + sqrt(squared.doubt) > 0
  ) as term
  cross join lateral (
    select
      case when term.a > 0 and time_until.slope > 0 then 'between' else 'not before' end,
      2 * power(time_until.distance, 2) / nullif(term.b + term.root, 0)
  ) as range (outcome, earliest)
  union all
  select case when time_until.distance <= 0 then 'passed' else 'never' end, null, null, null
  where time_until.distance <= 0 or time_until.slope + time_until.wander / sqrt(time_until.span) <= 0
$$;
comment on function nms_private.time_until(double precision, double precision, double precision, double precision) is
  'When a line as of nms_private.robust_line() has gone so far, in days after its last point. outcome: passed; between (earliest and latest, with 95 % confidence, middle if the slope is exactly what it seems); not before (earliest; perhaps never, as the slope may be 0 or less); never (the slope is 0 or less). No more than a million days.';
revoke execute on function nms_private.time_until(double precision, double precision, double precision, double precision) from public;
--! EndIncluded functions/forecast/time_until.sql
--! Included functions/history/import_run.sql
create or replace function nms.import_run(snapshot_date date, payload jsonb)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_problem text := nms_private.validate_counts(payload => import_run.payload);
  v_started_at constant timestamptz := clock_timestamp();
  v_today constant date := nms.business_date(at => v_started_at);
  v_run nms.table_metrics_runs;
  v_counted bigint;
begin
  if v_problem is not null then
    raise exception 'malformed counts'
      using
        errcode = 'invalid_parameter_value',
        detail = v_problem,
        hint = 'For example: select * from nms.import_run(''2026-01-31'', ''{"public": {"orders": 1234}}'');';
  elsif (isfinite(import_run.snapshot_date) and import_run.snapshot_date <= v_today) is not true then
    raise exception 'no day to record counts for: %', coalesce(import_run.snapshot_date::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = format('expected a business day until today, %s', v_today),
        hint = 'Give the day on which these were the counts.';
  end if;

  insert into nms.table_metrics_runs (collected_at, snapshot_date, is_imported)
  values (v_started_at, import_run.snapshot_date, true)
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
    'imported',
    v_run.collected_at,
    case relation.relkind when 'p' then 'partitioned table' when 'f' then 'foreign table' else 'table' end,
    coalesce(relation.relispartition, false),
    coalesce(relation.oid, 0)
  from jsonb_each(import_run.payload) as schemas
  cross join lateral jsonb_each(schemas.value) as tables
  left join pg_namespace as schema on schema.nspname = schemas.key
  left join pg_class as relation
    on relation.relnamespace = schema.oid
    and relation.relname = tables.key
    and relation.relkind in ('r', 'p', 'f');

  perform nms_private.finish_counting(run_id => v_run.run_id);
  v_run := nms.close_run(run_id => v_run.run_id);

  -- Asked at the end: a counted run may have succeeded meanwhile.
  select winning.run_id into v_counted
  from nms_private.winning_runs as winning
  where winning.snapshot_date = v_run.snapshot_date and not winning.is_imported;
  if found then
    raise exception 'the day % was counted', v_run.snapshot_date
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('run %s has counted it', v_counted),
        hint = 'Imported counts never take the place of counted ones.';
  end if;
  return v_run;
end
$$;
comment on function nms.import_run(date, jsonb) is
  'Stores counts that are known from elsewhere, such as an older tool, as a run of their own that is marked is_imported. payload: {schema: {table: count}}, which is version 1. Raises 22023 for malformed counts or a day to come, 55000 for a day that was counted. A later imported run of the same day takes it over, and so does any run that counts it.';
revoke execute on function nms.import_run(date, jsonb) from public;
--! EndIncluded functions/history/import_run.sql
--! Included functions/history/prunable_runs.sql
create or replace function nms.prunable_runs(
  keep_runs interval default null,  -- null: for ever
  keep_daily interval default null  -- the run that owns a day, and its JSON; null: for ever
)
returns table (run_id bigint, snapshot_date date, status text, collected_at timestamptz, owns_day boolean)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_today constant date := nms.business_date();
  v_problem constant text := nms_private.validate_retention(
    keep_runs => prunable_runs.keep_runs,
    keep_daily => prunable_runs.keep_daily
  );
begin
  if v_problem is not null then
    raise exception 'malformed retention'
      using
        errcode = 'invalid_parameter_value',
        detail = v_problem,
        hint = 'For example: select * from nms.prunable_runs(keep_runs => ''90 days'', keep_daily => ''3 years'');';
  end if;

  return query
  select run.run_id, run.snapshot_date, run.status, run.collected_at, day.run_id is not null
  from nms.table_metrics_runs as run
  left join nms.table_metrics_daily_snapshot as day on day.run_id = run.run_id
  where
    run.status <> 'RUNNING'
    and case
      when day.run_id is null then run.collected_at < statement_timestamp() - prunable_runs.keep_runs
      else day.snapshot_date < v_today - prunable_runs.keep_daily
    end
    and run.run_id is distinct from (
      select latest.run_id
      from nms_private.winning_runs as latest
      order by latest.snapshot_date desc
      limit 1
    )
  order by run.run_id;
end
$$;
comment on function nms.prunable_runs(interval, interval) is
  'The runs that nms.prune_table_metrics() would delete now, oldest first: those that own no day after keep_runs, those that own one after keep_daily, and never the latest successful one or a RUNNING one. Raises 22023 when days would be kept for a shorter time than runs.';
revoke execute on function nms.prunable_runs(interval, interval) from public;
--! EndIncluded functions/history/prunable_runs.sql
--! Included functions/history/prune_table_metrics.sql
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
set lock_timeout = '10 s' -- of a session that has one of these runs locked
as $$
declare
  v_start constant timestamptz := clock_timestamp();
  v_old constant bigint[] := array(
    select prunable.run_id
    from nms.prunable_runs(
      keep_runs => prune_table_metrics.keep_runs,
      keep_daily => prune_table_metrics.keep_daily
    ) as prunable
    order by prunable.run_id
  );
  v_run_id bigint;
  v_gone bigint := bigint '0'; -- also those that somebody else has deleted meanwhile
  v_deleted bigint;
begin
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
  'Deletes the runs that nms.prunable_runs() lists with everything that belongs to them, oldest first, for about as long as the budget says. Returns how many it has deleted and how many are left: call it again until none is. Raises 22023 when days would be kept for a shorter time than runs.';
revoke execute on function nms.prune_table_metrics(interval, interval, interval) from public;
--! EndIncluded functions/history/prune_table_metrics.sql
--! Included functions/history/rebuild_daily_snapshot.sql
create or replace function nms.rebuild_daily_snapshot(
  inout snapshot_date date,
  out run_id bigint,
  out payload jsonb,
  out collected_at timestamptz,
  out is_imported boolean,
  out effect text
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
  v_former jsonb;
begin
  select winning.run_id into v_run_id
  from nms_private.winning_runs as winning
  where winning.snapshot_date = rebuild_daily_snapshot.snapshot_date;
  if not found then
    raise exception 'no successful run on the day %', coalesce(rebuild_daily_snapshot.snapshot_date::text, 'null')
      using
        errcode = 'no_data_found',
        detail = 'there is nothing to make its snapshot from',
        hint = 'nms.import_run() stores counts that are known from elsewhere.';
  end if;

  select jsonb_build_array(daily.run_id, daily.payload) into v_former
  from nms.table_metrics_daily_snapshot as daily
  where daily.snapshot_date = rebuild_daily_snapshot.snapshot_date;

  perform nms.rebuild_run_snapshot(run_id => v_run_id);
  perform nms_private.take_day(run_id => v_run_id);

  select daily.snapshot_date, daily.run_id, daily.payload, daily.collected_at, daily.is_imported
  into snapshot_date, run_id, payload, collected_at, is_imported
  from nms.table_metrics_daily_snapshot as daily
  where daily.snapshot_date = rebuild_daily_snapshot.snapshot_date;
  effect := nms_private.rebuild_effect(former => v_former, rebuilt => jsonb_build_array(run_id, payload));
end
$$;
comment on function nms.rebuild_daily_snapshot(date) is
  'Makes the JSON of a business day again, and that of the run that owns it, from the measurements of its last successful run, counted rather than imported: also when the former owner was deleted. effect: made, there was none; same as before; or repaired, it was another one. Raises P0002 for a day without one, 55000 when measurements are missing.';
revoke execute on function nms.rebuild_daily_snapshot(date) from public;
--! EndIncluded functions/history/rebuild_daily_snapshot.sql
--! Included functions/history/rebuild_effect.sql
create or replace function nms_private.rebuild_effect(former jsonb, rebuilt jsonb)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    case
      when former is null then 'made'
      when former = rebuilt then 'same'
      else 'repaired'
    end
$$;
comment on function nms_private.rebuild_effect(jsonb, jsonb) is
  'What a rebuild has done to what was there, which is null for nothing: made, same or repaired.';
revoke execute on function nms_private.rebuild_effect(jsonb, jsonb) from public;
--! EndIncluded functions/history/rebuild_effect.sql
--! Included functions/history/rebuild_run_snapshot.sql
create or replace function nms.rebuild_run_snapshot(
  inout run_id bigint,
  out payload jsonb,
  out collected_at timestamptz,
  out effect text
)
returns record
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_measured bigint;
  v_former jsonb;
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

  select snapshot.payload into v_former
  from nms.table_metrics_run_snapshot as snapshot
  where snapshot.run_id = v_run.run_id;

  run_id := v_run.run_id;
  -- In the version it had; of one that is gone, the day may still have it.
  payload := nms_private.run_payload(
    run_id => v_run.run_id,
    version => coalesce(
      nms_private.payload_version(payload => v_former),
      (
        select nms_private.payload_version(payload => day.payload)
        from nms.table_metrics_daily_snapshot as day
        where day.run_id = v_run.run_id
      ),
      (select settings.payload_version::integer from nms.table_metrics_settings as settings)
    )
  );
  collected_at := v_run.collected_at;
  effect := nms_private.rebuild_effect(former => v_former, rebuilt => payload);
  insert into nms.table_metrics_run_snapshot as snapshot (run_id, payload, collected_at)
  values (v_run.run_id, rebuild_run_snapshot.payload, rebuild_run_snapshot.collected_at)
  on conflict on constraint table_metrics_run_snapshot_pkey do update
  set payload = excluded.payload, collected_at = excluded.collected_at;
end
$$;
comment on function nms.rebuild_run_snapshot(bigint) is
  'Makes the JSON of a successful run again from its measurements, in the version of the payload that it had. effect: made, there was none; same as before; or repaired, it was another one. Raises 55000 for any other run, and when measurements are missing.';
revoke execute on function nms.rebuild_run_snapshot(bigint) from public;
--! EndIncluded functions/history/rebuild_run_snapshot.sql
--! Included functions/history/take_day.sql
create or replace function nms_private.take_day(run_id bigint)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms.table_metrics_daily_snapshot as daily (snapshot_date, run_id, payload, collected_at, is_imported)
  select run.snapshot_date, run.run_id, snapshot.payload, snapshot.collected_at, run.is_imported
  from nms.table_metrics_run_snapshot as snapshot
  join nms.table_metrics_runs as run on run.run_id = snapshot.run_id
  where snapshot.run_id = take_day.run_id
  on conflict on constraint table_metrics_daily_snapshot_pkey do update
  set
    run_id = excluded.run_id,
    payload = excluded.payload,
    collected_at = excluded.collected_at,
    is_imported = excluded.is_imported
  -- Asked of the day: its run may have been written after the snapshot of this transaction.
  where (not daily.is_imported, daily.run_id) <= (not excluded.is_imported, excluded.run_id)
$$;
comment on function nms_private.take_day(bigint) is
  'Makes the JSON of a successful run that of its business day, unless the day has that of a later run, or of a counted one while this was imported: the last successful run wins, whichever finishes first.';
revoke execute on function nms_private.take_day(bigint) from public;
--! EndIncluded functions/history/take_day.sql
--! Included functions/history/validate_counts.sql
create or replace function nms_private.validate_counts(payload jsonb)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with problem as (
    select 1 as place, '' as path, payload as seen, 'an object {"schema": {"table": count}}' as expected
    where payload is null or jsonb_typeof(payload) <> 'object'
    union all
    select 1, '_version', payload -> '_version', 'version 1 of the payload, which nms.day_snapshot() answers with unless asked for another'
    where jsonb_typeof(payload -> '_version') = 'number'
    union all
    select 2, schemas.key, schemas.value, 'an object {"table": count}'
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload end) as schemas
    where jsonb_typeof(schemas.value) <> 'object'
    union all
    select 3, '', to_jsonb(names.name), 'names of 1 to 63 bytes'
    from (
      select schemas.key
      from jsonb_object_keys(case jsonb_typeof(payload) when 'object' then payload end) as schemas (key)
      union all
      select tables.key
      from jsonb_each(case jsonb_typeof(payload) when 'object' then payload end) as schemas
      cross join lateral jsonb_object_keys(case jsonb_typeof(schemas.value) when 'object' then schemas.value end) as tables (key)
    ) as names (name)
    where octet_length(names.name) not between 1 and 63
    union all
    select 4, format('%I.%I', schemas.key, tables.key), tables.value, 'a whole number from 0 to 9223372036854775807'
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload end) as schemas
    cross join lateral jsonb_each(case jsonb_typeof(schemas.value) when 'object' then schemas.value end) as tables
    where
      case jsonb_typeof(tables.value)
        when 'number' then
          (tables.value #>> '{}')::numeric not between 0 and 9223372036854775807
          or trunc((tables.value #>> '{}')::numeric) <> (tables.value #>> '{}')::numeric
        else true
      end
  )
  select format('%s: saw %s, expected %s', coalesce(nullif(left(problem.path, 200), ''), 'payload'), coalesce(left(problem.seen::text, 200), 'null'), problem.expected)
  from problem
  order by problem.place, problem.path
  limit 1
$$;
comment on function nms_private.validate_counts(jsonb) is
  'What is wrong with counts that are to be imported: where, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms_private.validate_counts(jsonb) from public;
--! EndIncluded functions/history/validate_counts.sql
--! Included functions/history/validate_keep_time.sql
create or replace function nms_private.validate_keep_time(keep_time text)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    case
      when parsed.duration is null then 'one number and one unit'
      when validate_keep_time.keep_time ~ '[0-9] ?m$'
        then format('"%1$son" or "%1$sin", whichever m is meant to be, or a time of another unit', validate_keep_time.keep_time)
    end || ', such as "90d", "18mon" or "90 days"'
  from nms_private.parse_duration(duration => validate_keep_time.keep_time) as parsed (duration)
$$;
comment on function nms_private.validate_keep_time(text) is
  'What is expected instead of this as the time for which runs or days are kept. Null when nothing is wrong with it.';
revoke execute on function nms_private.validate_keep_time(text) from public;
--! EndIncluded functions/history/validate_keep_time.sql
--! Included functions/history/validate_prune_job.sql
create or replace function nms_private.validate_prune_job(payload jsonb)
returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  given as (
    select
      entry.key,
      entry.value,
      nms_private.parse_duration(duration => entry.value #>> '{}') as duration,
      nms_private.validate_keep_time(keep_time => entry.value #>> '{}') as expected
    from jsonb_each(case jsonb_typeof(payload) when 'object' then payload else '{}' end) as entry
    where entry.key <> '_cron' -- which graphile-worker writes
  ),
  retention as (
    select
      max(given.duration) filter (where given.key = 'keepRuns') as keep_runs,
      max(given.duration) filter (where given.key = 'keepDaily') as keep_daily
    from given
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
    select 3, format('%s: saw %s, expected %s', given.key, left(given.value::text, 200), given.expected)
    from given
    where given.key in ('keepRuns', 'keepDaily') and given.expected is not null
    union all
    select 4, 'payload: saw no time, expected {"keepRuns": "90 days", "keepDaily": "5 years"} or one of the two'
    where jsonb_typeof(payload) = 'object' and not exists (select from given)
    union all
    select
      5,
      'payload: ' || nms_private.validate_retention(keep_runs => retention.keep_runs, keep_daily => retention.keep_daily)
    from retention
    union all
    select
      case given.key when 'keepRuns' then 6 else 7 end,
      format(
        '%s: saw %s, expected %s at least: a job keeps no less than keep_at_least in nms.table_metrics_settings says',
        given.key, given.value, settings.keep_at_least
      )
    from given
    cross join nms.table_metrics_settings as settings
    where given.key in ('keepRuns', 'keepDaily') and given.expected is null and given.duration < settings.keep_at_least
  )
  select string_agg(problem.text, '; ' order by problem.place, problem.text) from problem
$$;
comment on function nms_private.validate_prune_job(jsonb) is
  'What is wrong with the payload of a job that prunes: which key, what was seen, what is expected; also that it would keep less than keep_at_least in the settings. Null when nothing is.';
revoke execute on function nms_private.validate_prune_job(jsonb) from public;
--! EndIncluded functions/history/validate_prune_job.sql
--! Included functions/history/validate_retention.sql
create or replace function nms_private.validate_retention(keep_runs interval, keep_daily interval)
returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format(
    'saw %s for runs and %s for days, expected two times from 0 to 1000 years, the second no shorter than the first',
    coalesce(keep_runs::text, 'ever'),
    coalesce(keep_daily::text, 'ever')
  )
  where
    keep_runs not between '0' and '1000 years'
    or keep_daily not between '0' and '1000 years'
    or keep_daily < keep_runs
$$;
comment on function nms_private.validate_retention(interval, interval) is
  'What is wrong with the times for which runs and days are kept; null of them means for ever. Null when nothing is.';
revoke execute on function nms_private.validate_retention(interval, interval) from public;
--! EndIncluded functions/history/validate_retention.sql
--! Included functions/maintain/current_count.sql
create or replace function nms.current_count(target regclass)
returns bigint
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now record;
begin
  select present.* into v_now from nms_private.maintained_now(among => array[target::oid]) as present;
  if not found then
    raise exception 'the count of % is not maintained', target
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'nothing notes what is inserted into it and deleted',
        hint = format('Its owner may change that with: select nms.maintain_count(%L);', target);
  elsif v_now.problem is not null then
    raise exception 'the count of % is not known: %', target, v_now.problem
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'writes may have been missed',
        hint = case
          when v_now.is_repairable then 'The next run counts its rows, or now: select * from nms.fold_counts();'
          else format('Let its owner begin anew: select nms.maintain_count(%L);', target)
        end;
  end if;
  return v_now.row_count;
end
$$;
comment on function nms.current_count(regclass) is
  'Exact number of rows of a table whose count is maintained, as select count(*) shows them in the same statement, without reading the table. Raises 55000 when it is not maintained, or writes may have been missed.';
revoke execute on function nms.current_count(regclass) from public;
--! EndIncluded functions/maintain/current_count.sql
--! Included functions/maintain/find_maintained.sql
-- Stable, so that everything is as of the snapshot of the calling query.
create or replace function nms_private.find_maintained(
  targets nms_private.target[],
  stop_at text[] default '{}',
  lock_timeout text default null -- for each table; null: that of the session
)
returns setof nms_private.finding
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_recount_after constant interval := interval '14 days';
  v_known nms_private.finding[];
  v_doubted nms_private.target[];
begin
  if not exists (select from nms_private.maintained_counts) then
    return;
  end if;

  v_known := array(
    select
      row(
        present.table_oid, present.row_count, 'maintained', null, null, null, null, null, null, null, null, null,
        clock_timestamp(), null, null
      )::nms_private.finding
    from nms_private.maintained_now(
      among => array(select target.table_oid from unnest(targets) as target)
    ) as present
    where present.problem is null
  );
  -- Some are counted all the same, so that no lie lives for long; and where a filter has all rows read anyway.
  v_doubted := array(
    select target
    from unnest(targets) as target
    join unnest(v_known) as known on known.table_oid = target.table_oid
    join nms_private.maintained_counts as counted on counted.table_oid = target.table_oid
    where
      counted.runs_since_count >= nms_private.recount_cycle() - 1
      or counted.seeded_at < now() - v_recount_after
      or exists (
        select
        from nms.table_metrics_filters as filter
        where filter.schema_name = target.schema_name and filter.table_name = target.table_name
      )
  );

  return query
  select known.*
  from unnest(v_known) as known
  where known.table_oid not in (select doubted.table_oid from unnest(v_doubted) as doubted);
  return query
  select
    counted.table_oid, counted.own_row_count, counted.method, counted.carried_from_run, counted.own_row_count_low,
    counted.own_row_count_high, counted.own_table_bytes, counted.own_index_bytes, counted.filtered,
    'maintained', known.own_row_count, counted.claimed_from_run, counted.measured_at, counted.error_sqlstate, counted.error_message
  from nms_private.count_tables(
    targets => v_doubted, stop_at => find_maintained.stop_at, lock_timeout => find_maintained.lock_timeout
  ) as counted
  join unnest(v_known) as known on known.table_oid = counted.table_oid;
end
$$;
comment on function nms_private.find_maintained(nms_private.target[], text[], text) is
  'How many rows are stored in those of these tables whose count is maintained, as their triggers have noted. A fourteenth of them is counted, which verifies what was noted. No row for a table that is not maintained, or of which writes may have been missed: it has to be counted.';
revoke execute on function nms_private.find_maintained(nms_private.target[], text[], text) from public;
--! EndIncluded functions/maintain/find_maintained.sql
--! Included functions/maintain/find_maintaining_triggers.sql
-- A dump brings triggers to where their tables have other OIDs.
create or replace function nms_private.find_maintaining_triggers()
returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Most often there are none, and planning what looks closer takes longer than this.
  if not exists (
    select
    from pg_depend as dependency
    where
      dependency.refclassid = 'pg_proc'::regclass
      and dependency.refobjid = 'nms_private.note_changes()'::regprocedure
      and dependency.classid = 'pg_trigger'::regclass
  ) then
    return exists (select from nms_private.maintained_counts);
  end if;

  insert into nms_private.maintained_counts (table_oid, runs_since_count)
  select distinct trigger.tgrelid, (trigger.tgrelid::bigint % (nms_private.recount_cycle() - 1))::integer
  from pg_depend as dependency
  join pg_trigger as trigger on trigger.oid = dependency.objid
  where
    dependency.refclassid = 'pg_proc'::regclass
    and dependency.refobjid = 'nms_private.note_changes()'::regprocedure
    and dependency.classid = 'pg_trigger'::regclass
    and not exists (select from nms_private.maintained_counts as counted where counted.table_oid = trigger.tgrelid)
  on conflict do nothing;
  return exists (select from nms_private.maintained_counts);
end
$$;
comment on function nms_private.find_maintaining_triggers() is
  'Remembers tables that have triggers of nms.maintain_count() and are not known. Returns whether there is any table whose count is maintained.';
revoke execute on function nms_private.find_maintaining_triggers() from public;
--! EndIncluded functions/maintain/find_maintaining_triggers.sql
--! Included functions/maintain/find_trigger_alerts.sql
create or replace function nms_private.find_trigger_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    'triggers_changed',
    change.schema_name,
    change.table_name,
    max(measurement.row_count),
    null::bigint,
    null::bigint,
    format('writes may have been missed: %s', string_agg(distinct change.detail, '; '))
  from nms_private.trigger_changes as change
  left join nms.table_metrics_measurements as measurement
    on measurement.run_id = change.run_id
    and measurement.schema_name = change.schema_name
    and measurement.table_name = change.table_name
  where change.run_id = find_trigger_alerts.run_id
  group by change.schema_name, change.table_name
$$;
comment on function nms_private.find_trigger_alerts(bigint) is
  'Maintained tables of which was noticed, before a run had ended its counting, that their triggers were not what they had been: triggers_changed.';
revoke execute on function nms_private.find_trigger_alerts(bigint) from public;
--! EndIncluded functions/maintain/find_trigger_alerts.sql
--! Included functions/maintain/fold_count.sql
create or replace function nms_private.fold_count(
  table_oid oid,
  count_rows boolean,
  out row_count bigint,
  out deltas_folded bigint,
  out is_counted boolean,
  out problem text
)
returns setof record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_snapshots constant integer := 3;
  v_now record;
begin
  perform from nms_private.maintained_counts as counted
  where counted.table_oid = fold_count.table_oid
  for update skip locked;
  if not found then
    return; -- another session is at it, or has just forgotten it
  end if;

  -- In a later statement than the lock: under it, no other session folds.
  select present.* into v_now from nms_private.maintained_now(among => array[fold_count.table_oid]) as present;
  -- It was dropped; or its triggers were, which has been told.
  if not found or (v_now.problem = 'its triggers are gone' and not v_now.is_tampered) then
    perform nms_private.forget_maintained(target => fold_count.table_oid);
    return;
  end if;
  is_counted := v_now.problem is not null and v_now.is_repairable and count_rows;
  problem := v_now.problem;
  if v_now.is_tampered then
    insert into nms_private.trigger_changes (schema_name, table_name, detail)
    select
      schema.nspname,
      relation.relname,
      case
        when v_now.is_repairable then format('%s: its rows are counted anew', v_now.problem)
        else format('%s: each run counts its rows, until nms.maintain_count() or nms.stop_maintaining() is called', v_now.problem)
      end
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where relation.oid = fold_count.table_oid;
  end if;

  if problem is null then
    with
    total as materialized (
      select present.* from nms_private.maintained_totals(among => array[fold_count.table_oid]) as present
    ),
    delta as (
      delete from nms_private.count_deltas as delta where delta.table_oid = fold_count.table_oid returning 1
    ),
    summed as (
      delete from nms_private.count_sums as summed where summed.table_oid = fold_count.table_oid returning 1
    ),
    folded as (
      update nms_private.maintained_counts as counted
      set
        row_count = total.row_count,
        snapshot = total.snapshot,
        xid = total.xid,
        last_position = total.last_position,
        generation = default
      from total
      where counted.table_oid = total.table_oid and exists (select from delta)
    )
    select total.row_count, (select count(*) from delta) into strict row_count, deltas_folded from total;
  else
    update nms_private.maintained_counts as counted
    set row_count = null, snapshot = null, generation = default
    where counted.table_oid = fold_count.table_oid;
    -- Whenever its rows are counted, all these are among them.
    delete from nms_private.count_sums as summed where summed.table_oid = fold_count.table_oid;
    delete from nms_private.count_deltas as delta where delta.table_oid = fold_count.table_oid;
    get diagnostics deltas_folded = row_count;
    if is_counted then
      -- Under another snapshot each time: it may have been truncated or rewritten under the former one.
      for v_snapshot in 1..v_snapshots loop
        problem := nms_private.seed_count(table_oid => fold_count.table_oid);
        exit when problem is null;
      end loop;
      is_counted := problem is null;
      select counted.row_count into row_count
      from nms_private.maintained_counts as counted
      where counted.table_oid = fold_count.table_oid;
    end if;
  end if;
  return next;
end
$$;
comment on function nms_private.fold_count(oid, boolean) is
  'Of one table whose count is maintained, what nms.fold_counts() does; without count_rows, its rows are not counted. No row when another session is at it, or it does not exist any more.';
revoke execute on function nms_private.fold_count(oid, boolean) from public;
--! EndIncluded functions/maintain/fold_count.sql
--! Included functions/maintain/fold_counts.sql
create or replace function nms.fold_counts(
  count_rows boolean default true -- false: what has to be counted is left to others
)
returns table (
  schema_name text,
  table_name text,
  row_count bigint,
  deltas_folded bigint,
  is_counted boolean,
  problem text
)
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- of a table that has to be counted
as $$
begin
  perform nms_private.find_maintaining_triggers();
  return query
  select schema.nspname::text, relation.relname::text, folded.*
  from (select counted.table_oid from nms_private.maintained_counts as counted order by counted.table_oid) as known
  left join pg_class as relation on relation.oid = known.table_oid
  left join pg_namespace as schema on schema.oid = relation.relnamespace
  cross join lateral nms_private.fold_count(
    table_oid => known.table_oid, count_rows => fold_counts.count_rows
  ) as folded;
  delete from nms_private.count_deltas as delta
  where delta.table_oid not in (select counted.table_oid from nms_private.maintained_counts as counted);
end
$$;
comment on function nms.fold_counts(boolean) is
  'Of every table whose count is maintained: adds what its triggers have noted to its count and deletes the notes, or counts its rows when writes may have been missed or they were not counted yet. Returns a row for each, with its count, how many notes there were, whether its rows were counted, and why the count is not known. No row for one that another session is at. Every run does that, and a worker each minute, without counting; calling it more often keeps the notes few.';
revoke execute on function nms.fold_counts(boolean) from public;
--! EndIncluded functions/maintain/fold_counts.sql
--! Included functions/maintain/forget_maintained.sql
-- With the rights of its owner; whoever calls it has to own the table.
create or replace function nms_private.forget_maintained(target oid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from nms_private.maintained_counts as counted where counted.table_oid = forget_maintained.target;
  delete from nms_private.count_sums as summed where summed.table_oid = forget_maintained.target;
  delete from nms_private.count_deltas as delta where delta.table_oid = forget_maintained.target;
end
$$;
comment on function nms_private.forget_maintained(oid) is
  'Forgets what is known about the count of a table that triggers have maintained.';
revoke execute on function nms_private.forget_maintained(oid) from public;
--! EndIncluded functions/maintain/forget_maintained.sql
--! Included functions/maintain/list_maintained.sql
-- With the rights of its owner, because a view calls it for whoever reads it.
create or replace function nms_private.list_maintained()
returns table (table_oid oid, row_count bigint, problem text, seeded_at timestamptz)
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select counted.table_oid, present.row_count, present.problem, counted.seeded_at
  from nms_private.maintained_counts as counted
  join nms_private.maintained_now(
    among => array(select known.table_oid from nms_private.maintained_counts as known)
  ) as present on present.table_oid = counted.table_oid;
end
$$;
comment on function nms_private.list_maintained() is
  'Every table whose count is maintained: its rows now, or why they are not known, and when they were last counted.';
revoke execute on function nms_private.list_maintained() from public;
--! EndIncluded functions/maintain/list_maintained.sql
--! Included functions/maintain/maintain_count.sql
-- With the rights of the caller, who has to own the table: the triggers are made on it by nobody else.
create or replace function nms.maintain_count(target regclass)
returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '5 s' -- that of the settings, below
as $$
declare
  v_refusal constant record := nms_private.why_not_maintained(target => target);
begin
  if v_refusal.reason is not null then
    raise exception 'the count of % cannot be maintained: %', target, v_refusal.reason
      using
        errcode = 'feature_not_supported',
        detail = 'expected a logged table without parent, children or partitions, that fires its triggers for each row it gets',
        hint = v_refusal.remedy;
  end if;

  perform nms_private.use_lock_timeout();
  -- Waits for all who are writing: what they have written is counted, and what comes later is noted.
  execute format('lock table %s in share row exclusive mode', target);
  execute format(
    'create or replace trigger table_metrics_insert after insert on %s referencing new table as changed
    for each statement execute function nms_private.note_changes()',
    target
  );
  execute format(
    'create or replace trigger table_metrics_delete after delete on %s referencing old table as changed
    for each statement execute function nms_private.note_changes()',
    target
  );
  execute format(
    'create or replace trigger table_metrics_truncate after truncate on %s
    for each statement execute function nms_private.note_changes()',
    target
  );
  -- Also where replication or a restore switches triggers off for its session.
  execute format(
    'alter table %s enable always trigger table_metrics_insert, enable always trigger table_metrics_delete,
    enable always trigger table_metrics_truncate',
    target
  );

  -- Looks at the OID: the name may have come to be that of another table.
  perform nms_private.register_maintained(target => target);
  return format(
    'its rows are counted by the next run, or by: select * from nms.fold_counts(); from then on, select nms.current_count(%L) tells them at any time',
    target
  );
end
$$;
comment on function nms.maintain_count(regclass) is
  'Lets triggers maintain the number of rows of a table: of each statement that inserts or deletes, they note how many. Locks the table against writers until the transaction ends: commit at once. Its owner may do that who is a table_metrics_maintainer, or a superuser. Raises 0A000, with the reason and what to use instead, for partitioned tables, partitions, parents, children, unlogged tables, and where a subscription writes. Returns what happens next.';
revoke execute on function nms.maintain_count(regclass) from public;
--! EndIncluded functions/maintain/maintain_count.sql
--! Included functions/maintain/maintained_now.sql
create or replace function nms_private.maintained_now(among oid[])
returns table (
  table_oid oid,
  row_count bigint,
  generation bigint,
  snapshot pg_snapshot,
  xid xid8,
  last_position bigint,
  problem text,
  is_repairable boolean,
  is_tampered boolean
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select
    counted.table_oid,
    case when judged.problem is null then total.row_count end,
    counted.generation,
    total.snapshot,
    total.xid,
    total.last_position,
    judged.problem,
    state.problem is null,
    coalesce(counted.row_count is not null and counted.server = state.server and judged.problem <> 'it was altered', false)
  from nms_private.maintained_counts as counted
  join nms_private.maintained_states(among => maintained_now.among) as state on state.table_oid = counted.table_oid
  cross join lateral (
    select case
      when state.problem is not null then state.problem
      when counted.row_count is null then 'its rows were not counted since the triggers were made'
      when counted.server <> state.server then 'it was counted in another database'
      when counted.triggers <> state.triggers then 'its triggers were disabled, enabled, replaced or made anew'
      -- A column that was added or dropped since does not matter.
      when counted.columns <> state.columns and exists (
        select
        from unnest(counted.columns) as known (col)
        where
          known.col <> all (state.columns)
          and exists (
            select from unnest(state.columns) as present (col)
            where split_part(present.col, ' ', 1) = split_part(known.col, ' ', 1)
          )
      ) then 'it was altered'
    end as problem
  ) as judged
  left join nms_private.maintained_totals(among => maintained_now.among) as total on total.table_oid = counted.table_oid
  where counted.table_oid = any (among);
end
$$;
comment on function nms_private.maintained_now(oid[]) is
  'How many rows these tables have, as their triggers have noted: as of the snapshot of the calling query. problem: why that cannot be told. is_repairable: it needs no more than counting them. is_tampered: somebody has changed what should have noted every write. No row for a table that is not maintained.';
revoke execute on function nms_private.maintained_now(oid[]) from public;
--! EndIncluded functions/maintain/maintained_now.sql
--! Included functions/maintain/maintained_states.sql
-- Plain catalogue tables, which the snapshot of the calling query sees as they were; no function that looks at them
-- as they are now.
create or replace function nms_private.maintained_states(among oid[])
returns table (
  table_oid oid,
  server text,
  triggers text,
  columns text[],
  problem text
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
declare
  v_function pg_proc;
  v_server text;
begin
  select routine.* into strict v_function
  from pg_proc as routine
  where routine.oid = 'nms_private.note_changes()'::regprocedure;
  select format('%s %s', control.system_identifier, db.oid) into strict v_server
  from pg_control_system() as control
  join pg_database as db on db.datname = current_database();

  return query
  select
    relation.oid,
    v_server,
    concat_ws(', ', made.triggers, md5(v_function.prosrc), v_function.prosecdef),
    array(
      select format('%s %s', col.attnum, col.xmin)
      from pg_attribute as col
      where col.attrelid = relation.oid and col.attnum > 0 and not col.attisdropped
      order by col.attnum
    ),
    case
      when relation.relhassubclass then 'it has children, or had some when it was last analyzed'
      when relation.relispartition or exists (select from pg_inherits where inhrelid = relation.oid) then
        'it is a partition or a child of another table'
      when exists (select from pg_subscription_rel where srrelid = relation.oid) then 'a subscription writes to it'
      when relation.relkind <> 'r' or relation.relpersistence <> 'p' or relation.relam <> 2 then
        'it is no ordinary table any more'
      when made.count = 0 then 'its triggers are gone'
      when made.count <> 3 or not made.are_right then 'its triggers are not those that nms.maintain_count() makes'
    end
  from pg_class as relation
  cross join lateral (
    select
      count(*) as count,
      string_agg(format('%s %s %s', trigger.oid, trigger.xmin, trigger.tgenabled), ', ' order by trigger.oid) as triggers,
      bool_and(
        trigger.tgenabled = 'A'
        and trigger.tgqual is null
        and (trigger.tgtype, trigger.tgnewtable, trigger.tgoldtable) in ((4, 'changed', ''), (8, '', 'changed'), (32, '', ''))
      )
      and count(distinct trigger.tgtype) = 3 as are_right
    from (
      select
        own.oid, own.xmin, own.tgenabled, own.tgqual, own.tgtype,
        coalesce(own.tgnewtable, '') as tgnewtable, coalesce(own.tgoldtable, '') as tgoldtable
      from pg_trigger as own
      where own.tgrelid = relation.oid and own.tgfoid = v_function.oid
    ) as trigger
  ) as made
  where relation.oid = any (among);
end
$$;
comment on function nms_private.maintained_states(oid[]) is
  'Whether nothing that changes the number of rows of these tables is missed by their triggers, as of the snapshot of the calling query: problem is why not, null when all is well. server, triggers and columns are the same as before when it has been so meanwhile. No row for a table that does not exist.';
revoke execute on function nms_private.maintained_states(oid[]) from public;
--! EndIncluded functions/maintain/maintained_states.sql
--! Included functions/maintain/maintained_totals.sql
-- Stable, so that everything is as of the snapshot of the calling query.
create or replace function nms_private.maintained_totals(among oid[])
returns table (
  table_oid oid,
  generation bigint,
  row_count bigint,
  snapshot pg_snapshot,
  xid xid8,
  last_position bigint
)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
-- Statistics know nothing of what was just written. What was not seen is little, and the key finds it.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_base record;
  v_xmax xid8;
  v_in_progress xid8[];
  v_change bigint;
  v_after bigint;
  v_truncated_at bigint;
  v_own constant xid8 := pg_current_xact_id_if_assigned();
begin
  snapshot := pg_current_snapshot();
  xid := v_own;
  for v_base in
    select
      counted.table_oid,
      counted.generation,
      coalesce(summed.row_count, counted.row_count) as row_count,
      coalesce(summed.snapshot, counted.snapshot) as snapshot,
      -- No transaction has the number 0.
      coalesce(case when summed.sum_id is not null then summed.xid else counted.xid end, '0') as xid,
      coalesce(case when summed.sum_id is not null then summed.last_position else counted.last_position end, 0) as last_position
    from nms_private.maintained_counts as counted
    left join lateral (
      select later.*
      from nms_private.count_sums as later
      where later.table_oid = counted.table_oid and later.generation = counted.generation
      order by later.sum_id desc
      limit 1
    ) as summed on true
    where counted.table_oid = any (among) and counted.row_count is not null
  loop
    v_xmax := pg_snapshot_xmax(v_base.snapshot);
    v_in_progress := array(select pg_snapshot_xip(v_base.snapshot));
    table_oid := v_base.table_oid;
    generation := v_base.generation;

    row_count := v_base.row_count;
    last_position := case when v_base.xid = v_own then v_base.last_position end;

    -- While somebody truncates nobody else writes: what comes after is later than all that was seen.
    v_after := 0;
    loop
      select
        coalesce(sum(unseen.change), 0)::bigint,
        max(unseen.position) filter (where unseen.is_truncate),
        coalesce(max(unseen.position) filter (where unseen.xid = v_own), last_position)
      into strict v_change, v_truncated_at, last_position
      from (
        select later.*
        from nms_private.count_deltas as later
        where later.table_oid = v_base.table_oid and later.xid >= v_xmax and later.xid < v_base.xid
        union all
        select later.*
        from nms_private.count_deltas as later
        where later.table_oid = v_base.table_oid and later.xid >= v_xmax and later.xid > v_base.xid
        union all
        select slower.*
        from nms_private.count_deltas as slower
        where slower.table_oid = v_base.table_oid and slower.xid = any (v_in_progress)
        union all
        select own.*
        from nms_private.count_deltas as own
        where own.table_oid = v_base.table_oid and own.xid = v_base.xid and own.position > v_base.last_position
      ) as unseen
      where unseen.position > v_after;
      exit when v_truncated_at is null;
      row_count := 0;
      v_after := v_truncated_at;
    end loop;
    row_count := row_count + v_change;
    return next;
  end loop;
end
$$;
comment on function nms_private.maintained_totals(oid[]) is
  'How many rows these tables have by what their triggers have noted, whatever has become of the triggers: as of the snapshot of the calling query, which is returned, with the transaction that asks and the last of its own deltas. No row for a table that is not maintained, or was not counted.';
revoke execute on function nms_private.maintained_totals(oid[]) from public;
--! EndIncluded functions/maintain/maintained_totals.sql
--! Included functions/maintain/note_changes.sql
-- With the rights of its owner: whoever writes to the table needs none here. One statement each, because every
-- statement of the application pays for it.
create or replace function nms_private.note_changes()
returns trigger
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_position bigint;
begin
  -- To a trigger that is shown no rows, the name means what its session has made: a view there would act as our owner.
  if
    to_regclass('pg_temp.changed') is not null
    and not exists (
      select
      from pg_trigger as trigger
      where trigger.tgrelid = tg_relid and trigger.tgname = tg_name and 'changed' in (trigger.tgnewtable, trigger.tgoldtable)
    )
    and tg_op <> 'TRUNCATE'
  then
    raise exception 'the trigger % does not show what has changed', tg_name
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = 'expected: referencing new table as changed, or old table as changed',
        hint = format('Drop it, and let nms.maintain_count(%L) make those that are needed.', tg_relid::regclass);
  end if;

  if tg_op = 'INSERT' then
    insert into nms_private.count_deltas (table_oid, change)
    select tg_relid, count(*) from changed having count(*) > 0
    returning position into v_position;
  elsif tg_op = 'DELETE' then
    insert into nms_private.count_deltas (table_oid, change)
    select tg_relid, -count(*) from changed having count(*) > 0
    returning position into v_position;
  else
    insert into nms_private.count_deltas (table_oid, change, is_truncate) values (tg_relid, 0, true);
  end if;

  -- A prime: of statements that alternate between tables, each gets its turn. An older snapshot may not have seen
  -- the last truncate.
  if v_position % 2039 = 0 and current_setting('transaction_isolation') = 'read committed' then
    perform nms_private.sum_up_deltas(table_oid => tg_relid);
  end if;
  return null;
end
$$;
comment on function nms_private.note_changes() is
  'Trigger function of maintained tables: notes by how many rows a statement has changed the table, or that it was truncated.';
revoke execute on function nms_private.note_changes() from public;
--! EndIncluded functions/maintain/note_changes.sql
--! Included functions/maintain/register_maintained.sql
create or replace function nms_private.register_maintained(target oid)
returns void
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_state record;
begin
  select state.* into v_state from nms_private.maintained_states(among => array[register_maintained.target]) as state;
  if not found or v_state.problem is not null then
    raise exception 'the count of % cannot be maintained', target::regclass
      using
        errcode = 'object_not_in_prerequisite_state',
        detail = coalesce(v_state.problem, 'it was dropped'),
        hint = 'Call nms.maintain_count() again.';
  end if;

  -- Whatever was known before rests on the former triggers.
  insert into nms_private.maintained_counts as counted (table_oid, runs_since_count)
  values (register_maintained.target, (register_maintained.target::bigint % (nms_private.recount_cycle() - 1))::integer)
  on conflict on constraint maintained_counts_pkey do update
  set row_count = null, snapshot = null
  where counted.triggers is distinct from v_state.triggers;
end
$$;
comment on function nms_private.register_maintained(oid) is
  'Remembers a table that has its triggers, so that its rows are counted. Raises 55000 when it has not.';
revoke execute on function nms_private.register_maintained(oid) from public;
--! EndIncluded functions/maintain/register_maintained.sql
--! Included functions/maintain/seed_count.sql
create or replace function nms_private.seed_count(table_oid oid)
returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found record;
begin
  -- One snapshot judges the rows, the triggers and the notes: a note that it does not see is of rows that it does not see.
  with
  found as materialized (
    select result.own_row_count, result.error_sqlstate, result.error_message
    from nms_private.count_tables(
      targets => array(
        select target
        from nms_private.current_targets(skip => '[]', exclude => '[]', among => array[seed_count.table_oid]) as target
        where target.table_oid = seed_count.table_oid
      )
    ) as result
  ),
  state as materialized (
    select present.* from nms_private.maintained_states(among => array[seed_count.table_oid]) as present
  ),
  delta as (
    delete from nms_private.count_deltas as delta
    where delta.table_oid = seed_count.table_oid and exists (select from found where found.own_row_count is not null)
    returning delta.xid, delta.position
  ),
  seeded as (
    update nms_private.maintained_counts as counted
    set
      row_count = found.own_row_count,
      snapshot = pg_current_snapshot(),
      xid = pg_current_xact_id_if_assigned(),
      last_position = (select max(delta.position) from delta where delta.xid = pg_current_xact_id_if_assigned()),
      generation = default,
      server = state.server,
      triggers = state.triggers,
      columns = state.columns,
      seeded_at = clock_timestamp()
    from found
    cross join state
    where counted.table_oid = seed_count.table_oid and found.own_row_count is not null and state.problem is null
    returning counted.table_oid
  )
  select
    exists (select from seeded) as is_seeded,
    coalesce(state.problem, format('it could not be counted: %s (%s)', found.error_message, found.error_sqlstate)) as problem
  into v_found
  from state
  left join found on true;
  return case when v_found.is_seeded then null else coalesce(v_found.problem, 'it was dropped') end;
end
$$;
comment on function nms_private.seed_count(oid) is
  'Counts the rows of a table as a beginning for what its triggers note. Returns why that was not possible, null when it was.';
revoke execute on function nms_private.seed_count(oid) from public;
--! EndIncluded functions/maintain/seed_count.sql
--! Included functions/maintain/settle_maintained.sql
create or replace function nms_private.settle_maintained(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A repeatable read transaction cannot tell what others have folded since.
  if current_setting('transaction_isolation') <> 'read committed' or not nms_private.find_maintaining_triggers() then
    return;
  end if;

  with present as (
    select counted.table_oid
    from nms_private.maintained_counts as counted
    for update skip locked -- another session folds it
  )
  update nms_private.maintained_counts as counted
  set
    runs_since_count = case
      when measurement.method = 'maintained' then counted.runs_since_count + 1
      when measurement.row_count is not null then 0
      else counted.runs_since_count
    end,
    -- Without a count to begin with, its rows are counted.
    row_count = case when not measured.is_refuted then counted.row_count end,
    snapshot = case when not measured.is_refuted then counted.snapshot end,
    seeded_at = case
      when measurement.method <> 'maintained' and measurement.row_count is not null then clock_timestamp()
      else counted.seeded_at
    end
  from present
  join nms.table_metrics_measurements as measurement
    on measurement.run_id = settle_maintained.run_id and measurement.table_oid = present.table_oid
  cross join lateral (
    select exists (
      select
      from nms.table_metrics_differences as difference
      where
        difference.run_id = settle_maintained.run_id
        and difference.table_oid = present.table_oid
        and difference.method = 'maintained'
    )
  ) as measured (is_refuted)
  where counted.table_oid = present.table_oid;

  perform nms.fold_counts();
  update nms_private.trigger_changes as change
  set run_id = settle_maintained.run_id
  where change.run_id is null;
  delete from nms_private.trigger_changes as change
  where change.run_id not in (select run.run_id from nms.table_metrics_runs as run);
end
$$;
comment on function nms_private.settle_maintained(bigint) is
  'Ends the counting of a run for maintained tables: remembers which were counted, has those counted again that the run has refuted, folds what triggers have noted, and takes what was noticed about the triggers for what is strange about this run.';
revoke execute on function nms_private.settle_maintained(bigint) from public;
--! EndIncluded functions/maintain/settle_maintained.sql
--! Included functions/maintain/stop_maintaining.sql
-- With the rights of the caller, as nms.maintain_count().
create or replace function nms.stop_maintaining(target regclass)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '5 s' -- that of the settings, below
as $$
declare
  v_trigger record;
begin
  perform nms_private.use_lock_timeout();

  -- In this order: who folds holds the row, and may be about to read the table.
  perform nms_private.forget_maintained(target => target);
  for v_trigger in
    select own.tgname as name
    from pg_trigger as own
    where own.tgrelid = target and own.tgfoid = 'nms_private.note_changes()'::regprocedure
  loop
    execute format('drop trigger %I on %s', v_trigger.name, target);
  end loop;
end
$$;
comment on function nms.stop_maintaining(regclass) is
  'Drops the triggers that nms.maintain_count() has made: from the next run on, the table is counted again. Locks it until the transaction ends. Nothing for a table that has none.';
revoke execute on function nms.stop_maintaining(regclass) from public;
--! EndIncluded functions/maintain/stop_maintaining.sql
--! Included functions/maintain/sum_up_deltas.sql
-- Only appends, as the trigger that calls it: no writer waits for another one.
create or replace function nms_private.sum_up_deltas(table_oid oid)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into nms_private.count_sums (table_oid, generation, row_count, snapshot, xid, last_position)
  select total.table_oid, total.generation, total.row_count, total.snapshot, pg_current_xact_id(), total.last_position
  from nms_private.maintained_totals(among => array[sum_up_deltas.table_oid]) as total;
end
$$;
comment on function nms_private.sum_up_deltas(oid) is
  'Adds up what is known about the rows of a maintained table now, for whoever asks later. Nothing when they were not counted.';
revoke execute on function nms_private.sum_up_deltas(oid) from public;
--! EndIncluded functions/maintain/sum_up_deltas.sql
--! Included functions/maintain/why_not_maintained.sql
-- With the rights of its owner: extensions let not everybody read what they know.
create or replace function nms_private.why_not_maintained(target oid, out reason text, out remedy text)
returns record
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_relation pg_class;
  v_by_rule constant text :=
    'A rule in nms.table_metrics_count_rules makes its count cheap: method carried where it rests between runs, estimate where a range will do.';
begin
  select relation.* into v_relation from pg_class as relation where relation.oid = why_not_maintained.target;
  if not found then
    reason := 'there is no such table';
    remedy := 'Name one that exists, as in ''public.orders''.';
  elsif v_relation.relkind = 'p' then
    reason := 'it is partitioned: rows that are written to a partition by its own name fire no trigger here';
    remedy := v_by_rule;
  elsif v_relation.relkind <> 'r' then
    reason := 'it is no table that stores rows';
    remedy := 'Name an ordinary table.';
  elsif v_relation.relpersistence = 't' then
    reason := 'it is temporary, and no run counts it';
    remedy := 'Ask select count(*).';
  elsif v_relation.relpersistence = 'u' then
    reason := 'it is unlogged: a crash empties it, and fires no trigger';
    remedy := format('alter table %s set logged, or: %s', target::regclass, v_by_rule);
  elsif v_relation.relam <> 2 then
    reason := 'its access method is not heap, and may have ways to write that fire no trigger';
    remedy := 'Let it be counted.';
  elsif v_relation.relispartition then
    reason := 'it is a partition: rows that are written through its root fire no trigger here';
    remedy := v_by_rule;
  elsif exists (select from pg_inherits where inhrelid = v_relation.oid) then
    reason := 'it is a child of another table: rows that are deleted through its parent fire no trigger here';
    remedy := v_by_rule;
  elsif exists (select from pg_inherits where inhparent = v_relation.oid) then
    reason := 'it has children: its triggers would note their rows, too';
    remedy := v_by_rule;
  elsif v_relation.relhassubclass then
    reason := 'it had children when it was last analyzed';
    remedy := format('analyze %s; then again', target::regclass);
  elsif exists (select from pg_subscription_rel where srrelid = v_relation.oid) then
    reason := 'a subscription writes to it: rows that are replicated fire no statement trigger';
    remedy := format('Maintain it where it is published, or: %s', v_by_rule);
  elsif
    v_relation.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
    or exists (
      select
      from pg_namespace as schema
      cross join nms.table_metrics_settings as settings
      where schema.oid = v_relation.relnamespace and schema.nspname = any (settings.machinery_schemas)
    )
  then
    reason := 'it is in a schema that no run counts';
    remedy := 'Name a table of your own.';
  elsif exists (select from nms_private.extension_tables() as known where known.table_oid = v_relation.oid) then
    reason := 'an extension keeps its rows in chunks or shards, and writes to those';
    remedy := 'Let it be counted.';
  end if;
end
$$;
comment on function nms_private.why_not_maintained(oid) is
  'Why triggers could not maintain the count of this table, and what to do instead; nulls when they can.';
revoke execute on function nms_private.why_not_maintained(oid) from public;
--! EndIncluded functions/maintain/why_not_maintained.sql
--! Included functions/online/carry_held.sql
create or replace function nms_private.carry_held(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what a run has just stored
as $$
declare
  v_targets nms_private.target[];
  v_findings nms_private.finding[];
  v_counted record;
begin
  with
  claim as materialized (
    select held.*
    from nms_private.targets as held
    where held.run_id = carry_held.run_id and held.is_held and not held.is_done
  ),
  found as (
    select known.*
    from claim
    cross join unnest(claim.findings) as known
    union all
    select
      base.table_oid, base.own_row_count, 'carried', base.run_id, null, null, base.own_table_bytes, base.own_index_bytes,
      base.filtered, null, null, null, carrying.since, null, null
    from nms_private.carrying_runs as carrying
    cross join unnest(carrying.proven) as proven (oid)
    join (select unnest(claim.carriable) from claim) as listed (oid) on listed.oid = proven.oid
    join nms_private.bases as base on base.table_oid = proven.oid
    where
      carrying.run_id = carry_held.run_id
      and base.reading_id = any ((carrying.reading).base_readings) -- it is that base still
  ),
  held as (
    select
      target,
      target.*,
      coalesce(target.family, target.table_oid) as unit,
      count(*) over (partition by target.table_oid) > 1
        or count(*) over (partition by target.schema_name, target.table_name) > 1 as is_ambiguous
    from claim
    cross join unnest(coalesce(claim.seen, claim.targets)) as target
  ),
  -- A family as of one snapshot, or not at all; and what was counted since is newer.
  left_over as (
    select held.unit
    from held
    where
      held.is_ambiguous
      or (held.table_kind <> 'partitioned table' and held.table_oid not in (select found.table_oid from found))
      or held.table_oid in (
        select measurement.table_oid
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = carry_held.run_id
      )
      or (held.schema_name, held.table_name) in (
        select measurement.schema_name, measurement.table_name
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = carry_held.run_id
      )
  ),
  kept as materialized (
    select held.* from held where held.unit not in (select left_over.unit from left_over)
  )
  select
    array(select kept.target from kept),
    array(
      select row(found.*)::nms_private.finding
      from found
      where found.table_oid in (select kept.table_oid from kept)
    )
  into strict v_targets, v_findings;

  if v_targets <> '{}' then
    v_counted := nms_private.add_up_findings(
      run_id => carry_held.run_id, targets => v_targets, findings => v_findings, as_one => false, retryable => '{}'
    );
    perform nms_private.store_measurements(measured => v_counted.measured, as_one => false);
    perform nms_private.store_filtered_counts(filtered => v_counted.filtered);
  end if;
  -- Whatever has no measurement now is queued again.
  update nms_private.targets as claim
  set is_done = true
  where claim.run_id = carry_held.run_id and claim.is_held;
end
$$;
comment on function nms_private.carry_held(bigint) is
  'Stores what an online run holds, of each family all or nothing: carried are the counts that are proven, with what was counted beside them. A table or a name that has a measurement by now keeps it.';
revoke execute on function nms_private.carry_held(bigint) from public;
--! EndIncluded functions/online/carry_held.sql
--! Included functions/online/count_beside_carriable.sql
-- Stable, so that everything is as of the snapshot of the calling query.
create or replace function nms_private.count_beside_carriable(
  run_id bigint,
  among oid[],
  unchanged oid[],
  out seen nms_private.target[],
  out carriable oid[],
  out findings nms_private.finding[],
  out error_sqlstate text,
  out schema_places tid[] -- where the catalogue had the schemas of these tables
)
returns record
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- One snapshot for what is counted; what is carried has to be proven as of that.
  with
  found as materialized (
    select array_agg(target) as targets
    from nms.table_metrics_runs as run
    cross join nms_private.current_targets(
      skip => run.skip_schemas, exclude => run.exclude_tables, among => count_beside_carriable.among
    ) as target
    where run.run_id = count_beside_carriable.run_id
  ),
  judged as materialized (
    select
      found.targets,
      nms_private.carriable_tables(
        targets => found.targets, unchanged => count_beside_carriable.unchanged
      ) as carriable
    from found
  ),
  counted as materialized (
    select result.*
    from judged
    cross join nms_private.find_counts(
      targets => array(
        select target
        from unnest(judged.targets) as target
        where
          target.table_kind <> 'partitioned table'
          and target.table_oid not in (select listed.oid from unnest(judged.carriable) as listed (oid))
      ),
      reading => null,
      stop_at => '{NM001,55P03}',
      lock_timeout => '10 ms'
    ) as result
    where judged.carriable <> '{}'
  )
  select
    judged.targets,
    judged.carriable,
    array(select row(counted.*)::nms_private.finding from counted),
    (select min(counted.error_sqlstate) from counted),
    array(
      select schema.ctid
      from pg_namespace as schema
      where schema.nspname in (select target.schema_name from unnest(judged.targets) as target)
    )
  into strict seen, carriable, findings, error_sqlstate, schema_places
  from judged;
end
$$;
comment on function nms_private.count_beside_carriable(bigint, oid[], oid[]) is
  'Counts what has to be counted of these tables and their families under one snapshot, all but those among the unchanged whose count may be carried. Returns the tables as that snapshot saw them, which of them may be carried, what was found out about the others, the SQLSTATE of why one could not be counted, if any, and the rows of the catalogue that name their schemas. When nothing may be carried, nothing is counted.';
revoke execute on function nms_private.count_beside_carriable(bigint, oid[], oid[]) from public;
--! EndIncluded functions/online/count_beside_carriable.sql
--! Included functions/online/counting_sessions.sql
create or replace function nms_private.counting_sessions(run_id bigint)
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
    select holder.pid
    from nms.table_metrics_runs as run
    cross join nms_private.header_holders(run_id => run.run_id) as holder
    where run.run_id = counting_sessions.run_id
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
    join pg_class on pg_class.oid = held.relation and pg_class.relkind in ('r', 'p', 'f')
    where
      held.pid = counting.pid
      and held.locktype = 'relation'
      and held.mode = 'AccessShareLock'
      and held.granted
      and held.relation >= 16384 -- the first OID that is not a system table's
      and pg_class.relnamespace not in ('nms'::regnamespace, 'nms_private'::regnamespace)
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
comment on function nms_private.counting_sessions(bigint) is
  'The sessions that measure targets of a run at this moment: the table that each reads (null between two), and the session that one of them keeps waiting for longer than the yield_after setting (null when none is). Cancel such a one with pg_cancel_backend, then call nms_private.yield_target.';
revoke execute on function nms_private.counting_sessions(bigint) from public;
--! EndIncluded functions/online/counting_sessions.sql
--! Included functions/online/has_lost_targets.sql
create or replace function nms_private.has_lost_targets(run_id bigint)
returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from nms_private.targets as claim
    cross join unnest(claim.targets) as target
    where
      claim.run_id = has_lost_targets.run_id
      and target.is_reported
      and target.table_oid not in (
        select measurement.table_oid
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = has_lost_targets.run_id
      )
  )
$$;
comment on function nms_private.has_lost_targets(bigint) is
  'Whether any table that an online run has queued is without a measurement: it is gone, or its measurement was deleted.';
revoke execute on function nms_private.has_lost_targets(bigint) from public;
--! EndIncluded functions/online/has_lost_targets.sql
--! Included functions/online/header_holders.sql
-- A row lock shows only in the row itself: xmax is the transaction that holds it, or a group of transactions.
create or replace function nms_private.header_holders(run_id bigint)
returns table (pid integer)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_holder xid;
  v_members xid[];
begin
  select run.xmax into v_holder from nms.table_metrics_runs as run where run.run_id = header_holders.run_id;
  begin
    v_members := array(select member.xid from pg_get_multixact_members(v_holder) as member);
  exception
    -- It is a single transaction, not a group. Which error that is depends on its number.
    when others then
      v_members := array[v_holder];
  end;
  return query
  select distinct held.pid
  from pg_locks as held
  where
    held.locktype = 'transactionid'
    and held.granted
    and held.mode = 'ExclusiveLock'
    and held.transactionid::text = any ((v_members || v_holder)::text[])
    and held.pid <> pg_backend_pid();
end
$$;
comment on function nms_private.header_holders(bigint) is
  'The other sessions that hold the row lock of a run''s header, as everybody does who works on it.';
revoke execute on function nms_private.header_holders(bigint) from public;
--! EndIncluded functions/online/header_holders.sql
--! Included functions/online/hold_target.sql
create or replace function nms_private.hold_target(
  claim nms_private.targets,
  out is_held boolean,
  out tables_counted bigint,
  out rows_counted numeric
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_beside record;
begin
  is_held := false;
  tables_counted := bigint '0';
  rows_counted := 0;
  v_beside := nms_private.count_beside_carriable(
    run_id => claim.run_id,
    among => array(select target.table_oid from unnest(claim.targets) as target),
    unchanged => claim.carriable
  );
  if v_beside.carriable = '{}' then
    return;
  end if;

  -- As in retract_renamed: for a moment, a name may have stood for a table of another schema.
  if exists (
    select
    from unnest(v_beside.schema_places) as seen (place)
    where currtid2('pg_catalog.pg_namespace', seen.place) <> seen.place
  ) then
    is_held := null;
  elsif v_beside.error_sqlstate is null then
    is_held := true;
    tables_counted := cardinality(v_beside.findings)::bigint;
    rows_counted := (select coalesce(sum(found.own_row_count), 0) from unnest(v_beside.findings) as found);
    update nms_private.targets as held
    set
      is_held = true,
      pages = 0,
      seen = v_beside.seen,
      carriable = v_beside.carriable,
      findings = v_beside.findings
    where held.run_id = claim.run_id and held.position = claim.position;
  elsif v_beside.error_sqlstate in ('NM001', '55P03') then
    is_held := null;
  end if;
end
$$;
comment on function nms_private.hold_target(nms_private.targets) is
  'Counts those of these tables that have to be counted, and holds the claim until it is known whether the others have changed. Returns whether it is held, and what was counted: false when all has to be counted, null when a table is locked or has just changed, so that it may be held a little later.';
revoke execute on function nms_private.hold_target(nms_private.targets) from public;
--! EndIncluded functions/online/hold_target.sql
--! Included functions/online/keep_findings.sql
create or replace function nms_private.keep_findings(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what a run has just stored
as $$
declare
  v_carrying nms_private.carrying_runs;
  v_findings nms_private.finding[];
begin
  select carrying.* into v_carrying
  from nms_private.carrying_runs as carrying
  where carrying.run_id = keep_findings.run_id;

  v_findings := array(
    select
      row(
        latest.table_oid, latest.own_row_count, latest.method, latest.carried_from_run, latest.own_row_count_low,
        latest.own_row_count_high, latest.own_table_bytes, latest.own_index_bytes, latest.filtered,
        case when base.table_oid is not null then 'carried' else latest.claimed_method end,
        case when base.table_oid is not null then base.own_row_count else latest.claimed_row_count end,
        case when base.table_oid is not null then base.run_id else latest.claimed_from_run end,
        latest.measured_at, latest.error_sqlstate, latest.error_message
      )::nms_private.finding
    from (
      select distinct on (found.table_oid) found.*, claim.round
      from nms_private.targets as claim
      cross join unnest(claim.findings) as found
      where claim.run_id = keep_findings.run_id and claim.is_done
      order by found.table_oid, found.measured_at desc
    ) as latest
    join nms.table_metrics_measurements as measurement
      on measurement.run_id = keep_findings.run_id
      and measurement.table_oid = latest.table_oid
      and measurement.own_row_count = latest.own_row_count
    left join nms_private.bases as base
      on base.table_oid = latest.table_oid
      and base.table_oid = any ((v_carrying.reading).verified)
      and base.table_oid = any (v_carrying.proven)
      and base.reading_id = any ((v_carrying.reading).base_readings) -- it is that base still
      and latest.round = 1 -- before it was proven
      and latest.method = 'exact'
  );
  if v_findings = '{}' then
    return;
  end if;
  perform nms_private.keep_comparisons(
    run_id => keep_findings.run_id, findings => v_findings, reading => v_carrying.reading
  );
  perform nms_private.keep_bases(
    run_id => keep_findings.run_id, findings => v_findings, reading => v_carrying.reading
  );
end
$$;
comment on function nms_private.keep_findings(bigint) is
  'Keeps what an online run has found out and later runs use: the counts that they may carry, and how often a count has confirmed or refuted what was known without it.';
revoke execute on function nms_private.keep_findings(bigint) from public;
--! EndIncluded functions/online/keep_findings.sql
--! Included functions/online/measure_next_target.sql
create or replace function nms_private.measure_next_target(
  run_id bigint,
  after bigint, -- a position in the queue
  out tables_counted bigint,
  out rows_counted numeric,
  out pages_counted bigint,
  out claimed bigint
)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_snapshots constant integer := 3;
  v_claim nms_private.targets;
  v_put_off nms_private.targets;
  v_is_last_attempt boolean;
  v_left oid[];
  v_findings nms_private.finding[] := array[]::nms_private.finding[];
  v_held record;
  v_result record;
begin
  select claim.* into v_claim
  from nms_private.targets as claim
  where
    claim.run_id = measure_next_target.run_id
    and claim.position > measure_next_target.after
    and not claim.is_done
    and not claim.is_held
    and coalesce(claim.retry_at <= clock_timestamp(), true)
  order by claim.position
  limit 1
  for update skip locked;
  if not found then
    return;
  end if;

  -- A locked table is tried again and again, each time briefly, until lock_timeout has passed.
  select v_claim.times_put_off >= 2 and clock_timestamp() > v_claim.put_off_since + settings.lock_timeout
  into strict v_is_last_attempt
  from nms.table_metrics_settings as settings;

  v_put_off := v_claim;
  v_put_off.times_put_off := v_claim.times_put_off + 1;
  v_put_off.put_off_since := coalesce(v_claim.put_off_since, clock_timestamp());

  tables_counted := 0;
  rows_counted := 0;
  pages_counted := v_claim.pages;
  claimed := v_claim.position;

  if v_claim.carriable <> '{}' and v_is_last_attempt is not true then
    v_held := nms_private.hold_target(claim => v_claim);
    if v_held.is_held then
      tables_counted := v_held.tables_counted;
      rows_counted := v_held.rows_counted;
      return;
    elsif v_held.is_held is null then
      pages_counted := 0;
      update nms_private.targets as claim
      set
        times_put_off = v_put_off.times_put_off,
        put_off_since = v_put_off.put_off_since,
        retry_at = clock_timestamp() + interval '200 ms'
      where claim.run_id = v_claim.run_id and claim.position = v_claim.position;
      return;
    end if;
  end if;
  v_put_off.carriable := '{}';

  -- A family may have been counted along with another claim. Looked up one by one: a plan that joins them reads
  -- all that the run has stored, for each claim.
  v_left := array(
    select target.table_oid
    from unnest(v_claim.targets) as target
    where
      target.is_reported
      and not exists (
        select
        from nms.table_metrics_measurements as measurement
        where
          measurement.run_id = v_claim.run_id
          and measurement.schema_name = target.schema_name
          and measurement.table_name = target.table_name
          and measurement.table_oid = target.table_oid
        offset 0
      )
  );
  for v_snapshot in 1..v_snapshots loop
    exit when v_left = '{}';
    v_result := nms_private.measure(
      run_id => v_claim.run_id,
      among => v_left,
      as_one => false,
      retryable => case when v_snapshot < v_snapshots then '{NM001}'::text[] else '{}' end
        || case when not v_is_last_attempt then '{55P03,NM004}'::text[] else '{}' end
    );
    tables_counted := tables_counted + v_result.tables_counted;
    rows_counted := rows_counted + v_result.rows_counted;
    v_findings := v_findings || v_result.findings;

    if v_result.locked_targets <> '{}' then
      v_put_off.retry_at := clock_timestamp() + interval '200 ms';
      perform nms_private.requeue_targets(claim => v_put_off, targets => v_result.locked_targets);
      pages_counted := greatest(
        pages_counted
          - (select sum(greatest(locked.pages, 0))::bigint from unnest(v_result.locked_targets) as locked),
        0
      );
    end if;
    v_left := array(select changed.table_oid from unnest(v_result.changed_targets) as changed where changed.is_reported);
  end loop;

  update nms_private.targets as claim
  set
    is_done = true,
    findings = case
      when
        exists (select from nms_private.carrying_runs as carrying where carrying.run_id = v_claim.run_id)
        or exists (select from unnest(v_findings) as found where found.claimed_method is not null)
      then v_findings
      else '{}'
    end
  where claim.run_id = v_claim.run_id and claim.position = v_claim.position;
end
$$;
comment on function nms_private.measure_next_target(bigint, bigint) is
  'Claims what is next in the queue of a run after this position, counts it and stores the measurements. A table that changed under the snapshot is counted again under a later one, with its family; one that is locked goes back to the end of the queue, with its family, until it has been locked for longer than lock_timeout, and so does one with a part on another server that reads as empty and did not before; one of which some may be carried is held when the others have been counted. Returns what was counted, and its position; nulls when nothing is free.';
revoke execute on function nms_private.measure_next_target(bigint, bigint) from public;
--! EndIncluded functions/online/measure_next_target.sql
--! Included functions/online/measure_targets.sql
-- The online mode: any number of sessions call this in a loop until is_finished, then one calls
-- close_run. Each call is a short transaction of its own, so that no snapshot gets old:
--   queue_targets        the first call finds the tables, the largest first
--   measure_next_target  claims what is next in the queue, counts it and stores the measurements
--   settle_carried       when the queue is empty: what is proven unchanged is carried from earlier runs
--   settle_targets       tables that were replaced, have appeared or could not be carried are queued
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
set max_parallel_workers_per_gather = 0 -- one processor for each session
as $$
declare
  v_start constant timestamptz := clock_timestamp();
  v_run nms.table_metrics_runs := nms_private.claim_run(run_id => measure_targets.run_id, shared => true);
  v_last bigint := bigint '0';
  v_step record;
begin
  tables_counted := 0;
  rows_counted := 0;
  pages_counted := 0;

  if not exists (
    select from nms_private.targets as claim where claim.run_id = v_run.run_id
  ) then
    perform nms_private.settle_targets(run_id => v_run.run_id);
  else
    if
      exists (select from nms_private.carrying_runs as carrying where carrying.run_id = v_run.run_id)
      and exists (
        select
        from nms_private.targets as claim
        where claim.run_id = v_run.run_id and not claim.is_done and not claim.is_held
      )
    then
      perform nms_private.vouch();
    end if;
    loop
      v_step := nms_private.measure_next_target(run_id => v_run.run_id, after => v_last);
      -- From the last claim on: while somebody has an old snapshot, all claims before it are still to be read.
      -- One of them may be free again.
      if v_step.claimed is null and v_last > 0 then
        v_last := 0;
        continue;
      end if;
      exit when v_step.claimed is null;
      v_last := v_step.claimed;
      tables_counted := tables_counted + v_step.tables_counted;
      rows_counted := rows_counted + v_step.rows_counted;
      pages_counted := pages_counted + v_step.pages_counted;
      exit when clock_timestamp() >= v_start + coalesce(budget, '1 second');
    end loop;
    if v_step.claimed is null then
      perform nms_private.settle_targets(run_id => v_run.run_id);
    end if;
  end if;

  select coalesce(sum(cardinality(claim.targets)), 0), coalesce(sum(claim.pages), 0)::bigint
  into tables_left, pages_left
  from nms_private.targets as claim
  where claim.run_id = v_run.run_id and not claim.is_done;

  select run.target_count is not null into is_finished
  from nms.table_metrics_runs as run
  where run.run_id = v_run.run_id;
end
$$;
comment on function nms.measure_targets(bigint, interval) is
  'Online mode: counts tables of a RUNNING run for about as long as the budget says, each under a snapshot of its own, or with its partitions or children under one, and at least one if any is free. Several sessions may call it at once. Returns what this call counted, what is left for all of them (a page is block_size bytes), and whether the run can be closed. A table that is locked is put off; call again a little later when nothing was counted and is_finished is false. The first call only finds the tables.';
revoke execute on function nms.measure_targets(bigint, interval) from public;
--! EndIncluded functions/online/measure_targets.sql
--! Included functions/online/queue_targets.sql
-- What takes long is claimed by itself: a large table, a family, which is read under one snapshot, or what lies on
-- another server, as nobody knows how long that takes. The others together: a claim costs as much as counting several
-- of them. What is held is stored in one go, which takes a second for thousands.
create or replace function nms_private.queue_targets(
  run_id bigint,
  round bigint,
  reading nms_private.reading default null -- of before this statement; null: nothing may be carried
)
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
      coalesce(found.family, found.table_oid) as unit,
      case
        when found.pages = 0 then pg_stat_get_live_tuples(found.table_oid) / 100
        else greatest(found.pages, 0)
      end as pages
    from nms.table_metrics_runs as run
    cross join nms_private.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as found
    where
      run.run_id = queue_targets.run_id
      and found.table_oid not in (select measured.table_oid from measured)
      and (found.schema_name, found.table_name) not in (
        select measured.schema_name, measured.table_name from measured
      )
  ),
  carriable as materialized (
    select listed.oid
    from (
      select array_agg(target.found) as found from target where (queue_targets.reading).read_at is not null
    ) as all_targets
    cross join lateral unnest(
      nms_private.carriable_tables(targets => all_targets.found, unchanged => (queue_targets.reading).unchanged)
    ) as listed (oid)
    where listed.oid not in (select verified.oid from unnest((queue_targets.reading).verified) as verified (oid))
  ),
  judged as (
    select
      target.found,
      target.unit,
      carriable.oid as carriable,
      -- Only what is read takes time.
      case when carriable.oid is null then target.pages else 0 end as pages
    from target
    left join carriable on carriable.oid = (target.found).table_oid
  ),
  sized as (
    select
      target.*,
      sum(target.pages) over (partition by target.unit) as unit_pages,
      count(target.carriable) over (partition by target.unit) > 0 as has_carriable,
      bool_and(target.carriable is not null or (target.found).table_kind = 'partitioned table')
        over (partition by target.unit) as has_only_carriable,
      bool_or((target.found).table_kind = 'foreign table') over (partition by target.unit) as is_elsewhere,
      -- What is only read for the sake of a parent goes along with its family, and never by itself.
      bool_or((target.found).is_reported) over (partition by target.unit) as is_wanted
    from judged as target
  ),
  placed as (
    select
      sized.*,
      case
        when sized.has_carriable and sized.has_only_carriable then 'held'
        when sized.has_carriable or sized.unit_pages >= 256 or sized.is_elsewhere then 'by itself'
        else 'with others'
      end as claimed
    from sized
    where sized.is_wanted
  ),
  claim as (
    select
      array_agg(together.found order by together.pages desc) as targets,
      sum(together.pages) as pages,
      array_remove(array_agg(together.carriable), null) as carriable,
      together.claimed = 'held' as is_held
    from (
      select
        numbered.*,
        max(numbered.place) over (partition by numbered.unit) as last_place
      from (
        select
          placed.*,
          row_number() over (partition by placed.claimed order by placed.unit_pages desc, placed.unit) as place
        from placed
      ) as numbered
    ) as together
    group by
      together.claimed,
      case together.claimed
        when 'by itself' then together.unit::bigint
        when 'held' then together.last_place / 2000
        else together.last_place / 100
      end
  ),
  queued as (
    insert into nms_private.targets (run_id, round, targets, pages, carriable, is_held)
    select queue_targets.run_id, queue_targets.round, claim.targets, claim.pages, claim.carriable, claim.is_held
    from claim
    order by claim.pages / cardinality(claim.targets) desc
    returning cardinality(targets.targets) as tables
  )
  select coalesce(sum(queued.tables), 0)::bigint from queued
$$;
comment on function nms_private.queue_targets(bigint, bigint, nms_private.reading) is
  'Queues every target of a run that has to be counted and has no measurement yet, the largest first, families whole. What may be carried is not counted: a claim of nothing else is held until that is proven. Returns how many tables those are.';
revoke execute on function nms_private.queue_targets(bigint, bigint, nms_private.reading) from public;
--! EndIncluded functions/online/queue_targets.sql
--! Included functions/online/requeue_targets.sql
create or replace function nms_private.requeue_targets(claim nms_private.targets, targets nms_private.target[])
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  insert into nms_private.targets (
    run_id, round, targets, pages, times_yielded, times_put_off, put_off_since, retry_at, carriable
  )
  select
    claim.run_id,
    claim.round,
    array_agg(target),
    sum(greatest(target.pages, 0)),
    claim.times_yielded,
    claim.times_put_off,
    claim.put_off_since,
    claim.retry_at,
    array(
      select listed.oid from unnest(claim.carriable) as listed (oid) where listed.oid = any (array_agg(target.table_oid))
    )
  from unnest(requeue_targets.targets) as target
  group by coalesce(target.family, target.table_oid)
$$;
comment on function nms_private.requeue_targets(nms_private.targets, nms_private.target[]) is
  'Puts tables back at the end of the queue, each by itself but families whole, with what the claim says about earlier attempts.';
revoke execute on function nms_private.requeue_targets(nms_private.targets, nms_private.target[]) from public;
--! EndIncluded functions/online/requeue_targets.sql
--! Included functions/online/retract_gone.sql
create or replace function nms_private.retract_gone(run_id bigint)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  -- It failed and is gone.
  delete from nms.table_metrics_measurements as measurement
  where
    measurement.run_id = retract_gone.run_id
    and measurement.error_sqlstate = 'NM001'
    and not exists (select from pg_class as relation where relation.oid = measurement.table_oid);

  -- Counted again with its family, under another name by then.
  delete from nms.table_metrics_measurements as former
  using nms.table_metrics_measurements as latter
  where
    former.run_id = retract_gone.run_id
    and latter.run_id = retract_gone.run_id
    and latter.table_oid = former.table_oid
    and latter.measured_at > former.measured_at;

  -- Dropped before its family was counted again: its rows may be elsewhere in it.
  delete from nms.table_metrics_measurements as former
  where
    former.run_id = retract_gone.run_id
    and former.table_oid not in (select relation.oid from pg_class as relation)
    and exists (
      select
      from nms_private.targets as claim
      cross join unnest(claim.targets) as itself
      join nms_private.targets as other on other.run_id = claim.run_id
      cross join unnest(other.targets) as relative
      join nms.table_metrics_measurements as latter
        on latter.run_id = claim.run_id and latter.table_oid = relative.table_oid
      where
        claim.run_id = retract_gone.run_id
        and itself.table_oid = former.table_oid
        and relative.family = itself.family
        and latter.measured_at > former.measured_at
    );
$$;
comment on function nms_private.retract_gone(bigint) is
  'Deletes what an online run has stored for tables that are not there any more, where it would be wrong: a failure, a count under a former name, and the count of a member before its family was counted again.';
revoke execute on function nms_private.retract_gone(bigint) from public;
--! EndIncluded functions/online/retract_gone.sql
--! Included functions/online/retract_misnamed.sql
create or replace function nms_private.retract_misnamed(run_id bigint)
returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_misnamed oid[];
begin
  v_misnamed := array(
    select current_target.table_oid
    from nms.table_metrics_runs as run
    cross join nms_private.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as current_target
    where
      run.run_id = retract_misnamed.run_id
      and current_target.is_reported
      and (current_target.schema_name, current_target.table_name) not in (
        select measurement.schema_name, measurement.table_name
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = retract_misnamed.run_id
      )
      and (current_target.schema_name, current_target.table_name) in (
        select queued.schema_name, queued.table_name
        from nms_private.targets as claim
        cross join unnest(claim.targets) as queued
        where claim.run_id = retract_misnamed.run_id and queued.is_reported
      )
  );
  delete from nms.table_metrics_measurements as measurement
  where
    measurement.run_id = retract_misnamed.run_id
    and measurement.table_oid = any (v_misnamed);
  return v_misnamed <> '{}';
end
$$;
comment on function nms_private.retract_misnamed(bigint) is
  'Deletes what an online run has stored for tables under another name than the one by which they were queued, and which they have again. Returns whether there is any table without a measurement under such a name.';
revoke execute on function nms_private.retract_misnamed(bigint) from public;
--! EndIncluded functions/online/retract_misnamed.sql
--! Included functions/online/retract_replaced.sql
create or replace function nms_private.retract_replaced(run_id bigint)
returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  delete from nms.table_metrics_measurements as measurement
  using pg_class as relation
  join pg_namespace as schema on schema.oid = relation.relnamespace
  where
    measurement.run_id = retract_replaced.run_id
    and schema.nspname = measurement.schema_name
    and relation.relname = measurement.table_name
    and relation.relkind in ('r', 'p', 'f')
    and relation.oid <> measurement.table_oid;
$$;
comment on function nms_private.retract_replaced(bigint) is
  'Deletes what an online run has stored for tables of which another one has the name now, which has not been counted.';
revoke execute on function nms_private.retract_replaced(bigint) from public;
--! EndIncluded functions/online/retract_replaced.sql
--! Included functions/online/settle_carried.sql
-- In short transactions, so that nobody is kept waiting: no snapshot is held, and no lock on any table.
create or replace function nms_private.settle_carried(run_id bigint)
returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- no statistics know what these arrays hold
as $$
declare
  v_carrying nms_private.carrying_runs;
  v_targets nms_private.target[];
  v_look record;
begin
  select carrying.* into v_carrying
  from nms_private.carrying_runs as carrying
  where carrying.run_id = settle_carried.run_id;
  if not found or v_carrying.proven is not null then
    return true;
  end if;
  if v_carrying.looked_at > clock_timestamp() - interval '250 ms' then
    return false;
  end if;

  if v_carrying.since is null then
    -- Every snapshot under which anything was counted is older.
    v_carrying.since := clock_timestamp();
    v_carrying.wal_end := case when (v_carrying.reading).wal_lsn is not null then pg_current_wal_insert_lsn() end;
    v_targets := array(
      select target
      from nms_private.targets as claim
      cross join unnest(claim.targets) as target
      where claim.run_id = settle_carried.run_id and claim.round = 1
    );
    v_carrying.candidates := array(
      select listed.oid
      from nms_private.targets as claim
      cross join unnest(claim.carriable) as listed (oid)
      where claim.run_id = settle_carried.run_id and claim.is_held
      union
      select verified.oid
      from unnest((v_carrying.reading).verified) as verified (oid)
      join unnest(
        nms_private.carriable_tables(targets => v_targets, unchanged => (v_carrying.reading).unchanged)
      ) as listed (oid) on listed.oid = verified.oid
    );
    v_carrying.needs_wal := nms_private.needs_wal(
      table_oids => v_carrying.candidates, wal_end => v_carrying.wal_end
    );
    -- Waiting harms nobody, so it may take about as long as reading would, within reason.
    v_carrying.deadline := v_carrying.since + least(
      greatest(
        interval '15 s',
        interval '1 s' * (
          select coalesce(sum(greatest(target.pages, 0)), 0) * current_setting('block_size')::numeric / 268435456
          from nms_private.targets as claim
          cross join unnest(coalesce(claim.seen, claim.targets)) as target
          where
            claim.run_id = settle_carried.run_id
            and claim.is_held
            and target.table_oid = any (claim.carriable)
        )::double precision
      ),
      interval '10 min'
    );
    update nms_private.carrying_runs as carrying
    set
      since = v_carrying.since,
      wal_end = v_carrying.wal_end,
      candidates = v_carrying.candidates,
      needs_wal = v_carrying.needs_wal,
      deadline = v_carrying.deadline
    where carrying.run_id = settle_carried.run_id;
  end if;

  v_look := nms_private.look_for_proof(
    table_oids => v_carrying.candidates,
    readings => (v_carrying.reading).base_readings,
    since => v_carrying.since,
    wal_end => v_carrying.wal_end,
    needs_wal => v_carrying.needs_wal,
    unsettled => v_carrying.unsettled::integer[],
    unwritten => v_carrying.unwritten
  );
  if v_carrying.candidates = '{}' then
    v_carrying.proven := '{}';
  elsif v_look.is_enough or clock_timestamp() > v_carrying.deadline then
    v_carrying.proven := nms_private.tables_proven_by(
      table_oids => v_carrying.candidates, settled => v_look.settled, unwritten => v_look.unwritten
    );
  end if;

  update nms_private.carrying_runs as carrying
  set
    -- Whoever looks next may be another session, and has to look at this one.
    unsettled = v_look.unsettled || pg_backend_pid(),
    unwritten = v_look.unwritten,
    looked_at = clock_timestamp(),
    proven = v_carrying.proven
  where carrying.run_id = settle_carried.run_id;

  if v_carrying.proven is null then
    return false;
  end if;
  perform nms_private.carry_held(run_id => settle_carried.run_id);
  return true;
end
$$;
comment on function nms_private.settle_carried(bigint) is
  'When everything else of an online run has been counted: looks whether it can be told by now which tables have not changed since an earlier run counted them; if so, stores what is held. Returns false as long as it cannot be told. What is not proven when that takes too long has no measurement then.';
revoke execute on function nms_private.settle_carried(bigint) from public;
--! EndIncluded functions/online/settle_carried.sql
--! Included functions/online/settle_targets.sql
create or replace function nms_private.settle_targets(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 min' -- of a session that is at it too
set enable_nestloop = off -- no statistics know what a run that is under way has stored: a guess of one row
set jit = off -- before 18, a nested loop that cannot be avoided looks so costly that it would be compiled
as $$
declare
  v_rounds bigint := bigint '3';
  v_round bigint;
  v_is_misnamed boolean;
  v_reading nms_private.reading;
  v_unmeasured nms_private.target[];
begin
  -- One session at a time. This lock goes together with those on the header of the sessions that count.
  perform from nms.table_metrics_runs as run where run.run_id = settle_targets.run_id for no key update;

  -- What others have claimed may come back to the queue.
  if
    exists (
      select
      from nms_private.targets as claim
      where claim.run_id = settle_targets.run_id and not claim.is_done and not claim.is_held
    )
    or exists (
      select
      from nms.table_metrics_runs as run
      where run.run_id = settle_targets.run_id and run.target_count is not null
    )
  then
    return;
  end if;

  if not nms_private.settle_carried(run_id => settle_targets.run_id) then
    return;
  end if;
  if exists (select from nms_private.carrying_runs as carrying where carrying.run_id = settle_targets.run_id) then
    v_rounds := v_rounds + 1; -- for what was not carried after all
  end if;

  select coalesce(max(claim.round), 0) + 1 into strict v_round
  from nms_private.targets as claim
  where claim.run_id = settle_targets.run_id;

  if v_round = 1 then
    update nms.table_metrics_runs as run set is_online = true where run.run_id = settle_targets.run_id;
    -- Before the first snapshot: what these counters tell must not be younger than any count.
    v_reading := nms_private.read_counters(run_id => settle_targets.run_id);
    if v_reading.read_at is not null then
      insert into nms_private.carrying_runs (run_id, reading)
      values (settle_targets.run_id, v_reading)
      on conflict on constraint carrying_runs_pkey do nothing;
    end if;
  end if;

  if v_round <= v_rounds then
    perform nms_private.retract_replaced(run_id => settle_targets.run_id);
  end if;
  perform nms_private.retract_gone(run_id => settle_targets.run_id);
  v_is_misnamed := nms_private.retract_misnamed(run_id => settle_targets.run_id);

  if
    v_round <= v_rounds
    and nms_private.queue_targets(run_id => settle_targets.run_id, round => v_round, reading => v_reading) > 0
  then
    return;
  end if;

  v_unmeasured := array(
    select unmeasured from nms_private.unmeasured_targets(run_id => settle_targets.run_id) as unmeasured
  );
  if v_round <= v_rounds and v_unmeasured <> '{}' then
    return; -- the catalogue has changed meanwhile: the next call looks again
  end if;

  -- A table that has appeared since the last look is no part of the run, unless one that was queued is lost: it may
  -- be that one under another name.
  if v_is_misnamed or nms_private.has_lost_targets(run_id => settle_targets.run_id) then
    perform nms_private.record_failure(
      run_id => settle_targets.run_id,
      target => unmeasured,
      error_sqlstate => 'NM001',
      error_message => 'was replaced whenever it was to be counted'
    )
    from unnest(v_unmeasured) as unmeasured;
  end if;

  perform nms_private.finish_counting(run_id => settle_targets.run_id);
end
$$;
comment on function nms_private.settle_targets(bigint) is
  'When nothing of a run is queued: queues what has to be counted and has no measurement, which the first time is everything, later what was replaced or has appeared meanwhile, at most three times, and what was held and could not be carried; and when there is nothing, sets target_count, which ends the counting.';
revoke execute on function nms_private.settle_targets(bigint) from public;
--! EndIncluded functions/online/settle_targets.sql
--! Included functions/online/terminate_counting.sql
-- Not security definer: the caller may end the sessions of its own role, the owner of this function perhaps not.
create or replace function nms_private.terminate_counting(run_id bigint, pid integer default null)
returns table (table_name text)
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with
  held as materialized (
    select pg_locks.*
    from pg_locks
    where pg_locks.database = (select oid from pg_database where datname = current_database()) and pg_locks.granted
  ),
  counting as materialized (
    select session.pid
    from nms_private.counting_sessions(run_id => terminate_counting.run_id) as session
    where
      session.table_oid is not null
      and session.pid = coalesce(terminate_counting.pid, session.pid)
  ),
  terminated as materialized (
    select counting.pid from counting where pg_terminate_backend(counting.pid)
  )
  select format('%I.%I', schema.nspname, relation.relname) as table_name
  from terminated
  join held on held.pid = terminated.pid and held.locktype = 'relation' and held.mode = 'AccessShareLock'
  join pg_class as relation on relation.oid = held.relation and relation.relkind in ('r', 'p', 'f')
  join pg_namespace as schema on schema.oid = relation.relnamespace
  where
    relation.oid >= 16384 -- the first OID that is not a system table's
    and schema.nspname not in ('nms', 'nms_private')
    and not exists (
      select
      from pg_inherits as child
      join held as parent on parent.relation = child.inhparent and parent.pid = held.pid
      where child.inhrelid = held.relation
    )
  order by table_name
$$;
comment on function nms_private.terminate_counting(bigint, integer) is
  'Ends for good the sessions that are counting tables of this run, or the one with this process id: for counts that do not react to pg_cancel_backend, because a function in an index of a table catches that. Returns the tables that they were reading, small ones together with others; no row when no session counts. The run stays RUNNING: end it with nms_private.give_up_run.';
revoke execute on function nms_private.terminate_counting(bigint, integer) from public;
--! EndIncluded functions/online/terminate_counting.sql
--! Included functions/online/unmeasured_targets.sql
create or replace function nms_private.unmeasured_targets(run_id bigint)
returns setof nms_private.target
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select current_target.*
  from nms.table_metrics_runs as run
  cross join nms_private.find_targets(skip => run.skip_schemas, exclude => run.exclude_tables) as current_target
  where
    run.run_id = unmeasured_targets.run_id
    and current_target.is_reported
    and current_target.table_oid not in (
      select measurement.table_oid
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = unmeasured_targets.run_id
    )
$$;
comment on function nms_private.unmeasured_targets(bigint) is
  'The tables that an online run has to count as the catalogue is now, and has no measurement of.';
revoke execute on function nms_private.unmeasured_targets(bigint) from public;
--! EndIncluded functions/online/unmeasured_targets.sql
--! Included functions/online/yield_target.sql
create or replace function nms_private.yield_target(run_id bigint, table_oid oid, waiting_session text)
returns text
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- of the claim, which the canceled session is rolling back
as $$
declare
  v_attempts constant bigint := bigint '3';
  v_run nms.table_metrics_runs := nms_private.claim_run(run_id => yield_target.run_id, shared => true);
  v_claim nms_private.targets;
  v_yielded nms_private.targets;
  v_yielding nms_private.target[];
begin
  begin
    select claim.* into v_claim
    from nms_private.targets as claim
    where
      claim.run_id = v_run.run_id
      and not claim.is_done
      and not claim.is_held
      and exists (select from unnest(claim.targets) as target where target.table_oid = yield_target.table_oid)
    for update;
  exception
    when lock_not_available then
      return null; -- it is being counted again, and canceled again when that makes somebody wait
  end;
  if v_claim.run_id is null then
    return null;
  end if;

  v_yielded := v_claim;
  v_yielded.times_yielded := v_claim.times_yielded + 1;
  -- A family is counted under one snapshot: all of it yields.
  v_yielding := array(
    select target
    from unnest(v_claim.targets) as target
    where
      coalesce(target.family, target.table_oid) = (
        select coalesce(found.family, found.table_oid)
        from unnest(v_claim.targets) as found
        where found.table_oid = yield_target.table_oid
      )
  );
  perform nms_private.requeue_targets(
    claim => v_claim,
    targets => array(select target from unnest(v_claim.targets) as target where target <> all (v_yielding))
  );
  if v_yielded.times_yielded < v_attempts then
    perform nms_private.requeue_targets(claim => v_yielded, targets => v_yielding);
  else
    perform nms_private.record_failure(
      run_id => v_run.run_id,
      target => yielding,
      error_sqlstate => 'NM003',
      error_message => format('yielded to %s, and to others before: %s attempts', waiting_session, v_attempts)
    )
    from unnest(v_yielding) as yielding
    where yielding.is_reported;
  end if;
  update nms_private.targets as claim
  set is_done = true
  where claim.run_id = v_claim.run_id and claim.position = v_claim.position;

  return case when v_yielded.times_yielded < v_attempts then 'put back' else 'given up' end;
end
$$;
comment on function nms_private.yield_target(bigint, oid, text) is
  'After the count of a table was canceled because another session waited for it: puts the table back at the end of the queue, or, the third time, records it as not counted. Returns which of the two, null when the table is not in the queue any more, or being counted again.';
revoke execute on function nms_private.yield_target(bigint, oid, text) from public;
--! EndIncluded functions/online/yield_target.sql
--! Included functions/reading/alerts_of_period.sql
create or replace function nms_private.alerts_of_period(since date, until date)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  logged as materialized (
    select
      log as alert,
      coalesce(opening.snapshot_date, (log.opened_at at time zone settings.business_time_zone)::date) as opened_on,
      coalesce(closing.snapshot_date, (log.closed_at at time zone settings.business_time_zone)::date) as closed_on
    from nms.table_metrics_settings as settings
    cross join nms.table_metrics_alert_log as log
    left join nms.table_metrics_runs as opening on opening.run_id = log.opened_by_run
    left join nms.table_metrics_runs as closing on closing.run_id = log.closed_by_run
  ),
  told as (
    select 'opened' as state, logged.alert
    from logged
    where logged.opened_on > alerts_of_period.since and logged.opened_on <= alerts_of_period.until
    union all
    select 'closed', logged.alert
    from logged
    where logged.closed_on > alerts_of_period.since and logged.closed_on <= alerts_of_period.until
    union all
    select
      'open',
      jsonb_populate_record(
        null::nms.table_metrics_alert_log,
        to_jsonb(alert) || jsonb_build_object('opened_at', alert.since, 'opened_by_run', alert.run_id)
      )
    from nms.table_metrics_settings as settings
    cross join nms.table_metrics_alerts as alert
    left join nms.table_metrics_runs as opening on opening.run_id = alert.run_id
    where
      coalesce(opening.snapshot_date, (alert.since at time zone settings.business_time_zone)::date)
        <= alerts_of_period.until
  )
  select jsonb_object_agg(
    asked.state,
    jsonb_build_object(
      'alerts', (select count(*) from told where told.state = asked.state),
      'groups', (
        select coalesce(
          jsonb_agg(
            to_jsonb(found) - '{place,alert}'::text[]
            order by found.place
          ),
          '[]'
        )
        from (
          select
            grouped.*,
            row_number() over (
              order by grouped.opened_at, grouped.kind, grouped.schema_name nulls first, grouped.table_name, grouped.filter_name nulls first
            ) as place
          from nms_private.grouped_alerts(
            alerts => array(select told.alert from told where told.state = asked.state)
          ) as grouped
        ) as found
        where found.place <= 50
      )
    )
  )
  from (values ('opened'), ('closed'), ('open')) as asked (state)
$$;
comment on function nms_private.alerts_of_period(date, date) is
  'The alerts of the business days after one day up to another: {opened, closed, open}, each {alerts, groups}, the first 50 groups as nms_private.grouped_alerts() puts them together, oldest first. opened and closed are as nms.table_metrics_alert_log has them; open are those of nms.table_metrics_alerts, open now, that were opened by then.';
revoke execute on function nms_private.alerts_of_period(date, date) from public;
--! EndIncluded functions/reading/alerts_of_period.sql
--! Included functions/reading/alerts_of_table.sql
create or replace function nms_private.alerts_of_table(
  schema_name text,
  table_name text,
  days integer,
  filter_name text default null -- null: of all rows and of every filter
)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    jsonb_agg(
      to_jsonb(log) || jsonb_build_object('snapshot_date', day.opened, 'closed_date', day.closed)
      order by log.opened_at desc, log.alert_id desc
    ),
    '[]'
  )
  from nms.table_metrics_alert_log as log
  left join nms.table_metrics_runs as opening on opening.run_id = log.opened_by_run
  left join nms.table_metrics_runs as closing on closing.run_id = log.closed_by_run
  cross join lateral (
    select
      coalesce(opening.snapshot_date, nms.business_date(at => log.opened_at)) as opened,
      case
        when log.closed_at is not null then coalesce(closing.snapshot_date, nms.business_date(at => log.closed_at))
      end as closed
  ) as day
  where
    log.schema_name = alerts_of_table.schema_name
    and log.table_name = alerts_of_table.table_name
    and (alerts_of_table.filter_name is null or log.filter_name = alerts_of_table.filter_name)
    and (log.closed_at is null or day.opened > nms.business_date() - alerts_of_table.days)
$$;
comment on function nms_private.alerts_of_table(text, text, integer, text) is
  'The alerts of a table that are open, or were opened on one of the last so many business days, newest first: as nms.table_metrics_alert_log has them, with snapshot_date, the business day on which each was opened, and closed_date, the first one on which it held no longer, null while it is open.';
revoke execute on function nms_private.alerts_of_table(text, text, integer, text) from public;
--! EndIncluded functions/reading/alerts_of_table.sql
--! Included functions/reading/alerts_report.sql
create or replace function nms.alerts_report(
  history boolean default false,
  "limit" integer default 100,
  before bigint default null,
  choice jsonb default '{}'
)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  logged as materialized (
    select log.*
    from nms.table_metrics_alert_log as log
    where
      alerts_report.history
      and (log.alert_id < alerts_report.before or alerts_report.before is null)
      and nms_private.is_chosen(
        choice => alerts_report.choice,
        schema_name => log.schema_name,
        table_name => log.table_name
      )
    order by log.alert_id desc
    limit alerts_report."limit"
  )
  select jsonb_build_object(
    'business_time_zone', settings.business_time_zone,
    'open', open.alerts,
    'groups', nms_private.open_alert_groups(open => open.alerts),
    'history', (
      select coalesce(
        jsonb_agg(
          to_jsonb(logged) || jsonb_build_object(
            'is_silenced', rule.is_silenced,
            'silenced_until', rule.silenced_until
          )
          order by logged.alert_id desc
        ),
        '[]'
      )
      from logged
      cross join lateral (
        select
          coalesce(bool_or(not rule.is_on or nms.business_date() < rule.silenced_until), false) as is_silenced,
          max(rule.silenced_until) filter (where rule.is_on and nms.business_date() < rule.silenced_until) as silenced_until
        from nms_private.alert_rule(
          schema_name => logged.schema_name,
          table_name => logged.table_name,
          kind => logged.kind
        ) as rule
        where logged.closed_at is null
      ) as rule
      having alerts_report.history
    ),
    'next', (
      select min(logged.alert_id)
      from logged
      having exists (
        select from nms.table_metrics_alert_log as log where log.alert_id < (select min(logged.alert_id) from logged)
      )
    )
  )
  from nms.table_metrics_settings as settings
  cross join (
    select nms_private.open_alerts(
      choice => nms_private.checked_choice(choice => alerts_report.choice, keys => '{schemas,like,top}')
    )
    offset 0
  ) as open (alerts) -- once, not for each use
  where nms_private.checked_limit(argument => 'limit', value => alerts_report."limit") is not null
$$;
comment on function nms.alerts_report(boolean, integer, bigint, jsonb) is
  'What is strange: {business_time_zone, open, groups, history, next}. open: as nms.table_metrics_alerts, oldest first, then those that are acknowledged. groups: the same with those together that are of one kind and one schema, from six on, those that are acknowledged apart; alerts is how many an entry stands for. history: null unless asked for, then nms.table_metrics_alert_log, last opened first; closed_at is null while one is open, is_silenced tells that it is open and a rule hides it, until silenced_until or, where that is null, for good. limit and before are of the history: next, given as before, asks for those that follow; null when there are none. choice: only the alerts of these tables, {schemas: [name], like: text in schema.table, top: how many of open}. Raises 22023 for a limit that is not 1 to 1000 and a choice that is none, P0002 for a schema that no run has met.';
revoke execute on function nms.alerts_report(boolean, integer, bigint, jsonb) from public;
--! EndIncluded functions/reading/alerts_report.sql
--! Included functions/reading/as_meant.sql
create or replace function nms_private.as_meant(shown text)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when
      as_meant.shown ~ '\\u[0-9a-f]{4}'
      -- No name has this one, and half a character is none.
      and as_meant.shown !~ '\\u0000'
      and regexp_replace(as_meant.shown, '\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}', '', 'g') !~ '\\ud[89a-f]'
      then regexp_replace(to_jsonb(as_meant.shown)::text, '\\\\(u[0-9a-f]{4})', '\\\1', 'g')::jsonb #>> '{}'
    else as_meant.shown
  end
$$;
comment on function nms_private.as_meant(text) is
  'The text that a terminal shows as this one, where what would act on it stands as \u001b.';
revoke execute on function nms_private.as_meant(text) from public;
--! EndIncluded functions/reading/as_meant.sql
--! Included functions/reading/carrying_report.sql
create or replace function nms_private.carrying_report()
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from nms.table_metrics_count_rules as rule where rule.method = 'carried')
    and not exists (select from nms.table_metrics_comparisons as comparison where comparison.method = 'carried')
  then
    return null;
  end if;

  return (
    select jsonb_build_object(
      'server_can_carry', current_setting('server_version_num')::integer >= 150000,
      'run_id', last.run_id,
      'tables', found.tables,
      'carried', found.carried,
      'oldest_run', found.oldest_run,
      'compared_since_run', trust.since_run,
      'comparisons', trust.comparisons,
      'differences', trust.differences,
      'one_in', trust.one_in,
      'open_differences', (
        select count(distinct difference.table_oid)
        from nms.table_metrics_differences as difference
        where difference.method = 'carried' and difference.resumed_at is null
      ),
      'shadow', (
        select jsonb_build_object(
          'rules', count(*),
          'until', max(rule.since + rule.shadow),
          'comparisons', coalesce(max(shadow.comparisons), 0),
          'differences', coalesce(max(shadow.differences), 0)
        )
        from nms.table_metrics_count_rules as rule
        left join nms.table_metrics_comparisons as shadow
          on shadow.run_id = last.run_id and shadow.method = 'carried' and shadow.is_shadow
        where rule.method = 'carried' and rule.since + rule.shadow > statement_timestamp()
        having count(*) > 0
      )
    )
    from nms_private.trust_in(method => 'carried') as trust
    left join lateral (
      select run.run_id
      from nms.table_metrics_runs as run
      where run.status = 'SUCCEEDED' and not run.is_imported
      order by run.run_id desc
      limit 1
    ) as last on true
    cross join lateral (
      select
        count(*) as tables,
        count(*) filter (where measurement.method = 'carried') as carried,
        min(measurement.carried_from_run) as oldest_run
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = last.run_id
    ) as found
  );
end
$$;
comment on function nms_private.carrying_report() is
  'What the last successful run carried, how often carried counts were counted again and what that says, and what rules in their shadow would have carried: {server_can_carry, run_id, tables, carried, oldest_run, compared_since_run, comparisons, differences, one_in, open_differences, shadow}. shadow is null without such rules. Null when nothing is carried, and nothing ever was.';
revoke execute on function nms_private.carrying_report() from public;
--! EndIncluded functions/reading/carrying_report.sql
--! Included functions/reading/changes_of_period.sql
create or replace function nms_private.changes_of_period(before bigint, after bigint, first date, last date, at_most integer)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  compared as materialized (
    select per_table.*
    from nms.compare_runs(before => changes_of_period.before, after => changes_of_period.after) as per_table
    where num_nulls(changes_of_period.before, changes_of_period.after) = 0
  ),
  named as (
    select
      compared.schema_name,
      compared.table_name,
      compared.table_kind,
      compared.outcome,
      compared.rows_before,
      compared.rows_after,
      compared.change,
      compared.change_percent,
      compared.method_before,
      compared.method_after,
      compared.rows_after_low,
      compared.rows_after_high
    from compared
    where not compared.is_partition
    union all
    -- The first result has nothing to be compared with.
    select
      measurement.schema_name,
      measurement.table_name,
      measurement.table_kind,
      null,
      null,
      measurement.row_count,
      null,
      null,
      null,
      measurement.method,
      measurement.row_count_low,
      measurement.row_count_high
    from nms.table_metrics_measurements as measurement
    where
      measurement.run_id = changes_of_period.after
      and changes_of_period.before is null
      and not measurement.is_partition
  ),
  placed as materialized (
    select
      named.*,
      case
        when named.rows_after_low is null then '{place,place_in_outcome,unsaid,is_asked_for,rows_after_low,rows_after_high}'
        else '{place,place_in_outcome,unsaid,is_asked_for}'
      end::text[] as unsaid,
      row_number() over by_size as place,
      row_number() over (partition by named.outcome order by size.change desc, named.schema_name, named.table_name) as place_in_outcome
    from named
    cross join lateral (
      select abs(coalesce(named.change, named.rows_after, -named.rows_before, 0))
    ) as size (change)
    window by_size as (
      order by
        named.outcome in ('left out', 'unchanged'),
        size.change desc,
        named.rows_after desc nulls last,
        named.schema_name,
        named.table_name
    )
  ),
  calendar as materialized (
    select every.snapshot_date, day.run_id
    from (
      select changes_of_period.first + later as snapshot_date
      from generate_series(0, changes_of_period.last - changes_of_period.first) as later
    ) as every
    left join nms.table_metrics_daily_snapshot as day on day.snapshot_date = every.snapshot_date
  ),
  listed as materialized (
    select placed.*, history.days, placed.place <= coalesce(changes_of_period.at_most, placed.place) as is_asked_for
    from placed
    cross join lateral (
      select jsonb_agg(measurement.row_count order by calendar.snapshot_date) as days
      from calendar
      -- limit: each is looked up by its key, or the whole history is read
      left join lateral (
        select found.row_count
        from nms.table_metrics_measurements as found
        where
          found.run_id = calendar.run_id
          and found.schema_name = placed.schema_name
          and found.table_name = placed.table_name
        limit 1
      ) as measurement on true
    ) as history
    where
      placed.place <= coalesce(changes_of_period.at_most, placed.place)
      or (placed.place_in_outcome <= 10 and placed.outcome in ('grew', 'shrank', 'appeared', 'disappeared'))
  )
  select jsonb_build_object(
    'change', total.change,
    'change_percent', total.change_percent,
    'tables_left_out', total.tables_left_out,
    'is_change_estimated', (
      select coalesce(bool_or('estimate' in (compared.method_before, compared.method_after)), false) from compared
    ),
    'outcomes', (
      select coalesce(jsonb_object_agg(grouped.outcome, grouped.tables), '{}')
      from (select placed.outcome, count(*) as tables from placed where placed.outcome is not null group by placed.outcome) as grouped
    ),
    'tables', (
      select coalesce(jsonb_agg(to_jsonb(listed) - listed.unsaid order by listed.place), '[]')
      from listed
      where listed.is_asked_for
    ),
    'more_tables', (select count(*) from placed where placed.place > changes_of_period.at_most)
  ) || (
    select jsonb_object_agg(
      asked.outcome,
      (
        select coalesce(
          jsonb_agg(to_jsonb(listed) - listed.unsaid order by listed.place_in_outcome), '[]'
        )
        from listed
        where listed.outcome = asked.outcome and listed.place_in_outcome <= 10
      )
    )
    from (values ('grew'), ('shrank'), ('appeared'), ('disappeared')) as asked (outcome)
  )
  from (values (1)) as one
  left join lateral (
    select growth.change, growth.change_percent, growth.tables_left_out
    from nms_private.growth_over(run_ids => array[changes_of_period.before, changes_of_period.after]) as growth
    where growth.since is not null
  ) as total on num_nulls(changes_of_period.before, changes_of_period.after) = 0
$$;
comment on function nms_private.changes_of_period(bigint, bigint, date, date, integer) is
  'What nms.period_report says of the tables of two runs, and of their rows on the days from the first to the last.';
revoke execute on function nms_private.changes_of_period(bigint, bigint, date, date, integer) from public;
--! EndIncluded functions/reading/changes_of_period.sql
--! Included functions/reading/check_alerts.sql
create or replace function nms_private.check_alerts()
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  alert as (
    select
      open.value ->> 'kind' as kind,
      nms_private.is_critical(kind => open.value ->> 'kind') as is_critical,
      open.value ->> 'acknowledged_at' is not null as is_acknowledged,
      concat_ws(' ', open.value ->> 'kind', concat_ws('.', open.value ->> 'schema_name', open.value ->> 'table_name')) as name,
      open.place
    from jsonb_array_elements(nms_private.open_alerts()) with ordinality as open (value, place)
  ),
  total as (
    select
      count(*) filter (where not alert.is_acknowledged) as unseen,
      count(*) filter (where not alert.is_acknowledged and alert.is_critical) as critical,
      count(*) filter (where alert.is_acknowledged) as acknowledged
    from alert
  ),
  -- Three are enough for a pager.
  named as (
    select string_agg(first.name, ', ' order by first.is_critical desc, first.place) as names, count(*) as shown
    from (
      select alert.* from alert where not alert.is_acknowledged order by alert.is_critical desc, alert.place limit 3
    ) as first
  )
  select jsonb_build_object(
    'status', case when total.critical > 0 then 'CRITICAL' when total.unseen > 0 then 'WARNING' else 'OK' end,
    'message', concat_ws(
      ', ',
      case
        when total.unseen = 0 then 'no open alert'
        else format('%s open alert%s: %s', total.unseen, case when total.unseen > 1 then 's' end, named.names)
      end,
      case when total.unseen > named.shown then format('and %s more', total.unseen - named.shown) end,
      case when total.acknowledged > 0 then format('%s acknowledged', total.acknowledged) end
    ),
    'perfdata', format(
      'alerts=%s;0;;0 critical=%s;;0;0 acknowledged=%s;;;0', total.unseen, total.critical, total.acknowledged
    )
  )
  from total
  cross join named
$$;
comment on function nms_private.check_alerts() is
  'Whether anything is strange, as of nms.check_report(): any open alert is a WARNING, some kinds are CRITICAL; what is acknowledged is neither, and is mentioned.';
revoke execute on function nms_private.check_alerts() from public;
--! EndIncluded functions/reading/check_alerts.sql
--! Included functions/reading/check_report.sql
create or replace function nms.check_report(what text default 'status')
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_report jsonb;
begin
  if (check_report.what in ('status', 'alerts')) is not true then
    raise exception 'no such check: %', coalesce(check_report.what, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected status or alerts',
        hint = 'status: whether today is counted as usual. alerts: whether anything is strange.';
  end if;

  v_report := case check_report.what
    when 'status' then nms_private.check_status()
    else nms_private.check_alerts()
  end;
  -- One line, in which | begins the numbers: no name and no message of others may have either.
  return v_report || jsonb_build_object(
    'exit_status', case v_report ->> 'status' when 'OK' then 0 when 'WARNING' then 1 else 2 end,
    'message', left(btrim(regexp_replace(translate(v_report ->> 'message', '|', '/'), '\s+', ' ', 'g')), 1000)
  );
end
$$;
comment on function nms.check_report(text) is
  'What a monitor is told, as plugins of Nagios do: {status, exit_status, message, perfdata}. status: OK (0), WARNING (1) or CRITICAL (2). what: status, whether today is counted as usual, or alerts, whether anything is strange that nobody has acknowledged. message has no line end and no |. Raises 22023 for anything else.';
revoke execute on function nms.check_report(text) from public;
--! EndIncluded functions/reading/check_report.sql
--! Included functions/reading/check_status.sql
create or replace function nms_private.check_status()
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  alert as materialized (
    select open.value ->> 'kind' as kind, open.value ->> 'detail' as detail, open.value ->> 'acknowledged_at' is not null as is_acknowledged
    from jsonb_array_elements(nms_private.open_alerts()) as open (value)
  ),
  -- Of those about runs: what is strange about tables is another check.
  urgent as (
    select
      string_agg(left(alert.detail, 300), '; ' order by alert.kind) filter (where not alert.is_acknowledged) as told,
      string_agg(alert.kind, ', ' order by alert.kind) filter (where alert.is_acknowledged) as acknowledged
    from alert
    where alert.kind in ('run_late', 'repeated_failures')
  ),
  last_run as (
    select run.run_id, run.status, run.error_message
    from nms.table_metrics_runs as run
    where run.status <> 'RUNNING' and not run.is_imported
    order by run.run_id desc
    limit 1
  ),
  last_day as (
    select
      day.run_id,
      day.snapshot_date,
      run.finished_at,
      greatest(0, floor(extract(epoch from statement_timestamp() - run.finished_at))) as age,
      ceil(extract(epoch from due.due_at - run.finished_at)) as due_age,
      due.due_at,
      nms_private.run_totals(run_id => day.run_id) as totals
    from nms.table_metrics_daily_snapshot as day
    join nms.table_metrics_runs as run on run.run_id = day.run_id
    left join nms.table_metrics_next_due as due on due.run_id = day.run_id
    order by day.snapshot_date desc
    limit 1
  ),
  state as (
    select
      today.date,
      last_day.snapshot_date is not distinct from today.date as is_counted,
      coalesce(last_run.status = 'FAILED', false) as has_failed
    from (select nms.business_date() as date) as today
    left join last_day on true
    left join last_run on true
  )
  select jsonb_build_object(
    'status', case
      when urgent.told is not null then 'CRITICAL'
      when state.has_failed and not state.is_counted and urgent.acknowledged is null then 'WARNING'
      when last_day.run_id is null then 'WARNING'
      else 'OK'
    end,
    'message', concat_ws(
      '; ',
      urgent.told,
      case
        when state.is_counted
          then format(
            '%s counted by run %s: %s tables, %s rows',
            state.date, last_day.run_id, last_day.totals ->> 'tables', last_day.totals ->> 'rows'
          )
        when last_day.run_id is null then 'no day has a result'
        when urgent.told is null
          then format(
            'no result for %s yet%s, the last one is of %s',
            state.date,
            coalesce(format(', due at %s', to_char(last_day.due_at at time zone settings.business_time_zone, 'YYYY-MM-DD HH24:MI')), ''),
            last_day.snapshot_date
          )
      end,
      case
        when state.has_failed and urgent.told is null
          then format('run %s FAILED: %s', last_run.run_id, left(last_run.error_message, 300))
      end,
      case when urgent.acknowledged is not null then format('acknowledged: %s', urgent.acknowledged) end
    ),
    'perfdata', concat_ws(
      ' ',
      'tables=' || (last_day.totals ->> 'tables') || ';;;0',
      'rows=' || (last_day.totals ->> 'rows') || ';;;0',
      format('alerts=%s;;;0', (select count(*) from alert where not alert.is_acknowledged)),
      case when last_day.age is not null then format('age=%ss;;%s;0', last_day.age, last_day.due_age) end
    )
  )
  from nms.table_metrics_settings as settings
  cross join state
  cross join urgent
  left join last_day on true
  left join last_run on true
$$;
comment on function nms_private.check_status() is
  'Whether today is counted as usual, as of nms.check_report(): CRITICAL when it is late, or runs fail again and again; WARNING when the last run has failed and today has no result, or no day has one. perfdata: tables and rows of the last day, open alerts, and the age of its result, critical once the next one is due.';
revoke execute on function nms_private.check_status() from public;
--! EndIncluded functions/reading/check_status.sql
--! Included functions/reading/checked_choice.sql
create or replace function nms_private.checked_choice(choice jsonb, keys text[])
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcomes constant jsonb := jsonb_build_array(
    'appeared', 'disappeared', 'grew', 'shrank', 'unchanged', 'unclear', 'not counted', 'left out'
  );
  v_sorts constant jsonb := jsonb_build_array('rows', 'change', 'percent', 'name');
  v_choice constant jsonb := coalesce(checked_choice.choice, '{}');
  v_key text;
  v_value jsonb;
  v_expected text;
  v_name text;
begin
  if jsonb_typeof(v_choice) <> 'object' then
    raise exception 'no such choice: %', left(v_choice::text, 100)
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a JSON object',
        hint = format('Its keys may be %s.', array_to_string(checked_choice.keys, ', '));
  end if;

  for v_key, v_value in select * from jsonb_each(v_choice) loop
    v_expected := case
      when v_key <> all (checked_choice.keys) then format('expected %s', array_to_string(checked_choice.keys, ', '))
      when v_key in ('schemas', 'only') and not (
        jsonb_typeof(v_value) = 'array' and not jsonb_path_exists(v_value, 'strict $[*] ? (@.type() != "string")')
      ) then 'expected an array of texts'
      when v_key = 'only' and not v_value <@ v_outcomes
        then format('expected %s', (select string_agg(outcome, ', ') from jsonb_array_elements_text(v_outcomes) as outcome))
      when v_key = 'like' and (jsonb_typeof(v_value) <> 'string' or v_value = '""') then 'expected a text that names contain'
      when v_key = 'sort' and not (jsonb_typeof(v_value) = 'string' and v_sorts @> v_value)
        then 'expected rows, change, percent or name'
      when v_key in ('min_rows', 'top') and not (
        jsonb_typeof(v_value) = 'number' and v_value::text ~ '^[1-9][0-9]{0,17}$'
      ) then 'expected a whole number from 1 on'
    end;
    if v_expected is not null then
      raise exception 'no such choice: % %', v_key, left(v_value::text, 100)
        using
          errcode = 'invalid_parameter_value',
          detail = v_expected,
          hint = 'For example: {"schemas": ["sales"], "like": "order", "top": 10}';
    end if;
  end loop;

  for v_name in select * from jsonb_array_elements_text(coalesce(v_choice -> 'schemas', '[]')) loop
    perform nms_private.refuse_unknown_schema(schema_name => v_name);
  end loop;
  return v_choice;
end
$$;
comment on function nms_private.checked_choice(jsonb, text[]) is
  'Which tables a report was asked for, {} for all: {schemas: [name], like: text in schema.table, only: [outcome], min_rows: now or before, sort: rows, change, percent or name, top: how many}. Raises 22023 for anything else and for a key that the report does not have, P0002 for a schema that no run has met.';
revoke execute on function nms_private.checked_choice(jsonb, text[]) from public;
--! EndIncluded functions/reading/checked_choice.sql
--! Included functions/reading/checked_limit.sql
create or replace function nms_private.checked_limit(argument text, value integer)
returns integer
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (checked_limit.value between 1 and 1000) is not true then
    raise exception 'no such %: %', checked_limit.argument, coalesce(checked_limit.value::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a whole number from 1 to 1000',
        hint = format('For example: %s => 30', quote_ident(checked_limit.argument));
  end if;
  return checked_limit.value;
end
$$;
comment on function nms_private.checked_limit(text, integer) is
  'How many entries a report was asked for. Raises 22023 unless they are 1 to 1000.';
revoke execute on function nms_private.checked_limit(text, integer) from public;
--! EndIncluded functions/reading/checked_limit.sql
--! Included functions/reading/chosen_payload.sql
create or replace function nms_private.chosen_payload(tables jsonb)
returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_object_agg(per_schema.schema_name, per_schema.tables)::jsonb, '{}')
  from (
    select counted.schema_name, json_object_agg(counted.table_name, counted.row_count) as tables
    from jsonb_to_recordset(chosen_payload.tables) as counted (
      schema_name text, table_name text, row_count bigint, outcome text
    )
    where counted.outcome is distinct from 'disappeared'
    group by counted.schema_name
  ) as per_schema
$$;
comment on function nms_private.chosen_payload(jsonb) is
  'Of the tables of nms_private.run_result() the payload in version 1, {schema: {table: count}}: what has disappeared is not in it.';
revoke execute on function nms_private.chosen_payload(jsonb) from public;
--! EndIncluded functions/reading/chosen_payload.sql
--! Included functions/reading/compare_days.sql
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
  is_partition boolean,
  method_before text,
  method_after text,
  rows_before_low bigint,
  rows_before_high bigint,
  rows_after_low bigint,
  rows_after_high bigint
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select compared.*
  from nms.compare_runs(
    before => nms_private.run_of_day(snapshot_date => compare_days.before),
    after => nms_private.run_of_day(snapshot_date => compare_days.after)
  ) as compared;
end
$$;
comment on function nms.compare_days(date, date) is
  'Every table of two business days, from the runs that own them: appeared, disappeared, grew, shrank, unchanged, unclear (an estimate allows either) or left out. sum(own_change) is the change of the whole database, each row counted once, without what was left out. Raises P0002 for a day without a result.';
revoke execute on function nms.compare_days(date, date) from public;
--! EndIncluded functions/reading/compare_days.sql
--! Included functions/reading/compare_report.sql
create or replace function nms.compare_report(
  before bigint default null,
  after bigint default null,
  fail_on text default null,
  choice jsonb default '{}'
)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before bigint := compare_report.before;
  v_after bigint := compare_report.after;
  v_day date;
  v_choice constant jsonb := nms_private.checked_choice(
    choice => compare_report.choice,
    keys => '{schemas,like,only,min_rows,sort,top}'
  );
begin
  if compare_report.fail_on not in ('missing', 'drop', 'any') then
    raise exception 'unknown fail_on: %', compare_report.fail_on
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected missing, drop or any',
        hint = 'missing: a table without a count; drop: also fewer rows; any: any difference.';
  end if;

  if v_after is null then
    select day.run_id into v_after
    from nms.table_metrics_daily_snapshot as day
    order by day.snapshot_date desc
    limit 1;
    if not found then
      raise exception 'no day has a result yet'
        using
          errcode = 'no_data_found',
          detail = 'no run has succeeded',
          hint = 'Start a run: select * from nms.collect_table_metrics();';
    end if;
  end if;

  if v_before is null then
    select run.snapshot_date into v_day from nms.table_metrics_runs as run where run.run_id = v_after;
    select day.run_id into v_before
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date < v_day
    order by day.snapshot_date desc
    limit 1;
    if v_day is not null and v_before is null then
      raise exception 'no day before % has a result', v_day
        using
          errcode = 'no_data_found',
          detail = 'two runs of one day are compared when both are named',
          hint = 'The runs are in nms.table_metrics_runs.';
    end if;
  end if;

  return (
    with compared as materialized (
      select
        per_table.*,
        is_chosen,
        row_number() over (
          order by
            not is_chosen,
            per_table.outcome = 'left out',
            nms_private.sort_key(
              sort => coalesce(v_choice ->> 'sort', 'change'),
              rows => coalesce(per_table.rows_after, per_table.rows_before),
              change => coalesce(per_table.change, per_table.rows_after, -per_table.rows_before, 0),
              change_percent => per_table.change_percent
            ) desc,
            per_table.schema_name,
            per_table.table_name
        ) as place,
        case
          when per_table.outcome = 'left out' or not is_chosen then false
          when compare_report.fail_on = 'any' then per_table.outcome <> 'unchanged'
          when per_table.outcome = 'disappeared' or (per_table.rows_before is not null and per_table.rows_after is null)
            then compare_report.fail_on is not null
          else compare_report.fail_on = 'drop' and per_table.outcome = 'shrank'
        end as is_failing
      from nms.compare_runs(before => v_before, after => v_after) as per_table
      cross join lateral nms_private.is_chosen(
        choice => v_choice,
        schema_name => per_table.schema_name,
        table_name => per_table.table_name,
        outcome => per_table.outcome,
        rows => greatest(per_table.rows_before, per_table.rows_after)
      ) as is_chosen
    )
    select jsonb_build_object(
      'before', (select to_jsonb(run) from nms.table_metrics_runs as run where run.run_id = v_before),
      'after', (select to_jsonb(run) from nms.table_metrics_runs as run where run.run_id = v_after),
      'change', (select coalesce(sum(compared.own_change), 0) from compared),
      'is_change_estimated', (
        select coalesce(bool_or('estimate' in (compared.method_before, compared.method_after)), false) from compared
      ),
      'outcomes', (
        select coalesce(jsonb_object_agg(grouped.outcome, grouped.tables), '{}')
        from (select compared.outcome, count(*) as tables from compared group by compared.outcome) as grouped
      ),
      'tables', (
        select coalesce(
          jsonb_agg(
            to_jsonb(compared) - case
              when num_nonnulls(compared.rows_before_low, compared.rows_after_low) = 0
                then '{place,is_chosen,is_failing,rows_before_low,rows_before_high,rows_after_low,rows_after_high}'
              else '{place,is_chosen,is_failing}'
            end::text[]
            order by compared.place
          ),
          '[]'
        )
        from compared
        where compared.is_chosen and (compared.place <= (v_choice ->> 'top')::bigint or (v_choice ->> 'top') is null)
      ),
      'tables_in_all', (select count(*) from compared),
      'tables_chosen', (select count(*) from compared where compared.is_chosen),
      'fail_on', compare_report.fail_on,
      'failing', (
        select coalesce(
          jsonb_agg(format('%s.%s', compared.schema_name, compared.table_name) order by compared.schema_name, compared.table_name)
            filter (where compared.is_failing),
          '[]'
        )
        from compared
      ),
      'verdict', (
        select case when bool_or(compared.is_failing) then 'failed' else 'passed' end
        from compared
        having compare_report.fail_on is not null
      ),
      'filters', (
        select coalesce(jsonb_agg(to_jsonb(counts)), '[]')
        from (
          select
            schema_name,
            table_name,
            filter_name,
            former.row_count as rows_before,
            latter.row_count as rows_after,
            latter.row_count - former.row_count as change,
            round(100.0 * (latter.row_count - former.row_count) / nullif(former.row_count, 0), 2) as change_percent
          from (
            select * from nms.table_metrics_filtered_counts as filtered where filtered.run_id = v_before
          ) as former
          full join (
            select * from nms.table_metrics_filtered_counts as filtered where filtered.run_id = v_after
          ) as latter using (schema_name, table_name, filter_name)
          where nms_private.is_chosen(choice => v_choice - '{only,min_rows}'::text[], schema_name => schema_name, table_name => table_name)
          order by abs(latter.row_count - former.row_count) desc nulls last, schema_name, table_name, filter_name
        ) as counts
      )
    )
  );
end
$$;
comment on function nms.compare_report(bigint, bigint, text, jsonb) is
  'Two runs beside each other: {before, after, change, is_change_estimated, outcomes, tables, fail_on, failing, verdict, filters}, the tables as of nms.compare_runs, those that changed most first, with the ranges where one of the counts is an estimate; filters: how many rows matched each of those in each of the two. after is by default the run of the last business day, before that of the last day before it; nms.find_run names others. fail_on decides which tables are failing: missing (without a count), drop (also those with fewer rows) or any difference, but never one that a request left out; without it the verdict is null. choice: only these tables, as in nms.day_report; tables_chosen says how many before top, tables_in_all of how many, the verdict is about those that are chosen, however many of them top shows, change and outcomes are about all. Raises P0002 for an unknown run or schema or when no day is left to compare with, 22023 for a choice that is none, 55000 for a RUNNING run.';
revoke execute on function nms.compare_report(bigint, bigint, text, jsonb) from public;
--! EndIncluded functions/reading/compare_report.sql
--! Included functions/reading/compare_runs.sql
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
  is_partition boolean,
  method_before text,
  method_after text,
  rows_before_low bigint,
  rows_before_high bigint,
  rows_after_low bigint,
  rows_after_high bigint
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before nms.table_metrics_runs;
  v_after nms.table_metrics_runs;
  v_left_out_schemas text[];
  v_left_out_tables text[];
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

  -- Under the same request, neither leaves out what the other one has.
  if
    (v_before.skip_schemas, v_before.exclude_tables, v_before.machinery_schemas)
      <> (v_after.skip_schemas, v_after.exclude_tables, v_after.machinery_schemas)
  then
    with missing as (
      select
        array_agg(latter.schema_name) filter (where former.table_name is null) as schemas_before,
        array_agg(latter.table_name) filter (where former.table_name is null) as tables_before,
        array_agg(former.schema_name) filter (where latter.table_name is null) as schemas_after,
        array_agg(former.table_name) filter (where latter.table_name is null) as tables_after
      from (
        select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_before.run_id
      ) as former
      full join (
        select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_after.run_id
      ) as latter using (schema_name, table_name)
    )
    select array_agg(known.schema_name), array_agg(known.table_name) into v_left_out_schemas, v_left_out_tables
    from missing
    cross join lateral (
      select * from nms_private.request_excludes(v_before.run_id, missing.schemas_before, missing.tables_before)
      union all
      select * from nms_private.request_excludes(v_after.run_id, missing.schemas_after, missing.tables_after)
    ) as known;
  end if;

  return query
  select
    named.schema_name,
    named.table_name,
    case
      when named.is_left_out then 'left out'
      -- A failed run may not have come to a table: that it is missing says nothing.
      when former.table_name is null and v_before.status = 'FAILED' then 'not counted'
      when latter.table_name is null and v_after.status = 'FAILED' then 'not counted'
      when former.table_name is null then 'appeared'
      when latter.table_name is null then 'disappeared'
      when former.row_count is null or latter.row_count is null then 'not counted'
      when latter.row_count <> former.row_count and ranges.overlap then 'unclear'
      when latter.row_count > former.row_count then 'grew'
      when latter.row_count < former.row_count then 'shrank'
      else 'unchanged'
    end,
    former.row_count,
    latter.row_count,
    latter.row_count - former.row_count,
    round(100.0 * (latter.row_count - former.row_count) / nullif(former.row_count, 0), 2),
    case
      when named.is_left_out then null
      when former.table_name is null and v_before.status = 'SUCCEEDED' then latter.own_row_count
      when latter.table_name is null and v_after.status = 'SUCCEEDED' then -former.own_row_count
      else latter.own_row_count - former.own_row_count
    end,
    coalesce(latter.table_kind, former.table_kind),
    coalesce(latter.is_partition, former.is_partition),
    former.method,
    latter.method,
    former.row_count_low,
    former.row_count_high,
    latter.row_count_low,
    latter.row_count_high
  from (
    select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_before.run_id
  ) as former
  full join (
    select measurement.* from nms.table_metrics_measurements as measurement where measurement.run_id = v_after.run_id
  ) as latter using (schema_name, table_name)
  cross join lateral (
    select
      coalesce(former.schema_name, latter.schema_name) as schema_name,
      coalesce(former.table_name, latter.table_name) as table_name,
      (former.table_name is null or latter.table_name is null)
        and (coalesce(former.schema_name, latter.schema_name), coalesce(former.table_name, latter.table_name)) in (
          select left_out.schema_name, left_out.table_name
          from unnest(v_left_out_schemas, v_left_out_tables) as left_out (schema_name, table_name)
        ) as is_left_out
  ) as named
  -- Only estimates have a range.
  cross join lateral (
    select
      coalesce(former.row_count_low, former.row_count) <= coalesce(latter.row_count_high, latter.row_count)
        and coalesce(latter.row_count_low, latter.row_count) <= coalesce(former.row_count_high, former.row_count)
        as overlap
  ) as ranges
  order by named.schema_name, named.table_name;
end
$$;
comment on function nms.compare_runs(bigint, bigint) is
  'Every table of two runs: appeared, disappeared, grew, shrank, unchanged, unclear (an estimate allows either), not counted in one of them, or left out, when the request or the settings of one leave it out. sum(own_change) is the change of the whole database, each row counted once, without what was left out. Raises P0002 for an unknown run, 55000 for a RUNNING one.';
revoke execute on function nms.compare_runs(bigint, bigint) from public;
--! EndIncluded functions/reading/compare_runs.sql
--! Included functions/reading/complete_table.sql
create or replace function nms.complete_table(beginning text default '')
returns setof text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
rows 100
as $$
  with
  listed as (
    select measurement.schema_name, concat(measurement.schema_name, '.', measurement.table_name) as name
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = (
      select day.run_id from nms.table_metrics_daily_snapshot as day order by day.snapshot_date desc limit 1
    )
  ),
  matching as (
    select listed.schema_name, listed.name
    from listed
    where starts_with(listed.name, coalesce(complete_table.beginning, ''))
  )
  select distinct
    case
      -- Asked once, rather than for each row.
      when (select count(distinct other.schema_name) from matching as other) = 1 then matching.name
      when starts_with(complete_table.beginning, concat(matching.schema_name, '.')) then matching.name
      else concat(matching.schema_name, '.')
    end as name
  from matching
  order by name
$$;
comment on function nms.complete_table(text) is
  'What schema.table may become that begins like that, among the tables of the last business day that has a result, for whoever types: schemas with a dot behind, as long as there are several, and then tables.';
revoke execute on function nms.complete_table(text) from public;
--! EndIncluded functions/reading/complete_table.sql
--! Included functions/reading/counts_of_days.sql
-- One array for each day rather than for each table: nothing but a few thousand entries is sorted at a time.
create or replace function nms_private.counts_of_days(run_id bigint, until date, days integer)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with named as materialized (
    select
      measurement.schema_name,
      measurement.table_name,
      row_number() over (
        order by measurement.row_count desc nulls first, measurement.schema_name, measurement.table_name
      ) as place
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = counts_of_days.run_id
  )
  select jsonb_agg(
    jsonb_build_object('snapshot_date', calendar.snapshot_date, 'rows', found.rows, 'counts', found.counts)
    || case when found.estimated_rows > 0 then jsonb_build_object('estimated_rows', found.estimated_rows) else '{}' end
    order by calendar.snapshot_date
  )
  from (
    select counts_of_days.until - ago as snapshot_date
    from generate_series(0, counts_of_days.days - 1) as ago
  ) as calendar
  left join nms.table_metrics_daily_snapshot as day on day.snapshot_date = calendar.snapshot_date
  left join lateral (
    select
      coalesce(sum(measurement.own_row_count), 0) as rows,
      sum(measurement.own_row_count) filter (where measurement.method = 'estimate') as estimated_rows,
      coalesce(
        jsonb_agg(measurement.row_count order by named.place) filter (where named.place is not null),
        '[]'
      ) as counts
    from (
      select counted.schema_name, counted.table_name, counted.row_count, counted.own_row_count, counted.method
      from nms.table_metrics_measurements as counted
      where counted.run_id = day.run_id
    ) as measurement
    full join named using (schema_name, table_name)
  ) as found on day.run_id is not null
$$;
comment on function nms_private.counts_of_days(bigint, date, integer) is
  'How many rows the tables of a run had on each of the last so many business days up to one, oldest first: {snapshot_date, rows, counts}, and estimated_rows where some of them are estimates, one count for each table in the order of nms_private.run_result, null where it was not counted. rows are those of all tables of the day, each counted once. On a day without a result both are null.';
revoke execute on function nms_private.counts_of_days(bigint, date, integer) from public;
--! EndIncluded functions/reading/counts_of_days.sql
--! Included functions/reading/day_report.sql
create or replace function nms.day_report(snapshot_date date default null, since date default null, choice jsonb default '{}')
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_date date := day_report.snapshot_date;
  v_day nms.table_metrics_daily_snapshot;
  v_since bigint;
  v_choice constant jsonb := nms_private.checked_choice(
    choice => day_report.choice,
    keys => '{schemas,like,only,min_rows,sort,top}'
  );
  v_result jsonb;
begin
  if v_date is null then
    select max(day.snapshot_date) into v_date from nms.table_metrics_daily_snapshot as day;
    v_date := coalesce(v_date, nms.business_date());
  end if;
  select day.* into v_day
  from nms.table_metrics_daily_snapshot as day
  where day.run_id = nms_private.run_of_day(snapshot_date => v_date) and day.snapshot_date = v_date;

  if day_report.since >= v_date then
    raise exception '% is not before %', day_report.since, v_date
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected since to be an earlier day than the one that is shown',
        hint = 'Without it the change is since the day before that has a result.';
  elsif day_report.since is not null then
    v_since := nms_private.run_of_day(snapshot_date => day_report.since);
  else
    select day.run_id into v_since
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date < v_date
    order by day.snapshot_date desc
    limit 1;
  end if;

  v_result := nms_private.run_result(run_id => v_day.run_id, since => v_since, choice => v_choice);
  return v_result || jsonb_build_object(
    'run_id', v_day.run_id,
    'snapshot_date', v_day.snapshot_date,
    'collected_at', v_day.collected_at,
    'left_out_count', (select run.left_out_count from nms.table_metrics_runs as run where run.run_id = v_day.run_id),
    'payload', case
      when v_choice = '{}'
        then nms_private.payload_in(version => 1, stored => v_day.payload, run_id => v_day.run_id)
      else nms_private.chosen_payload(tables => v_result -> 'tables')
    end
  );
end
$$;
comment on function nms.day_report(date, date, jsonb) is
  'What a business day found, by default the last one with a result: {run_id, snapshot_date, collected_at, payload}, the totals, the tables, largest first, also those that have disappeared, the change since another day, by default the last one before it that has a result, and how many tables the request left out. Tables and totals as in nms.run_report, with the outcome of each. choice: only these tables, {schemas: [name], like: text in schema.table, only: [outcome], min_rows: now or before, sort: rows, change, percent or name, top: how many}; tables_chosen says how many before top, tables_in_all of how many, everything else is about all of them. Raises P0002 for a day without a result and a schema that no run has met, 22023 for a since that is not before the day and a choice that is none.';
revoke execute on function nms.day_report(date, date, jsonb) from public;
--! EndIncluded functions/reading/day_report.sql
--! Included functions/reading/day_snapshot.sql
create or replace function nms.day_snapshot(snapshot_date date default null, version integer default 1)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_snapshot jsonb;
begin
  select jsonb_build_object(
    'run_id', day.run_id,
    'snapshot_date', day.snapshot_date,
    'collected_at', day.collected_at,
    'payload', nms_private.payload_in(version => day_snapshot.version, stored => day.payload, run_id => day.run_id)
  ) into v_snapshot
  from nms.table_metrics_daily_snapshot as day
  where day.snapshot_date = coalesce(
    day_snapshot.snapshot_date,
    (select max(any_day.snapshot_date) from nms.table_metrics_daily_snapshot as any_day)
  );
  if not found then
    perform nms_private.run_of_day(snapshot_date => coalesce(day_snapshot.snapshot_date, nms.business_date()));
  end if;
  return v_snapshot;
end
$$;
comment on function nms.day_snapshot(date, integer) is
  'The JSON of a business day, by default the last one with a result: {run_id, snapshot_date, collected_at, payload}, payload as {schema: {table: count}}; in version 2 as {"_version": 2, schema: {table: {"count": …, "method": …}}}, whichever the payload_version setting was. Raises P0002 for a day without a result, 22023 for a version that is not 1 or 2.';
revoke execute on function nms.day_snapshot(date, integer) from public;
--! EndIncluded functions/reading/day_snapshot.sql
--! Included functions/reading/days_of_period.sql
create or replace function nms_private.days_of_period(since date, until date)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  due as (
    select due.next_date, due.due_at, due.usual_weekdays
    from nms.table_metrics_next_due as due
    where due.run_id = (
      select run.run_id
      from nms.table_metrics_runs as run
      where run.status = 'SUCCEEDED' and not run.is_imported and run.snapshot_date <= days_of_period.until
      order by run.snapshot_date desc, run.run_id desc
      limit 1
    )
  ),
  judged as (
    select
      calendar.snapshot_date,
      day.run_id is not null as has_result,
      day.run_id is not null
        or (
          calendar.snapshot_date > (select min(earlier.snapshot_date) from nms.table_metrics_daily_snapshot as earlier)
          and (extract(isodow from calendar.snapshot_date) = any (due.usual_weekdays)) is not false
          and (
            calendar.snapshot_date < nms.business_date()
            or statement_timestamp() > due.due_at + (calendar.snapshot_date - due.next_date) * interval '24 h'
          )
        ) as is_expected
    from (
      select days_of_period.since + later as snapshot_date
      from generate_series(1, days_of_period.until - days_of_period.since) as later
    ) as calendar
    left join nms.table_metrics_daily_snapshot as day on day.snapshot_date = calendar.snapshot_date
    left join due on true
  )
  select jsonb_build_object(
    'calendar', count(*),
    'expected', count(*) filter (where judged.is_expected),
    'with_result', count(*) filter (where judged.has_result),
    'without_result', coalesce(
      jsonb_agg(judged.snapshot_date order by judged.snapshot_date) filter (where judged.is_expected and not judged.has_result),
      '[]'
    )
  )
  from judged
$$;
comment on function nms_private.days_of_period(date, date) is
  'How many business days there are after one day up to another: {calendar, expected, with_result, without_result}. expected: with a result, or on a day of the week that usually has one, from the first result on and not before it is due. without_result: the expected days that have none.';
revoke execute on function nms_private.days_of_period(date, date) from public;
--! EndIncluded functions/reading/days_of_period.sql
--! Included functions/reading/days_report.sql
create or replace function nms.days_report("limit" integer default 30, before date default null)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  -- One more, which the last of them is compared with.
  day as materialized (
    select found.*, row_number() over (order by found.snapshot_date desc) as place
    from (
      select daily.snapshot_date, daily.run_id, daily.collected_at, daily.is_imported
      from nms.table_metrics_daily_snapshot as daily
      where daily.snapshot_date < coalesce(days_report.before, 'infinity')
      order by daily.snapshot_date desc
      limit nms_private.checked_limit(argument => 'limit', value => days_report."limit") + 1
    ) as found
  ),
  page as (
    select
      day.*,
      found.tables,
      found.rows,
      found.change,
      found.change_percent,
      found.tables_left_out,
      found.estimated_rows
    from nms_private.growth_over(
      run_ids => (select array_agg(day.run_id order by day.snapshot_date) from day)
    ) as found
    join day on day.run_id = found.run_id
    where day.place <= days_report."limit"
  )
  select jsonb_build_object(
    'days', (
      select coalesce(
        jsonb_agg(
          case
            when page.estimated_rows is null then to_jsonb(page) - '{place,estimated_rows}'::text[]
            else to_jsonb(page) - 'place'
          end
          order by page.place
        ),
        '[]'
      )
      from page
    ),
    'next', (
      select day.snapshot_date
      from day
      where day.place = days_report."limit" and exists (select from day where day.place > days_report."limit")
    )
  )
$$;
comment on function nms.days_report(integer, date) is
  'The business days that have a result, newest first: {days, next}, each with the run that owns it, its tables and rows, estimated_rows where some of the rows are estimates, and the change since the day before that has one, as in nms.growth. next, given as before, asks for those that follow; null when there are none. Raises 22023 for a limit that is not 1 to 1000.';
revoke execute on function nms.days_report(integer, date) from public;
--! EndIncluded functions/reading/days_report.sql
--! Included functions/reading/fastest_growing.sql
create or replace function nms_private.fastest_growing(
  of text, -- rows or bytes
  before bigint,
  after bigint,
  schema_name text default null,
  run_ids bigint[] default '{}' -- whose rows are told as well
)
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_at_most constant integer := 10; -- tables
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'schema_name', grown.schema_name,
          'table_name', grown.table_name,
          'before', grown.before,
          'after', grown.after,
          'change', grown.change,
          'change_percent', round(100.0 * grown.change / nullif(grown.before, 0), 2),
          'method', grown.method
        ) || case
          when fastest_growing.run_ids = '{}' then '{}'
          else jsonb_build_object(
            'rows', (
              select jsonb_agg(measurement.row_count order by given.place)
              from unnest(fastest_growing.run_ids) with ordinality as given (run_id, place)
              left join nms.table_metrics_measurements as measurement
                on measurement.run_id = given.run_id
                and measurement.schema_name = grown.schema_name
                and measurement.table_name = grown.table_name
            )
          )
        end
        order by grown.change desc, grown.schema_name, grown.table_name
      ),
      '[]'
    )
    from (
      select
        per_table.schema_name,
        per_table.table_name,
        former.value as before,
        latter.value as after,
        latter.value - case when per_table.outcome = 'appeared' then 0 else former.value end as change,
        measured_after.method
      from nms.compare_runs(before => fastest_growing.before, after => fastest_growing.after) as per_table
      left join nms.table_metrics_measurements as measured_before
        on measured_before.run_id = fastest_growing.before
        and measured_before.schema_name = per_table.schema_name
        and measured_before.table_name = per_table.table_name
      join nms.table_metrics_measurements as measured_after
        on measured_after.run_id = fastest_growing.after
        and measured_after.schema_name = per_table.schema_name
        and measured_after.table_name = per_table.table_name
      cross join lateral (
        select case of when 'bytes' then measured_before.total_bytes else measured_before.row_count end
      ) as former (value)
      cross join lateral (
        select case of when 'bytes' then measured_after.total_bytes else measured_after.row_count end
      ) as latter (value)
      where
        per_table.outcome <> 'left out'
        and not per_table.is_partition
        and (fastest_growing.schema_name is null or per_table.schema_name = fastest_growing.schema_name)
        and latter.value > case when per_table.outcome = 'appeared' then 0 else former.value end
      order by latter.value - case when per_table.outcome = 'appeared' then 0 else former.value end desc,
        per_table.schema_name, per_table.table_name
      limit v_at_most
    ) as grown
  );
end
$$;
comment on function nms_private.fastest_growing(text, bigint, bigint, text, bigint[]) is
  'The tables that have grown most from one run to another, in rows or in bytes on disk, partitions as part of theirs: [{schema_name, table_name, before, after, change, change_percent, method}], before null for one that appeared; with run_ids also rows, one number for each of these runs, null where it was not counted. Which one of both leaves out, or has not measured, is none of them.';
revoke execute on function nms_private.fastest_growing(text, bigint, bigint, text, bigint[]) from public;
--! EndIncluded functions/reading/fastest_growing.sql
--! Included functions/reading/find_day.sql
create or replace function nms.find_day(named text, edge text default 'until')
returns date
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_today constant date := nms.business_date();
  v_first date;
  v_last date;
begin
  if find_day.edge not in ('since', 'until') or find_day.edge is null then
    raise exception 'unknown edge: %', coalesce(find_day.edge, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected since or until',
        hint = 'A month begins with its first day (since) and ends with its last (until).';
  elsif find_day.named in ('today', 'yesterday') then
    return v_today - case find_day.named when 'yesterday' then 1 else 0 end;
  elsif find_day.named ~ '^[0-9]{1,4}[dwmy]$' then
    return (v_today - format(
      '%s %s',
      rtrim(find_day.named, 'dwmy'),
      case right(find_day.named, 1) when 'd' then 'days' when 'w' then 'weeks' when 'm' then 'months' else 'years' end
    )::interval)::date;
  elsif find_day.named ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
    return find_day.named::date;
  elsif find_day.named ~ '^[0-9]{4}-[0-9]{2}$' then
    v_first := (find_day.named || '-01')::date;
    v_last := (v_first + interval '1 month' - interval '1 day')::date;
    return case
      when find_day.edge = 'since' then v_first
      when v_today between v_first and v_last then v_today
      else v_last
    end;
  end if;
  raise exception 'no such day: %', coalesce(find_day.named, 'null')
    using
      errcode = 'invalid_datetime_format',
      detail = 'expected today, yesterday, a number with d, w, m or y, or year, month and day with hyphens between',
      hint = 'Name a day such as 2026-11-20, 2026-11, yesterday, 7d, 1w, 3m or 1y.';
end
$$;
comment on function nms.find_day(text, text) is
  'The business day that a text names: a date such as 2026-11-20; today or yesterday; 7d, 1w, 3m or 1y, so many days, weeks, months or years before today; a month such as 2026-11, which is its last day, of this month today, or with edge => since its first. Raises 22007 for anything else, 22008 for a date that the calendar does not have.';
revoke execute on function nms.find_day(text, text) from public;
--! EndIncluded functions/reading/find_day.sql
--! Included functions/reading/find_run.sql
create or replace function nms.find_run(named text, edge text default 'until')
returns bigint
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_date date;
  v_run_id bigint;
begin
  if find_run.named ~ '^[1-9][0-9]{0,17}$' or find_run.named is null then
    return (nms_private.run_of_number(run_id => find_run.named::bigint)).run_id;
  end if;

  v_date := nms.find_day(named => find_run.named, edge => find_run.edge);
  -- Whoever names no date asks for about that day.
  if find_run.named ~ '^[0-9]+[dwmy]$|^[0-9]{4}-[0-9]{2}$' then
    select day.run_id into v_run_id
    from nms.table_metrics_daily_snapshot as day
    where
      day.snapshot_date <= v_date
      and (
        find_run.named !~ '-' or find_run.edge = 'since'
        or date_trunc('month', day.snapshot_date::timestamp) = date_trunc('month', v_date::timestamp)
      )
    order by day.snapshot_date desc
    limit 1;
  end if;
  return coalesce(v_run_id, nms_private.run_of_day(snapshot_date => v_date));
end
$$;
comment on function nms.find_run(text, text) is
  'The run that a text names: its number, or a business day as in nms.find_day, which stands for the run that owns it. 7d, 1w, 3m, 1y and the first day of a month stand for the last day on or before it that has a result; the last day of a month for the last one of that month. Raises P0002 for an unknown run, and for a day without a result.';
revoke execute on function nms.find_run(text, text) from public;
--! EndIncluded functions/reading/find_run.sql
--! Included functions/reading/find_scope.sql
create or replace function nms.find_scope(named text)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema constant text := substring(find_scope.named from '^(.+)\.\*$');
  v_unquoted constant text := replace(substring(v_schema from '^"((?:[^"]|"")+)"$'), '""', '"');
  v_found jsonb;
  v_tables jsonb;
begin
  if find_scope.named = '*' then
    return jsonb_build_object(
      'named', find_scope.named,
      'found', jsonb_build_array(jsonb_build_object('schema_name', null, 'table_name', null, 'quoted', '*')),
      'alike', jsonb_build_array()
    );
  elsif v_schema is null then
    v_tables := nms.find_table(named => find_scope.named);
    if
      v_tables -> 'found' = '[]'
      and exists (
        select from nms.table_metrics_measurements as measurement where measurement.schema_name = find_scope.named
      )
    then
      return jsonb_set(v_tables, '{alike}', jsonb_build_array(find_scope.named || '.*'));
    end if;
    return v_tables;
  end if;

  select jsonb_agg(
    jsonb_build_object(
      'schema_name', spelled.name, 'table_name', null, 'quoted', format('%I.*', spelled.name)
    )
    order by spelled.name
  ) into v_found
  from (select v_schema union select v_unquoted) as spelled (name)
  where exists (
    select from nms.table_metrics_measurements as measurement where measurement.schema_name = spelled.name
  );
  if v_found is null then
    perform nms_private.refuse_unknown_schema(schema_name => coalesce(v_unquoted, v_schema));
  end if;
  return jsonb_build_object('named', find_scope.named, 'found', v_found, 'alike', jsonb_build_array());
end
$$;
comment on function nms.find_scope(text) is
  'What a name stands for, of all that some run has met: a table as in nms.find_table, a schema as in sales.* (table_name null), or * for the whole database (both null): {named, found: [{schema_name, table_name, quoted}], alike}. The schema spelled as the catalogue does or quoted as in SQL. Raises P0002 with the schemas that there are for one that no run has met.';
revoke execute on function nms.find_scope(text) from public;
--! EndIncluded functions/reading/find_scope.sql
--! Included functions/reading/find_table.sql
create or replace function nms.find_table(named text)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found jsonb;
  v_alike jsonb := '[]'::jsonb;
  -- What stands after the last dot, and before it.
  v_table text := regexp_replace(find_table.named, '^.*\.', '');
  v_schema text := coalesce(substring(find_table.named from '^(.*)\.'), '');
begin
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'schema_name', known.schema_name,
        'table_name', known.table_name,
        'quoted', format('%I.%I', known.schema_name, known.table_name)
      )
      order by known.schema_name, known.table_name
    ),
    '[]'
  ) into strict v_found
  from nms_private.names_spelled(spelling => find_table.named) as known
  where exists (
    select from nms.table_metrics_measurements as measurement
    where measurement.schema_name = known.schema_name and measurement.table_name = known.table_name
  );

  -- Names are alike that share pairs of neighbouring letters, in their last part above all.
  if v_found = '[]' then
    with recursive known as (
      (
        select measurement.schema_name, measurement.table_name
        from nms.table_metrics_measurements as measurement
        order by measurement.schema_name, measurement.table_name
        limit 1
      )
      union all
      select next.schema_name, next.table_name
      from known
      cross join lateral (
        select measurement.schema_name, measurement.table_name
        from nms.table_metrics_measurements as measurement
        where (measurement.schema_name, measurement.table_name) > (known.schema_name, known.table_name)
        order by measurement.schema_name, measurement.table_name
        limit 1
      ) as next
    ),
    pairs_of (text, pairs) as materialized (
      select
        part.text,
        array(
          select distinct substr(' ' || lower(part.text) || ' ', place, 2)
          from generate_series(1, length(part.text) + 1) as place
        )
      from (
        select known.table_name from known
        union select known.schema_name from known
        union values (v_table), (v_schema)
      ) as part (text)
    ),
    alike as (
      select
        known.schema_name || '.' || known.table_name as name,
        3 * likeness.of_tables + likeness.of_schemas as likeness
      from known
      join pairs_of as of_table on of_table.text = known.table_name
      join pairs_of as of_schema on of_schema.text = known.schema_name
      join pairs_of as asked_table on asked_table.text = v_table
      join pairs_of as asked_schema on asked_schema.text = v_schema
      cross join lateral (
        select
          2.0 * (select count(*) from unnest(of_table.pairs) as pair where pair = any (asked_table.pairs))
            / (cardinality(of_table.pairs) + cardinality(asked_table.pairs)),
          2.0 * (select count(*) from unnest(of_schema.pairs) as pair where pair = any (asked_schema.pairs))
            / (cardinality(of_schema.pairs) + cardinality(asked_schema.pairs))
      ) as likeness (of_tables, of_schemas)
      where likeness.of_tables > 0.3
      order by 2 desc, 1
      limit 3
    )
    select coalesce(jsonb_agg(alike.name order by alike.likeness desc, alike.name), '[]') into strict v_alike
    from alike;
  end if;

  return jsonb_build_object('named', find_table.named, 'found', v_found, 'alike', v_alike);
end
$$;
comment on function nms.find_table(text) is
  'The tables that a name stands for, of all that some run has met: {named, found: [{schema_name, table_name, quoted}], alike}. Schema and table with a dot between, each spelled as the catalogue does or quoted as in SQL; several are found when names have dots of their own. When none is, alike has the three most similar names.';
revoke execute on function nms.find_table(text) from public;
--! EndIncluded functions/reading/find_table.sql
--! Included functions/reading/growth.sql
create or replace function nms.growth(
  by text default 'day',
  schema_name text default null,
  table_name text default null,
  periods integer default 30
)
returns table (
  period_start date,
  snapshot_date date,
  rows numeric,
  tables bigint,
  change numeric,
  change_percent numeric,
  per_day numeric,
  tables_left_out bigint,
  run_id bigint,
  method text,
  estimated_rows numeric,
  bytes numeric,
  bytes_change numeric,
  bytes_per_day numeric,
  tables_without_bytes bigint
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if (growth.by in ('day', 'week', 'month')) is not true then
    raise exception 'no such period: %', coalesce(growth.by, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected day, week or month',
        hint = 'A week begins on Monday.';
  end if;
  perform nms_private.checked_limit(argument => 'periods', value => growth.periods);
  perform nms_private.refuse_unknown_scope(schema_name => growth.schema_name, table_name => growth.table_name);

  return query
  with ended as materialized (
    select period.* from nms_private.period_ends(by => growth.by, periods => growth.periods) as period
  )
  select
    ended.period_start,
    ended.snapshot_date,
    found.rows,
    found.tables,
    found.change,
    found.change_percent,
    round(found.change / (ended.snapshot_date - since.snapshot_date), 2),
    found.tables_left_out,
    found.run_id,
    found.method,
    found.estimated_rows,
    found.bytes,
    found.bytes_change,
    round(found.bytes_change / (ended.snapshot_date - since.snapshot_date), 2),
    found.tables_without_bytes
  from nms_private.growth_over(
    run_ids => (select array_agg(ended.run_id order by ended.snapshot_date) from ended),
    schema_name => growth.schema_name,
    table_name => growth.table_name
  ) as found
  join ended on ended.run_id = found.run_id
  left join ended as since on since.run_id = found.since
  where ended.is_asked_for
  order by ended.snapshot_date;
end
$$;
comment on function nms.growth(text, text, text, integer) is
  'How a table, a schema (table_name null) or the whole database (both null) grew over the last so many days, weeks from Monday or months, the current one included: of each the last day with a result, and the change since that of the period before, in rows, per cent and rows per day. rows and change are null when that day''s request left it out, and no row: no result, or it did not exist. In a total each row counts once (sum of own_row_count), and change is that of the tables which both days counted, with those that appeared and disappeared: tables_left_out, by the request or settings of one of both days, change nothing. method: the least sure of those of the tables; estimated_rows: how many of the rows are estimated, null for none. bytes, bytes_change and bytes_per_day are those on disk, null unless each table was measured, which tables_without_bytes were not. Names as the catalogue spells them. Raises P0002 for an unknown name, 22023 for an unknown period.';
revoke execute on function nms.growth(text, text, text, integer) from public;
--! EndIncluded functions/reading/growth.sql
--! Included functions/reading/growth_over.sql
create or replace function nms_private.growth_over(
  run_ids bigint[],
  schema_name text default null,
  table_name text default null
)
returns table (
  run_id bigint,
  rows numeric,
  tables bigint,
  change numeric,
  change_percent numeric,
  tables_left_out bigint,
  since bigint,
  method text,
  estimated_rows numeric,
  bytes numeric,
  bytes_change numeric,
  tables_without_bytes bigint
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  found as materialized (
    select given.place, run.*, total.*
    from unnest(growth_over.run_ids) with ordinality as given (run_id, place)
    join nms.table_metrics_runs as run on run.run_id = given.run_id
    cross join lateral nms_private.rows_of(
      run_id => given.run_id, schema_name => growth_over.schema_name, table_name => growth_over.table_name
    ) as total
  ),
  -- By these names a request may leave out what a run has nothing of.
  known as materialized (
    select coalesce(growth_over.table_name, '') as name
    union
    select measurement.table_name
    from nms.table_metrics_measurements as measurement
    where
      measurement.run_id in (select found.run_id from found)
      and measurement.schema_name = growth_over.schema_name
      and growth_over.table_name is null
  ),
  judged as (
    select
      found.*,
      case
        when found.tables > 0 then false
        when growth_over.schema_name is null then coalesce(found.left_out_count > 0, false)
        else exists (
          select
          from (select array_agg(known.name) as names, array_agg(growth_over.schema_name) as schemas from known) as given
          cross join lateral nms_private.request_excludes(
            run_id => found.run_id, schema_names => given.schemas, table_names => given.names
          )
        )
      end as is_left_out
    from found
  ),
  beside as (
    select
      judged.run_id,
      case when not judged.is_left_out then judged.rows end as rows,
      judged.tables,
      judged.tables_without_bytes,
      case when not judged.is_left_out then judged.method end as method,
      case when not judged.is_left_out then judged.estimated_rows end as estimated_rows,
      case when not judged.is_left_out then judged.bytes end as bytes,
      lag(case when not judged.is_left_out then judged.bytes end) over by_place as bytes_before,
      lag(judged.run_id) over by_place as since,
      lag(case when not judged.is_left_out then judged.rows end) over by_place as rows_before,
      growth_over.table_name is not null
        or (judged.skip_schemas, judged.exclude_tables, judged.machinery_schemas)
          = lag((judged.skip_schemas, judged.exclude_tables, judged.machinery_schemas)) over by_place as is_same_request,
      judged.place
    from judged
    where judged.tables > 0 or judged.is_left_out or growth_over.schema_name is null
    window by_place as (order by judged.place)
  )
  select
    beside.run_id,
    beside.rows,
    case when beside.rows is not null then beside.tables end,
    difference.change,
    round(100 * difference.change / nullif(difference.base, 0), 2),
    coalesce(compared.tables_left_out, 0),
    beside.since,
    beside.method,
    beside.estimated_rows,
    beside.bytes,
    case
      when beside.is_same_request then beside.bytes - beside.bytes_before
      when num_nulls(beside.bytes, beside.bytes_before) = 0 then compared.bytes_change
    end,
    case when beside.rows is not null then beside.tables_without_bytes end
  from beside
  -- Under the same request both have counted everything there was: nothing has to be compared table by table.
  left join lateral (
    select
      case when count(*) = 0 then 0 else sum(per_table.own_change) end as change,
      coalesce(sum(former.own_row_count) filter (where per_table.outcome = 'left out'), 0) as rows_left_out,
      count(*) filter (where per_table.outcome = 'left out') as tables_left_out,
      coalesce(
        sum(coalesce(latter.own_total_bytes, 0) - coalesce(former.own_total_bytes, 0))
          filter (where per_table.outcome <> 'left out'),
        0
      ) as bytes_change
    from nms.compare_runs(before => beside.since, after => beside.run_id) as per_table
    left join nms.table_metrics_measurements as former
      on former.run_id = beside.since
      and former.schema_name = per_table.schema_name
      and former.table_name = per_table.table_name
    left join nms.table_metrics_measurements as latter
      on latter.run_id = beside.run_id
      and latter.schema_name = per_table.schema_name
      and latter.table_name = per_table.table_name
    where
      not beside.is_same_request
      and (growth_over.schema_name is null or per_table.schema_name = growth_over.schema_name)
  ) as compared on not beside.is_same_request
  cross join lateral (
    select
      case when beside.is_same_request then beside.rows - beside.rows_before else compared.change end,
      beside.rows_before - coalesce(compared.rows_left_out, 0)
  ) as difference (change, base)
  order by beside.place
$$;
comment on function nms_private.growth_over(bigint[], text, text) is
  'How a table, a schema or the whole database grew over some successful runs, given oldest first: rows and tables of each, and the change since the one before it in this list. rows and tables are null for a run that left it out; no row: it did not exist. The change of a total is of what both runs have counted, appeared and disappeared tables included; tables_left_out, which one of them leaves out, are no part of it, nor of what change_percent is taken of. method: the least sure of those of the tables; estimated_rows: how many of the rows are estimated. bytes: on disk, null unless each table has them, which tables_without_bytes have not; bytes_change likewise, of the same tables as change.';
revoke execute on function nms_private.growth_over(bigint[], text, text) from public;
--! EndIncluded functions/reading/growth_over.sql
--! Included functions/reading/growth_report.sql
create or replace function nms.growth_report(
  by text default 'day',
  schema_name text default null,
  table_name text default null,
  periods integer default 30
)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling these queries takes longer than running them
as $$
  with
  growth as materialized (
    select found.*
    from nms.growth(
      by => growth_report.by,
      schema_name => growth_report.schema_name,
      table_name => growth_report.table_name,
      periods => growth_report.periods
    ) as found
  ),
  first as (
    select growth.* from growth where growth.rows is not null order by growth.snapshot_date limit 1
  ),
  last as (
    select growth.* from growth where growth.rows is not null order by growth.snapshot_date desc limit 1
  ),
  on_disk as (
    select
      (array_agg(growth.run_id order by growth.snapshot_date))[1] as first_run,
      (array_agg(growth.run_id order by growth.snapshot_date desc))[1] as last_run,
      min(growth.snapshot_date) as first_date,
      max(growth.snapshot_date) as last_date
    from growth
    where growth.bytes is not null
    having count(*) > 0
  ),
  measured as (
    select
      (array_agg(growth.run_id order by growth.snapshot_date))[1] as first_run,
      (array_agg(growth.run_id order by growth.snapshot_date desc))[1] as last_run
    from growth
    where growth.tables_without_bytes < growth.tables
  )
  select jsonb_build_object(
    'by', growth_report.by,
    'schema_name', growth_report.schema_name,
    'table_name', growth_report.table_name,
    'periods', (select coalesce(jsonb_agg(to_jsonb(growth) order by growth.snapshot_date), '[]') from growth),
    'summary', jsonb_build_object(
      'periods_found', (select count(growth.rows) from growth),
      'periods_left_out', (select count(*) - count(growth.rows) from growth),
      'first_date', first.snapshot_date,
      'first_rows', first.rows,
      'last_date', last.snapshot_date,
      'last_rows', last.rows,
      'change', total.change,
      'change_percent', total.change_percent,
      'per_day', round(total.change / nullif(last.snapshot_date - first.snapshot_date, 0), 2),
      'tables_left_out', total.tables_left_out,
      'bytes', (
        select jsonb_build_object(
          'first_date', on_disk.first_date,
          'first_bytes', (select growth.bytes from growth where growth.run_id = on_disk.first_run),
          'last_date', on_disk.last_date,
          'last_bytes', (select growth.bytes from growth where growth.run_id = on_disk.last_run),
          'change', bytes.bytes_change,
          'per_day', round(bytes.bytes_change / nullif(on_disk.last_date - on_disk.first_date, 0), 2)
        )
        from on_disk
        left join lateral (
          select over.bytes_change
          from nms_private.growth_over(
            run_ids => array[on_disk.first_run, on_disk.last_run],
            schema_name => growth_report.schema_name,
            table_name => growth_report.table_name
          ) as over
          where over.since is not null
        ) as bytes on on_disk.first_run <> on_disk.last_run
      )
    ) || case
      when first.run_id is null then jsonb_build_object(
        'last_date_with_result', (
          select day.snapshot_date
          from nms.table_metrics_daily_snapshot as day
          cross join lateral nms_private.rows_of(
            run_id => day.run_id, schema_name => growth_report.schema_name, table_name => growth_report.table_name
          ) as found
          where found.tables > 0
          order by day.snapshot_date desc
          limit 1
        )
      )
      else '{}'
    end,
    'fastest', case
      when growth_report.table_name is null then jsonb_build_object(
        'rows', case
          when first.run_id <> last.run_id then nms_private.fastest_growing(
            of => 'rows',
            before => first.run_id,
            after => last.run_id,
            schema_name => growth_report.schema_name,
            run_ids => (select array_agg(growth.run_id order by growth.snapshot_date) from growth)
          )
          else '[]'
        end,
        'bytes', coalesce(
          (
            select nms_private.fastest_growing(
              of => 'bytes', before => measured.first_run, after => measured.last_run, schema_name => growth_report.schema_name
            )
            from measured
            where measured.first_run <> measured.last_run
          ),
          '[]'
        )
      )
    end,
    'schemas', case
      when num_nonnulls(growth_report.schema_name, growth_report.table_name) = 0 then (
        select coalesce(
          nms_private.schemas_over(run_ids => array_agg(growth.run_id order by growth.snapshot_date)), '[]'
        )
        from growth
        where growth.snapshot_date between first.snapshot_date and last.snapshot_date
      )
    end
  )
  from (values (1)) as one
  left join first on true
  left join last on true
  left join lateral (
    select over.*
    from nms_private.growth_over(
      run_ids => array[first.run_id, last.run_id],
      schema_name => growth_report.schema_name,
      table_name => growth_report.table_name
    ) as over
    where over.since is not null
  ) as total on first.run_id <> last.run_id
$$;
comment on function nms.growth_report(text, text, text, integer) is
  'How a table, a schema or the whole database grew: {by, schema_name, table_name, periods, summary, fastest, schemas}, the periods as of nms.growth, oldest first. The summary is of the first and the last of them that have rows; its change is what both days have counted, as in nms.growth; that of bytes is of the first and the last day on which each table was measured, null without any. fastest, null for a table: the ten tables that have grown most in rows and in bytes on disk, between the first and the last of these days that have some; those of rows with their rows in each period. schemas, null unless the whole database was asked for: each with its rows in each period between the first and the last that have some, and its change, the largest first. When none has, it says which day was the last with a result. Raises P0002 for an unknown name, 22023 for an unknown period.';
revoke execute on function nms.growth_report(text, text, text, integer) from public;
--! EndIncluded functions/reading/growth_report.sql
--! Included functions/reading/is_chosen.sql
create or replace function nms_private.is_chosen(
  choice jsonb,
  schema_name text,
  table_name text,
  outcome text default null,
  rows bigint default null
)
returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return is_chosen.choice = '{}' or coalesce(
    (not is_chosen.choice ? 'schemas' or is_chosen.choice -> 'schemas' ? is_chosen.schema_name)
    -- The columns' collation knows no letters but those of ASCII.
    and (
      not is_chosen.choice ? 'like'
      or strpos(
        lower((is_chosen.schema_name || '.' || is_chosen.table_name) collate "default"),
        lower((is_chosen.choice ->> 'like') collate "default")
      ) > 0
    )
    and (not is_chosen.choice ? 'only' or is_chosen.choice -> 'only' ? is_chosen.outcome)
    and (not is_chosen.choice ? 'min_rows' or is_chosen.rows >= (is_chosen.choice ->> 'min_rows')::bigint),
    false
  );
end
$$;
comment on function nms_private.is_chosen(jsonb, text, text, text, bigint) is
  'Whether a table is one of those that a choice names, which nms_private.checked_choice() has checked. top and sort are left to who puts them in order.';
revoke execute on function nms_private.is_chosen(jsonb, text, text, text, bigint) from public;
--! EndIncluded functions/reading/is_chosen.sql
--! Included functions/reading/is_critical.sql
create or replace function nms_private.is_critical(kind text)
returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select is_critical.kind in ('dropped_to_zero', 'table_missing', 'count_differs', 'repeated_failures', 'run_late')
$$;
comment on function nms_private.is_critical(text) is
  'Whether a monitor is told CRITICAL for an alert of this kind, rather than WARNING: rows or results are gone, or counts are wrong.';
revoke execute on function nms_private.is_critical(text) from public;
--! EndIncluded functions/reading/is_critical.sql
--! Included functions/reading/list_runs.sql
create or replace function nms_private.list_runs("limit" integer, before bigint default null)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    jsonb_agg(
      to_jsonb(last) || jsonb_build_object(
        'seconds', extract(epoch from coalesce(last.finished_at, clock_timestamp()) - last.collected_at),
        'totals', case
          when last.status = 'SUCCEEDED' then nms_private.run_totals(run_id => last.run_id)
          else jsonb_build_object('tables', last.target_count, 'rows', null)
        end
      )
      order by last.run_id desc
    ),
    '[]'
  )
  from (
    select run.*
    from nms.table_metrics_runs as run
    where run.run_id < list_runs.before or list_runs.before is null
    order by run.run_id desc
    limit list_runs."limit"
  ) as last
$$;
comment on function nms_private.list_runs(integer, bigint) is
  'The last runs, or the last before one of them, newest first: each header with its seconds (so far, while it is RUNNING) and its totals as of nms_private.run_totals, whose rows are null unless it SUCCEEDED.';
revoke execute on function nms_private.list_runs(integer, bigint) from public;
--! EndIncluded functions/reading/list_runs.sql
--! Included functions/reading/list_tables.sql
create or replace function nms_private.list_tables(schema_name text, alike text, after text, how_many integer)
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_after constant text[] := regexp_match(list_tables.after, '^("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^".]+)$');
  v_after_schema text := '';
  v_after_table text := '';
  v_day record;
  v_previous record;
begin
  if list_tables.after is not null then
    if v_after is null then
      raise exception 'no place to go on from: %', list_tables.after
        using
          errcode = 'invalid_parameter_value',
          detail = 'expected schema and table, quoted as in SQL, with a dot between',
          hint = 'Give next of the page before as it is, or nothing for the first page.';
    end if;
    v_after_schema := coalesce(replace(substring(v_after[1] from '^"(.*)"$'), '""', '"'), v_after[1]);
    v_after_table := coalesce(replace(substring(v_after[2] from '^"(.*)"$'), '""', '"'), v_after[2]);
  end if;
  if list_tables.schema_name is not null then
    perform nms_private.refuse_unknown_schema(schema_name => list_tables.schema_name);
  end if;

  select day.snapshot_date, day.run_id into v_day
  from nms.table_metrics_daily_snapshot as day
  order by day.snapshot_date desc
  limit 1;
  select day.snapshot_date, day.run_id into v_previous
  from nms.table_metrics_daily_snapshot as day
  where day.snapshot_date < v_day.snapshot_date
  order by day.snapshot_date desc
  limit 1;

  return (
    with
    found as materialized (
      select measurement.*, row_number() over (order by measurement.schema_name, measurement.table_name) as place
      from nms_private.described_counts as measurement
      where
        measurement.run_id = v_day.run_id
        and (measurement.schema_name = list_tables.schema_name or list_tables.schema_name is null)
        and (measurement.schema_name, measurement.table_name) > (v_after_schema, v_after_table)
        -- The columns' collation knows no letters but those of ASCII.
        and strpos(
          lower((measurement.schema_name || '.' || measurement.table_name) collate "default"),
          lower(coalesce(list_tables.alike, ''))
        ) > 0
      order by measurement.schema_name, measurement.table_name
      limit list_tables.how_many + 1
    )
    select jsonb_build_object(
      'run_id', v_day.run_id,
      'snapshot_date', v_day.snapshot_date,
      'previous_date', v_previous.snapshot_date,
      'tables', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'schema_name', found.schema_name,
            'table_name', found.table_name,
            'table_kind', found.table_kind,
            'is_partition', found.is_partition,
            'row_count', found.row_count,
            'own_row_count', found.own_row_count,
            'method', found.method,
            'change', found.row_count - former.row_count,
            'change_percent', round(100.0 * (found.row_count - former.row_count) / nullif(former.row_count, 0), 2)
          ) || coalesce(found.description, '{}') || case
            when former.method <> found.method then jsonb_build_object('previous_method', former.method)
            else '{}'
          end
          order by found.place
        ) filter (where found.place <= list_tables.how_many),
        '[]'
      ),
      'next', case
        when max(found.place) > list_tables.how_many
          then max(format('%I.%I', found.schema_name, found.table_name)) filter (where found.place = list_tables.how_many)
      end
    )
    from found
    left join nms.table_metrics_measurements as former
      on former.run_id = v_previous.run_id
      and former.schema_name = found.schema_name
      and former.table_name = found.table_name
  );
end
$$;
comment on function nms_private.list_tables(text, text, text, integer) is
  'What nms.tables_report answers, for a limit that was checked.';
revoke execute on function nms_private.list_tables(text, text, text, integer) from public;
--! EndIncluded functions/reading/list_tables.sql
--! Included functions/reading/metrics_report.sql
create or replace function nms.metrics_report(tables text[] default '{}')
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  counted as materialized (
    select
      latest.schema_name, latest.table_name, latest.row_count, latest.own_row_count, latest.method,
      latest.row_count_low, latest.row_count_high, latest.total_bytes, latest.own_total_bytes
    from nms.table_metrics_latest as latest
    where latest.row_count is not null
  ),
  listed as materialized (
    select
      listed.entry, counted.schema_name, counted.table_name, counted.row_count,
      counted.row_count_low, counted.row_count_high, counted.total_bytes
    from (select distinct unnest(metrics_report.tables)) as listed (entry)
    left join lateral nms_private.names_spelled(spelling => listed.entry) as spelled on true
    left join counted on counted.schema_name = spelled.schema_name and counted.table_name = spelled.table_name
    where listed.entry is not null
  ),
  last_success as (
    select run.run_id, run.snapshot_date, run.finished_at
    from nms.table_metrics_runs as run
    where run.status = 'SUCCEEDED' and not run.is_imported
    order by run.snapshot_date desc, run.run_id desc
    limit 1
  ),
  last_run as (
    select run.run_id, run.status, run.collected_at, run.finished_at
    from nms.table_metrics_runs as run
    where run.status <> 'RUNNING' and not run.is_imported
    order by run.run_id desc
    limit 1
  )
  select jsonb_build_object(
    'datname', current_database(),
    'database_rows', (select sum(counted.own_row_count) from counted),
    'database_estimated_rows', (
      select coalesce(sum(counted.own_row_count) filter (where counted.method = 'estimate'), 0)
      from counted
      having count(*) > 0
    ),
    'database_size_bytes', (select sum(counted.own_total_bytes) from counted),
    'database_tables', (select count(*) from counted having count(*) > 0),
    'database_tables_by_method', (
      select coalesce(jsonb_object_agg(found.method, found.tables), '{}')
      from (select counted.method, count(*) as tables from counted group by counted.method) as found
    ),
    'schema_rows', (
      select coalesce(jsonb_agg(to_jsonb(grouped) order by grouped.schemaname), '[]')
      from (
        select counted.schema_name as schemaname, sum(counted.own_row_count) as rows
        from counted
        group by counted.schema_name
      ) as grouped
    ),
    'table_rows', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(found)) order by found.schemaname, found.relname), '[]')
      from (
        select distinct
          listed.schema_name as schemaname, listed.table_name as relname, listed.row_count as rows,
          listed.row_count_low as rows_low, listed.row_count_high as rows_high, listed.total_bytes as size_bytes
        from listed
        where listed.table_name is not null
      ) as found
    ),
    'listed_tables_missing', (
      select coalesce(jsonb_agg(missing.entry order by missing.entry collate "C"), '[]')
      from (select listed.entry from listed group by listed.entry having count(listed.table_name) = 0) as missing
    ),
    'open_alerts', (
      select jsonb_object_agg(known.kind, coalesce(open.alerts, 0))
      from nms_private.alert_kinds() as known
      left join (
        select alert.kind, count(*) as alerts from nms.table_metrics_alerts as alert group by alert.kind
      ) as open using (kind)
    ),
    'last_success_timestamp_seconds', (select extract(epoch from last_success.finished_at) from last_success),
    'last_run_timestamp_seconds', (select extract(epoch from last_run.finished_at) from last_run),
    'last_run_duration_seconds', (select extract(epoch from last_run.finished_at - last_run.collected_at) from last_run),
    'last_run_succeeded', (select last_run.status = 'SUCCEEDED' from last_run),
    'last_run_tables_not_counted', (
      select (
        select count(*)
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = last_run.run_id and measurement.row_count is null
      )
      from last_run
    ),
    'next_due_timestamp_seconds', (
      select extract(epoch from due.due_at)
      from last_success
      join nms.table_metrics_next_due as due on due.run_id = last_success.run_id
    ),
    'overdue_results', (
      select (
        select count(*)
        from generate_series(1, nms.business_date() - last_success.snapshot_date) as days
        cross join lateral (select last_success.snapshot_date + days) as day (date)
        where
          (extract(isodow from day.date) = any (due.usual_weekdays)) is not false
          and statement_timestamp() > (day.date + due.usual_time) at time zone settings.business_time_zone + rule.late_after
      )
      from last_success
      join nms.table_metrics_next_due as due on due.run_id = last_success.run_id
      cross join nms.table_metrics_settings as settings
      cross join nms_private.alert_rule(schema_name => null, table_name => null, kind => 'run_late') as rule
    )
  )
$$;
comment on function nms.metrics_report(text[]) is
  'What /metrics shows, by the names of the metrics without nms_: the rows of the last result, of the whole database and of each schema every row counted once, and of the listed tables (named as in nms.find_table) as a query counts them, with rows_low and rows_high of an estimate and size_bytes where they were measured; how many of the rows are estimates, and how many tables were found by which method; listed names that the last result does not have; open alerts of each kind, 0 included; the last run that ended and the last that succeeded, without imported ones; when the next result is due, and how many business days are overdue. Times are seconds since 1970. Null: there is none; what was not counted is not there.';
revoke execute on function nms.metrics_report(text[]) from public;
--! EndIncluded functions/reading/metrics_report.sql
--! Included functions/reading/names_spelled.sql
-- Names may have dots as well: each may be the one that stands between schema and table.
create or replace function nms_private.names_spelled(spelling text)
returns table (schema_name text, table_name text)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select distinct schema.name, relation.name
  from (
    select names_spelled.spelling as text
    union
    select nms_private.as_meant(shown => names_spelled.spelling)
  ) as spelled
  cross join lateral generate_series(2, length(spelled.text) - 1) as dot
  cross join lateral (
    values (left(spelled.text, dot - 1), substr(spelled.text, dot + 1))
  ) as part (before, after)
  cross join lateral (
    values (part.before), (replace(substring(part.before from '^"((?:[^"]|"")+)"$'), '""', '"'))
  ) as schema (name)
  cross join lateral (
    values (part.after), (replace(substring(part.after from '^"((?:[^"]|"")+)"$'), '""', '"'))
  ) as relation (name)
  where substr(spelled.text, dot, 1) = '.' and schema.name is not null and relation.name is not null
$$;
comment on function nms_private.names_spelled(text) is
  'The schemas and tables that a text may stand for: both names with a dot between, each spelled as the catalogue does or quoted as in SQL, also as a terminal shows them. Whether there is such a table is another question.';
revoke execute on function nms_private.names_spelled(text) from public;
--! EndIncluded functions/reading/names_spelled.sql
--! Included functions/reading/open_alert_groups.sql
create or replace function nms_private.open_alert_groups(open jsonb)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'kind', found.kind,
        'schema_name', found.schema_name,
        'table_name', found.table_name,
        'filter_name', found.filter_name,
        'alerts', found.alerts,
        'tables', to_jsonb(found.tables),
        'detail', found.detail,
        'since', found.opened_at,
        'run_id', found.opened_by_run,
        'alert_id', (found.alert).alert_id,
        'acknowledged_at', found.acknowledged_at,
        'acknowledged_by', (found.alert).acknowledged_by,
        'acknowledgement', (found.alert).acknowledgement
      )
      order by
        found.acknowledged_at is not null, found.opened_at, found.kind, found.schema_name nulls first, found.table_name,
        found.filter_name nulls first
    ),
    '[]'
  )
  from nms_private.grouped_alerts(
    alerts => array(
      select
        jsonb_populate_record(
          null::nms.table_metrics_alert_log,
          alert || jsonb_build_object('opened_at', alert -> 'since', 'opened_by_run', alert -> 'run_id')
        )
      from jsonb_array_elements(open_alert_groups.open) as alert
    )
  ) as found
$$;
comment on function nms_private.open_alert_groups(jsonb) is
  'What nms_private.open_alerts() returns, put together as nms_private.grouped_alerts() does: alerts is how many an entry stands for, tables has the names of the first three; those that are acknowledged apart and last.';
revoke execute on function nms_private.open_alert_groups(jsonb) from public;
--! EndIncluded functions/reading/open_alert_groups.sql
--! Included functions/reading/open_alerts.sql
create or replace function nms_private.open_alerts(choice jsonb default '{}')
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    jsonb_agg(
      to_jsonb(chosen)
      order by
        chosen.acknowledged_at is not null,
        chosen.since, chosen.kind, chosen.schema_name, chosen.table_name, chosen.filter_name
    ),
    '[]'
  )
  from (
    select alert.*
    from nms.table_metrics_alerts as alert
    where nms_private.is_chosen(
      choice => open_alerts.choice,
      schema_name => alert.schema_name,
      table_name => alert.table_name
    )
    order by
      alert.acknowledged_at is not null,
      alert.since, alert.kind, alert.schema_name, alert.table_name, alert.filter_name
    limit (open_alerts.choice ->> 'top')::bigint
  ) as chosen
$$;
comment on function nms_private.open_alerts(jsonb) is
  'The alerts of nms.table_metrics_alerts, oldest first, those that are acknowledged last; with a choice, which nms_private.checked_choice() has checked, those of its tables.';
revoke execute on function nms_private.open_alerts(jsonb) from public;
--! EndIncluded functions/reading/open_alerts.sql
--! Included functions/reading/overview_report.sql
create or replace function nms.overview_report(snapshot_date date default null, days integer default 30)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_zone text := (select settings.business_time_zone from nms.table_metrics_settings as settings);
  v_today date := nms.business_date();
  v_date date := overview_report.snapshot_date;
  v_run nms.table_metrics_runs;
  v_previous bigint;
  v_has_result boolean;
begin
  if overview_report.days not between 1 and 366 or overview_report.days is null then
    raise exception 'days out of range: %', coalesce(overview_report.days::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a whole number between 1 and 366',
        hint = 'It says over how many days the counts of each table go back.';
  elsif not isfinite(v_date) then
    raise exception 'no such day: %', v_date
      using
        errcode = 'datetime_field_overflow',
        detail = 'expected a date of the calendar',
        hint = 'Name a day such as 2026-11-20.';
  end if;
  v_date := coalesce(v_date, (select max(day.snapshot_date) from nms.table_metrics_daily_snapshot as day), v_today);

  -- The run that owns the day; without one, the last that tried.
  select run.* into v_run
  from nms.table_metrics_runs as run
  left join nms.table_metrics_daily_snapshot as day on day.run_id = run.run_id and day.snapshot_date = v_date
  where run.snapshot_date = v_date and (day.run_id is not null or run.status = 'FAILED')
  order by day.run_id is null, run.run_id desc
  limit 1;
  v_has_result := v_run.status = 'SUCCEEDED';
  if v_has_result then
    select day.run_id into v_previous
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date < v_date
    order by day.snapshot_date desc
    limit 1;
  end if;

  return nms_private.run_result(run_id => v_run.run_id, since => v_previous) || jsonb_build_object(
    'database', current_database(),
    'business_date', v_today,
    'business_time_zone', v_zone,
    'snapshot_date', v_date,
    'has_result', coalesce(v_has_result, false),
    'run', nms_private.run_header(run_id => v_run.run_id),
    'change_percent', (
      select found.change_percent
      from nms_private.growth_over(run_ids => array[v_previous, v_run.run_id]) as found
      where found.run_id = v_run.run_id
    ),
    'earlier_date', (
      select max(day.snapshot_date) from nms.table_metrics_daily_snapshot as day where day.snapshot_date < v_date
    ),
    'later_date', (
      select min(day.snapshot_date) from nms.table_metrics_daily_snapshot as day where day.snapshot_date > v_date
    ),
    'days', nms_private.counts_of_days(run_id => v_run.run_id, until => v_date, days => overview_report.days),
    'runs', (
      select coalesce(jsonb_agg(nms_private.run_header(run_id => of_day.run_id) order by of_day.run_id desc), '[]')
      from (
        select run.run_id
        from nms.table_metrics_runs as run
        where run.snapshot_date = v_date
        order by run.run_id desc
        limit 50
      ) as of_day
    ),
    'last_run', (
      select nms_private.run_header(run_id => run.run_id) || jsonb_build_object(
        'counted', (
          select count(measurement.row_count)
          from nms.table_metrics_measurements as measurement
          where measurement.run_id = run.run_id
        ),
        'failures', (
          select coalesce(
            jsonb_agg(
              jsonb_build_object(
                'schema_name', failure.schema_name,
                'table_name', failure.table_name,
                'error_sqlstate', failure.error_sqlstate,
                'error_message', failure.error_message
              )
              order by failure.schema_name, failure.table_name
            ),
            '[]'
          )
          from nms.table_metrics_measurements as failure
          where failure.run_id = run.run_id and failure.error_sqlstate is not null
        )
      )
      from nms.table_metrics_runs as run
      order by run.run_id desc
      limit 1
    ),
    'today', (
      select jsonb_build_object(
        'succeeded', count(*) filter (where run.status = 'SUCCEEDED'),
        'failed', count(*) filter (where run.status = 'FAILED'),
        'running', count(*) filter (where run.status = 'RUNNING')
      )
      from nms.table_metrics_runs as run
      where run.snapshot_date = v_today
    ),
    'next_due', (
      select jsonb_build_object('next_date', due.next_date, 'due_at', due.due_at)
      from nms.table_metrics_next_due as due
      where due.run_id = (
        select run.run_id
        from nms.table_metrics_runs as run
        where run.status = 'SUCCEEDED' and not run.is_imported
        order by run.snapshot_date desc, run.run_id desc
        limit 1
      )
    ),
    'alerts', nms_private.open_alerts()
  );
end
$$;
comment on function nms.overview_report(date, integer) is
  'How things stand on a business day, by default the last one with a result: {snapshot_date, has_result, run, totals, change, change_percent, changed_most, tables, days, runs, earlier_date, later_date}, and how table metrics is doing now: {business_date, today, last_run, next_due, alerts}. days are that day and those before it, oldest first: {snapshot_date, rows, counts}, where counts has one entry for each of tables, in their order, null where it was not counted; rows and counts are null on a day without a result; estimated_rows is there where some of the rows are estimates. A day without a result has the tables of its last FAILED run, if there was any.';
revoke execute on function nms.overview_report(date, integer) from public;
--! EndIncluded functions/reading/overview_report.sql
--! Included functions/reading/payload_in.sql
create or replace function nms_private.payload_in(version integer, stored jsonb, run_id bigint)
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if (payload_in.version in (1, 2)) is not true then
    raise exception 'no such version of the payload: %', coalesce(payload_in.version::text, 'null')
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected 1 or 2',
        hint = '1 is {schema: {table: count}}, 2 also says how each count was found.';
  elsif payload_in.stored is null or nms_private.payload_version(payload => payload_in.stored) = payload_in.version then
    return payload_in.stored;
  end if;
  return nms_private.run_payload(run_id => payload_in.run_id, version => payload_in.version);
end
$$;
comment on function nms_private.payload_in(integer, jsonb, bigint) is
  'The stored payload of a run in this version: itself, or made from the measurements. Null for null. Raises 22023 for a version that is not 1 or 2.';
revoke execute on function nms_private.payload_in(integer, jsonb, bigint) from public;
--! EndIncluded functions/reading/payload_in.sql
--! Included functions/reading/period_ends.sql
create or replace function nms_private.period_ends(by text, periods integer)
returns table (period_start date, snapshot_date date, run_id bigint, is_asked_for boolean)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  first as (
    select (
      date_trunc(period_ends.by, nms.business_date()::timestamp)
        - (period_ends.periods - 1) * format('1 %s', period_ends.by)::interval
    )::date as day
  ),
  last_of_each as (
    select distinct on (date_trunc(period_ends.by, day.snapshot_date::timestamp))
      date_trunc(period_ends.by, day.snapshot_date::timestamp)::date as period_start,
      day.snapshot_date,
      day.run_id,
      true as is_asked_for
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date >= (select first.day from first)
    order by date_trunc(period_ends.by, day.snapshot_date::timestamp), day.snapshot_date desc
  ),
  last_before as (
    select
      date_trunc(period_ends.by, day.snapshot_date::timestamp)::date,
      day.snapshot_date,
      day.run_id,
      false
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date < (select first.day from first)
    order by day.snapshot_date desc
    limit 1
  )
  select * from last_of_each
  union all
  select * from last_before
  order by 2
$$;
comment on function nms_private.period_ends(text, integer) is
  'The last day with a result of each of the last so many days, weeks (from Monday) or months, the current one included, and the run that owns it; before them, not asked for, the last day of an earlier period. No row: the period has no result.';
revoke execute on function nms_private.period_ends(text, integer) from public;
--! EndIncluded functions/reading/period_ends.sql
--! Included functions/reading/period_report.sql
create or replace function nms.period_report(
  since date default null,
  until date default null,
  at_most integer default 100 -- tables; null for all
)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling these queries takes longer than running them
as $$
declare
  v_today constant date := nms.business_date();
  v_until constant date := least(period_report.until, v_today);
  v_since constant date := coalesce(period_report.since, v_until - 7);
  v_before record;
  v_after record;
begin
  if not isfinite(v_since) or not isfinite(v_until) then
    raise exception 'no such day: %', case when isfinite(v_since) then v_until else v_since end
      using
        errcode = 'datetime_field_overflow',
        detail = 'expected dates of the calendar',
        hint = 'Name a day such as 2026-11-20.';
  elsif v_since >= v_until then
    raise exception 'no period from % to %', v_since, v_until
      using
        errcode = 'invalid_parameter_value',
        detail = format('expected a day before %s, when the period ends', v_until),
        hint = format('Name %s or an earlier day.', v_until - 1);
  elsif period_report.at_most < 0 then
    raise exception 'no such number of tables: %', period_report.at_most
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected 0 or more, or null for all of them',
        hint = 'The report has 100 unless told.';
  end if;

  select day.run_id, day.snapshot_date into v_after
  from nms.table_metrics_daily_snapshot as day
  where day.snapshot_date > v_since and day.snapshot_date <= v_until
  order by day.snapshot_date desc
  limit 1;

  -- The first result ever may be one of the period.
  select day.run_id, day.snapshot_date into v_before
  from nms.table_metrics_daily_snapshot as day
  where day.snapshot_date <= v_until and day.run_id is distinct from v_after.run_id
  order by day.snapshot_date > v_since, abs(day.snapshot_date - v_since)
  limit 1;

  return jsonb_build_object(
    'database', current_database(),
    'business_time_zone', (select settings.business_time_zone from nms.table_metrics_settings as settings),
    'business_date', v_today,
    'since', v_since,
    'until', v_until,
    'before', case
      when v_before.run_id is not null
        then jsonb_build_object('run_id', v_before.run_id, 'snapshot_date', v_before.snapshot_date)
          || nms_private.run_totals(run_id => v_before.run_id)
    end,
    'after', case
      when v_after.run_id is not null
        then jsonb_build_object('run_id', v_after.run_id, 'snapshot_date', v_after.snapshot_date)
          || nms_private.run_totals(run_id => v_after.run_id)
    end,
    'days', nms_private.days_of_period(since => v_since, until => v_until),
    'runs', nms_private.runs_of_period(since => v_since, until => v_until),
    'alerts', nms_private.alerts_of_period(since => v_since, until => v_until),
    'daily', nms_private.totals_of_days(first => coalesce(v_before.snapshot_date, v_since), last => v_until)
  )
  || nms_private.changes_of_period(
    before => v_before.run_id,
    after => v_after.run_id,
    first => coalesce(v_before.snapshot_date, v_since),
    last => v_until,
    at_most => period_report.at_most
  );
end
$$;
comment on function nms.period_report(date, date, integer) is
  'What became of all tables in a period, by default the last seven days: {database, business_time_zone, business_date, since, until, before, after, change, change_percent, tables_left_out, is_change_estimated, outcomes, grew, shrank, appeared, disappeared, tables, more_tables, daily, days, runs, alerts}. before is the last day on or before since that has a result, or the first of the period when there is none; after the last day of the period that has one; either is null when there is none, and then so is the change. The period is the business days after since up to until: days, runs and alerts are of these. grew, shrank, appeared and disappeared: the ten tables that changed most, as outcomes counts them; tables: at_most of all, those that changed most first, each with its rows on every day of daily, null where it was not counted; more_tables: how many others there are. Partitions are part of their tables. Raises 22023 unless since is before until.';
revoke execute on function nms.period_report(date, date, integer) from public;
--! EndIncluded functions/reading/period_report.sql
--! Included functions/reading/refuse_unknown_filter.sql
create or replace function nms_private.refuse_unknown_filter(schema_name text, table_name text, filter_name text)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known text;
begin
  if exists (
    select
    from nms.table_metrics_filtered_counts as filtered
    where
      filtered.schema_name = refuse_unknown_filter.schema_name
      and filtered.table_name = refuse_unknown_filter.table_name
      and filtered.filter_name = refuse_unknown_filter.filter_name
  ) then
    return;
  end if;

  select string_agg(distinct quote_ident(filtered.filter_name), ', ') into v_known
  from nms.table_metrics_filtered_counts as filtered
  where
    filtered.schema_name = refuse_unknown_filter.schema_name
    and filtered.table_name = refuse_unknown_filter.table_name;
  raise exception 'no run has counted a filter % of %.%', filter_name, schema_name, table_name
    using
      errcode = 'no_data_found',
      detail = coalesce(format('its filters are %s', v_known), 'it has no filters'),
      hint = 'The filters are in nms.table_metrics_filters; those of a parent hold for its partitions.';
end
$$;
comment on function nms_private.refuse_unknown_filter(text, text, text) is
  'Raises P0002 for a filter of a table that no run has met.';
revoke execute on function nms_private.refuse_unknown_filter(text, text, text) from public;
--! EndIncluded functions/reading/refuse_unknown_filter.sql
--! Included functions/reading/refuse_unknown_schema.sql
create or replace function nms_private.refuse_unknown_schema(schema_name text)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known text[];
begin
  if exists (
    select
    from nms.table_metrics_measurements as measurement
    where measurement.schema_name = refuse_unknown_schema.schema_name
  ) then
    return;
  end if;

  -- From one name to the next one in the index, rather than through all measurements.
  with recursive known (name) as (
    select min(measurement.schema_name) from nms.table_metrics_measurements as measurement
    union all
    select (
      select min(measurement.schema_name)
      from nms.table_metrics_measurements as measurement
      where measurement.schema_name > known.name
    )
    from known
    where known.name is not null
  )
  select array_agg(known.name order by known.name) into v_known from known where known.name is not null;
  raise exception 'no run has met a schema %', coalesce(refuse_unknown_schema.schema_name, 'null')
    using
      errcode = 'no_data_found',
      detail = 'expected a schema as the catalogue spells it',
      hint = case
        when v_known is null then 'Start a run: select * from nms.collect_table_metrics();'
        else format(
          'There are: %s%s',
          array_to_string(v_known[:20], ', '),
          case when cardinality(v_known) > 20 then format(', and %s more', cardinality(v_known) - 20) end
        )
      end;
end
$$;
comment on function nms_private.refuse_unknown_schema(text) is
  'Raises P0002, with the names that there are, when no run has met a schema of this name.';
revoke execute on function nms_private.refuse_unknown_schema(text) from public;
--! EndIncluded functions/reading/refuse_unknown_schema.sql
--! Included functions/reading/refuse_unknown_scope.sql
create or replace function nms_private.refuse_unknown_scope(schema_name text, table_name text)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if refuse_unknown_scope.schema_name is null and refuse_unknown_scope.table_name is not null then
    raise exception 'a table without its schema: %', refuse_unknown_scope.table_name
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a schema and a table of it, a schema alone, or neither for the whole database',
        hint = 'Name its schema as well.';
  elsif refuse_unknown_scope.table_name is not null then
    perform nms_private.refuse_unknown_table(
      schema_name => refuse_unknown_scope.schema_name, table_name => refuse_unknown_scope.table_name
    );
  elsif refuse_unknown_scope.schema_name is not null then
    perform nms_private.refuse_unknown_schema(schema_name => refuse_unknown_scope.schema_name);
  end if;
end
$$;
comment on function nms_private.refuse_unknown_scope(text, text) is
  'Raises P0002 when no run has met the table, or without table_name the schema, and 22023 for a table without its schema. Neither name is the whole database.';
revoke execute on function nms_private.refuse_unknown_scope(text, text) from public;
--! EndIncluded functions/reading/refuse_unknown_scope.sql
--! Included functions/reading/refuse_unknown_table.sql
create or replace function nms_private.refuse_unknown_table(schema_name text, table_name text)
returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from nms.table_metrics_measurements as measurement
    where
      measurement.schema_name = refuse_unknown_table.schema_name
      and measurement.table_name = refuse_unknown_table.table_name
  ) then
    return;
  end if;

  raise exception 'no run has met a table %.%', refuse_unknown_table.schema_name, refuse_unknown_table.table_name
    using
      errcode = 'no_data_found',
      detail = 'expected schema and table as the catalogue spells them',
      hint = coalesce(
        (
          select format('Did you mean %s?', string_agg(name, ', '))
          from jsonb_array_elements_text(
            nms.find_table(
              format('%I.%I', refuse_unknown_table.schema_name, refuse_unknown_table.table_name)
            ) -> 'alike'
          ) as name
          having count(*) > 0
        ),
        'Those of the last run are in nms.table_metrics_latest.'
      );
end
$$;
comment on function nms_private.refuse_unknown_table(text, text) is
  'Raises P0002, with the names most alike, when no run has met a table of this name.';
revoke execute on function nms_private.refuse_unknown_table(text, text) from public;
--! EndIncluded functions/reading/refuse_unknown_table.sql
--! Included functions/reading/rows_of.sql
-- Three statements, for each its index.
create or replace function nms_private.rows_of(run_id bigint, schema_name text, table_name text)
returns table (rows numeric, tables bigint, method text, estimated_rows numeric, bytes numeric, tables_without_bytes bigint)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
begin
  if rows_of.table_name is not null then
    return query
    select
      max(measurement.row_count)::numeric,
      count(*),
      max(measurement.method),
      max(measurement.row_count) filter (where measurement.method = 'estimate')::numeric,
      max(measurement.total_bytes)::numeric,
      count(*) - count(measurement.total_bytes)
    from nms.table_metrics_measurements as measurement
    where
      measurement.run_id = rows_of.run_id
      and measurement.schema_name = rows_of.schema_name
      and measurement.table_name = rows_of.table_name;
  elsif rows_of.schema_name is not null then
    return query
    select
      coalesce(sum(measurement.own_row_count), 0),
      count(*),
      -- Only estimates have a range. Of the others, the least sure comes last in the alphabet, too.
      case
        when count(measurement.row_count_low) > 0 then 'estimate'
        when count(measurement.carried_from_run) > 0 then 'carried'
        else max(measurement.method)
      end,
      sum(measurement.own_row_count) filter (where measurement.row_count_low is not null),
      -- Without those of one table, the others would look like all.
      case when count(measurement.own_total_bytes) = count(*) then sum(measurement.own_total_bytes) end,
      count(*) - count(measurement.own_total_bytes)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = rows_of.run_id and measurement.schema_name = rows_of.schema_name;
  else
    return query
    select
      coalesce(sum(measurement.own_row_count), 0),
      count(*),
      -- Only estimates have a range. Of the others, the least sure comes last in the alphabet, too.
      case
        when count(measurement.row_count_low) > 0 then 'estimate'
        when count(measurement.carried_from_run) > 0 then 'carried'
        else max(measurement.method)
      end,
      sum(measurement.own_row_count) filter (where measurement.row_count_low is not null),
      -- Without those of one table, the others would look like all.
      case when count(measurement.own_total_bytes) = count(*) then sum(measurement.own_total_bytes) end,
      count(*) - count(measurement.own_total_bytes)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = rows_of.run_id;
  end if;
end
$$;
comment on function nms_private.rows_of(bigint, text, text) is
  'How many rows a run found, and in how many tables: of one table; without table_name of a schema, without schema_name too of all of them, and then each row counted once. method: the least sure of theirs. estimated_rows: how many of the rows are estimated, null for none. bytes: on disk, null unless they are known of each table; tables_without_bytes: of how many they are not.';
revoke execute on function nms_private.rows_of(bigint, text, text) from public;
--! EndIncluded functions/reading/rows_of.sql
--! Included functions/reading/run_header.sql
create or replace function nms_private.run_header(run_id bigint)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'run_id', run.run_id,
    'snapshot_date', run.snapshot_date,
    'status', run.status,
    'collected_at', run.collected_at,
    'finished_at', run.finished_at,
    'seconds', extract(epoch from coalesce(run.finished_at, clock_timestamp()) - run.collected_at),
    'scheduled_for', run.scheduled_for,
    'is_online', run.is_online,
    'is_imported', run.is_imported,
    'target_count', run.target_count,
    'left_out_count', run.left_out_count,
    'error_message', run.error_message
  )
  from nms.table_metrics_runs as run
  where run.run_id = run_header.run_id
$$;
comment on function nms_private.run_header(bigint) is
  'What there is to say of a run in a line: when, how it ended, and how long it took (so far, while it is RUNNING).';
revoke execute on function nms_private.run_header(bigint) from public;
--! EndIncluded functions/reading/run_header.sql
--! Included functions/reading/run_of_day.sql
create or replace function nms_private.run_of_day(snapshot_date date)
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
    raise exception 'no result for %', coalesce(run_of_day.snapshot_date::text, 'null')
      using
        errcode = 'no_data_found',
        detail = (
          select case
            when count(*) = 0 then 'nor for any other day'
            else format(
              'the nearest days with a result: %s',
              concat_ws(
                ' and ',
                max(day.snapshot_date) filter (where day.snapshot_date < run_of_day.snapshot_date),
                min(day.snapshot_date) filter (where day.snapshot_date > run_of_day.snapshot_date)
              )
            )
          end
          from nms.table_metrics_daily_snapshot as day
        ),
        hint = coalesce(
          (
            select format('Ask for %s, the nearest day with a result.', day.snapshot_date)
            from nms.table_metrics_daily_snapshot as day
            order by
              case when isfinite(run_of_day.snapshot_date) then abs(day.snapshot_date - run_of_day.snapshot_date) end,
              day.snapshot_date desc
            limit 1
          ),
          'Start a run: select * from nms.collect_table_metrics();'
        );
  end if;
  return v_run_id;
end
$$;
comment on function nms_private.run_of_day(date) is
  'The run that owns a business day. Raises P0002 for a day without a result.';
revoke execute on function nms_private.run_of_day(date) from public;
--! EndIncluded functions/reading/run_of_day.sql
--! Included functions/reading/run_of_number.sql
create or replace function nms_private.run_of_number(run_id bigint)
returns nms.table_metrics_runs
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_before bigint;
  v_after bigint;
  v_last bigint;
begin
  select run.* into v_run from nms.table_metrics_runs as run where run.run_id = run_of_number.run_id;
  if not found then
    select
      max(run.run_id) filter (where run.run_id < run_of_number.run_id),
      min(run.run_id) filter (where run.run_id > run_of_number.run_id),
      max(run.run_id)
    into v_before, v_after, v_last
    from nms.table_metrics_runs as run;
    raise exception 'no run %', coalesce(run_of_number.run_id::text, 'null')
      using
        errcode = 'no_data_found',
        detail = case
          when v_last is null then 'nor is there any other'
          when v_after is null then format('the last one is %s', v_last)
          else format('the nearest: %s', concat_ws(' and ', v_before, v_after))
        end,
        hint = case
          when v_last is null then 'Start one: select * from nms.collect_table_metrics();'
          else 'The runs are in nms.table_metrics_runs.'
        end;
  end if;
  return v_run;
end
$$;
comment on function nms_private.run_of_number(bigint) is
  'The run with this run_id. Raises P0002 when there is none.';
revoke execute on function nms_private.run_of_number(bigint) from public;
--! EndIncluded functions/reading/run_of_number.sql
--! Included functions/reading/run_or_latest.sql
create or replace function nms_private.run_or_latest(run_id bigint)
returns nms.table_metrics_runs
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
begin
  if run_or_latest.run_id is not null then
    return nms_private.run_of_number(run_id => run_or_latest.run_id);
  end if;

  select run.* into v_run
  from nms.table_metrics_runs as run
  where run.status = 'SUCCEEDED'
  order by run.snapshot_date desc, run.is_imported, run.run_id desc
  limit 1;
  if not found then
    raise exception 'no run has succeeded yet'
      using
        errcode = 'no_data_found',
        detail = 'expected the run_id of any run, or one that is SUCCEEDED',
        hint = 'Start one: select * from nms.collect_table_metrics();';
  end if;
  return v_run;
end
$$;
comment on function nms_private.run_or_latest(bigint) is
  'The run of this number, or without one the latest successful run: of the last business day that has one, the run that owns it. Raises P0002 when there is no such run.';
revoke execute on function nms_private.run_or_latest(bigint) from public;
--! EndIncluded functions/reading/run_or_latest.sql
--! Included functions/reading/run_report.sql
create or replace function nms.run_report(run_id bigint default null)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run constant nms.table_metrics_runs := nms_private.run_or_latest(run_id => run_report.run_id);
  v_since bigint;
begin
  if v_run.status <> 'RUNNING' then
    select run.run_id into v_since
    from nms.table_metrics_runs as run
    where run.status = 'SUCCEEDED' and run.run_id < v_run.run_id
    order by run.snapshot_date desc, run.is_imported, run.run_id desc
    limit 1;
  end if;

  return nms_private.run_result(run_id => v_run.run_id, since => v_since) || jsonb_build_object(
    'run_id', v_run.run_id,
    'snapshot_date', v_run.snapshot_date,
    'collected_at', v_run.collected_at,
    'run', to_jsonb(v_run) || jsonb_build_object(
      'seconds', extract(epoch from coalesce(v_run.finished_at, clock_timestamp()) - v_run.collected_at)
    ),
    'payload', (
      select nms_private.payload_in(version => 1, stored => snapshot.payload, run_id => snapshot.run_id)
      from nms.table_metrics_run_snapshot as snapshot
      where snapshot.run_id = v_run.run_id
    ),
    'failures', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'schema_name', failure.schema_name,
            'table_name', failure.table_name,
            'table_kind', failure.table_kind,
            'is_partition', failure.is_partition,
            'table_oid', failure.table_oid,
            'method', failure.method,
            'measured_at', failure.measured_at,
            'error_sqlstate', failure.error_sqlstate,
            'error_message', failure.error_message,
            'remedy', nms_private.remedy(error_sqlstate => failure.error_sqlstate)
          )
          order by failure.schema_name, failure.table_name
        ),
        '[]'
      )
      from nms.table_metrics_measurements as failure
      where failure.run_id = v_run.run_id and failure.error_sqlstate is not null
    ),
    'alerts', (
      select coalesce(jsonb_agg(to_jsonb(alert) order by alert.kind, alert.schema_name, alert.table_name), '[]')
      from nms.table_metrics_alerts as alert
      where alert.run_id = v_run.run_id
    )
  );
end
$$;
comment on function nms.run_report(bigint) is
  'What a run found, by default the latest successful one: {run_id, snapshot_date, collected_at, payload} and the whole header as run, the totals, the tables, largest first, the change since the successful run before it, the failures, each with its remedy, and the open alerts that it raised. Each table says by which method it was counted; beside it are row_count_low and row_count_high of an estimate, carried_from_run of a carried count, previous_method when the change is since a count of another one, and total_bytes and filtered where they were measured. The totals have estimated_rows, carried_tables and total_bytes where there are any. payload is null unless the run SUCCEEDED. Raises P0002 for an unknown run.';
revoke execute on function nms.run_report(bigint) from public;
--! EndIncluded functions/reading/run_report.sql
--! Included functions/reading/run_result.sql
-- A change is what nms.compare_runs says it is. Each of the two runs is read once.
create or replace function nms_private.run_result(run_id bigint, since bigint, choice jsonb default null)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with compared as materialized (
    select per_table.*
    from nms.compare_runs(before => run_result.since, after => run_result.run_id) as per_table
    where run_result.since is not null
  ),
  measured as materialized (
    select
      case
        when found.description is null and not other.method then to_jsonb(entry)
        else
          to_jsonb(entry)
          || coalesce(found.description, '{}')
          || case when other.method then jsonb_build_object('previous_method', compared.method_before) else '{}' end
      end as entry,
      found.row_count,
      found.row_count as rows_now_or_before,
      compared.rows_before,
      case compared.outcome when 'appeared' then found.row_count else compared.change end as change,
      compared.change_percent,
      compared.outcome,
      found.schema_name,
      found.table_name
    from nms_private.described_counts as found
    left join compared
      on compared.schema_name = found.schema_name
      and compared.table_name = found.table_name
    cross join lateral (
      select
        found.schema_name,
        found.table_name,
        found.table_kind,
        found.is_partition,
        found.row_count,
        found.own_row_count,
        found.method,
        compared.outcome,
        compared.change,
        compared.change_percent,
        found.error_sqlstate,
        found.error_message
    ) as entry
    cross join lateral (select coalesce(compared.method_before <> found.method, false)) as other (method)
    where found.run_id = run_result.run_id
    union all
    select
      to_jsonb(entry),
      null,
      gone.rows_before,
      gone.rows_before,
      -gone.rows_before,
      null,
      gone.outcome,
      gone.schema_name,
      gone.table_name
    from compared as gone
    cross join lateral (
      select
        gone.schema_name,
        gone.table_name,
        gone.table_kind,
        gone.is_partition,
        null::bigint as row_count,
        null::bigint as own_row_count,
        null::text as method,
        gone.outcome,
        null::bigint as change,
        null::numeric as change_percent,
        gone.rows_before,
        gone.method_before as previous_method
    ) as entry
    where run_result.choice is not null and gone.outcome = 'disappeared'
  ),
  listed as materialized (
    select
      measured.entry,
      row_number() over (
        order by
          nms_private.sort_key(
            sort => coalesce(run_result.choice ->> 'sort', 'rows'),
            rows => measured.rows_now_or_before,
            change => measured.change,
            change_percent => measured.change_percent
          ) desc,
          measured.schema_name,
          measured.table_name
      ) as place
    from measured
    where
      run_result.choice is null
      or nms_private.is_chosen(
        choice => run_result.choice,
        schema_name => measured.schema_name,
        table_name => measured.table_name,
        outcome => measured.outcome,
        rows => greatest(measured.row_count, measured.rows_before)
      )
  )
  select jsonb_build_object(
    'business_time_zone', (select settings.business_time_zone from nms.table_metrics_settings as settings),
    'totals', nms_private.run_totals(run_id => run_result.run_id),
    'previous_run_id', run_result.since,
    'previous_date', (
      select run.snapshot_date from nms.table_metrics_runs as run where run.run_id = run_result.since
    ),
    'change', (select coalesce(sum(compared.own_change), 0) from compared having run_result.since is not null),
    'is_change_estimated', (
      select coalesce(bool_or('estimate' in (compared.method_before, compared.method_after)), false)
      from compared
      having run_result.since is not null
    ),
    'changed_most', (
      select coalesce(jsonb_agg(to_jsonb(most) order by most.size desc, most.schema_name, most.table_name), '[]')
      from (
        select
          compared.schema_name,
          compared.table_name,
          compared.outcome,
          compared.rows_before,
          compared.rows_after,
          compared.change,
          compared.change_percent,
          compared.method_before,
          compared.method_after,
          abs(coalesce(compared.change, compared.rows_after, -compared.rows_before, 0)) as size
        from compared
        where compared.outcome not in ('unchanged', 'unclear', 'left out')
        order by size desc, compared.schema_name, compared.table_name
        limit 10
      ) as most
    ),
    'tables', (
      select coalesce(jsonb_agg(listed.entry order by listed.place), '[]')
      from listed
      where listed.place <= (run_result.choice ->> 'top')::bigint or (run_result.choice ->> 'top') is null
    )
  ) || case
    when run_result.choice is null then '{}'
    else jsonb_build_object(
      'tables_in_all', (select count(*) from measured),
      'tables_chosen', (select count(*) from listed),
      'outcomes', (
        select coalesce(jsonb_object_agg(grouped.outcome, grouped.tables), '{}')
        from (select compared.outcome, count(*) as tables from compared group by compared.outcome) as grouped
      )
    )
  end
$$;
comment on function nms_private.run_result(bigint, bigint, jsonb) is
  'What the report of a run and of a day have in common: the totals of a run, its tables, largest first, and how they changed since another run that has ended; without changes when that is null. With a choice, which nms_private.checked_choice() has checked, the tables are those of it, also those that have disappeared, tables_chosen how many before top, tables_in_all of how many, and outcomes how many tables have which.';
revoke execute on function nms_private.run_result(bigint, bigint, jsonb) from public;
--! EndIncluded functions/reading/run_result.sql
--! Included functions/reading/run_snapshot.sql
create or replace function nms.run_snapshot(run_id bigint default null, version integer default 1)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'run_id', run.run_id,
    'snapshot_date', run.snapshot_date,
    'collected_at', run.collected_at,
    'status', run.status,
    'finished_at', run.finished_at,
    'error_message', run.error_message,
    'payload', nms_private.payload_in(version => run_snapshot.version, stored => snapshot.payload, run_id => run.run_id)
  )
  from nms_private.run_or_latest(run_id => run_snapshot.run_id) as run
  left join nms.table_metrics_run_snapshot as snapshot on snapshot.run_id = run.run_id
$$;
comment on function nms.run_snapshot(bigint, integer) is
  'The JSON of a run, by default the latest successful one: {run_id, snapshot_date, collected_at, status, finished_at, error_message, payload}, payload as {schema: {table: count}}, null unless the run SUCCEEDED; in version 2 as {"_version": 2, schema: {table: {"count": …, "method": …}}}, whichever the payload_version setting was. Raises P0002 for an unknown run, 22023 for a version that is not 1 or 2.';
revoke execute on function nms.run_snapshot(bigint, integer) from public;
--! EndIncluded functions/reading/run_snapshot.sql
--! Included functions/reading/run_totals.sql
create or replace function nms_private.run_totals(run_id bigint)
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found record;
begin
  -- Only estimates have a range. Reading the method of each would take a tenth longer.
  select
    count(*) as tables,
    coalesce(sum(measurement.own_row_count), 0) as rows,
    sum(measurement.own_row_count) filter (where measurement.row_count_low is not null) as estimated_rows,
    nullif(count(measurement.carried_from_run), 0) as carried_tables,
    sum(measurement.own_total_bytes) as total_bytes
  into strict v_found
  from nms.table_metrics_measurements as measurement
  where measurement.run_id = run_totals.run_id;

  if num_nonnulls(v_found.estimated_rows, v_found.carried_tables, v_found.total_bytes) = 0 then
    return jsonb_build_object('tables', v_found.tables, 'rows', v_found.rows);
  end if;
  return jsonb_strip_nulls(to_jsonb(v_found));
end
$$;
comment on function nms_private.run_totals(bigint) is
  'What a run found in all, each row and each byte once: {tables, rows}, and as far as there are any estimated_rows, which are part of rows, carried_tables and total_bytes.';
revoke execute on function nms_private.run_totals(bigint) from public;
--! EndIncluded functions/reading/run_totals.sql
--! Included functions/reading/runs_of_period.sql
create or replace function nms_private.runs_of_period(since date, until date)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  run as materialized (
    select found.*
    from nms.table_metrics_runs as found
    where found.snapshot_date > runs_of_period.since and found.snapshot_date <= runs_of_period.until
  ),
  reason as (
    select
      run.error_message,
      count(*) as runs,
      (array_agg(run.run_id order by run.run_id desc))[1] as last_run,
      max(run.snapshot_date) as last_date,
      min(run.snapshot_date) as first_date,
      row_number() over (order by max(run.run_id) desc) as place
    from run
    where run.status = 'FAILED'
    group by run.error_message
  )
  select jsonb_build_object(
    'succeeded', count(*) filter (where run.status = 'SUCCEEDED' and not run.is_imported),
    'imported', count(*) filter (where run.status = 'SUCCEEDED' and run.is_imported),
    'failed', count(*) filter (where run.status = 'FAILED'),
    'running', count(*) filter (where run.status = 'RUNNING'),
    'reasons', (
      select coalesce(jsonb_agg(to_jsonb(reason) - 'place' order by reason.place), '[]')
      from reason
      where reason.place <= 10
    ),
    'more_reasons', (select count(*) from reason where reason.place > 10)
  )
  from run
$$;
comment on function nms_private.runs_of_period(date, date) is
  'How the runs of the business days after one day up to another ended: {succeeded, imported, failed, running, reasons, more_reasons}. reasons: why they failed, the last one first: {error_message, runs, last_run, first_date, last_date}, ten at most; more_reasons: how many others there are.';
revoke execute on function nms_private.runs_of_period(date, date) from public;
--! EndIncluded functions/reading/runs_of_period.sql
--! Included functions/reading/runs_report.sql
create or replace function nms.runs_report("limit" integer default 30, before bigint default null)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'runs', listed.runs,
    'next', case
      when exists (select from nms.table_metrics_runs as run where run.run_id < (listed.runs #>> '{-1,run_id}')::bigint)
        then listed.runs #> '{-1,run_id}'
    end
  )
  from nms_private.list_runs(
    "limit" => nms_private.checked_limit(argument => 'limit', value => runs_report."limit"),
    before => runs_report.before
  ) as listed (runs)
$$;
comment on function nms.runs_report(integer, bigint) is
  'The runs, also those that failed, newest first: {runs, next}, each with its whole header, its seconds (so far, while it is RUNNING) and its totals as in nms.run_report, whose rows are null unless it SUCCEEDED. next, given as before, asks for those that follow; null when there are none. Raises 22023 for a limit that is not 1 to 1000.';
revoke execute on function nms.runs_report(integer, bigint) from public;
--! EndIncluded functions/reading/runs_report.sql
--! Included functions/reading/runs_since.sql
create or replace function nms_private.runs_since(after date, each_run boolean)
returns table (snapshot_date date, run_id bigint, collected_at timestamptz)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 30
as $$
begin
  if runs_since.each_run then
    return query
    select run.snapshot_date, run.run_id, case when not run.is_imported then run.collected_at end
    from nms.table_metrics_runs as run
    where
      run.status = 'SUCCEEDED'
      and run.snapshot_date > runs_since.after
      and (
        not run.is_imported
        or exists (select from nms.table_metrics_daily_snapshot as day where day.run_id = run.run_id)
      );
  else
    return query
    select day.snapshot_date, day.run_id, case when not day.is_imported then day.collected_at end
    from nms.table_metrics_daily_snapshot as day
    where day.snapshot_date > runs_since.after;
  end if;
end
$$;
comment on function nms_private.runs_since(date, boolean) is
  'The results after a business day: of each day the run that owns it, or each run that has SUCCEEDED; an imported one, whose collected_at is null because nobody counted then, only where it owns its day.';
revoke execute on function nms_private.runs_since(date, boolean) from public;
--! EndIncluded functions/reading/runs_since.sql
--! Included functions/reading/schemas_over.sql
create or replace function nms_private.schemas_over(run_ids bigint[])
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  given as (
    select run.* from unnest(schemas_over.run_ids) with ordinality as run (run_id, place)
  ),
  counted as materialized (
    select given.place, found.*
    from given
    cross join lateral (
      select
        measurement.schema_name,
        sum(measurement.own_row_count) as rows,
        count(measurement.row_count_low) > 0 as is_estimated
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = given.run_id
      group by measurement.schema_name
    ) as found
  ),
  history as (
    select
      known.schema_name,
      jsonb_agg(counted.rows order by given.place) as rows,
      (array_agg(counted.rows order by given.place desc))[1] as last_rows,
      coalesce(bool_or(counted.is_estimated), false) as is_estimated
    from (select distinct counted.schema_name from counted) as known
    cross join given
    left join counted on counted.schema_name = known.schema_name and counted.place = given.place
    group by known.schema_name
  ),
  compared as (
    select
      per_table.schema_name,
      sum(per_table.own_change) as change,
      sum(former.own_row_count) filter (where per_table.outcome <> 'left out') as base
    from nms.compare_runs(
      before => schemas_over.run_ids[1], after => schemas_over.run_ids[cardinality(schemas_over.run_ids)]
    ) as per_table
    left join nms.table_metrics_measurements as former
      on former.run_id = schemas_over.run_ids[1]
      and former.schema_name = per_table.schema_name
      and former.table_name = per_table.table_name
    group by per_table.schema_name
  )
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'schema_name', history.schema_name,
        'rows', history.rows,
        'change', compared.change,
        'change_percent', round(100 * compared.change / nullif(compared.base, 0), 2),
        'is_estimated', history.is_estimated
      )
      order by history.last_rows desc nulls last, history.schema_name
    ),
    '[]'
  )
  from history
  left join compared using (schema_name)
$$;
comment on function nms_private.schemas_over(bigint[]) is
  'Each schema over some successful runs, given oldest first, the one with most rows in the last of them first: [{schema_name, rows, change, change_percent, is_estimated}]. rows: one number for each run, each row counted once, null where the run has nothing of it. change: from the first to the last run, of the tables that both have counted, with those that appeared and disappeared; null when there are none.';
revoke execute on function nms_private.schemas_over(bigint[]) from public;
--! EndIncluded functions/reading/schemas_over.sql
--! Included functions/reading/sort_key.sql
create or replace function nms_private.sort_key(sort text, rows bigint, change bigint, change_percent numeric)
returns numeric
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case sort_key.sort
    when 'rows' then coalesce(sort_key.rows, 'infinity'::numeric) -- what could not be counted comes first
    when 'change' then coalesce(abs(sort_key.change), -1)
    when 'percent' then coalesce(abs(sort_key.change_percent), -1)
    else 0 -- by name
  end
$$;
comment on function nms_private.sort_key(text, bigint, bigint, numeric) is
  'What tables are sorted by, largest first, and then by their names: rows, change, percent or name.';
revoke execute on function nms_private.sort_key(text, bigint, bigint, numeric) from public;
--! EndIncluded functions/reading/sort_key.sql
--! Included functions/reading/status_report.sql
create or replace function nms.status_report(runs integer default 10, choice jsonb default '{}')
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'business_date', nms.business_date(),
    'business_time_zone', settings.business_time_zone,
    'today', (select to_jsonb(today) - 'payload' from nms.table_metrics_today as today),
    'last_day', (
      select to_jsonb(day) - '{payload,is_imported}'::text[]
      from nms.table_metrics_daily_snapshot as day
      order by day.snapshot_date desc
      limit 1
    ),
    'runs', nms_private.list_runs("limit" => status_report.runs),
    'alerts', open.alerts,
    'alert_groups', nms_private.open_alert_groups(open => open.alerts)
  ) || case when carrying.report is not null then jsonb_build_object('carrying', carrying.report) else '{}' end
  from nms.table_metrics_settings as settings
  cross join nms_private.carrying_report() as carrying (report)
  cross join (
    select nms_private.open_alerts(
      choice => nms_private.checked_choice(choice => status_report.choice, keys => '{schemas,like,top}')
    )
    offset 0
  ) as open (alerts) -- once, not for each use
$$;
comment on function nms.status_report(integer, jsonb) is
  'How table metrics is doing: {business_date, business_time_zone, today, last_day, runs, alerts, alert_groups}. today is null until a run of this business day has succeeded; runs are the last ones as in nms.runs_report, newest first, alerts those of nms.table_metrics_alerts, oldest first, and alert_groups the same as the groups of nms.alerts_report. Where counts are carried, carrying tells how many, and how far they can be trusted. choice: only the alerts of these tables, as in nms.alerts_report.';
revoke execute on function nms.status_report(integer, jsonb) from public;
--! EndIncluded functions/reading/status_report.sql
--! Included functions/reading/table_report.sql
create or replace function nms.table_report(schema_name text, table_name text, days integer default 90)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling these queries takes longer than running them
as $$
declare
  -- First, because it refuses a table that no run has met.
  v_trend constant jsonb := nms.trend_report(table_report.schema_name, table_report.table_name, table_report.days);
  v_today constant date := nms.business_date();
  v_last nms.table_metrics_history;
begin
  select measured.* into v_last
  from nms.table_metrics_runs as run
  -- offset: each run is asked for this table, the last one first, rather than the table for all of its runs
  cross join lateral (
    select history.*
    from nms.table_metrics_history as history
    where
      history.run_id = run.run_id
      and history.schema_name = table_report.schema_name
      and history.table_name = table_report.table_name
    offset 0
  ) as measured
  order by run.snapshot_date desc, run.is_imported, run.run_id desc
  limit 1;

  return v_trend || jsonb_build_object(
    'business_date', v_today,
    'business_time_zone', (select settings.business_time_zone from nms.table_metrics_settings as settings),
    'table_kind', v_last.table_kind,
    'is_partition', v_last.is_partition,
    'partition_of', (
      select jsonb_build_object('schema_name', schema.nspname, 'table_name', parent.relname)
      from pg_class as relation
      join pg_inherits as inheritance on inheritance.inhrelid = relation.oid
      join pg_class as parent on parent.oid = inheritance.inhparent
      join pg_namespace as schema on schema.oid = parent.relnamespace
      where
        relation.relispartition
        and relation.relname = table_report.table_name
        and relation.relnamespace = (
          select namespace.oid from pg_namespace as namespace where namespace.nspname = table_report.schema_name
        )
    ),
    'expected', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'snapshot_date', day.snapshot_date,
            'expected_low', judged.expected_low,
            'expected_high', judged.expected_high
          )
          order by day.snapshot_date
        ),
        '[]'
      )
      from nms.table_metrics_daily_snapshot as day
      cross join lateral nms_private.expected_counts(
        run_id => day.run_id,
        schema_names => array[table_report.schema_name],
        table_names => array[table_report.table_name]
      ) as judged
      where
        day.snapshot_date > v_today - least(table_report.days, 366)
        and not day.is_imported
        and judged.is_long_enough
    ),
    'last_runs', jsonb_build_object(
      'snapshot_date', v_last.snapshot_date,
      'runs', (
        select coalesce(
          jsonb_agg(
            to_jsonb(measured) - 'previous_method'
            || case
              when measured.previous_method <> measured.method
                then jsonb_build_object('previous_method', measured.previous_method)
              else '{}'
            end
            || jsonb_build_object('is_result', measured.run_id = (
              select day.run_id
              from nms.table_metrics_daily_snapshot as day
              where day.snapshot_date = measured.snapshot_date
            ))
            order by measured.run_id desc
          ),
          '[]'
        )
        from (
          select
            history.*,
            history.row_count - lag(history.row_count) over (order by history.run_id) as change,
            lag(history.method) over (order by history.run_id) as previous_method
          from nms.table_metrics_history as history
          where
            history.run_id in (
              select run.run_id from nms.table_metrics_runs as run where run.snapshot_date = v_last.snapshot_date
            )
            and history.schema_name = table_report.schema_name
            and history.table_name = table_report.table_name
        ) as measured
      )
    )
  );
end
$$;
comment on function nms.table_report(text, text, integer) is
  'All about one table, for a page: what nms.trend_report says, what it is, expected (on each day that the alert rules judge, of the last year at most: how many rows would have been usual), the alerts that are open or were opened on these days, newest first, and last_runs: each run that met it on the last day, newest first. Raises P0002 for a table that no run has met.';
revoke execute on function nms.table_report(text, text, integer) from public;
--! EndIncluded functions/reading/table_report.sql
--! Included functions/reading/table_trend.sql
create or replace function nms.table_trend(
  schema_name text,
  table_name text,
  days integer default 30,
  filter_name text default null -- null: all rows
)
returns table (
  snapshot_date date,
  row_count bigint,
  change bigint,
  change_percent numeric,
  run_id bigint,
  method text,
  row_count_low bigint,
  row_count_high bigint,
  carried_from_run bigint,
  total_bytes bigint
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select
    found.snapshot_date,
    found.row_count::bigint,
    found.change::bigint,
    found.change_percent,
    found.run_id,
    found.method,
    found.row_count_low,
    found.row_count_high,
    found.carried_from_run,
    found.total_bytes::bigint
  from nms.trend(
    schema_name => table_trend.schema_name,
    table_name => table_trend.table_name,
    days => table_trend.days,
    filter_name => table_trend.filter_name
  ) as found
  where table_trend.table_name is not null
  order by found.snapshot_date
$$;
comment on function nms.table_trend(text, text, integer, text) is
  'How many rows a table had on each of the last so many business days, today included, and the change since the row before. row_count is null on a day whose run left the table out: it was not counted, and has no method. method, row_count_low, row_count_high, carried_from_run and total_bytes as in nms.table_metrics_measurements. No row: the day has no result, or not this table. filter_name: only the rows that match this filter, on the days on which they were counted. Names as the catalogue spells them.';
revoke execute on function nms.table_trend(text, text, integer, text) from public;

-- No third argument: with one, three parameters of unknown type would fit this function and the other one.
create or replace function nms.table_trend(named text, days integer default 30)
returns table (
  snapshot_date date,
  row_count bigint,
  change bigint,
  change_percent numeric,
  run_id bigint,
  method text,
  row_count_low bigint,
  row_count_high bigint,
  carried_from_run bigint,
  total_bytes bigint
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tables constant jsonb := nms.find_table(named => table_trend.named);
  v_first constant jsonb := v_tables #> '{found,0}';
begin
  if v_first is null then
    raise exception 'no run has met a table %', coalesce(table_trend.named, 'null')
      using
        errcode = 'no_data_found',
        detail = 'expected schema.table, spelled as the catalogue does or quoted as in SQL',
        hint = coalesce(
          (
            select format('Did you mean %s?', string_agg(name, ', '))
            from jsonb_array_elements_text(v_tables -> 'alike') as name
            having count(*) > 0
          ),
          'Those of the last run are in nms.table_metrics_latest.'
        );
  elsif jsonb_array_length(v_tables -> 'found') > 1 then
    raise exception '% is more than one table', table_trend.named
      using
        errcode = 'invalid_parameter_value',
        detail = 'a dot in a name may also be the one between schema and table',
        hint = (
          select format('Quote the names: %s.', string_agg(meant ->> 'quoted', ' or '))
          from jsonb_array_elements(v_tables -> 'found') as meant
        );
  end if;

  return query
  select found.*
  from nms.table_trend(
    schema_name => v_first ->> 'schema_name',
    table_name => v_first ->> 'table_name',
    days => table_trend.days
  ) as found;
end
$$;
comment on function nms.table_trend(text, integer) is
  'The same of a table as people name it, such as sales.orders: spelled as the catalogue does or quoted as in SQL. Raises P0002 for a table that no run has met, with the names most alike, and 22023 for a name that is more than one table.';
revoke execute on function nms.table_trend(text, integer) from public;
--! EndIncluded functions/reading/table_trend.sql
--! Included functions/reading/tables_report.sql
create or replace function nms.tables_report(
  schema_name text default null,
  alike text default null,
  after text default null,
  "limit" integer default 100
)
returns jsonb
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select nms_private.list_tables(
    schema_name => tables_report.schema_name,
    alike => tables_report.alike,
    after => tables_report.after,
    how_many => nms_private.checked_limit(argument => 'limit', value => tables_report."limit")
  )
$$;
comment on function nms.tables_report(text, text, text, integer) is
  'The tables of the last business day that has a result, in the order of their names (by bytes): {run_id, snapshot_date, previous_date, tables, next}, with the change since the day before that has one, null when that did not count the table. Each as in nms.run_report. alike: only those whose schema.table has this text in it, in upper or lower case as far as the locale of the database knows them. next, given as after, asks for those that follow; null when there are none. What a later run that FAILED found is told by nms.run_report. Raises P0002 for a schema that no run has met, 22023 for a limit that is not 1 to 1000 or an after that is no next.';
revoke execute on function nms.tables_report(text, text, text, integer) from public;
--! EndIncluded functions/reading/tables_report.sql
--! Included functions/reading/totals_of_days.sql
create or replace function nms_private.totals_of_days(first date, last date)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(
    jsonb_build_object('snapshot_date', calendar.snapshot_date, 'run_id', day.run_id, 'rows', null, 'tables', null)
    || case
      when day.run_id is null then '{}'
      else nms_private.run_totals(run_id => day.run_id) - '{carried_tables,total_bytes}'::text[]
    end
    || case when run.left_out_count > 0 then jsonb_build_object('left_out_count', run.left_out_count) else '{}' end
    order by calendar.snapshot_date
  )
  from (
    select totals_of_days.first + later as snapshot_date
    from generate_series(0, totals_of_days.last - totals_of_days.first) as later
  ) as calendar
  left join nms.table_metrics_daily_snapshot as day on day.snapshot_date = calendar.snapshot_date
  left join nms.table_metrics_runs as run on run.run_id = day.run_id
$$;
comment on function nms_private.totals_of_days(date, date) is
  'How many rows and tables each day found, oldest first, each row counted once: {snapshot_date, run_id, rows, tables}, and as far as there are any estimated_rows, which are part of rows, and left_out_count, the tables that its request left out. On a day without a result all but its date are null.';
revoke execute on function nms_private.totals_of_days(date, date) from public;
--! EndIncluded functions/reading/totals_of_days.sql
--! Included functions/reading/trend.sql
create or replace function nms.trend(
  schema_name text default null,
  table_name text default null,
  days integer default 30,
  filter_name text default null, -- null: all rows
  each_run boolean default false
)
returns table (
  snapshot_date date,
  run_id bigint,
  collected_at timestamptz,
  row_count numeric,
  change numeric,
  change_percent numeric,
  method text,
  row_count_low bigint,
  row_count_high bigint,
  carried_from_run bigint,
  estimated_rows numeric,
  total_bytes numeric,
  tables bigint,
  tables_left_out bigint
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_since constant date := nms.business_date(at => statement_timestamp()) - trend.days;
begin
  if trend.table_name is null then
    return query
    with chosen as materialized (
      select run.* from nms_private.runs_since(after => v_since, each_run => trend.each_run) as run
    )
    select
      chosen.snapshot_date, chosen.run_id, chosen.collected_at,
      total.rows, total.change, total.change_percent, total.method,
      null::bigint, null::bigint, null::bigint,
      total.estimated_rows, total.bytes, total.tables, total.tables_left_out
    from nms_private.growth_over(
      run_ids => (
        select coalesce(array_agg(chosen.run_id order by chosen.snapshot_date, chosen.run_id), '{}') from chosen
      ),
      schema_name => trend.schema_name
    ) as total
    join chosen using (run_id)
    order by chosen.snapshot_date, chosen.run_id;
    return;
  end if;

  return query
  select
    run.snapshot_date, run.run_id, run.collected_at,
    measurement.row_count::numeric,
    (measurement.row_count - lag(measurement.row_count) over in_turn)::numeric,
    round(
      100.0 * (measurement.row_count - lag(measurement.row_count) over in_turn)
        / nullif(lag(measurement.row_count) over in_turn, 0),
      2
    ),
    measurement.method,
    measurement.row_count_low,
    measurement.row_count_high,
    measurement.carried_from_run,
    case when measurement.method = 'estimate' then measurement.row_count::numeric end,
    measurement.total_bytes::numeric,
    1::bigint,
    0::bigint
  from nms_private.runs_since(after => v_since, each_run => trend.each_run) as run
  left join lateral (
    -- There is one at most. The limit keeps the planner from joining the table's whole history to a few days.
    select
      found.row_count, found.method, found.row_count_low, found.row_count_high, found.carried_from_run,
      found.total_bytes, true as is_found
    from nms.table_metrics_measurements as found
    where
      trend.filter_name is null
      and found.run_id = run.run_id
      and found.schema_name = trend.schema_name
      and found.table_name = trend.table_name
    union all
    select filtered.row_count, filtered.method, null, null, null, null, true
    from nms.table_metrics_filtered_counts as filtered
    where
      filtered.filter_name = trend.filter_name
      and filtered.run_id = run.run_id
      and filtered.schema_name = trend.schema_name
      and filtered.table_name = trend.table_name
      and filtered.row_count is not null
    limit 1
  ) as measurement on true
  where
    measurement.is_found
    or exists (
      select
      from nms_private.request_excludes(
        run_id => run.run_id,
        schema_names => array[trend.schema_name],
        table_names => array[trend.table_name]
      )
    )
  window in_turn as (order by run.snapshot_date, run.run_id)
  order by run.snapshot_date, run.run_id;
end
$$;
comment on function nms.trend(text, text, integer, text, boolean) is
  'How many rows a table, a schema (table_name null) or the whole database (both null) had on each of the last so many business days, today included, or in each run of them that has SUCCEEDED. In a total each row counts once (sum of own_row_count), and change is that of the tables which this and the one before have both counted, with those that appeared and disappeared, as in nms.growth: tables_left_out change nothing, but are missing in the row_count of one of both. row_count is null where the request left it out. estimated_rows: how many of the rows are estimated; total_bytes: null unless each table was measured. method, row_count_low, row_count_high and carried_from_run as in nms.table_metrics_measurements; of a total only the method that is the least sure. collected_at is null for imported counts, of which each_run has only those that own their day. No row: no result, or it did not exist. filter_name: only the rows of the table that match this filter. Names as the catalogue spells them.';
revoke execute on function nms.trend(text, text, integer, text, boolean) from public;
--! EndIncluded functions/reading/trend.sql
--! Included functions/reading/trend_report.sql
create or replace function nms.trend_report(
  schema_name text default null,
  table_name text default null,
  days integer default 30,
  filter_name text default null, -- null: all rows
  each_run boolean default false
)
returns jsonb
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- compiling these queries takes longer than running them
as $$
declare
  v_report jsonb;
  v_last date;
  v_unit constant text := case when trend_report.each_run then 'runs' else 'days' end;
begin
  if trend_report.filter_name is not null and trend_report.table_name is null then
    raise exception 'a filter without its table: %', trend_report.filter_name
      using
        errcode = 'invalid_parameter_value',
        detail = 'expected a schema and a table of it',
        hint = 'Name the table that has this filter.';
  end if;

  with trend as materialized (
    select found.*, row_number() over (order by found.snapshot_date, found.run_id) as place
    from nms.trend(
      trend_report.schema_name, trend_report.table_name, trend_report.days, trend_report.filter_name,
      trend_report.each_run
    ) as found
  ),
  measured as (
    select 'rows' as unit, trend.row_count as value, trend.* from trend where trend.row_count is not null
    union all
    select 'bytes', trend.total_bytes, trend.* from trend where trend.total_bytes is not null
  ),
  bounds as (
    select
      unit.name as unit,
      count(measured.value) as found,
      min(measured.place) as first_place,
      max(measured.place) as last_place,
      min(measured.value) as lowest,
      max(measured.value) as highest
    from (values ('rows'), ('bytes')) as unit (name)
    left join measured on measured.unit = unit.name
    group by unit.name
  ),
  summary as (
    select
      bounds.unit,
      jsonb_build_object(
        v_unit || '_found', bounds.found,
        'first_date', first.snapshot_date,
        'last_date', last.snapshot_date,
        'lowest', bounds.lowest,
        'highest', bounds.highest,
        'lowest_date', lowest.snapshot_date,
        'highest_date', highest.snapshot_date,
        'first_' || bounds.unit, first.value,
        'last_' || bounds.unit, last.value,
        'change', total.change,
        'change_percent', total.change_percent
      ) || case
        when trend_report.each_run then jsonb_build_object(
          'first_at', first.collected_at,
          'last_at', last.collected_at,
          'lowest_at', lowest.collected_at,
          'highest_at', highest.collected_at
        )
        else '{}'
      end || case
        when trend_report.table_name is null then jsonb_build_object('tables_left_out', total.tables_left_out)
        else '{}'
      end as said
    from bounds
    left join measured as first on first.unit = bounds.unit and first.place = bounds.first_place
    left join measured as last on last.unit = bounds.unit and last.place = bounds.last_place
    left join lateral (
      select at.snapshot_date, at.collected_at
      from measured as at
      where at.unit = bounds.unit and at.value = bounds.lowest
      order by at.place desc
      limit 1
    ) as lowest on true
    left join lateral (
      select at.snapshot_date, at.collected_at
      from measured as at
      where at.unit = bounds.unit and at.value = bounds.highest
      order by at.place desc
      limit 1
    ) as highest on true
    -- A total changes by what both have counted.
    left join lateral (
      select
        case bounds.unit when 'rows' then over.change else over.bytes_change end as change,
        case bounds.unit
          when 'rows' then over.change_percent
          else round(100 * over.bytes_change / nullif(first.value, 0), 2)
        end as change_percent,
        over.tables_left_out
      from nms_private.growth_over(
        run_ids => array[first.run_id, last.run_id], schema_name => trend_report.schema_name
      ) as over
      where trend_report.table_name is null and first.run_id <> last.run_id and over.since is not null
      union all
      select last.value - first.value, round(100 * (last.value - first.value) / nullif(first.value, 0), 2), 0
      where trend_report.table_name is not null or first.run_id = last.run_id
    ) as total on true
  )
  select jsonb_build_object(
    'schema_name', trend_report.schema_name,
    'table_name', trend_report.table_name,
    'filter_name', trend_report.filter_name,
    v_unit, (
      select coalesce(
        jsonb_agg(
          to_jsonb(trend)
            - case
              when trend_report.table_name is null
                then array['place', 'row_count_low', 'row_count_high', 'carried_from_run']
              else array['place', 'estimated_rows', 'tables', 'tables_left_out']
            end
            - case when trend_report.each_run then '' else 'collected_at' end
            || case when filtered.counts is null then '{}' else jsonb_build_object('filtered', filtered.counts) end
          order by trend.place
        ),
        '[]'
      )
      from trend
      cross join lateral (
        select jsonb_object_agg(found.filter_name, found.row_count) as counts
        from nms.table_metrics_filtered_counts as found
        where
          trend_report.filter_name is null
          and trend_report.table_name is not null
          and found.run_id = trend.run_id
          and found.schema_name = trend_report.schema_name
          and found.table_name = trend_report.table_name
      ) as filtered
    ),
    'summary', (
      select summary.said
        || jsonb_build_object(v_unit || '_left_out', (select count(*) from trend where trend.row_count is null))
      from summary
      where summary.unit = 'rows'
    ),
    'summary_of_bytes', (
      select summary.said from summary where summary.unit = 'bytes' and summary.said ->> (v_unit || '_found') <> '0'
    ),
    'alerts', case
      when trend_report.table_name is null then '[]'
      else nms_private.alerts_of_table(
        schema_name => trend_report.schema_name,
        table_name => trend_report.table_name,
        days => trend_report.days,
        filter_name => trend_report.filter_name
      )
    end
  ) || case
    when trend_report.each_run then jsonb_build_object(
      'business_time_zone', (select settings.business_time_zone from nms.table_metrics_settings as settings)
    )
    else '{}'
  end into strict v_report;

  if (v_report #>> array['summary', v_unit || '_found'])::bigint > 0 then
    return v_report;
  end if;

  if trend_report.filter_name is not null then
    perform nms_private.refuse_unknown_filter(
      schema_name => trend_report.schema_name,
      table_name => trend_report.table_name,
      filter_name => trend_report.filter_name
    );
  end if;

  select day.snapshot_date into v_last
  from nms.table_metrics_daily_snapshot as day
  cross join lateral nms_private.rows_of(
    run_id => day.run_id, schema_name => trend_report.schema_name, table_name => trend_report.table_name
  ) as found
  where
    found.tables > 0
    and (
      trend_report.filter_name is null
      or exists (
        select
        from nms.table_metrics_filtered_counts as filtered
        where
          filtered.run_id = day.run_id
          and filtered.schema_name = trend_report.schema_name
          and filtered.table_name = trend_report.table_name
          and filtered.filter_name = trend_report.filter_name
          and filtered.row_count is not null
      )
    )
  order by day.snapshot_date desc
  limit 1;
  if not found and trend_report.filter_name is null then
    perform nms_private.refuse_unknown_scope(
      schema_name => trend_report.schema_name, table_name => trend_report.table_name
    );
  end if;
  return jsonb_set(
    v_report,
    '{summary}',
    v_report -> 'summary' || jsonb_build_object(
      'last_date_with_result', v_last,
      'days_needed', nms.business_date() - v_last + 1
    )
  );
end
$$;
comment on function nms.trend_report(text, text, integer, text, boolean) is
  'How many rows a table, a schema (table_name null) or the whole database (both null) had on each of the last so many business days, today included: {schema_name, table_name, filter_name, days, summary, summary_of_bytes, alerts}, the days as of nms.trend, oldest first, each with filtered {name: rows} when the table has filters. each_run: runs rather than days, each with collected_at, and the business_time_zone. filter_name: only the rows that match this filter. alerts: those of the table that are open or were opened on these days, newest first, with snapshot_date and closed_date, the business days from which on they held and no longer did; of a total there are none. summary_of_bytes is null unless bytes were measured on one of them. The change of a total is of what its first and its last day have both counted. When none of them has a result, the summary says which day was the last with one, and how many days reach back to it. Names as the catalogue spells them. Raises P0002 for a name that no run has met, and for a filter that none has counted; 22023 for a table without its schema, or a filter without its table.';
revoke execute on function nms.trend_report(text, text, integer, text, boolean) from public;
--! EndIncluded functions/reading/trend_report.sql
--! Included functions/reading/trust_in.sql
-- Of m counts that were compared and are all right, at most 3/m are wrong with 95 % confidence: the rule of three.
create or replace function nms_private.trust_in(method text)
returns table (since_run bigint, comparisons bigint, differences bigint, one_in bigint)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  difference as (
    select max(difference.run_id) as last_run, count(*) as differences
    from nms.table_metrics_differences as difference
    where difference.method = trust_in.method
  ),
  since as (
    select min(comparison.run_id) as first_run, coalesce(sum(comparison.comparisons)::bigint, 0) as comparisons
    from difference
    join nms.table_metrics_comparisons as comparison on (comparison.run_id <= difference.last_run) is not true
    where comparison.method = trust_in.method
  )
  select
    since.first_run,
    since.comparisons,
    difference.differences,
    case when since.comparisons >= 6 then since.comparisons / 3 end
  from difference
  cross join since
$$;
comment on function nms_private.trust_in(text) is
  'How far the counts of a method (carried, maintained) can be trusted, by what was counted again. comparisons: since the last difference, from since_run on; differences: all that are known; one_in: at most one count in so many is wrong, with 95 % confidence; null after fewer than 6 comparisons.';
revoke execute on function nms_private.trust_in(text) from public;
--! EndIncluded functions/reading/trust_in.sql
--! Included functions/request/preview_run.sql
create or replace function nms.preview_run(skip jsonb default '[]', exclude jsonb default '[]')
returns table (schema_name text, table_name text, table_kind text, outcome text, reason text)
language plpgsql stable parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_skip jsonb := coalesce(preview_run.skip, '[]');
  v_exclude jsonb := coalesce(preview_run.exclude, '[]');
  v_problem text := nms_private.validate_request(skip => v_skip, exclude => v_exclude);
  v_reader name := (select role.rolname from pg_roles as role where role.oid = nms_private.counting_role());
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
      relation.table_oid,
      relation.schema_name,
      relation.table_name,
      relation.table_kind,
      relation.is_partition,
      relation.is_whole,
      target.members,
      target.table_oid is not null as is_target,
      -- Foreign, and a part only of tables that are left out.
      case when relation.outcome = 'counted' and target.table_oid is null then 'not counted' else relation.outcome end as outcome
    from nms_private.classify_relations(skip => v_skip, exclude => v_exclude) as relation
    left join nms_private.find_targets(skip => v_skip, exclude => v_exclude) as target
      on target.table_oid = relation.table_oid
  ),
  refused as (
    select
      unreadable.table_oid,
      case
        when unreadable.may_enter and unreadable.may_select then format('row-level security would hide rows from %I: the run would fail', v_reader)
        else format('%I may not select from it: the run would fail', v_reader)
      end as reason
    from nms_private.refused_tables(tables => array(select planned.table_oid from planned where planned.is_target)) as unreadable
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
    where member.table_oid <> planned.table_oid
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
        when 'machinery' then
          case
            when planned.schema_name = any (settings.machinery_schemas) then
              'its schema is one of machinery_schemas in nms.table_metrics_settings'
            else 'an extension keeps rows of other tables in it'
          end
        when 'schema skipped' then 'its schema is named in skip'
        when 'excluded' then 'named in exclude'
        when 'counted' then
          case
            when planned.is_whole then 'as a plain select shows it, because an extension keeps its rows elsewhere'
            when planned.members is not null and planned.table_kind <> 'foreign table' then
              concat_ws(
                ', ',
                case planned.table_kind when 'table' then 'as the sum of itself and its children' else 'as the sum of its partitions' end,
                case
                  when planned.members && array(select other.table_oid from planned as other where other.outcome <> 'counted') then
                    'also of those that are left out'
                end
              )
            when planned.table_kind = 'foreign table' then
              format('as a %s on another server', case when planned.is_partition then 'partition' else 'child' end)
            when planned.is_partition then 'as a partition'
            else 'row by row'
          end
        else
          case planned.table_kind
            when 'view' then 'views have no rows of their own'
            when 'materialized view' then 'materialized views repeat the rows of other tables'
            when 'foreign table' then 'foreign tables keep their rows elsewhere, and no parent of it is counted'
            else 'temporary tables belong to one session'
          end
      end
    )
  from planned
  cross join nms.table_metrics_settings as settings
  left join (
    select distinct on (reported.table_oid) reported.table_oid, reported.reason from problem as reported
  ) as problem on problem.table_oid = planned.table_oid and planned.outcome = 'counted'
  union all
  select null, null, null, 'matches nothing', format('%s entry %s', unmatched ->> 'argument', unmatched -> 'entry')
  from jsonb_array_elements(nms_private.unmatched_entries(skip => v_skip, exclude => v_exclude)) as unmatched
  order by 1, 2, 5;
end
$$;
comment on function nms.preview_run(jsonb, jsonb) is
  'What a run with this request would do, without counting anything or leaving a run: a row per table, view and foreign table with its outcome (counted, unreadable, excluded, schema skipped, machinery, not counted) and the reason, and a row per entry that matches nothing. Raises 22023 for a malformed request.';
revoke execute on function nms.preview_run(jsonb, jsonb) from public;
--! EndIncluded functions/request/preview_run.sql
--! Included functions/request/request_entries.sql
create or replace function nms_private.request_entries(argument jsonb)
returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(entry), '{}')
  from jsonb_array_elements_text(request_entries.argument) as entry
$$;
comment on function nms_private.request_entries(jsonb) is
  'The entries of a well-formed skip or exclude argument; SQL null means none.';
revoke execute on function nms_private.request_entries(jsonb) from public;
--! EndIncluded functions/request/request_entries.sql
--! Included functions/request/request_excludes.sql
-- By name alone: the tables may be gone. Both sides are hashed: what it costs does not grow with their product.
create or replace function nms_private.request_excludes(run_id bigint, schema_names text[], table_names text[])
returns table (schema_name text, table_name text)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
begin
  if schema_names is null then
    return;
  end if;

  select
    run.machinery_schemas,
    case jsonb_typeof(run.skip_schemas) when 'array' then run.skip_schemas else '[]' end, -- malformed: nothing
    case jsonb_typeof(run.exclude_tables) when 'array' then run.exclude_tables else '[]' end
  into v_run.machinery_schemas, v_run.skip_schemas, v_run.exclude_tables
  from nms.table_metrics_runs as run
  where run.run_id = request_excludes.run_id;

  return query
  select given.schema_name, given.table_name
  from unnest(request_excludes.schema_names, request_excludes.table_names) as given (schema_name, table_name)
  where
    given.schema_name = any (v_run.machinery_schemas)
    or given.schema_name in (
      select spelled.schema_name
      from nms_private.spellings_of(schema_names => request_excludes.schema_names) as spelled
      where spelled.spelling in (select jsonb_array_elements_text(v_run.skip_schemas))
    )
    or (given.schema_name, given.table_name) in (
      select spelled.schema_name, spelled.table_name
      from nms_private.spellings_of(
        schema_names => request_excludes.schema_names, table_names => request_excludes.table_names
      ) as spelled
      where spelled.spelling in (select jsonb_array_elements_text(v_run.exclude_tables))
    );
end
$$;
comment on function nms_private.request_excludes(bigint, text[], text[]) is
  'Which of these tables, given as schemas and as many names, a run leaves out by its request or because their schema was machinery when it started: whether they exist or not.';
revoke execute on function nms_private.request_excludes(bigint, text[], text[]) from public;
--! EndIncluded functions/request/request_excludes.sql
--! Included functions/request/request_problem.sql
create or replace function nms.request_problem(
  skip jsonb default '[]',
  exclude jsonb default '[]',
  is_strict boolean default false
)
returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  with request (skip, exclude) as (
    values (coalesce(request_problem.skip, '[]'), coalesce(request_problem.exclude, '[]'))
  ),
  malformed (problem) as (
    select nms_private.validate_request(skip => request.skip, exclude => request.exclude)
    from request
  )
  select
    case
      when malformed.problem is not null or request_problem.is_strict is not true then malformed.problem
      else (
        select string_agg(
          format('%s: saw %s, which matches nothing', unmatched ->> 'argument', left((unmatched -> 'entry')::text, 200)),
          '; '
        )
        from jsonb_array_elements(
          nms_private.unmatched_entries(skip => request.skip, exclude => request.exclude)
        ) as unmatched
      )
    end
  from malformed
  cross join request
$$;
comment on function nms.request_problem(jsonb, jsonb, boolean) is
  'What is wrong with a request, for whoever asks before a run is opened: which argument, what was seen, what is expected. is_strict: an entry that matches nothing is wrong as well. Null when nothing is wrong.';
revoke execute on function nms.request_problem(jsonb, jsonb, boolean) from public;
--! EndIncluded functions/request/request_problem.sql
--! Included functions/request/resolve_schemas.sql
create or replace function nms_private.resolve_schemas(entries text[])
returns table (entry text, schema_name text)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select spelled.spelling, spelled.schema_name
  from nms_private.spellings_of(array(select schema.nspname::text from pg_namespace as schema)) as spelled
  where spelled.spelling in (select unnest(resolve_schemas.entries))
$$;
comment on function nms_private.resolve_schemas(text[]) is
  'The schemas that these entries name, spelled as the catalogue does or quoted as in SQL. An entry that names none has no row.';
revoke execute on function nms_private.resolve_schemas(text[]) from public;
--! EndIncluded functions/request/resolve_schemas.sql
--! Included functions/request/resolve_tables.sql
-- Both sides are hashed: what it costs grows with entries and tables, not with their product.
create or replace function nms_private.resolve_tables(entries text[], among oid[] default null)
returns table (entry text, table_oid oid)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan -- all tables, or the few that are asked for
as $$
begin
  if resolve_tables.entries = '{}' then
    return;
  end if;

  return query
  with
  known as materialized (
    select relation.oid, schema.nspname::text as schema_name, relation.relname::text as table_name
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    where relation.relkind in ('r', 'p', 'f', 'v', 'm') and (among is null or relation.oid = any (among))
  ),
  names as (
    select array_agg(known.schema_name) as schemas, array_agg(known.table_name) as tables from known
  ),
  spelled as (
    select spelled.*
    from names
    cross join nms_private.spellings_of(schema_names => names.schemas, table_names => names.tables) as spelled
    where spelled.spelling in (select unnest(resolve_tables.entries))
  )
  select spelled.spelling, known.oid
  from spelled
  join known on known.schema_name = spelled.schema_name and known.table_name = spelled.table_name;
end
$$;
comment on function nms_private.resolve_tables(text[], oid[]) is
  'The tables, views and foreign tables that these entries name, of all or of those among the given: schema and table with a dot between, each spelled as the catalogue does or quoted as in SQL. An entry that names none has no row.';
revoke execute on function nms_private.resolve_tables(text[], oid[]) from public;
--! EndIncluded functions/request/resolve_tables.sql
--! Included functions/request/spellings_of.sql
-- The spellings of tables, rather than the tables of entries: nothing has to be taken apart at its dots.
create or replace function nms_private.spellings_of(schema_names text[], table_names text[] default null)
returns table (schema_name text, table_name text, spelling text)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    given.schema_name,
    given.table_name,
    concat_ws(
      '.',
      case when schema.is_quoted then format('"%s"', replace(given.schema_name, '"', '""')) else given.schema_name end,
      case when relation.is_quoted then format('"%s"', replace(given.table_name, '"', '""')) else given.table_name end
    )
  from unnest(spellings_of.schema_names, spellings_of.table_names) as given (schema_name, table_name)
  cross join (values (false), (true)) as schema (is_quoted)
  cross join (values (false), (true)) as relation (is_quoted)
  where not relation.is_quoted or given.table_name is not null
$$;
comment on function nms_private.spellings_of(text[], text[]) is
  'How an entry of skip or exclude may spell these schemas, or these tables, given as schemas and as many names: each name as the catalogue does or quoted as in SQL, with a dot between.';
revoke execute on function nms_private.spellings_of(text[], text[]) from public;
--! EndIncluded functions/request/spellings_of.sql
--! Included functions/request/unmatched_entries.sql
create or replace function nms_private.unmatched_entries(skip jsonb, exclude jsonb)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with unmatched (argument, entry) as (
    (
      select 'skip', requested
      from unnest(nms_private.request_entries(skip)) as requested
      except
      select 'skip', resolved.entry
      from nms_private.resolve_schemas(nms_private.request_entries(skip)) as resolved
    )
    union all
    (
      select 'exclude', requested
      from unnest(nms_private.request_entries(exclude)) as requested
      except
      select 'exclude', resolved.entry
      from nms_private.resolve_tables(nms_private.request_entries(exclude)) as resolved
    )
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('argument', argument, 'entry', entry) order by argument desc, entry),
    '[]'
  )
  from unmatched
$$;
comment on function nms_private.unmatched_entries(jsonb, jsonb) is
  'The entries of a well-formed request that match nothing in this database, likely typing errors: [{"argument": "skip" or "exclude", "entry": …}].';
revoke execute on function nms_private.unmatched_entries(jsonb, jsonb) from public;
--! EndIncluded functions/request/unmatched_entries.sql
--! Included functions/request/validate_request.sql
create or replace function nms_private.validate_request(skip jsonb, exclude jsonb)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with argument (name, value, expected, expected_entry, entry_pattern) as (
    values
      ('skip', skip, 'an array of schema names such as ["tmp"]', 'the name of a schema such as "tmp"', '.'),
      -- Something on both sides of a dot, and not one quoted name that merely contains a dot.
      (
        'exclude',
        exclude,
        'an array of tables such as ["public.orders"]',
        'schema and table with a dot between, such as "public.orders"',
        '^(?!"([^"]|"")*"$).+[.].+$'
      )
  ),
  list as (
    select argument.*, case jsonb_typeof(argument.value) when 'array' then jsonb_array_length(argument.value) end as entries
    from argument
  ),
  entry as (
    select list.name, element.value, list.expected_entry as expected, list.entry_pattern
    from list
    cross join jsonb_array_elements(case when list.entries <= 100000 then list.value end) as element (value)
  ),
  problem (name, seen, expected) as (
    select name, value::text, expected
    from argument
    where jsonb_typeof(value) <> 'array'
    union all
    select name, format('%s entries', entries), 'at most 100000'
    from list
    where entries > 100000
    union all
    select name, value::text, expected
    from entry
    where jsonb_typeof(value) <> 'string' or (value #>> '{}') !~ entry_pattern
  )
  select string_agg(
    format('%s: saw %s, expected %s', name, left(seen, 200), expected),
    '; ' order by name desc, seen
  )
  from problem
$$;
comment on function nms_private.validate_request(jsonb, jsonb) is
  'What is wrong with the arguments of a run: which argument, what was seen, what is expected. Null when nothing is.';
revoke execute on function nms_private.validate_request(jsonb, jsonb) from public;
--! EndIncluded functions/request/validate_request.sql
--! Included functions/run/abandon_silent_runs.sql
-- Whoever works on a run holds its header's row lock: "skip locked" leaves every live one alone.
create or replace function nms.abandon_silent_runs(silent_for interval default null)
returns setof nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- of the tables of the collector
as $$
declare
  v_silent record;
begin
  -- Most often there is none, and planning what looks closer takes longer than this.
  if not exists (select from nms.table_metrics_runs as run where run.status = 'RUNNING') then
    return;
  end if;

  for v_silent in
    select run.run_id, coalesce(abandon_silent_runs.silent_for, settings.abandon_after) as bound
    from nms.table_metrics_runs as run
    cross join nms.table_metrics_settings as settings
    where
      run.status = 'RUNNING'
      and nms_private.is_silent(
        run_id => run.run_id,
        silent_for => coalesce(abandon_silent_runs.silent_for, settings.abandon_after)
      )
    for update of run skip locked
  loop
    return query
    select failed.*
    from nms_private.fail_run(
      run_id => v_silent.run_id,
      reason => format('abandoned: no sign of life for more than %s, and no session works on it', v_silent.bound)
    ) as failed;
  end loop;
end
$$;
comment on function nms.abandon_silent_runs(interval) is
  'Ends as FAILED every run that no session holds and that has been silent for longer than that, by default the abandon_after setting: its session or its server died. Returns the headers of those runs.';
revoke execute on function nms.abandon_silent_runs(interval) from public;
--! EndIncluded functions/run/abandon_silent_runs.sql
--! Included functions/run/begin_run.sql
create or replace function nms_private.begin_run(skip jsonb, exclude jsonb, run_id bigint)
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

  v_run := nms_private.claim_run(run_id => begin_run.run_id);
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
comment on function nms_private.begin_run(jsonb, jsonb, bigint) is
  'The header of the run to count: a new one for this request, or the RUNNING one that run_id names, locked. Raises what claim_run raises, and 22023 when both are given and do not agree.';
revoke execute on function nms_private.begin_run(jsonb, jsonb, bigint) from public;
--! EndIncluded functions/run/begin_run.sql
--! Included functions/run/cancel_if_client_is_gone.sql
-- Each by itself: a server on another system may refuse one of these settings.
create or replace function nms_private.cancel_if_client_is_gone()
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
comment on function nms_private.cancel_if_client_is_gone() is
  'For the rest of the transaction, from the next statement on: a client that dies takes its statement along within seconds, rather than leaving it running for nobody.';
revoke execute on function nms_private.cancel_if_client_is_gone() from public;
--! EndIncluded functions/run/cancel_if_client_is_gone.sql
--! Included functions/run/claim_run.sql
create or replace function nms_private.claim_run(run_id bigint, shared boolean default false)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run nms.table_metrics_runs;
  v_status text;
begin
  if shared then
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
comment on function nms_private.claim_run(bigint, boolean) is
  'Locks the header of a RUNNING run until the transaction ends, which tells others that a session works on it: alone, or shared with others that measure its targets. Raises P0002 for an unknown run, 55000 for a finished one, 55P03 for one that another session works on.';
revoke execute on function nms_private.claim_run(bigint, boolean) from public;
--! EndIncluded functions/run/claim_run.sql
--! Included functions/run/close_run.sql
create or replace function nms.close_run(run_id bigint)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- of the header; that of the settings, below, to write a result
as $$
declare
  v_run nms.table_metrics_runs := nms_private.claim_run(run_id => close_run.run_id);
  v_reason text;
  v_constraint text;
begin
  v_reason := case
    when v_run.target_count is null then 'closed before its tables were counted'
    else nms_private.failure_summary(run_id => close_run.run_id)
  end;
  if v_reason is not null then
    raise warning 'run % failed', close_run.run_id using detail = left(v_reason, 2000);
    return nms_private.fail_run(run_id => close_run.run_id, reason => v_reason);
  end if;

  -- Another run may have written the same day: it is waited for until it commits.
  perform nms_private.use_lock_timeout();

  insert into nms.table_metrics_run_snapshot (run_id, payload, collected_at)
  select
    close_run.run_id,
    nms_private.run_payload(run_id => close_run.run_id, version => settings.payload_version::integer),
    v_run.collected_at
  from nms.table_metrics_settings as settings;
  perform nms_private.take_day(run_id => close_run.run_id);

  delete from nms_private.targets as claim where claim.run_id = close_run.run_id;
  delete from nms_private.carrying_runs as carrying where carrying.run_id = close_run.run_id;

  update nms.table_metrics_runs as run
  set status = 'SUCCEEDED', finished_at = clock_timestamp()
  where run.run_id = close_run.run_id
  returning run.* into strict v_run;
  return v_run;
exception
  -- The measurements stay: only what this block has written is rolled back.
  when lock_not_available then
    v_reason := coalesce(
      v_reason,
      format(
        'every table was counted, and the result could not be written: waited for %s in vain for %s, which has not ended its transaction',
        (select settings.lock_timeout from nms.table_metrics_settings as settings),
        nms_private.sessions_in_the_way(
          relations => array['nms.table_metrics_daily_snapshot', 'nms.table_metrics_run_snapshot']::regclass[]
        )
      )
    );
    raise warning 'run % failed', close_run.run_id using errcode = 'lock_not_available', detail = left(v_reason, 2000);
    return nms_private.fail_run(run_id => close_run.run_id, reason => v_reason);
  when unique_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint <> 'a_slot_is_served_once' then
      raise;
    end if;
    select format('run %s has served the slot %s already', served.run_id, served.scheduled_for) into strict v_reason
    from nms.table_metrics_runs as served
    where served.scheduled_for = v_run.scheduled_for and served.status = 'SUCCEEDED';
    raise warning 'run % failed', close_run.run_id using detail = v_reason;
    return nms_private.fail_run(run_id => close_run.run_id, reason => v_reason);
end
$$;
comment on function nms.close_run(bigint) is
  'Ends a run that has been counted. When every target was: writes its run snapshot, in the version that the payload_version setting says, makes it the snapshot of its business day unless a later run already is, or a counted one while this was imported, SUCCEEDED. Otherwise FAILED, with the reason for each table, and both snapshots as they were; also when another session keeps it from writing them for longer than lock_timeout. Returns the header.';
revoke execute on function nms.close_run(bigint) from public;
--! EndIncluded functions/run/close_run.sql
--! Included functions/run/collect_table_metrics.sql
-- The whole job, in one call, one transaction and one snapshot:
--   begin_run      writes the RUNNING header, or takes up the one that open_run committed before
--   count_targets  finds every table in pg_class, counts each with dynamic SQL as of the same
--                  instant, and stores one measurement per table: its count, or why there is none
--   close_run      all counted: SUCCEEDED, with the JSON of the run and of its business day, where
--                  the last run wins; otherwise FAILED, and both JSONs stay as they were
create or replace function nms.collect_table_metrics(
  skip jsonb default '[]',    -- schemas to leave out: ["tmp"]
  exclude jsonb default '[]', -- tables to leave out: ["public.orders"]
  run_id bigint default null  -- a run that nms.open_run() has started and committed
)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- of the tables of the collector
as $$
declare
  v_run nms.table_metrics_runs;
begin
  v_run := nms_private.begin_run(
    skip => collect_table_metrics.skip,
    exclude => collect_table_metrics.exclude,
    run_id => collect_table_metrics.run_id
  );
  if v_run.status = 'FAILED' then
    return v_run; -- malformed request
  end if;

  begin
    perform nms_private.count_targets(run_id => v_run.run_id);
    return nms.close_run(run_id => v_run.run_id);
  exception
    -- Any error ends up in the header. "others" alone would let a cancel and a failed assertion through.
    when query_canceled or assert_failure or others then
      if sqlstate = '57014' and current_setting('nms.raise_cancel', true) = 'on' then
        raise; -- whoever opened the run knows why, and calls give_up_run
      end if;
      if sqlstate = '08006' then
        raise; -- nothing of this transaction can be committed, as read_foreign says
      end if;
      raise warning 'run % failed', v_run.run_id using errcode = sqlstate, detail = left(sqlerrm, 2000);
      return nms_private.fail_run(run_id => v_run.run_id, reason => format('%s (%s)', sqlerrm, sqlstate));
  end;
end
$$;
comment on function nms.collect_table_metrics(jsonb, jsonb, bigint) is
  'Counts every table of this database as of one instant and keeps the result: measurements, run snapshot and daily snapshot. skip: array of schemas to leave out. exclude: array of tables to leave out, as "schema.table". run_id: a run that nms.open_run() has started, with its request. Returns the header of the run, SUCCEEDED or FAILED; raises only for a run_id that cannot be collected, and 08006 when another server with a part of a table goes away meanwhile.';
revoke execute on function nms.collect_table_metrics(jsonb, jsonb, bigint) from public;
--! EndIncluded functions/run/collect_table_metrics.sql
--! Included functions/run/delete_measurements_of_deleted_runs.sql
create or replace function nms_private.delete_measurements_of_deleted_runs()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'TRUNCATE' then
    truncate
      nms.table_metrics_measurements, nms.table_metrics_filtered_counts, nms.table_metrics_comparisons,
      nms_private.key_positions;
  else
    delete from nms.table_metrics_measurements as measurement
    using deleted_runs
    where measurement.run_id = deleted_runs.run_id;
    delete from nms.table_metrics_filtered_counts as filtered
    using deleted_runs
    where filtered.run_id = deleted_runs.run_id;
    delete from nms.table_metrics_comparisons as comparison
    using deleted_runs
    where comparison.run_id = deleted_runs.run_id;
    delete from nms_private.key_positions as known
    using deleted_runs
    where known.run_id = deleted_runs.run_id;
  end if;
  return null;
end
$$;
comment on function nms_private.delete_measurements_of_deleted_runs() is
  'Trigger function: deleting runs takes their measurements with them.';
revoke execute on function nms_private.delete_measurements_of_deleted_runs() from public;
--! EndIncluded functions/run/delete_measurements_of_deleted_runs.sql
--! Included functions/run/end_if_abandoned.sql
create or replace function nms_private.end_if_abandoned(run_id bigint)
returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- of the header, which a session has locked that counts the run or is ending it
as $$
begin
  if
    nms_private.is_silent(
      run_id => end_if_abandoned.run_id,
      silent_for => (select settings.abandon_after from nms.table_metrics_settings as settings)
    )
  then
    perform from nms.table_metrics_runs as run where run.run_id = end_if_abandoned.run_id for update;
    perform nms.abandon_silent_runs();
  end if;
  return not exists (
    select
    from nms.table_metrics_runs as run
    where run.run_id = end_if_abandoned.run_id and run.status = 'RUNNING'
  );
exception
  when lock_not_available then
    return false;
end
$$;
comment on function nms_private.end_if_abandoned(bigint) is
  'Ends a run as FAILED when nobody works on it any more. Waits up to a second for a session that has its header locked, for that may be doing the same. Returns whether the run has ended.';
revoke execute on function nms_private.end_if_abandoned(bigint) from public;
--! EndIncluded functions/run/end_if_abandoned.sql
--! Included functions/run/fail_run.sql
create or replace function nms_private.fail_run(run_id bigint, reason text)
returns nms.table_metrics_runs
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  delete from nms_private.targets as claim where claim.run_id = fail_run.run_id;
  delete from nms_private.carrying_runs as carrying where carrying.run_id = fail_run.run_id;

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
comment on function nms_private.fail_run(bigint, text) is
  'Ends a run as FAILED for this reason, cut at 2,000 characters. Neither snapshot is touched.';
revoke execute on function nms_private.fail_run(bigint, text) from public;
--! EndIncluded functions/run/fail_run.sql
--! Included functions/run/failed_after_counting.sql
create or replace function nms_private.failed_after_counting(run_id bigint)
returns boolean
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
  select
    run.status = 'FAILED'
    and run.target_count is not null
    and not exists (
      select
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = run.run_id and measurement.error_sqlstate is not null
    )
  from nms.table_metrics_runs as run
  where run.run_id = failed_after_counting.run_id
$$;
comment on function nms_private.failed_after_counting(bigint) is
  'Whether a run counted every table and FAILED all the same, such as one that another session kept from writing its result: the same request may succeed at once. Null for an unknown run.';
revoke execute on function nms_private.failed_after_counting(bigint) from public;
--! EndIncluded functions/run/failed_after_counting.sql
--! Included functions/run/failure_summary.sql
create or replace function nms_private.failure_summary(run_id bigint, reason text default null)
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
    '%s of %s could not be counted. %s.',
    sum(cause.tables),
    (
      select case run.target_count when 1 then '1 table' else format('%s tables', run.target_count) end
      from nms.table_metrics_runs as run
      where run.run_id = failure_summary.run_id
    ),
    string_agg(
      format(
        '%s (%s): %s',
        cause.names,
        concat_ws(', ', cause.error_sqlstate, nullif(cause.error_message, failure_summary.reason)),
        nms_private.remedy(cause.error_sqlstate)
      ),
      '. ' order by cause.tables, cause.error_sqlstate
    )
  )
  from cause
  having count(*) > 0
$$;
comment on function nms_private.failure_summary(bigint, text) is
  'Names each table that a run could not count, with what to do about it. reason: what is said of the whole run, and not again of a table. Null when every target was counted.';
revoke execute on function nms_private.failure_summary(bigint, text) from public;
--! EndIncluded functions/run/failure_summary.sql
--! Included functions/run/finish_counting.sql
create or replace function nms_private.finish_counting(run_id bigint)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from nms_private.targets as claim where claim.run_id = finish_counting.run_id) then
    perform nms_private.keep_findings(run_id => finish_counting.run_id);
  end if;
  perform nms_private.settle_maintained(run_id => finish_counting.run_id);

  if exists (
    select from nms.table_metrics_filtered_counts as filtered where filtered.run_id = finish_counting.run_id
  ) then
    -- An online run may have taken back the measurement that they belong to.
    delete from nms.table_metrics_filtered_counts as filtered
    where
      filtered.run_id = finish_counting.run_id
      and not exists (
        select
        from nms.table_metrics_measurements as measurement
        where
          measurement.run_id = filtered.run_id
          and measurement.schema_name = filtered.schema_name
          and measurement.table_name = filtered.table_name
          and measurement.table_oid = filtered.table_oid
      );
  end if;

  update nms.table_metrics_runs as run
  set target_count = (
    select count(*)
    from nms.table_metrics_measurements as measurement
    where measurement.run_id = finish_counting.run_id
  )
  where run.run_id = finish_counting.run_id;
end
$$;
comment on function nms_private.finish_counting(bigint) is
  'Ends the counting of a run: writes to its header, as target_count, how many tables have a measurement.';
revoke execute on function nms_private.finish_counting(bigint) from public;
--! EndIncluded functions/run/finish_counting.sql
--! Included functions/run/forbid_rewriting_a_finished_run.sql
create or replace function nms_private.forbid_rewriting_a_finished_run()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a finished run is never rewritten'
    using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('run %s is %s', old.run_id, old.status),
      hint = 'Collect again: the last run that succeeds owns its day.';
end
$$;
comment on function nms_private.forbid_rewriting_a_finished_run() is
  'Trigger function that refuses every update of a run that is SUCCEEDED or FAILED: history is append-only.';
revoke execute on function nms_private.forbid_rewriting_a_finished_run() from public;
--! EndIncluded functions/run/forbid_rewriting_a_finished_run.sql
--! Included functions/run/give_up_run.sql
create or replace function nms_private.give_up_run(run_id bigint, reason text)
returns nms.table_metrics_runs
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := coalesce(nullif(give_up_run.reason, ''), 'given up');
  v_run nms.table_metrics_runs := nms_private.claim_run(run_id => give_up_run.run_id);
  v_of_tables constant text := regexp_replace(v_reason, ' \(57014\)$', ''); -- which stands beside it
  v_summary text;
begin
  if v_run.is_online then
    perform nms_private.record_failure(
      run_id => claim.run_id,
      target => target,
      error_sqlstate => '57014',
      error_message => v_of_tables
    )
    from nms_private.targets as claim
    cross join unnest(claim.targets) as target
    where
      claim.run_id = v_run.run_id
      and not claim.is_done
      and target.is_reported
      and exists (select from pg_class as relation where relation.oid = target.table_oid);

    perform nms_private.finish_counting(run_id => v_run.run_id);
  end if;

  v_summary := nms_private.failure_summary(run_id => v_run.run_id, reason => v_of_tables);
  return nms_private.fail_run(
    run_id => v_run.run_id,
    reason => coalesce(v_of_tables || '. ' || v_summary, v_reason)
  );
end
$$;
comment on function nms_private.give_up_run(bigint, text) is
  'Ends a RUNNING run that no session works on as FAILED for this reason; what an online run has not counted by then is recorded as not counted. Returns the header.';
revoke execute on function nms_private.give_up_run(bigint, text) from public;
--! EndIncluded functions/run/give_up_run.sql
--! Included functions/run/is_silent.sql
create or replace function nms_private.is_silent(run_id bigint, silent_for interval)
returns boolean
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select clock_timestamp() - is_silent.silent_for > greatest(
    run.collected_at,
    (
      select max(measurement.measured_at)
      from nms.table_metrics_measurements as measurement
      where measurement.run_id = run.run_id
    ),
    -- While only locked tables are left, each attempt to count one sets this.
    (
      select max(claim.retry_at)
      from nms_private.targets as claim
      where claim.run_id = run.run_id
    ),
    -- While nothing is left but to find out what may be carried, each look sets this.
    (select carrying.looked_at from nms_private.carrying_runs as carrying where carrying.run_id = run.run_id)
  )
  from nms.table_metrics_runs as run
  where run.run_id = is_silent.run_id and run.status = 'RUNNING'
$$;
comment on function nms_private.is_silent(bigint, interval) is
  'Whether a RUNNING run has shown no sign of life for longer than that. Null for any other run.';
revoke execute on function nms_private.is_silent(bigint, interval) from public;
--! EndIncluded functions/run/is_silent.sql
--! Included functions/run/open_run.sql
create or replace function nms.open_run(skip jsonb default '[]', exclude jsonb default '[]')
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10 s' -- of the tables of the collector
as $$
declare
  v_skip jsonb := coalesce(skip, '[]');
  v_exclude jsonb := coalesce(exclude, '[]');
begin
  return nms_private.start_run(
    skip => v_skip,
    exclude => v_exclude,
    problem => case
      when v_skip <> '[]' or v_exclude <> '[]' then nms_private.validate_request(skip => v_skip, exclude => v_exclude)
    end
  );
end
$$;
comment on function nms.open_run(jsonb, jsonb) is
  'Starts a run: writes its RUNNING header and returns its run_id. skip: array of schemas to leave out. exclude: array of tables to leave out, as "schema.table". A malformed request is written as a FAILED run, with a warning. Runs that were abandoned are marked FAILED first.';
revoke execute on function nms.open_run(jsonb, jsonb) from public;
--! EndIncluded functions/run/open_run.sql
--! Included functions/run/payload_version.sql
create or replace function nms_private.payload_version(payload jsonb)
returns integer
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- In version 1 a schema may have that name: an object.
  select case when payload -> '_version' = '2' then 2 when payload is not null then 1 end
$$;
comment on function nms_private.payload_version(jsonb) is
  'In which version a payload is written. Null for null.';
revoke execute on function nms_private.payload_version(jsonb) from public;
--! EndIncluded functions/run/payload_version.sql
--! Included functions/run/remedy.sql
create or replace function nms_private.remedy(error_sqlstate text)
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
    when error_sqlstate = '25006' then
      'counting it runs a function of its owner that writes, such as one in an index: mend that function, or exclude it'
    when error_sqlstate = 'NM001' then
      'it changed under every snapshot: collect again outside a repeatable read transaction, when it rests'
    when error_sqlstate = 'NM003' then
      'collect again when nobody alters it, raise the setting yield_after, or exclude it'
    when error_sqlstate = 'NM004' then
      'collect again, in another transaction: when it is empty then as well, that is believed'
    when error_sqlstate in ('XX001', 'XX002', '58030', '58P01') then
      'its file is damaged or missing: restore it, or exclude it until then'
    when left(error_sqlstate, 2) in ('08', 'HV') then format(
      'its server was away, refused to let %I in, or has a statement_timeout that is too short: mend that and collect again, or exclude the tables that it is a part of',
      current_user
    )
    when left(error_sqlstate, 2) = '2F' then format(
      'give the user mapping of %I for its server a user and a password that this server asks for; or exclude the tables that it is a part of',
      current_user
    )
    when error_sqlstate = '42704' then format(
      'create what it needs, most often a user mapping of %I for its server, which table-metrics doctor names, and collect again',
      current_user
    )
    else 'mend the cause and collect again, or exclude it'
  end
$$;
comment on function nms_private.remedy(text) is
  'What to do about a table that could not be counted, from the SQLSTATE of its measurement.';
revoke execute on function nms_private.remedy(text) from public;
--! EndIncluded functions/run/remedy.sql
--! Included functions/run/run_payload.sql
-- json first, jsonb at the end: jsonb_object_agg over jsonb takes quadratic time.
create or replace function nms_private.run_payload(run_id bigint, version integer default 1)
returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if run_payload.version = 1 then
    return (
      select coalesce(json_object_agg(per_schema.schema_name, per_schema.tables)::jsonb, '{}')
      from (
        select
          measurement.schema_name,
          json_object_agg(measurement.table_name, measurement.row_count) as tables
        from nms.table_metrics_measurements as measurement
        where measurement.run_id = run_payload.run_id
        group by measurement.schema_name
      ) as per_schema
    );
  end if;

  return (
    with filtered as materialized (
      select found.schema_name, found.table_name, json_object_agg(found.filter_name, found.row_count) as counts
      from nms.table_metrics_filtered_counts as found
      where found.run_id = run_payload.run_id
      group by found.schema_name, found.table_name
    )
    select jsonb_build_object('_version', 2) || coalesce(json_object_agg(per_schema.key, per_schema.tables)::jsonb, '{}')
    from (
      select
        -- A schema that is called _version, __version and so on has one underscore more.
        case when measurement.schema_name ~ '^_+version$' then '_' else '' end || measurement.schema_name as key,
        json_object_agg(
          measurement.table_name,
          json_strip_nulls(
            json_build_object(
              'count', measurement.row_count,
              'method', measurement.method,
              'low', measurement.row_count_low,
              'high', measurement.row_count_high,
              'from_run', measurement.carried_from_run,
              'bytes', measurement.total_bytes,
              'table_bytes', measurement.table_bytes,
              'index_bytes', measurement.index_bytes,
              'dead_rows', measurement.dead_rows,
              'frozen_age', measurement.frozen_age,
              'filtered', filtered.counts
            )
          )
        ) as tables
      from nms.table_metrics_measurements as measurement
      left join filtered
        on filtered.schema_name = measurement.schema_name
        and filtered.table_name = measurement.table_name
      where measurement.run_id = run_payload.run_id
      group by measurement.schema_name
    ) as per_schema
  );
end
$$;
comment on function nms_private.run_payload(bigint, integer) is
  'The measurements of one run in a version of the payload. 1: {schema: {table: count}}; {} for a run that found no table. 2: {"_version": 2, schema: {table: {"count": …, "method": …}}}, with low and high of an estimate, from_run of a carried count, and as far as they were measured bytes, table_bytes, index_bytes, dead_rows, frozen_age and filtered {name: count}; a schema whose name is _version, with any number of underscores, has one underscore more.';
revoke execute on function nms_private.run_payload(bigint, integer) from public;
--! EndIncluded functions/run/run_payload.sql
--! Included functions/run/sessions_in_the_way.sql
-- Whoever has locked or written a row also has a lock on its table, in a mode that readers do not take.
create or replace function nms_private.sessions_in_the_way(relations regclass[])
returns text
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with holder as (
    select distinct session.pid, session.usename, session.application_name
    from pg_locks as held
    join pg_stat_activity as session on session.pid = held.pid
    where
      held.locktype = 'relation'
      and held.database = (select oid from pg_database where datname = current_database())
      and held.relation = any (sessions_in_the_way.relations::oid[])
      and held.granted
      and held.mode not in ('AccessShareLock', 'RowShareLock')
      and held.pid <> pg_backend_pid()
      and not exists (select from pg_locks as awaited where awaited.pid = held.pid and not awaited.granted)
  ),
  named as (
    select holder.pid, concat_ws(', ', quote_ident(holder.usename), nullif(holder.application_name, '')) as who
    from holder
    order by holder.pid
    limit 5
  )
  select coalesce(
    string_agg(format('session %s (%s)', named.pid, named.who), ' or ' order by named.pid),
    'another session'
  )
  from named
$$;
comment on function nms_private.sessions_in_the_way(regclass[]) is
  'Which other sessions have written to one of these tables, or locked it, and have not ended their transaction: the process id, user and application_name of five at most.';
revoke execute on function nms_private.sessions_in_the_way(regclass[]) from public;
--! EndIncluded functions/run/sessions_in_the_way.sql
--! Included functions/run/start_run.sql
create or replace function nms_private.start_run(
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
  v_started_at constant timestamptz := clock_timestamp(); -- not now(): the transaction may have begun the day before
  v_unmatched jsonb := jsonb '[]';
  v_left_out bigint;
  v_run_id bigint;
begin
  perform nms.abandon_silent_runs();

  if problem is null and start_run.skip || start_run.exclude = '[]' then
    v_left_out := 0;
  elsif problem is null then
    v_unmatched := nms_private.unmatched_entries(skip => start_run.skip, exclude => start_run.exclude);
    v_left_out := (
      select count(*)
      from nms_private.classify_relations(skip => start_run.skip, exclude => start_run.exclude) as relation
      where relation.outcome in ('schema skipped', 'excluded')
    );
  end if;

  insert into nms.table_metrics_runs (
    collected_at, snapshot_date, skip_schemas, exclude_tables, unmatched_entries, scheduled_for,
    machinery_schemas, left_out_count
  )
  values (
    v_started_at, nms.business_date(at => v_started_at), start_run.skip, start_run.exclude, v_unmatched,
    start_run.slot, (select settings.machinery_schemas from nms.table_metrics_settings as settings), v_left_out
  )
  returning run_id into v_run_id;

  if problem is not null then
    perform nms_private.fail_run(run_id => v_run_id, reason => problem);
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
comment on function nms_private.start_run(jsonb, jsonb, text, timestamptz) is
  'Writes the header of a run and returns its run_id: RUNNING, or FAILED when something is wrong with its request, which is the problem. slot: the slot of the schedule that it serves, if any.';
revoke execute on function nms_private.start_run(jsonb, jsonb, text, timestamptz) from public;
--! EndIncluded functions/run/start_run.sql
--! Included functions/run/take_turn.sql
-- Not an advisory lock: anybody who may connect could take that. This one takes the right to write to the table.
create or replace function nms_private.take_turn(of regclass)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('lock table %s in exclusive mode', take_turn.of);
exception
  when lock_not_available then
    -- All in the message, which is what a log of failed jobs keeps.
    raise exception 'waited for % in vain: % has not ended its transaction',
      current_setting('lock_timeout'), nms_private.sessions_in_the_way(relations => array[take_turn.of])
      using
        errcode = 'lock_not_available',
        detail = format('it has its turn at %s', take_turn.of),
        hint = 'Try again later, or end that session with pg_terminate_backend().';
end
$$;
comment on function nms_private.take_turn(regclass) is
  'Lets one session at a time go on, until its transaction ends. Waits for lock_timeout; then raises 55P03, and says which session is in the way.';
revoke execute on function nms_private.take_turn(regclass) from public;
--! EndIncluded functions/run/take_turn.sql
--! Included functions/run/use_lock_timeout.sql
create or replace function nms_private.use_lock_timeout()
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('lock_timeout', (extract(epoch from settings.lock_timeout) * 1000)::bigint::text, true)
  from nms.table_metrics_settings as settings;
end
$$;
comment on function nms_private.use_lock_timeout() is
  'Lets the calling function wait for locks as long as the lock_timeout setting says: until that function ends, if it has a lock_timeout of its own, otherwise until the transaction ends.';
revoke execute on function nms_private.use_lock_timeout() from public;
--! EndIncluded functions/run/use_lock_timeout.sql
--! Included functions/schedule/find_run_for_slot.sql
create or replace function nms_private.find_run_for_slot(slot timestamptz, skip jsonb, exclude jsonb)
returns table (action text, run_id bigint, message text)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_most_runs constant integer := 10;
  v_run nms.table_metrics_runs;
begin
  loop
    -- After an outage several slots are due: one run with their request serves all that came before it.
    select run.* into v_run
    from nms.table_metrics_runs as run
    where
      run.status <> 'FAILED'
      and (
        run.scheduled_for = find_run_for_slot.slot
        or (
          run.scheduled_for is not null
          and run.collected_at >= find_run_for_slot.slot
          and run.skip_schemas = find_run_for_slot.skip
          and run.exclude_tables = find_run_for_slot.exclude
        )
      )
    order by run.status = 'RUNNING', run.run_id
    limit 1;
    exit when not found;
    if v_run.status = 'SUCCEEDED' then
      return query select 'served', v_run.run_id, format('run %s has served the slot %s', v_run.run_id, slot);
      return;
    elsif not nms_private.end_if_abandoned(run_id => v_run.run_id) then
      return query select 'wait', v_run.run_id, format('run %s for the slot %s is under way', v_run.run_id, slot);
      return;
    end if;
  end loop;

  select run.* into v_run
  from nms.table_metrics_runs as run
  where run.scheduled_for = find_run_for_slot.slot
  order by run.run_id desc
  limit 1;
  if
    not nms_private.is_retryable(run_id => v_run.run_id)
    or (
      select count(*) >= v_most_runs
      from nms.table_metrics_runs as run
      where run.scheduled_for = find_run_for_slot.slot
    )
  then
    return query select 'served', v_run.run_id, format('run %s for the slot %s failed, and trying again would not help', v_run.run_id, slot);
  end if;
end
$$;
comment on function nms_private.find_run_for_slot(timestamptz, jsonb, jsonb) is
  'Whether a slot of the schedule still needs a run. No row: it does. served: a run has succeeded, or failed in a way or so often that another would not help. wait: a run is under way that will serve it.';
revoke execute on function nms_private.find_run_for_slot(timestamptz, jsonb, jsonb) from public;
--! EndIncluded functions/schedule/find_run_for_slot.sql
--! Included functions/schedule/is_retryable.sql
create or replace function nms_private.is_retryable(run_id bigint)
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
      and measurement.error_sqlstate not in ('55P03', 'NM001', 'NM003', 'NM004', 'HV000')
      -- Out of resources, operator intervention, transaction rollback, another server that is away: these pass.
      and left(measurement.error_sqlstate, 2) not in ('53', '57', '40', '08')
  )
  from nms.table_metrics_runs as run
  where run.run_id = is_retryable.run_id
$$;
comment on function nms_private.is_retryable(bigint) is
  'Whether a FAILED run may end better when it is tried again: true for locks, cancels, a server that went away; false when a table has a cause that somebody has to mend. Null for an unknown run.';
revoke execute on function nms_private.is_retryable(bigint) from public;
--! EndIncluded functions/schedule/is_retryable.sql
--! Included functions/schedule/job_payload.sql
-- graphile-worker stores JSON as text, in which there may be what jsonb cannot hold.
create or replace function nms_private.job_payload(payload text)
returns jsonb
language plpgsql immutable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  return job_payload.payload::jsonb;
exception
  when data_exception or program_limit_exceeded then
    return to_jsonb(format('%s: %s', sqlerrm, job_payload.payload));
end
$$;
comment on function nms_private.job_payload(text) is
  'The payload of a job as jsonb. Where it cannot be that, for \u0000, half of a surrogate pair, or too deep a nesting, a JSON string that says so and shows it, which no job accepts.';
revoke execute on function nms_private.job_payload(text) from public;
--! EndIncluded functions/schedule/job_payload.sql
--! Included functions/schedule/latest_slot.sql
-- Each day has one slot. A time of day that a change of clocks leaves out is read by the clock from before it; of one
-- that comes twice only one counts.
create or replace function nms_private.latest_slot(local_time time, at timestamptz default now())
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
  where slot <= latest_slot.at and isfinite(latest_slot.at)
$$;
comment on function nms_private.latest_slot(time, timestamptz) is
  'The latest instant, not after the given one, at which clocks in the business time zone show this time: one a day, also on the days of 23 and 25 hours. Null for an infinite instant.';
revoke execute on function nms_private.latest_slot(time, timestamptz) from public;
--! EndIncluded functions/schedule/latest_slot.sql
--! Included functions/schedule/next_slot.sql
create or replace function nms_private.next_slot(local_time time, at timestamptz default now())
returns timestamptz
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select min(slot)
  from nms.table_metrics_settings as settings
  cross join generate_series(-1, 2) as days_after -- a zone may skip a whole day
  cross join lateral (
    select
      (nms.business_date(next_slot.at) + days_after + next_slot.local_time)
        at time zone settings.business_time_zone as slot
  ) as candidate
  where slot > next_slot.at and isfinite(next_slot.at)
$$;
comment on function nms_private.next_slot(time, timestamptz) is
  'The first instant after the given one at which clocks in the business time zone show this time: what nms_private.latest_slot() tells from then on. Null for an infinite instant.';
revoke execute on function nms_private.next_slot(time, timestamptz) from public;
--! EndIncluded functions/schedule/next_slot.sql
--! Included functions/schedule/open_job.sql
create or replace function nms_private.open_job(
  payload jsonb,
  requested_at timestamptz default null,
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
set lock_timeout = '10 s' -- of the tables of the collector
as $$
declare
  v_problem text := nms_private.validate_job(payload => coalesce(open_job.payload, '{}'));
  v_request constant jsonb := case jsonb_typeof(open_job.payload) when 'object' then open_job.payload else '{}' end;
  v_skip constant jsonb := coalesce(v_request -> 'skipSchemas', '[]');
  v_exclude constant jsonb := coalesce(v_request -> 'exclude', '[]');
begin
  if v_problem is null then
    is_online := coalesce((v_request ->> 'online')::boolean, false);
    jobs := coalesce((v_request ->> 'jobs')::integer, 1);
    deadline := nms_private.parse_duration(duration => v_request ->> 'deadline');
    select job.slot, job.problem into slot, v_problem from nms_private.slot_of_job(payload => v_request) as job;
  end if;

  if slot is not null then
    -- One job at a time: the next one finds the run that this one has started.
    perform nms_private.take_turn(of => 'nms_private.job_turn');
    select found.action, found.run_id, found.message
    into action, run_id, message
    from nms_private.find_run_for_slot(slot => open_job.slot, skip => v_skip, exclude => v_exclude) as found;
    if action is not null then
      return;
    end if;
  elsif v_problem is null and open_job.requested_at is not null then
    -- Its worker may have died between the end of the run and that of the job.
    select 'served', run.run_id, format('run %s has done this job', run.run_id)
    into action, run_id, message
    from nms.table_metrics_runs as run
    where
      run.status = 'SUCCEEDED'
      and not run.is_imported
      and run.collected_at >= open_job.requested_at
      and run.skip_schemas = v_skip
      and run.exclude_tables = v_exclude
    order by run.run_id
    limit 1;
    if action is not null then
      return;
    end if;
  end if;

  run_id := nms_private.start_run(skip => v_skip, exclude => v_exclude, problem => v_problem, slot => open_job.slot);
  action := case when v_problem is null then 'collect' else 'reject' end;
  message := v_problem;
end
$$;
comment on function nms_private.open_job(jsonb, timestamptz) is
  'Begins a job of the schedule or of graphile_worker.add_job. payload: {"skipSchemas": […], "exclude": […], "online": …, "jobs": …, "deadline": …, "localTime": "05:15"}, all of them optional, and _cron as graphile-worker writes it. requested_at: of a job that is tried again, when it was added: without a slot, a run that has succeeded since has done it. action: collect, a RUNNING run was started; reject, the payload is malformed or its slot in the future, and the run FAILED; served, no run is needed; wait, a run for the slot is under way. Raises 55P03 when another session opens a job for longer than ten seconds, and says which.';
revoke execute on function nms_private.open_job(jsonb, timestamptz) from public;
--! EndIncluded functions/schedule/open_job.sql
--! Included functions/schedule/queue_run.sql
-- Security invoker: what lies in the schema of graphile-worker runs with the rights of the caller, and only where the
-- caller trusts whoever may leave code there.
create or replace function nms.queue_run(
  source text,
  event_id text,
  request text default '{}',
  worker_schema text default 'graphile_worker'
)
returns boolean
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_most_attempts constant integer := 8;
  v_schema constant oid := to_regnamespace(quote_ident(queue_run.worker_schema))::oid;
  v_owner text;
  v_problem text;
begin
  for v_problem in
    select format('%s: saw %s, expected a text of 1 to 1,000 bytes', given.name, coalesce(octet_length(given.value) || ' bytes', 'null'))
    from (values (1, 'source', queue_run.source), (2, 'event_id', queue_run.event_id)) as given (place, name, value)
    where coalesce(octet_length(given.value), 0) not between 1 and 1000
    order by given.place
  loop
    raise exception '%', v_problem
      using
        errcode = 'invalid_parameter_value',
        detail = 'an event is known by its source and its id',
        hint = 'Give both, and of what is longer a hash.';
  end loop;

  if v_schema is null then
    raise exception 'there is no schema %', quote_ident(queue_run.worker_schema)
      using
        errcode = 'invalid_schema_name',
        detail = 'it is where the jobs of a worker are',
        hint = 'Start a worker, which makes it: table-metrics worker';
  end if;
  select schema.nspowner::regrole::text into strict v_owner from pg_namespace as schema where schema.oid = v_schema;
  if not has_schema_privilege(v_schema, 'usage') then
    raise exception 'permission denied for schema %', quote_ident(queue_run.worker_schema)
      using
        errcode = 'insufficient_privilege',
        detail = format('%I may not queue jobs there', current_user),
        hint = format('Run migrations/requester_roles.sql as %s.', v_owner);
  end if;
  select problem.detail into v_problem
  from nms_private.find_worker_problems(worker_schema => queue_run.worker_schema) as problem
  where problem.problem = 'worker_schema_of_stranger'
  limit 1;
  if found then
    raise exception 'the schema % is not to be trusted', quote_ident(queue_run.worker_schema)
      using
        errcode = 'insufficient_privilege',
        detail = v_problem,
        hint = format('Connect as a role that may do nothing but read results and queue runs, or as %s.', v_owner);
  end if;

  if not nms_private.remember_event(source => queue_run.source, event_id => queue_run.event_id) then
    return false;
  end if;
  execute format(
    'select from %I.add_job(identifier => $1, payload => $2, max_attempts => $3)', queue_run.worker_schema
  )
  using 'collect_table_metrics', nms_private.job_payload(payload => queue_run.request)::json, v_most_attempts;
  return true;
end
$$;
comment on function nms.queue_run(text, text, text, text) is
  'Queues a run for an event, once: the job and the event are stored together, and a second call with the same source and event_id, also at the same time, queues nothing. request: the payload of the job as JSON text; of a malformed one a run is FAILED and says why. worker_schema: that of graphile-worker. False when the event is known already, for 31 days at least. Raises 22023 for a source or an id without 1 to 1,000 bytes, 3F000 before a worker has started once, 42501 where the caller may not add jobs or does not trust whoever owns what is there.';
revoke execute on function nms.queue_run(text, text, text, text) from public;
--! EndIncluded functions/schedule/queue_run.sql
--! Included functions/schedule/remember_event.sql
-- No worker may ever look after this table: who adds to it also takes what is old, up to a limit.
create or replace function nms_private.remember_event(source text, event_id text)
returns boolean
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  old as (
    select event.source, event.event_id
    from nms_private.events as event
    where event.received_at < now() - interval '31 days'
    order by event.received_at
    limit 100
    for update skip locked
  ),
  forgotten as (
    delete from nms_private.events as event
    using old
    where event.source = old.source and event.event_id = old.event_id
  ),
  remembered as (
    insert into nms_private.events (source, event_id)
    values (remember_event.source, remember_event.event_id)
    on conflict (source, event_id) do nothing -- waits for whoever is just storing it
    returning true
  )
  select exists (select from remembered)
$$;
comment on function nms_private.remember_event(text, text) is
  'Stores that an event has arrived. False when it had already. Forgets up to a hundred that are older than 31 days.';
revoke execute on function nms_private.remember_event(text, text) from public;
--! EndIncluded functions/schedule/remember_event.sql
--! Included functions/schedule/slot_of_job.sql
create or replace function nms_private.slot_of_job(payload jsonb, out slot timestamptz, out problem text)
returns record
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A worker takes a job when its slot has come, by the clock of a server that another may have replaced since.
  v_latest constant timestamptz := clock_timestamp() + interval '1 minute';
  v_scheduled_for timestamptz;
begin
  v_scheduled_for := (payload #>> '{_cron,ts}')::timestamptz;
  if v_scheduled_for > v_latest then
    problem := format(
      '_cron: saw the slot %s, which is in the future, expected one that has come', payload #>> '{_cron,ts}'
    );
  elsif payload ? 'localTime' then
    slot := nms_private.latest_slot(local_time => (payload ->> 'localTime')::time, at => v_scheduled_for);
  else
    slot := v_scheduled_for;
  end if;
exception
  when data_exception then
    problem := format(
      '_cron: saw %s, expected an instant that exists, such as {"ts": "2026-11-20T05:15:00.000Z"}',
      left(payload ->> '_cron', 200)
    );
end
$$;
comment on function nms_private.slot_of_job(jsonb) is
  'The slot that a job with this payload is for: the time of the schedule, or with localTime the latest such time of day in the business time zone. Null for a job that no schedule has made, and when there is a problem: a slot that does not exist or is in the future.';
revoke execute on function nms_private.slot_of_job(jsonb) from public;
--! EndIncluded functions/schedule/slot_of_job.sql
--! Included functions/schedule/validate_deadline.sql
create or replace function nms_private.validate_deadline(deadline text)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    case
      when parsed.duration is null then 'one number and one unit'
      when parsed.duration = '0' then 'more than no time'
      when extract(year from parsed.duration) + extract(month from parsed.duration) > 0 then 'a unit that is always as long'
    end || ', such as "30m", "90s" or "2 hours"'
  from nms_private.parse_duration(duration => validate_deadline.deadline) as parsed (duration)
$$;
comment on function nms_private.validate_deadline(text) is
  'What is expected instead of this deadline. Null when nothing is wrong with it.';
revoke execute on function nms_private.validate_deadline(text) from public;
--! EndIncluded functions/schedule/validate_deadline.sql
--! Included functions/schedule/validate_job.sql
create or replace function nms_private.validate_job(payload jsonb)
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
        nms_private.validate_deadline(deadline => payload ->> 'deadline') is null,
        nms_private.validate_deadline(deadline => payload ->> 'deadline')
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
        left(to_jsonb(given.key)::text, 200)
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
        nms_private.validate_request(
          skip => coalesce(payload -> 'skipSchemas', '[]'),
          exclude => coalesce(payload -> 'exclude', '[]')
        ),
        '(^|; )skip:',
        '\1skipSchemas:',
        'g'
      )
    where jsonb_typeof(payload) = 'object'
  )
  select left(string_agg(problem.text, '; ' order by problem.place, problem.text), 2000) from problem
$$;
comment on function nms_private.validate_job(jsonb) is
  'What is wrong with the payload of a graphile-worker job: which key, what was seen, what is expected, in at most 2,000 characters. Null when nothing is.';
revoke execute on function nms_private.validate_job(jsonb) from public;
--! EndIncluded functions/schedule/validate_job.sql
--! Included functions/settings/forbid_deleting_the_settings.sql
create or replace function nms_private.forbid_deleting_the_settings()
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
comment on function nms_private.forbid_deleting_the_settings() is
  'Trigger function that refuses to delete the one row of settings, without which no run could start.';
revoke execute on function nms_private.forbid_deleting_the_settings() from public;
--! EndIncluded functions/settings/forbid_deleting_the_settings.sql
--! Included functions/settings/parse_duration.sql
create or replace function nms_private.parse_duration(duration text)
returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    case
      when
        parse_duration.duration
          ~ '^[0-9]{1,6} ?(s|m|h|d|w|mons?|y|seconds?|min|minutes?|hours?|days?|weeks?|months?|years?)$'
      then parse_duration.duration::interval
    end
$$;
comment on function nms_private.parse_duration(text) is
  'A time as it is written on the command line, in the payload of a job and in SQL: one number and one unit, short or in full, such as 30m, 90d, 18mon, 90 days or 5 years. m is a minute. Null for anything else.';
revoke execute on function nms_private.parse_duration(text) from public;
--! EndIncluded functions/settings/parse_duration.sql
--! Included views/described_counts.sql
create or replace view nms_private.described_counts as
  select
    measurement.run_id,
    measurement.schema_name,
    measurement.table_name,
    measurement.table_kind,
    measurement.is_partition,
    measurement.row_count,
    measurement.own_row_count,
    measurement.method,
    measurement.error_sqlstate,
    measurement.error_message,
    case
      when num_nonnulls(measurement.carried_from_run, measurement.row_count_low, measurement.total_bytes, filtered.counts) > 0
        then jsonb_strip_nulls(
          jsonb_build_object(
            'row_count_low', measurement.row_count_low,
            'row_count_high', measurement.row_count_high,
            'carried_from_run', measurement.carried_from_run,
            'total_bytes', measurement.total_bytes
          )
        ) || case when filtered.counts is null then '{}' else jsonb_build_object('filtered', filtered.counts) end
    end as description
  from nms.table_metrics_measurements as measurement
  left join (
    select
      found.run_id,
      found.schema_name,
      found.table_name,
      json_object_agg(found.filter_name, found.row_count)::jsonb as counts
    from nms.table_metrics_filtered_counts as found
    group by found.run_id, found.schema_name, found.table_name
  ) as filtered
    on filtered.run_id = measurement.run_id
    and filtered.schema_name = measurement.schema_name
    and filtered.table_name = measurement.table_name;
comment on view nms_private.described_counts is
  'What a report says of each measurement, and what there is to say beside row_count and method in one JSON.';
comment on column nms_private.described_counts.run_id is 'Run that took the measurement.';
comment on column nms_private.described_counts.schema_name is 'Schema of the table.';
comment on column nms_private.described_counts.table_name is 'Name of the table.';
comment on column nms_private.described_counts.table_kind is 'table, partitioned table or foreign table.';
comment on column nms_private.described_counts.is_partition is 'True when the table is a partition of another one.';
comment on column nms_private.described_counts.row_count is 'Rows, those of partitions and children included; null when it could not be counted.';
comment on column nms_private.described_counts.own_row_count is 'Rows stored in the table itself.';
comment on column nms_private.described_counts.method is 'How row_count was found.';
comment on column nms_private.described_counts.error_sqlstate is 'Why it could not be counted, as SQLSTATE; null when it was.';
comment on column nms_private.described_counts.error_message is 'The same in words.';
comment on column nms_private.described_counts.description is
  'As far as there is any: {row_count_low, row_count_high, carried_from_run, total_bytes, filtered: {name: count}}; null when there is none.';
revoke all on table nms_private.described_counts from public;
--! EndIncluded views/described_counts.sql
--! Included views/table_metrics_next_due.sql
create or replace view nms.table_metrics_next_due as
  select
    run.run_id,
    run.snapshot_date,
    next.snapshot_date as next_date,
    (next.snapshot_date + usual.time_of_day) at time zone settings.business_time_zone + rule.late_after as due_at,
    usual.time_of_day as usual_time,
    usual.weekdays as usual_weekdays
  from nms.table_metrics_runs as run
  cross join nms.table_metrics_settings as settings
  cross join lateral (
    select
      max(result.ended - result.snapshot_date) as time_of_day,
      -- After two weeks of practice only the weekdays that have ever had a result.
      case
        when min(result.snapshot_date) <= run.snapshot_date - 14
          then array_agg(distinct extract(isodow from result.snapshot_date)::integer)
      end as weekdays
    from (
      select
        past.snapshot_date,
        min(past.finished_at at time zone settings.business_time_zone) as ended
      from nms.table_metrics_runs as past
      where
        past.status = 'SUCCEEDED'
        and not past.is_imported
        and past.run_id <= run.run_id
        and past.finished_at <= run.finished_at
        and past.snapshot_date between run.snapshot_date - 27 and run.snapshot_date
      group by past.snapshot_date
    ) as result
  ) as usual
  cross join lateral (
    select min(run.snapshot_date + days) as snapshot_date
    from generate_series(1, 7) as days
    where
      usual.weekdays is null
      or extract(isodow from run.snapshot_date + days) = any (usual.weekdays)
  ) as next
  cross join nms_private.alert_rule(schema_name => null, table_name => null, kind => 'run_late') as rule
  where run.status = 'SUCCEEDED' and not run.is_imported;
comment on view nms.table_metrics_next_due is
  'For each successful run, when the next business day should have its result: at the latest time at which one was there on the days of four weeks, and late_after of nms.table_metrics_alert_rules later. Days of the week that never have a result have none due.';
comment on column nms.table_metrics_next_due.run_id is 'The successful run after which it is due.';
comment on column nms.table_metrics_next_due.snapshot_date is 'Its business day.';
comment on column nms.table_metrics_next_due.next_date is 'The next business day that should have a result.';
comment on column nms.table_metrics_next_due.due_at is 'When it should be there.';
comment on column nms.table_metrics_next_due.usual_time is 'The latest time at which a result was there, after the midnight with which its business day begins.';
comment on column nms.table_metrics_next_due.usual_weekdays is 'Days of the week that have results, 1 for Monday to 7 for Sunday; null for every day, in the first two weeks.';
revoke all on table nms.table_metrics_next_due from public;
--! EndIncluded views/table_metrics_next_due.sql
--! Included views/table_metrics_alerts.sql
create or replace view nms.table_metrics_alerts as
  select
    alert.kind,
    alert.schema_name,
    alert.table_name,
    alert.row_count,
    alert.expected_low,
    alert.expected_high,
    alert.detail,
    alert.since,
    alert.run_id,
    alert.filter_name,
    alert.alert_id,
    alert.acknowledged_at,
    alert.acknowledged_by,
    alert.acknowledgement
  from (
    select
      log.kind,
      log.schema_name,
      log.table_name,
      log.row_count,
      log.expected_low,
      log.expected_high,
      log.detail,
      log.opened_at as since,
      log.opened_by_run as run_id,
      log.filter_name,
      log.alert_id,
      log.acknowledged_at,
      log.acknowledged_by,
      log.acknowledgement
    from nms.table_metrics_alert_log as log
    where log.closed_at is null and log.kind <> 'run_late'
    union all
    -- Nothing has to run for this one to be seen.
    select
      'run_late', null, null, null, null, null,
      format('no result for %s, the last one is of %s', due.next_date, due.snapshot_date),
      due.due_at,
      null,
      null,
      known.alert_id,
      known.acknowledged_at,
      known.acknowledged_by,
      known.acknowledgement
    from (
      select run.run_id
      from nms.table_metrics_runs as run
      where run.status = 'SUCCEEDED' and not run.is_imported
      order by run.snapshot_date desc, run.run_id desc
      limit 1
    ) as latest
    join nms.table_metrics_next_due as due on due.run_id = latest.run_id
    left join nms.table_metrics_alert_log as known on known.closed_at is null and known.kind = 'run_late'
    where statement_timestamp() > due.due_at
  ) as alert
  cross join (
    select (statement_timestamp() at time zone settings.business_time_zone)::date
    from nms.table_metrics_settings as settings
  ) as today (date)
  where
    -- Most often none could hide it, and nothing has to be decided.
    not exists (
      select
      from nms.table_metrics_alert_rules as rule
      where
        (not rule.is_on or today.date < rule.silenced_until)
        and rule.schema_name in ('*', alert.schema_name)
        and rule.table_name in ('*', alert.table_name)
        and rule.kind in ('*', alert.kind)
    )
    or exists (
      select
      from nms_private.alert_rule(
        schema_name => alert.schema_name,
        table_name => alert.table_name,
        kind => alert.kind
      ) as rule
      where rule.is_on and (today.date < rule.silenced_until) is not true
    );
comment on view nms.table_metrics_alerts is
  'The alerts that are open, without those that a rule silences. No row: nothing is strange.';
comment on column nms.table_metrics_alerts.kind is
  'What is strange: repeated_failures, run_late, no_tables, table_missing, table_new, dropped_to_zero, drop, spike, count_differs or triggers_changed.';
comment on column nms.table_metrics_alerts.schema_name is 'Schema of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alerts.table_name is 'Name of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alerts.row_count is 'Rows when it was last found; null where nothing was counted.';
comment on column nms.table_metrics_alerts.expected_low is 'As few rows would have been usual; null where that means nothing.';
comment on column nms.table_metrics_alerts.expected_high is 'As many rows would have been usual; null where that means nothing.';
comment on column nms.table_metrics_alerts.detail is 'The same for a person.';
comment on column nms.table_metrics_alerts.since is 'When it was first found.';
comment on column nms.table_metrics_alerts.run_id is 'Run in which it was first found; null for run_late.';
comment on column nms.table_metrics_alerts.filter_name is 'Filter whose count is strange; null when it is that of all rows.';
comment on column nms.table_metrics_alerts.alert_id is
  'Its number in nms.table_metrics_alert_log, for nms.acknowledge_alert(); null for run_late until a worker has announced it.';
comment on column nms.table_metrics_alerts.acknowledged_at is 'When somebody took it on; null until then.';
comment on column nms.table_metrics_alerts.acknowledged_by is 'The role that did.';
comment on column nms.table_metrics_alerts.acknowledgement is 'What that person said about it.';
revoke all on table nms.table_metrics_alerts from public;
--! EndIncluded views/table_metrics_alerts.sql
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
    day.run_id,
    measurement.method,
    measurement.row_count_low,
    measurement.row_count_high,
    measurement.carried_from_run,
    before.method as previous_method,
    measurement.total_bytes,
    measurement.own_total_bytes,
    measurement.total_bytes - before.total_bytes as bytes_change,
    measurement.own_row_count - before.own_row_count as own_change
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
comment on column nms.table_metrics_daily.table_kind is 'table, partitioned table or foreign table.';
comment on column nms.table_metrics_daily.is_partition is 'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_daily.row_count is 'Rows, those of partitions and children included.';
comment on column nms.table_metrics_daily.own_row_count is 'Rows stored in the table itself: its sum over a day is the number of rows in all tables, each counted once.';
comment on column nms.table_metrics_daily.previous_date is 'The last business day before this one that has a result; null for the first.';
comment on column nms.table_metrics_daily.previous_row_count is 'row_count on that day; null when the table was not counted then.';
comment on column nms.table_metrics_daily.change is 'row_count minus previous_row_count; null when there is none.';
comment on column nms.table_metrics_daily.change_percent is 'change in per cent of previous_row_count; null when that is null or 0.';
comment on column nms.table_metrics_daily.run_id is 'Run that owns the day.';
comment on column nms.table_metrics_daily.method is 'How row_count was found: exact, carried, maintained, estimate or imported, as nms.table_metrics_measurements says.';
comment on column nms.table_metrics_daily.row_count_low is 'At least as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_daily.row_count_high is 'At most as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_daily.carried_from_run is 'Run that counted the rows of a carried count; null for every other method.';
comment on column nms.table_metrics_daily.previous_method is 'How previous_row_count was found. The change is an estimate where either is.';
comment on column nms.table_metrics_daily.total_bytes is 'Bytes on disk with indexes, those of partitions and children included; null when not measured.';
comment on column nms.table_metrics_daily.own_total_bytes is 'Bytes without partitions and children: their sum over a day has each byte once.';
comment on column nms.table_metrics_daily.bytes_change is 'total_bytes minus that of previous_date; null when either was not measured.';
comment on column nms.table_metrics_daily.own_change is
  'own_row_count minus that of previous_date: its sum over a day is the change of the tables that both days counted, each row once; null where change is. nms.growth also has what appeared and disappeared.';
revoke all on table nms.table_metrics_daily from public;
--! EndIncluded views/table_metrics_daily.sql
--! Included views/winning_runs.sql
create or replace view nms_private.winning_runs as
  select distinct on (run.snapshot_date) run.snapshot_date, run.run_id, run.is_imported
  from nms.table_metrics_runs as run
  where run.status = 'SUCCEEDED'
  order by run.snapshot_date desc, run.is_imported, run.run_id desc;
comment on view nms_private.winning_runs is
  'Of each business day the run whose result it has: its last successful one, "last" meaning the highest run_id, and a counted one rather than an imported one. No row: no run of that day has succeeded.';
comment on column nms_private.winning_runs.snapshot_date is 'The business day.';
comment on column nms_private.winning_runs.run_id is 'The run that it has.';
comment on column nms_private.winning_runs.is_imported is 'True when no run has counted that day.';
revoke all on table nms_private.winning_runs from public;
--! EndIncluded views/winning_runs.sql
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
    latest.snapshot_date,
    measurement.row_count_low,
    measurement.row_count_high,
    measurement.carried_from_run,
    measurement.total_bytes,
    measurement.table_bytes,
    measurement.index_bytes,
    measurement.own_total_bytes,
    measurement.dead_rows,
    measurement.frozen_age
  from (
    select winning.run_id, winning.snapshot_date
    from nms_private.winning_runs as winning
    order by winning.snapshot_date desc
    limit 1
  ) as latest
  join nms.table_metrics_measurements as measurement using (run_id);
comment on view nms.table_metrics_latest is
  'What the latest successful run found: one row per table. That is the run that owns the last business day that has one: the counted one with the highest run_id, or without any the imported one.';
comment on column nms.table_metrics_latest.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_latest.table_name is 'Name of the table.';
comment on column nms.table_metrics_latest.table_kind is 'table, partitioned table or foreign table.';
comment on column nms.table_metrics_latest.is_partition is 'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_latest.row_count is 'Rows, those of partitions and children included.';
comment on column nms.table_metrics_latest.own_row_count is 'Rows stored in the table itself: its sum is the number of rows in all tables, each counted once.';
comment on column nms.table_metrics_latest.method is 'How row_count was found: exact, carried, maintained, estimate or imported, as nms.table_metrics_measurements says.';
comment on column nms.table_metrics_latest.measured_at is 'When the count of this table ended.';
comment on column nms.table_metrics_latest.run_id is 'Run that found it.';
comment on column nms.table_metrics_latest.snapshot_date is 'Its business day.';
comment on column nms.table_metrics_latest.row_count_low is 'At least as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_latest.row_count_high is 'At most as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_latest.carried_from_run is 'Run that counted the rows of a carried count; null for every other method.';
comment on column nms.table_metrics_latest.total_bytes is 'Bytes on disk with indexes, those of partitions and children included; null when not measured.';
comment on column nms.table_metrics_latest.table_bytes is 'Of these, the bytes of the table with its toast; null when not measured.';
comment on column nms.table_metrics_latest.index_bytes is 'Of these, the bytes of its indexes; null when not measured.';
comment on column nms.table_metrics_latest.own_total_bytes is 'Bytes without partitions and children: their sum has each byte once.';
comment on column nms.table_metrics_latest.dead_rows is 'Dead rows not yet vacuumed away: an estimate of the statistics collector; null when not measured.';
comment on column nms.table_metrics_latest.frozen_age is 'Transactions since the oldest unfrozen one in the table or its toast; null when not measured.';
revoke all on table nms.table_metrics_latest from public;
--! EndIncluded views/table_metrics_latest.sql
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
    latest.measured_at,
    latest.method
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
  'How far the estimates of Postgres are off, beside the latest count: which tables need an analyze. Only tables that exist; rows stored in the table itself.';
comment on column nms.table_metrics_estimates.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_estimates.table_name is 'Name of the table.';
comment on column nms.table_metrics_estimates.row_count is 'Number of rows in the table itself, when the latest successful run found it: exact, unless method is estimate.';
comment on column nms.table_metrics_estimates.n_live_tup is 'What the statistics say now; 0 after a crash.';
comment on column nms.table_metrics_estimates.n_live_tup_off_percent is 'How far that is off, in per cent of row_count; null for an empty table.';
comment on column nms.table_metrics_estimates.reltuples is 'What the planner goes by now; null before the first vacuum or analyze.';
comment on column nms.table_metrics_estimates.reltuples_off_percent is 'How far that is off, in per cent of row_count; null for an empty table.';
comment on column nms.table_metrics_estimates.needs_analyze is 'True when reltuples is unknown, or off by more than 50 rows and 10 %: what autovacuum tolerates by default.';
comment on column nms.table_metrics_estimates.measured_at is 'When the count ended: the estimates may have changed since.';
comment on column nms.table_metrics_estimates.method is 'How row_count was found.';
revoke all on table nms.table_metrics_estimates from public;
--! EndIncluded views/table_metrics_estimates.sql
--! Included views/table_metrics_history.sql
create or replace view nms.table_metrics_history as
  select
    run.run_id,
    run.snapshot_date,
    run.collected_at,
    run.status,
    measurement.schema_name,
    measurement.table_name,
    measurement.table_kind,
    measurement.is_partition,
    measurement.row_count,
    measurement.own_row_count,
    measurement.method,
    measurement.measured_at,
    measurement.error_sqlstate,
    measurement.error_message,
    measurement.row_count_low,
    measurement.row_count_high,
    measurement.carried_from_run,
    measurement.total_bytes,
    measurement.table_bytes,
    measurement.index_bytes,
    measurement.own_total_bytes,
    measurement.dead_rows,
    measurement.frozen_age,
    measurement.last_vacuum,
    measurement.last_analyze
  from nms.table_metrics_runs as run
  join nms.table_metrics_measurements as measurement using (run_id)
  where run.status <> 'RUNNING';
comment on view nms.table_metrics_history is
  'Every measurement of the runs that have ended, beside the run that took it: what an export has.';
comment on column nms.table_metrics_history.run_id is 'Run that took the measurement.';
comment on column nms.table_metrics_history.snapshot_date is 'Its business day.';
comment on column nms.table_metrics_history.collected_at is 'When it started.';
comment on column nms.table_metrics_history.status is 'SUCCEEDED or FAILED.';
comment on column nms.table_metrics_history.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_history.table_name is 'Name of the table.';
comment on column nms.table_metrics_history.table_kind is 'table, partitioned table or foreign table.';
comment on column nms.table_metrics_history.is_partition is 'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_history.row_count is 'Rows, those of partitions and children included; null when it could not be counted.';
comment on column nms.table_metrics_history.own_row_count is 'Rows stored in the table itself: its sum over a run is the number of rows in all tables, each counted once.';
comment on column nms.table_metrics_history.method is 'How row_count was found: exact, carried, maintained, estimate or imported, as nms.table_metrics_measurements says.';
comment on column nms.table_metrics_history.measured_at is 'When the count of this table ended.';
comment on column nms.table_metrics_history.error_sqlstate is 'Why it could not be counted, as SQLSTATE; null when it was.';
comment on column nms.table_metrics_history.error_message is 'The same in words.';
comment on column nms.table_metrics_history.row_count_low is 'At least as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_history.row_count_high is 'At most as many rows, with 99 % confidence; null unless it is an estimate.';
comment on column nms.table_metrics_history.carried_from_run is 'Run that counted the rows of a carried count; null for every other method.';
comment on column nms.table_metrics_history.total_bytes is 'Bytes on disk with indexes, those of partitions and children included; null when not measured.';
comment on column nms.table_metrics_history.table_bytes is 'Of these, the bytes of the table with its toast; null when not measured.';
comment on column nms.table_metrics_history.index_bytes is 'Of these, the bytes of its indexes; null when not measured.';
comment on column nms.table_metrics_history.own_total_bytes is 'Bytes without partitions and children: their sum has each byte once.';
comment on column nms.table_metrics_history.dead_rows is 'Dead rows not yet vacuumed away: an estimate of the statistics collector; null when not measured.';
comment on column nms.table_metrics_history.frozen_age is 'Transactions since the oldest unfrozen one in the table or its toast; null when not measured.';
comment on column nms.table_metrics_history.last_vacuum is 'When the table itself was last vacuumed; null when not measured, or never.';
comment on column nms.table_metrics_history.last_analyze is 'When the table itself was last analyzed; null when not measured, or never.';
revoke all on table nms.table_metrics_history from public;
--! EndIncluded views/table_metrics_history.sql
--! Included views/table_metrics_maintained.sql
create or replace view nms.table_metrics_maintained as
  select
    schema.nspname::text as schema_name,
    relation.relname::text as table_name,
    present.row_count,
    present.problem,
    present.seeded_at
  from nms_private.list_maintained() as present
  join pg_class as relation on relation.oid = present.table_oid
  join pg_namespace as schema on schema.oid = relation.relnamespace;
comment on view nms.table_metrics_maintained is
  'Every table whose count is maintained by triggers, with the exact number of its rows now.';
comment on column nms.table_metrics_maintained.schema_name is 'Schema of the table.';
comment on column nms.table_metrics_maintained.table_name is 'Name of the table.';
comment on column nms.table_metrics_maintained.row_count is
  'Rows as select count(*) shows them now; null when writes may have been missed, or they were not counted yet.';
comment on column nms.table_metrics_maintained.problem is 'Why row_count is null.';
comment on column nms.table_metrics_maintained.seeded_at is 'When all rows were last counted.';
revoke all on table nms.table_metrics_maintained from public;
--! EndIncluded views/table_metrics_maintained.sql
--! Included views/table_metrics_today.sql
-- Not nms.business_date(): whoever reads a view has to be allowed to call the functions in it. Nor now(): a run of
-- the same transaction may be of the next day already.
create or replace view nms.table_metrics_today as
  select day.snapshot_date, day.run_id, day.payload, day.collected_at
  from nms.table_metrics_settings as settings
  join nms.table_metrics_daily_snapshot as day
    on day.snapshot_date = (statement_timestamp() at time zone settings.business_time_zone)::date;
comment on view nms.table_metrics_today is
  'The JSON of the current business day, in the business time zone rather than that of the session: one row, or none when no run of today has succeeded.';
comment on column nms.table_metrics_today.snapshot_date is 'Today, in the business time zone.';
comment on column nms.table_metrics_today.run_id is 'Run that owns the day so far.';
comment on column nms.table_metrics_today.payload is 'Row counts as {schema: {table: count}}, or as the payload_version setting said when that run ended.';
comment on column nms.table_metrics_today.collected_at is 'When that run started.';
revoke all on table nms.table_metrics_today from public;
--! EndIncluded views/table_metrics_today.sql

comment on schema nms_private is
  'What table metrics needs inside: nobody has to look here, and nobody but its roles may. State 2026-11-22T20:34:28Z 4806e32e1416.';

-- Triggers
create or replace trigger validate_filter
  before insert or update on nms.table_metrics_filters
  for each row
  execute function nms_private.validate_filter();
comment on trigger validate_filter on nms.table_metrics_filters is
  'What is no filter is refused when it is written, not discovered in a run.';

create or replace trigger forbid_deleting_the_settings
  before delete or truncate on nms.table_metrics_settings
  for each statement
  execute function nms_private.forbid_deleting_the_settings();
comment on trigger forbid_deleting_the_settings on nms.table_metrics_settings is
  'There is always one row of settings.';

create or replace trigger forbid_rewriting_a_finished_run
  before update on nms.table_metrics_runs
  for each row when (old.status <> 'RUNNING')
  execute function nms_private.forbid_rewriting_a_finished_run();
comment on trigger forbid_rewriting_a_finished_run on nms.table_metrics_runs is
  'History is append-only: a terminal status is never changed.';

create or replace trigger validate_count_rule
  before insert or update on nms.table_metrics_count_rules
  for each row
  execute function nms_private.validate_count_rule();
comment on trigger validate_count_rule on nms.table_metrics_count_rules is
  'A rule for what does not exist is noticed when it is written.';

create or replace trigger begin_shadow_anew
  before update on nms.table_metrics_count_rules
  for each row when (new.method = 'carried' and old.method <> 'carried')
  execute function nms_private.begin_shadow_anew();
comment on trigger begin_shadow_anew on nms.table_metrics_count_rules is
  'Nothing is carried by a rule that has not been compared first.';

create or replace trigger delete_measurements_of_deleted_runs
  after delete on nms.table_metrics_runs
  referencing old table as deleted_runs
  for each statement
  execute function nms_private.delete_measurements_of_deleted_runs();
comment on trigger delete_measurements_of_deleted_runs on nms.table_metrics_runs is
  'Deleting a run takes its measurements with it.';

create or replace trigger delete_measurements_of_truncated_runs
  after truncate on nms.table_metrics_runs
  for each statement
  execute function nms_private.delete_measurements_of_deleted_runs();
comment on trigger delete_measurements_of_truncated_runs on nms.table_metrics_runs is
  'Deleting all runs takes all measurements with them.';

create or replace trigger record_alerts
  after update on nms.table_metrics_runs
  for each row when (old.status = 'RUNNING' and new.status <> 'RUNNING')
  execute function nms_private.record_alerts_of_run();
comment on trigger record_alerts on nms.table_metrics_runs is
  'However a run ends, what is strange about it is recorded.';

create or replace trigger record_key_positions
  after update on nms.table_metrics_runs
  for each row when (old.status = 'RUNNING' and new.status = 'SUCCEEDED' and not new.is_imported)
  execute function nms_private.record_key_positions();
comment on trigger record_key_positions on nms.table_metrics_runs is
  'How far the keys are that can run out is kept once a day.';
