--! Previous: sha1:de67a3170c03bc8cea3a32f535625c55a6280095
--! Hash: sha1:1ca782b41af05730c3048c1d341cbfe10cff6445
--! Message: alerts

-- Alerts: what is strange, judged by the history of each table.

-- Rather than making readers queue behind a migration that waits for a run.
set local lock_timeout = '10 s';

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

revoke all on table nms.table_metrics_alert_rules, nms.table_metrics_alert_log from public;

--! Included views/table_metrics_next_due.sql
-- Not a function, and none called: whoever reads nms.table_metrics_alerts would have to be allowed to call it.
create or replace view nms.table_metrics_next_due as
  select
    run.run_id,
    run.snapshot_date,
    next.snapshot_date as next_date,
    (next.snapshot_date + usual.time_of_day) at time zone settings.business_time_zone
      + coalesce(rule.late_after, interval '1 hour') as due_at
  from nms.table_metrics_runs as run
  cross join nms.table_metrics_settings as settings
  cross join lateral (
    select
      max(result.ended - result.snapshot_date) as time_of_day,
      array_agg(distinct extract(isodow from result.snapshot_date)) as weekdays,
      min(result.snapshot_date) as first_date
    from (
      select
        past.snapshot_date,
        min(past.finished_at at time zone settings.business_time_zone) as ended
      from nms.table_metrics_runs as past
      where
        past.status = 'SUCCEEDED'
        and not past.is_recorded
        and past.run_id <= run.run_id
        and past.finished_at <= run.finished_at
        and past.snapshot_date between run.snapshot_date - 27 and run.snapshot_date
      group by past.snapshot_date
    ) as result
  ) as usual
  cross join lateral (
    -- The next day, or after two weeks of practice the next of a weekday that has ever had a result.
    select min(run.snapshot_date + days) as snapshot_date
    from generate_series(1, 7) as days
    where
      usual.first_date > run.snapshot_date - 14
      or extract(isodow from run.snapshot_date + days) = any (usual.weekdays)
  ) as next
  left join lateral (
    select rule.late_after
    from nms.table_metrics_alert_rules as rule
    where rule.schema_name = '*' and rule.kind in ('*', 'no_run_today') and rule.late_after is not null
    order by rule.kind = '*'
    limit 1
  ) as rule on true
  where run.status = 'SUCCEEDED' and not run.is_recorded;
comment on view nms.table_metrics_next_due is
  'For each successful run, when the next business day should have its result: at the latest time at which one was there on the days of four weeks, and late_after of nms.table_metrics_alert_rules later. Days of the week that never have a result have none due.';
comment on column nms.table_metrics_next_due.run_id is 'The successful run after which it is due.';
comment on column nms.table_metrics_next_due.snapshot_date is 'Its business day.';
comment on column nms.table_metrics_next_due.next_date is 'The next business day that should have a result.';
comment on column nms.table_metrics_next_due.due_at is 'When it should be there.';
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
    alert.run_id
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
      log.opened_by_run as run_id
    from nms.table_metrics_alert_log as log
    where log.closed_at is null and log.kind <> 'no_run_today'
    union all
    -- Nothing has to run for this one to be seen.
    select
      'no_run_today', null, null, null, null, null,
      format('no result for %s, the last one is of %s', due.next_date, due.snapshot_date),
      due.due_at,
      null
    from (
      select run.run_id
      from nms.table_metrics_runs as run
      where run.status = 'SUCCEEDED' and not run.is_recorded
      order by run.snapshot_date desc, run.run_id desc
      limit 1
    ) as latest
    join nms.table_metrics_next_due as due on due.run_id = latest.run_id
    where now() > due.due_at
  ) as alert
  cross join nms.table_metrics_settings as settings
  left join lateral (
    select
      (array_agg(rule.is_on order by place) filter (where rule.is_on is not null))[1] as is_on,
      (array_agg(rule.silenced_until order by place) filter (where rule.silenced_until is not null))[1] as silenced_until
    from (
      select
        rule.*,
        row_number() over (order by rule.table_name = '*', rule.schema_name = '*', rule.kind = '*') as place
      from nms.table_metrics_alert_rules as rule
      where
        rule.schema_name in ('*', alert.schema_name)
        and rule.table_name in ('*', alert.table_name)
        and rule.kind in ('*', alert.kind)
    ) as rule
  ) as rule on true
  where
    rule.is_on is not false
    and ((now() at time zone settings.business_time_zone)::date < rule.silenced_until) is not true;
comment on view nms.table_metrics_alerts is
  'The alerts that are open, without those that a rule silences. No row: nothing is strange.';
comment on column nms.table_metrics_alerts.kind is
  'What is strange: repeated_failures, no_run_today, no_tables, table_missing, table_new, dropped_to_zero, drop or spike.';
comment on column nms.table_metrics_alerts.schema_name is 'Schema of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alerts.table_name is 'Name of the table; null for what concerns a whole run.';
comment on column nms.table_metrics_alerts.row_count is 'Rows when it was last found; null where nothing was counted.';
comment on column nms.table_metrics_alerts.expected_low is 'As few rows would have been usual; null where that means nothing.';
comment on column nms.table_metrics_alerts.expected_high is 'As many rows would have been usual; null where that means nothing.';
comment on column nms.table_metrics_alerts.detail is 'The same for a person.';
comment on column nms.table_metrics_alerts.since is 'When it was first found.';
comment on column nms.table_metrics_alerts.run_id is 'Run in which it was first found; null for no_run_today.';
revoke all on table nms.table_metrics_alerts from public;
--! EndIncluded views/table_metrics_alerts.sql
--! Included functions/alert_rule.sql
create or replace function nms.alert_rule(schema_name text, table_name text, kind text)
returns table (
  is_on boolean,
  silenced_until date,
  drop_percent numeric,
  spike_percent numeric,
  min_rows bigint,
  min_change bigint,
  sensitivity numeric,
  failures_in_a_row bigint
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 1
as $$
  with fitting as (
    select
      rule.*,
      row_number() over (order by rule.table_name = '*', rule.schema_name = '*', rule.kind = '*') as place
    from nms.table_metrics_alert_rules as rule
    where
      rule.schema_name in ('*', alert_rule.schema_name)
      and rule.table_name in ('*', alert_rule.table_name)
      and rule.kind in ('*', alert_rule.kind)
  )
  select
    coalesce((array_agg(fitting.is_on order by place) filter (where fitting.is_on is not null))[1], true),
    (array_agg(fitting.silenced_until order by place) filter (where fitting.silenced_until is not null))[1],
    coalesce((array_agg(fitting.drop_percent order by place) filter (where fitting.drop_percent is not null))[1], 15),
    coalesce((array_agg(fitting.spike_percent order by place) filter (where fitting.spike_percent is not null))[1], 30),
    coalesce((array_agg(fitting.min_rows order by place) filter (where fitting.min_rows is not null))[1], 50),
    coalesce((array_agg(fitting.min_change order by place) filter (where fitting.min_change is not null))[1], 20),
    coalesce((array_agg(fitting.sensitivity order by place) filter (where fitting.sensitivity is not null))[1], 1),
    coalesce((array_agg(fitting.failures_in_a_row order by place) filter (where fitting.failures_in_a_row is not null))[1], 3)
  from fitting
$$;
comment on function nms.alert_rule(text, text, text) is
  'What the rules decide about one kind of alert for one table, or with nulls for whole runs: always one row, with the defaults where no rule decides.';
revoke execute on function nms.alert_rule(text, text, text) from public;
--! EndIncluded functions/alert_rule.sql
--! Included functions/leaves_out.sql
-- By name alone: the table may be gone.
create or replace function nms.leaves_out(skip jsonb, exclude jsonb, schema_name text, table_name text)
returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select
    leaves_out.skip ?| array[leaves_out.schema_name, quoted.schema_name]
    or leaves_out.exclude ?| array[
      format('%s.%s', leaves_out.schema_name, leaves_out.table_name),
      format('%s.%s', quoted.schema_name, quoted.table_name),
      format('%s.%s', leaves_out.schema_name, quoted.table_name),
      format('%s.%s', quoted.schema_name, leaves_out.table_name)
    ]
  from (
    select
      format('"%s"', replace(leaves_out.schema_name, '"', '""')),
      format('"%s"', replace(leaves_out.table_name, '"', '""'))
  ) as quoted (schema_name, table_name)
$$;
comment on function nms.leaves_out(jsonb, jsonb, text, text) is
  'True when a run with this request leaves the table out, whether it exists or not.';
revoke execute on function nms.leaves_out(jsonb, jsonb, text, text) from public;
--! EndIncluded functions/leaves_out.sql
--! Included functions/day_owners.sql
create or replace function nms.day_owners(run_id bigint)
returns table (owner bigint, snapshot_date date)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
rows 91
as $$
  select max(run.run_id), run.snapshot_date
  from nms.table_metrics_runs as given
  join nms.table_metrics_runs as run
    on run.snapshot_date between given.snapshot_date - 91 and given.snapshot_date - 1
  where
    given.run_id = day_owners.run_id
    and run.status = 'SUCCEEDED'
    and run.run_id < given.run_id
    and run.finished_at <= given.finished_at
  group by run.snapshot_date
$$;
comment on function nms.day_owners(bigint) is
  'The history by which a finished run is judged: the runs that owned the business days of the 13 weeks before its own when it ended. What ended later changes nothing.';
revoke execute on function nms.day_owners(bigint) from public;
--! EndIncluded functions/day_owners.sql
--! Included functions/changed_counts.sql
create or replace function nms.changed_counts(run_id bigint)
returns table (schema_name text, table_name text, is_partition boolean, row_count bigint)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with
  owner as materialized (
    select history.owner, row_number() over (order by history.snapshot_date desc) as days_back
    from nms.day_owners(run_id => changed_counts.run_id) as history
  ),
  recent as (
    select
      measurement.schema_name,
      measurement.table_name,
      ln(greatest(percentile_disc(0.5) within group (order by measurement.row_count)::double precision, 0.5)) as middle
    from owner
    join nms.table_metrics_measurements as measurement on measurement.run_id = owner.owner
    where owner.days_back <= 7
    group by measurement.schema_name, measurement.table_name
  ),
  least_change as (
    -- Half of what the most watchful rule asks for, as a logarithm.
    select ln(1 + least(15, min(rule.drop_percent), min(rule.spike_percent))::double precision / 100) / 2 as value
    from nms.table_metrics_alert_rules as rule
  )
  select today.schema_name, today.table_name, today.is_partition, today.row_count
  from nms.table_metrics_measurements as today
  cross join least_change
  left join recent using (schema_name, table_name)
  where
    today.run_id = changed_counts.run_id
    and today.row_count is not null
    and exists (select from owner)
    and (abs(ln(greatest(today.row_count::double precision, 0.5)) - recent.middle) < least_change.value) is not true
$$;
comment on function nms.changed_counts(bigint) is
  'The tables of a finished run that are not near the median of their last week, for any rule: those that are worth judging by their whole past. None while there is no earlier day.';
revoke execute on function nms.changed_counts(bigint) from public;
--! EndIncluded functions/changed_counts.sql
--! Included functions/score_counts.sql
-- Logarithms of counts, so that differences are changes in per cent. A count is explained by whatever
-- comes nearest to it: the median of the last seven, the median of the last three of its weekday, both
-- with the usual growth added, or a deviation as large at that time of an earlier month. What no
-- explanation covers is compared with how much that was on other days.
create or replace function nms.score_counts(run_id bigint)
returns table (
  schema_name text,
  table_name text,
  is_partition boolean,
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
  with
  owner as materialized (
    select
      history.owner,
      history.snapshot_date - given.snapshot_date as day -- the day of the run itself is 0
    from nms.table_metrics_runs as given
    cross join nms.day_owners(run_id => score_counts.run_id) as history
    where given.run_id = score_counts.run_id
  ),
  candidate as materialized (
    select row_number() over ()::integer as id, changed.*
    from nms.changed_counts(run_id => score_counts.run_id) as changed
  ),
  counted as (
    select candidate.id, 0 as day, candidate.row_count from candidate
    union all
    select candidate.id, owner.day, past.row_count
    from candidate
    -- offset: the index of each table, however many there are, rather than a scan of the whole history
    cross join lateral (
      select measurement.run_id, measurement.row_count
      from nms.table_metrics_measurements as measurement
      where
        measurement.schema_name = candidate.schema_name
        and measurement.table_name = candidate.table_name
        and measurement.run_id between (select min(owner.owner) from owner) and (select max(owner.owner) from owner)
      offset 0
    ) as past
    join owner on owner.owner = past.run_id
    where past.row_count is not null
  ),
  before as (
    select
      size.*,
      size.day < 0 and size.row_count > 0 and lag(size.row_count) over by_day = 0 as is_refilled,
      lag(y, 1) over by_day as a1, lag(y, 2) over by_day as a2, lag(y, 3) over by_day as a3,
      lag(y, 4) over by_day as b1, lag(y, 5) over by_day as b2, lag(y, 6) over by_day as b3,
      lag(y, 7) over by_day as c
    from (
      select counted.*, ln(greatest(counted.row_count::double precision, 0.5)) as y
      from counted
    ) as size
    window by_day as (partition by size.id order by size.day)
  ),
  sorted as (
    select
      before.*,
      least(a1, a2, a3) as a_low, a1 + a2 + a3 - least(a1, a2, a3) - greatest(a1, a2, a3) as a_mid, greatest(a1, a2, a3) as a_high,
      least(b1, b2, b3) as b_low, b1 + b2 + b3 - least(b1, b2, b3) - greatest(b1, b2, b3) as b_mid, greatest(b1, b2, b3) as b_high,
      lag(y, 1) over by_weekday as w1, lag(y, 2) over by_weekday as w2, lag(y, 3) over by_weekday as w3
    from before
    window by_weekday as (partition by before.id, mod(before.day, 7) order by before.day)
  ),
  departure as (
    select
      sorted.id,
      sorted.day,
      sorted.y,
      sorted.row_count,
      sorted.is_refilled,
      -- The fourth of seven: c, between the third and the fourth of the other six.
      sorted.y - greatest(
        least(a_high, greatest(a_mid, b_low), greatest(a_low, b_mid), b_high),
        least(c, least(greatest(a_low, b_high), greatest(a_mid, b_mid), greatest(a_high, b_low)))
      ) + 0 * c as from_week,
      sorted.y - case
        when w3 is not null then greatest(least(w1, w2), least(greatest(w1, w2), w3))
        when w2 is not null then (w1 + w2) / 2
        else w1
      end as from_weekday
    from sorted
  ),
  summary as (
    select
      departure.id,
      count(*) as days,
      percentile_disc(0.5) within group (order by departure.row_count) as usual,
      count(*) filter (where is_refilled) as times_refilled,
      min(y) as lowest,
      max(y) as highest,
      percentile_cont(0.5) within group (order by from_week) as growth_of_week,
      percentile_cont(0.5) within group (order by from_weekday) filter (where from_week is not null) as growth_of_weeks
    from departure
    where departure.day < 0
    group by departure.id
  ),
  grown as (
    select
      departure.*,
      departure.from_week - summary.growth_of_week as off_week,
      departure.from_weekday - summary.growth_of_weeks as off_weekday
    from departure
    join summary using (id)
    where departure.from_week is not null
  ),
  habit as (
    select
      grown.id,
      count(*) >= 14
        and percentile_cont(0.9) within group (order by abs(off_weekday))
          < 0.5 * percentile_cont(0.9) within group (order by abs(off_week)) as is_weekly
    from grown
    where grown.day < 0 and grown.off_weekday is not null
    group by grown.id
  ),
  unexplained as (
    select
      grown.*,
      case
        when off_weekday is null then off_week
        when habit.is_weekly or abs(off_weekday) < abs(off_week) then off_weekday
        else off_week
      end as off
    from grown
    left join habit using (id)
  ),
  monthly as (
    select
      unexplained.*,
      min(off) over last_month as last_low, max(off) over last_month as last_high,
      min(off) over month_before as before_low, max(off) over month_before as before_high
    from unexplained
    window
      last_month as (partition by unexplained.id order by unexplained.day range between 31 preceding and 28 preceding),
      month_before as (partition by unexplained.id order by unexplained.day range between 62 preceding and 59 preceding)
  ),
  residual as (
    select
      monthly.*,
      off - least(greatest(off, least(0, last_low, before_low)), greatest(0, last_high, before_high)) as rest
    from monthly
  ),
  spread as (
    select
      residual.id,
      max(y - rest) filter (where day = 0) as expected,
      1.4826 * percentile_cont(0.5) within group (order by abs(off)) filter (where day < 0) as noise,
      percentile_cont(array[0.05, 0.95]) within group (order by rest) filter (where day < 0) as reach
    from residual
    group by residual.id
  )
  select
    candidate.schema_name,
    candidate.table_name,
    candidate.is_partition,
    candidate.row_count,
    summary.days,
    summary.usual,
    summary.times_refilled,
    spread.expected,
    greatest(4.5 * spread.noise, -1.75 * spread.reach[1]),
    greatest(4.5 * spread.noise, 1.75 * spread.reach[2]),
    summary.lowest,
    summary.highest,
    spread.noise
  from candidate
  join summary using (id)
  left join spread using (id)
$$;
comment on function nms.score_counts(bigint) is
  'For each table of nms.changed_counts(): what is usual for it, by its own past. Logarithms: expected on that day, how far below and above it other days have been, lowest and highest of 13 weeks, and noise; nulls where the past is too short. Rows: row_count, and usual, the median. times_refilled: how often it was empty and was filled again.';
revoke execute on function nms.score_counts(bigint) from public;
--! EndIncluded functions/score_counts.sql
--! Included functions/find_count_alerts.sql
create or replace function nms.find_count_alerts(run_id bigint)
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
  judged as (
    select
      score.*,
      today.y,
      aim.kind,
      rule.min_rows,
      rule.min_change,
      round(exp(middle.y)) as middle, -- the logarithm of 50 is that of a little less
      -- Beyond what that day was expected to bring, or beyond what any day of the weeks before it has brought.
      greatest(
        score.expected - greatest(fall.least, score.lower_reach / rule.sensitivity),
        score.lowest - fall.least - score.noise / 2 / rule.sensitivity
      ) as low,
      least(
        score.expected + greatest(rise.least, score.upper_reach / rule.sensitivity),
        score.highest + rise.least + score.noise / 2 / rule.sensitivity
      ) as high
    from nms.score_counts(run_id => find_count_alerts.run_id) as score
    cross join lateral (select ln(greatest(score.row_count::double precision, 0.5))) as today (y)
    cross join lateral (select least(greatest(score.expected, score.lowest), score.highest)) as middle (y)
    cross join lateral (
      select case
        when score.row_count = 0 then 'dropped_to_zero'
        when today.y < middle.y then 'drop'
        else 'spike'
      end
    ) as aim (kind)
    cross join nms.alert_rule(
      schema_name => score.schema_name,
      table_name => score.table_name,
      kind => aim.kind
    ) as rule
    cross join lateral (select -ln(greatest(1 - rule.drop_percent / 100, 1e-9))::double precision) as fall (least)
    cross join lateral (select ln(1 + rule.spike_percent / 100)::double precision) as rise (least)
  ),
  found as (
    select
      judged.*,
      round(least(exp(coalesce(judged.low, judged.lowest)), 9.2e18))::bigint as expected_low,
      round(least(exp(coalesce(judged.high, judged.highest)), 9.2e18))::bigint as expected_high
    from judged
    where case judged.kind
      when 'dropped_to_zero' then
        judged.days >= 3 and judged.usual >= judged.min_rows and judged.times_refilled < 2
      when 'drop' then
        judged.days >= 14
        and judged.y < judged.low
        and judged.middle >= judged.min_rows
        and judged.middle - judged.row_count >= judged.min_change
      else
        judged.days >= 14
        and judged.y > judged.high
        and not judged.is_partition -- the next one is there before its time comes, and fills all at once
        and judged.row_count >= judged.min_rows
        and judged.row_count - judged.middle >= judged.min_change
    end
  )
  select
    found.kind,
    found.schema_name,
    found.table_name,
    found.row_count,
    found.expected_low,
    found.expected_high,
    case found.kind
      when 'dropped_to_zero' then
        format('empty, usually it has about %s rows', to_char(found.usual, 'FM9,999,999,999,999,999,990'))
      else
        format(
          '%s rows, expected %s to %s',
          to_char(found.row_count, 'FM9,999,999,999,999,999,990'),
          to_char(found.expected_low, 'FM9,999,999,999,999,999,990'),
          to_char(found.expected_high, 'FM9,999,999,999,999,999,990')
        )
    end
  from found
$$;
comment on function nms.find_count_alerts(bigint) is
  'Tables whose count in this run is not what their past lets one expect: dropped_to_zero, drop, spike. After at least 14 days of history, dropped_to_zero after 3; never for a table that the run could not count.';
revoke execute on function nms.find_count_alerts(bigint) from public;
--! EndIncluded functions/find_count_alerts.sql
--! Included functions/find_table_alerts.sql
create or replace function nms.find_table_alerts(run_id bigint)
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
  -- The last seven days, and what the day of the run has brought before it.
  earlier as materialized (
    select run.*, row_number() over (order by run.snapshot_date desc) as place
    from (
      (
        select history.owner
        from nms.day_owners(run_id => find_table_alerts.run_id) as history
        order by history.snapshot_date desc
        limit 7
      )
      union all
      select max(run.run_id)
      from nms.table_metrics_runs as run
      join given on run.snapshot_date = given.snapshot_date
      where run.status = 'SUCCEEDED' and run.run_id < given.run_id and run.finished_at <= given.finished_at
    ) as result
    join nms.table_metrics_runs as run on run.run_id = result.owner
  ),
  known as (
    select
      past.schema_name,
      past.table_name,
      count(*) * 2 > (select count(*) from earlier) as is_habitual,
      min(past.row_count) as fewest,
      max(past.row_count) as most,
      (array_agg(past.table_oid order by past.run_id desc))[1] as table_oid
    from earlier
    join nms.table_metrics_measurements as past on past.run_id = earlier.run_id
    where not past.is_partition -- they come and go, and their parent stays
    group by past.schema_name, past.table_name
  ),
  present as (
    select today.*
    from nms.table_metrics_measurements as today
    where today.run_id = find_table_alerts.run_id
  ),
  gone as materialized (
    select known.*
    from known
    where
      known.is_habitual
      and not exists (
        select from present where (present.schema_name, present.table_name) = (known.schema_name, known.table_name)
      )
  ),
  -- Few, so that only these are looked up in the whole history.
  fresh as materialized (
    select present.*
    from present
    where
      not present.is_partition
      and exists (select from earlier)
      and not exists (
        select from known where (known.schema_name, known.table_name) = (present.schema_name, present.table_name)
      )
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
      format('gone: it had %s rows', to_char(gone.most, 'FM9,999,999,999,999,999,990'))
    )
  from gone
  cross join given
  cross join nms.table_metrics_settings as settings
  left join (
    select present.table_oid, min(present.schema_name) as schema_name, min(present.table_name) as table_name
    from present
    where present.table_oid <> 0 -- recorded, and it did not exist
    group by present.table_oid
  ) as renamed using (table_oid)
  where
    given.status = 'SUCCEEDED'
    and gone.schema_name <> all (settings.machinery_schemas)
    and not nms.leaves_out(
      skip => given.skip_schemas,
      exclude => given.exclude_tables,
      schema_name => gone.schema_name,
      table_name => gone.table_name
    )
  union all
  select
    'table_new',
    fresh.schema_name,
    fresh.table_name,
    fresh.row_count,
    null,
    null,
    coalesce(
      'new: it has ' || to_char(fresh.row_count, 'FM9,999,999,999,999,999,990') || ' rows',
      'new: it could not be counted'
    )
  from fresh
  join earlier on earlier.place = 1
  where
    not exists (
      select
      from nms.table_metrics_measurements as past
      where
        past.schema_name = fresh.schema_name
        and past.table_name = fresh.table_name
        and past.run_id < find_table_alerts.run_id
        -- those that had not ended, of which nobody can tell later what they knew then
        and past.run_id <> all (
          array(
            select run.run_id
            from nms.table_metrics_runs as run
            join given on run.run_id < given.run_id
            where (run.finished_at <= given.finished_at) is not true
          )
        )
    )
    and not nms.leaves_out(
      skip => earlier.skip_schemas,
      exclude => earlier.exclude_tables,
      schema_name => fresh.schema_name,
      table_name => fresh.table_name
    )
$$;
comment on function nms.find_table_alerts(bigint) is
  'Tables that most of the last seven results have and this run has not, and such that no earlier run has: table_missing, table_new. Partitions are neither, nor is what a request leaves out.';
revoke execute on function nms.find_table_alerts(bigint) from public;
--! EndIncluded functions/find_table_alerts.sql
--! Included functions/find_run_alerts.sql
create or replace function nms.find_run_alerts(run_id bigint)
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
    from nms.alert_rule(schema_name => null, table_name => null, kind => 'repeated_failures') as rule
  ),
  finished as (
    select run.*
    from given
    join nms.table_metrics_runs as run on run.run_id <= given.run_id and run.finished_at <= given.finished_at
    where not run.is_recorded
    order by run.run_id desc
    limit (select rule.failures_in_a_row from rule)
  ),
  last_success as (
    select run.*
    from given
    join nms.table_metrics_runs as run on run.run_id <= given.run_id and run.finished_at <= given.finished_at
    where run.status = 'SUCCEEDED' and not run.is_recorded
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
    select 'no_run_today', format('no result for %s, the last one is of %s', due.next_date, due.snapshot_date)
    from given
    cross join last_success
    join nms.table_metrics_next_due as due on due.run_id = last_success.run_id
    where given.finished_at > due.due_at
  )
  select found.kind, null::text, null::text, null::bigint, null::bigint, null::bigint, found.detail from found
$$;
comment on function nms.find_run_alerts(bigint) is
  'What is strange about a finished run as a whole, as of its end: repeated_failures, no_tables, no_run_today.';
revoke execute on function nms.find_run_alerts(bigint) from public;
--! EndIncluded functions/find_run_alerts.sql
--! Included functions/find_alerts.sql
create or replace function nms.find_alerts(run_id bigint)
returns table (
  kind text,
  schema_name text,
  table_name text,
  row_count bigint,
  expected_low bigint,
  expected_high bigint,
  detail text
)
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set jit = off -- would take longer to compile than to run
as $$
declare
  v_run nms.table_metrics_runs;
  v_has_changes boolean;
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

  -- Most often there is nothing to look at, and then it takes longer to plan a look than to count many tables.
  v_has_changes := exists (select from nms.changed_counts(run_id => v_run.run_id));

  return query
  select alert.*
  from (
    select * from nms.find_run_alerts(run_id => v_run.run_id)
    where v_run.status = 'FAILED' or v_run.target_count = 0
    union all
    select * from nms.find_table_alerts(run_id => v_run.run_id)
    union all
    select * from nms.find_count_alerts(run_id => v_run.run_id) where v_has_changes
  ) as alert
  cross join nms.alert_rule(
    schema_name => alert.schema_name,
    table_name => alert.table_name,
    kind => alert.kind
  ) as rule
  where rule.is_on and (v_run.snapshot_date < rule.silenced_until) is not true
  order by alert.schema_name nulls first, alert.table_name, alert.kind;
end
$$;
comment on function nms.find_alerts(bigint) is
  'What is strange about a finished run, by the runs before it: repeated_failures, no_run_today, no_tables, table_missing, table_new, dropped_to_zero, drop, spike. Under the same rules the answer is the same whenever one asks. expected_low and expected_high: what would have been usual. Raises P0002 for an unknown run, 55000 for one that has not ended.';
revoke execute on function nms.find_alerts(bigint) from public;
--! EndIncluded functions/find_alerts.sql
--! Included functions/announce_alert.sql
create or replace function nms.announce_alert(alert nms.table_metrics_alert_log)
returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise log 'table metrics: %', concat_ws(
    ' ',
    alert.kind,
    case when alert.table_name is not null then format('%I.%I', alert.schema_name, alert.table_name) end,
    alert.detail
  );
  -- A full queue would make the transaction fail when it commits.
  if pg_notification_queue_usage() < 0.5 then
    perform pg_notify('nms_alerts', to_jsonb(alert)::text);
  end if;
end
$$;
comment on function nms.announce_alert(nms.table_metrics_alert_log) is
  'Tells of a new alert: a line in the server log, and a notification on the channel nms_alerts with the row of nms.table_metrics_alert_log as JSON.';
revoke execute on function nms.announce_alert(nms.table_metrics_alert_log) from public;
--! EndIncluded functions/announce_alert.sql
--! Included functions/record_alerts.sql
create or replace function nms.record_alerts(run_id bigint)
returns bigint
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1 s' -- of a session that records another run
as $$
declare
  v_run nms.table_metrics_runs;
  v_found nms.table_metrics_alert_log[];
  v_alert nms.table_metrics_alert_log;
  v_opened bigint := bigint '0';
begin
  perform pg_advisory_xact_lock(hashtextextended('nms.record_alerts', 0));
  select run.* into v_run from nms.table_metrics_runs as run where run.run_id = record_alerts.run_id;

  -- What is open is what the latest run says. One that failed knows less than an earlier one that ends after it.
  if v_run.is_recorded or exists (
    select
    from nms.table_metrics_runs as later
    where
      (later.status = 'SUCCEEDED' or (v_run.status = 'FAILED' and later.status = 'FAILED'))
      and not later.is_recorded
      and (later.snapshot_date, later.run_id) > (v_run.snapshot_date, v_run.run_id)
  ) then
    return v_opened;
  end if;

  v_found := array(
    select
      row(
        null, alert.kind, alert.schema_name, alert.table_name, alert.row_count, alert.expected_low,
        alert.expected_high, alert.detail, v_run.finished_at, v_run.run_id, null, null
      )::nms.table_metrics_alert_log
    from nms.find_alerts(run_id => record_alerts.run_id) as alert
  );

  if exists (select from nms.table_metrics_alert_log as log where log.closed_at is null) then
    update nms.table_metrics_alert_log as log
    set closed_at = greatest(v_run.finished_at, log.opened_at), closed_by_run = v_run.run_id
    where
      log.closed_at is null
      and (log.kind, coalesce(log.schema_name, ''), coalesce(log.table_name, '')) not in (
        select found.kind, coalesce(found.schema_name, ''), coalesce(found.table_name, '')
        from unnest(v_found) as found
      )
      and case
        when log.kind = 'repeated_failures' then true
        when log.table_name is null then v_run.status = 'SUCCEEDED'
        -- Of a table that the run left out or could not count, it knows nothing.
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
            and not nms.leaves_out(
              skip => v_run.skip_schemas,
              exclude => v_run.exclude_tables,
              schema_name => log.schema_name,
              table_name => log.table_name
            )
          )
      end;
  end if;

  if v_found = '{}' then
    return v_opened;
  end if;

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
    and coalesce(log.table_name, '') = coalesce(found.table_name, '');

  for v_alert in
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, row_count, expected_low, expected_high, detail, opened_at, opened_by_run
    )
    select
      found.kind, found.schema_name, found.table_name, found.row_count, found.expected_low, found.expected_high,
      found.detail, found.opened_at, found.opened_by_run
    from unnest(v_found) as found
    on conflict do nothing
    returning *
  loop
    v_opened := v_opened + 1;
    perform nms.announce_alert(alert => v_alert);
  end loop;
  return v_opened;
end
$$;
comment on function nms.record_alerts(bigint) is
  'Brings nms.table_metrics_alert_log up to date with what nms.find_alerts() says about a finished run: opens what is new and announces it, closes what holds no longer. Nothing for recorded counts, nor when a later run has ended; that one failed does not count for one that has succeeded. Returns how many alerts are new.';
revoke execute on function nms.record_alerts(bigint) from public;
--! EndIncluded functions/record_alerts.sql
--! Included functions/record_missing_run.sql
create or replace function nms.record_missing_run()
returns boolean
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_alert nms.table_metrics_alert_log;
begin
  insert into nms.table_metrics_alert_log (kind, detail, opened_at)
  select alert.kind, alert.detail, alert.since
  from nms.table_metrics_alerts as alert
  where alert.kind = 'no_run_today'
  on conflict do nothing
  returning * into v_alert;
  if not found then
    return false;
  end if;
  perform nms.announce_alert(alert => v_alert);
  return true;
end
$$;
comment on function nms.record_missing_run() is
  'Announces that a business day has no result although it should have one by now. A worker calls it every minute: no run does that for it. Returns whether this is news.';
revoke execute on function nms.record_missing_run() from public;
--! EndIncluded functions/record_missing_run.sql
--! Included functions/record_alerts_of_run.sql
create or replace function nms.record_alerts_of_run()
returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform nms.record_alerts(run_id => new.run_id);
  return null;
exception
  -- Whatever it is: the run has ended as it did, and its alerts can be recorded again.
  when query_canceled or assert_failure or others then
    raise warning 'the alerts of run % were not recorded', new.run_id
      using
        errcode = sqlstate,
        detail = left(sqlerrm, 2000),
        hint = format('To try again: select nms.record_alerts(%s);', new.run_id);
    return null;
end
$$;
comment on function nms.record_alerts_of_run() is
  'Trigger function that records the alerts of a run when it ends. A failure there is a warning, and the run ends as it would have.';
revoke execute on function nms.record_alerts_of_run() from public;
--! EndIncluded functions/record_alerts_of_run.sql

create or replace trigger record_alerts
  after update on nms.table_metrics_runs
  for each row when (old.status = 'RUNNING' and new.status <> 'RUNNING')
  execute function nms.record_alerts_of_run();
comment on trigger record_alerts on nms.table_metrics_runs is
  'However a run ends, what is strange about it is recorded.';
