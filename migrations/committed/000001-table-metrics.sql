--! Previous: -
--! Hash: x
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
