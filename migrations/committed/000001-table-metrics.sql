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
    constraint yield_after_is_between_1_ms_and_1_day check (yield_after between '1 ms' and '1 day'),
  keep_at_least interval not null default '30 days'
    constraint keep_at_least_is_between_0_and_1000_years check (keep_at_least between '0' and '1000 years')
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
  'How long an online count may make another session wait before it gives way.';
comment on column nms.table_metrics_settings.keep_at_least is
  'A job that prunes is refused when it would keep runs or days for a shorter time than this. A direct call of nms.prune_table_metrics() is not.';

-- The first install takes the zone from a parameter of the session: set nms.business_time_zone = 'Europe/Berlin'.
insert into nms.table_metrics_settings (business_time_zone)
values (coalesce(nullif(current_setting('nms.business_time_zone', true), ''), 'America/New_York'))
on conflict do nothing;

--!include functions/business_date.sql

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
  is_recorded boolean not null default false,
  machinery_schemas text[] not null default '{}',
  left_out_count bigint,
  constraint finished_runs_have_an_end check ((status = 'RUNNING') = (finished_at is null)),
  constraint failed_runs_have_a_reason check ((status = 'FAILED') = (error_message is not null)),
  constraint succeeded_runs_have_targets_counted check (status <> 'SUCCEEDED' or target_count is not null)
);
create index if not exists table_metrics_runs_running_idx
  on nms.table_metrics_runs (run_id) where status = 'RUNNING';
create index if not exists table_metrics_runs_snapshot_date_idx
  on nms.table_metrics_runs (snapshot_date, is_recorded desc, run_id);
comment on index nms.table_metrics_runs_snapshot_date_idx is
  'A business day belongs to the SUCCEEDED run that comes last here: counted rather than recorded, and of those the highest run_id.';
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
comment on column nms.table_metrics_runs.is_recorded is
  'True when the counts were given to nms.record_run rather than taken by the collector. Such a run owns its day only while no counted run has succeeded.';
comment on column nms.table_metrics_runs.machinery_schemas is
  'Schemas that the settings left out when the run started.';
comment on column nms.table_metrics_runs.left_out_count is
  'How many tables the request left out when the run started; null for a malformed request and for recorded counts.';

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
    constraint method_is_known check (method in ('exact', 'estimate', 'maintained', 'carried', 'recorded')),
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
  'How row_count was found: exact is a count of every row, recorded was given to nms.record_run.';
comment on column nms.table_metrics_measurements.measured_at is
  'When the count of this table ended. All counts of a run are as of its one snapshot, taken before the first; tables that were rewritten meanwhile, as of a later one.';
comment on column nms.table_metrics_measurements.table_kind is
  'table or partitioned table.';
comment on column nms.table_metrics_measurements.is_partition is
  'True when the table is a partition of another one, whose row_count has these rows too.';
comment on column nms.table_metrics_measurements.table_oid is
  'OID of the table: the same after a rename, another one after drop and create; 0 when a recorded table does not exist.';
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
  collected_at timestamptz not null default now(),
  is_recorded boolean not null default false
);
create index if not exists table_metrics_daily_snapshot_run_idx
  on nms.table_metrics_daily_snapshot (run_id);
comment on table nms.table_metrics_daily_snapshot is
  'The one JSON of each business day: of its last successful run, which is the counted one with the highest run_id, or without any the recorded one. No row: no run of that day has succeeded.';
comment on column nms.table_metrics_daily_snapshot.snapshot_date is
  'Business day, a date in the business time zone.';
comment on column nms.table_metrics_daily_snapshot.run_id is
  'Run that owns the day.';
comment on column nms.table_metrics_daily_snapshot.payload is
  'Row counts as {schema: {table: count}}, the same as in the snapshot of that run.';
comment on column nms.table_metrics_daily_snapshot.collected_at is
  'When the run that owns the day started.';
comment on column nms.table_metrics_daily_snapshot.is_recorded is
  'True when that run was recorded rather than counted: any counted run takes the day from it.';

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
      family oid,
      is_reported boolean,
      is_whole boolean
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
comment on column nms.target.filenode is
  'The file in which it is stored; 0 for a partitioned or foreign table, null where it tells nothing about the rows.';
comment on column nms.target.members is
  'For a table with partitions or children, the stored and foreign tables whose own rows add up to its row count.';
comment on column nms.target.family is
  'The root of its partitions or children, the lowest OID where there are several; null for a table without any.';
comment on column nms.target.is_reported is
  'False when it is only read because a parent needs its rows: it is foreign, or the request left it out.';
comment on column nms.target.is_whole is
  'True when an extension keeps its rows in chunks or shards, so that only a plain select shows them.';

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

create table if not exists nms.table_metrics_job_turn ();
comment on table nms.table_metrics_job_turn is
  'Always empty. Whoever opens a job of the schedule locks it, so that of each slot there is one run.';
create table if not exists nms.table_metrics_alert_turn ();
comment on table nms.table_metrics_alert_turn is
  'Always empty. Whoever records the alerts of a run locks it, so that each alert is announced once.';

create table if not exists nms.table_metrics_alert_rules (
  schema_name text collate "C" not null default '*',
  table_name text collate "C" not null default '*',
  kind text not null default '*'
    constraint kind_is_known check (
      kind in (
        '*', 'repeated_failures', 'no_run_today', 'no_tables', 'table_missing', 'table_new',
        'dropped_to_zero', 'drop', 'spike'
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

create table if not exists nms.table_metrics_alert_log (
  alert_id bigint generated always as identity primary key,
  kind text not null
    constraint kind_is_known check (
      kind in (
        'repeated_failures', 'no_run_today', 'no_tables', 'table_missing', 'table_new',
        'dropped_to_zero', 'drop', 'spike'
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
  constraint schema_and_table_come_together check ((schema_name is null) = (table_name is null)),
  constraint alerts_close_after_they_open check (closed_at >= opened_at)
);
create unique index if not exists an_alert_is_open_once
  on nms.table_metrics_alert_log (kind, coalesce(schema_name, ''), coalesce(table_name, ''))
  where closed_at is null;
comment on table nms.table_metrics_alert_log is
  'Every alert from when it was found until it held no longer. Those that are open are in nms.table_metrics_alerts.';
comment on column nms.table_metrics_alert_log.alert_id is
  'Number of the alert.';
comment on column nms.table_metrics_alert_log.kind is
  'What is strange: repeated_failures, no_run_today, no_tables, table_missing, table_new, dropped_to_zero, drop or spike.';
comment on column nms.table_metrics_alert_log.schema_name is
  'Schema of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alert_log.table_name is
  'Name of the table; null for what concerns a whole run.';
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
  'Run in which it was first found, which retention may have deleted since; null for no_run_today.';
comment on column nms.table_metrics_alert_log.closed_at is
  'When it held no longer; null while it is open.';
comment on column nms.table_metrics_alert_log.closed_by_run is
  'Run in which it held no longer; null while it is open.';

revoke all on all tables in schema nms from public;

--!include views/table_metrics_latest.sql
--!include views/table_metrics_daily.sql
--!include views/table_metrics_today.sql
--!include views/table_metrics_estimates.sql
--!include views/table_metrics_next_due.sql
--!include views/table_metrics_alerts.sql

-- request
--!include functions/request_problem.sql
--!include functions/request_entries.sql
--!include functions/resolve_schemas.sql
--!include functions/resolve_tables.sql
--!include functions/left_out.sql
--!include functions/unmatched_entries.sql
--!include functions/classify_relations.sql
--!include functions/extension_tables.sql
--!include functions/find_targets.sql
--!include functions/preview_run.sql

-- run
--!include functions/start_run.sql
--!include functions/open_run.sql
--!include functions/begin_run.sql
--!include functions/claim_run.sql
--!include functions/collect_table_metrics.sql
--!include functions/close_run.sql
--!include functions/was_counted_in_vain.sql
--!include functions/fail_run.sql
--!include functions/give_up_run.sql
--!include functions/failure_summary.sql
--!include functions/record_failure.sql
--!include functions/remedy.sql
--!include functions/abandon_silent_runs.sql
--!include functions/is_silent.sql
--!include functions/end_if_abandoned.sql
--!include functions/take_turn.sql
--!include functions/sessions_in_the_way.sql
--!include functions/run_payload.sql
--!include functions/end_with_client.sql
--!include functions/forbid_rewriting_a_finished_run.sql
--!include functions/delete_measurements_of_deleted_runs.sql

-- count
--!include functions/count_targets.sql
--!include functions/current_targets.sql
--!include functions/measure.sql
--!include functions/set_target_count.sql
--!include functions/count_tables.sql
--!include functions/count_each.sql
--!include functions/count_free_tables.sql
--!include functions/chunks_of.sql
--!include functions/chunks_of_now.sql

-- online
--!include functions/measure_targets.sql
--!include functions/measure_next_target.sql
--!include functions/queue_targets.sql
--!include functions/requeue_targets.sql
--!include functions/settle_targets.sql
--!include functions/counting_sessions.sql
--!include functions/header_holders.sql
--!include functions/give_way.sql

-- schedule
--!include functions/open_job.sql
--!include functions/job_problem.sql
--!include functions/job_payload.sql
--!include functions/latest_slot.sql
--!include functions/slot_service.sql
--!include functions/retry_helps.sql

-- reading
--!include functions/table_trend.sql
--!include functions/compare_runs.sql
--!include functions/run_of_day.sql
--!include functions/compare_days.sql

-- history
--!include functions/payload_problem.sql
--!include functions/record_run.sql
--!include functions/rebuild_run_snapshot.sql
--!include functions/rebuild_daily_snapshot.sql
--!include functions/check_retention.sql
--!include functions/retention_problem.sql
--!include functions/prune_table_metrics.sql

-- alerts
--!include functions/alert_rule.sql
--!include functions/day_owners.sql
--!include functions/changed_counts.sql
--!include functions/score_counts.sql
--!include functions/find_count_alerts.sql
--!include functions/find_table_alerts.sql
--!include functions/find_run_alerts.sql
--!include functions/find_alerts.sql
--!include functions/announce_alert.sql
--!include functions/record_alerts.sql
--!include functions/record_missing_run.sql
--!include functions/record_alerts_of_run.sql

-- settings
--!include functions/forbid_deleting_the_settings.sql

-- doctor
--!include functions/worker_trusts.sql
--!include functions/find_worker_problems.sql
--!include functions/find_problems.sql

create or replace trigger forbid_deleting_the_settings
  before delete or truncate on nms.table_metrics_settings
  for each statement
  execute function nms.forbid_deleting_the_settings();
comment on trigger forbid_deleting_the_settings on nms.table_metrics_settings is
  'There is always one row of settings.';

create or replace trigger forbid_rewriting_a_finished_run
  before update on nms.table_metrics_runs
  for each row when (old.status <> 'RUNNING')
  execute function nms.forbid_rewriting_a_finished_run();
comment on trigger forbid_rewriting_a_finished_run on nms.table_metrics_runs is
  'History is append-only: a terminal status is never changed.';


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

create or replace trigger record_alerts
  after update on nms.table_metrics_runs
  for each row when (old.status = 'RUNNING' and new.status <> 'RUNNING')
  execute function nms.record_alerts_of_run();
comment on trigger record_alerts on nms.table_metrics_runs is
  'However a run ends, what is strange about it is recorded.';
