-- Tables in which rows come and go only now and then, so that their counts can be carried between. Rows move between them
-- and one that every run counts: a carried count that is not what it was breaks the sum.
create schema still;
create function storm.make_still(tables integer, rows integer) returns void language plpgsql as $$
begin
  for v_table in 1..tables loop
    perform storm.make(format('still.table_%s', v_table), rows);
  end loop;
  perform storm.make('still.busy', tables * rows);
  perform storm.make('still.whole', 0, '(like storm.shape including defaults) partition by list (part)');
  for v_leaf in 1..10 loop
    perform storm.make(format('still.leaf_%s', v_leaf), rows, format('partition of still.whole for values in (%s)', v_leaf));
  end loop;
  insert into nms.table_metrics_count_rules (schema_name, table_name, method, shadow)
  values ('*', '*', 'carried', '0'), ('still', 'busy', 'exact', '0'), ('still', 'leaf_10', 'exact', '0');
end $$;

-- Who has changed what, and when that was committed: how many rows each had at any time.
create table storm.still_changes (name text, change bigint);
create index on storm.still_changes (name);
create function storm.note_transfer(source text, target text, rows bigint) returns void language sql as $$
  with moved as (select storm.transfer(source, target, rows) as rows)
  insert into storm.still_changes
  select side.name, side.change
  from moved
  cross join lateral (values (source, -moved.rows), (target, moved.rows)) as side (name, change)
  where moved.rows > 0
$$;

-- What a transaction does to one of them: rows go to the busy one, or come from there.
create function storm.stir(name text, moved bigint) returns void language plpgsql as $$
declare
  v_busy constant text := case when name like '%leaf%' then 'still.leaf_10' else 'still.busy' end;
begin
  if moved > 0 then
    perform storm.note_transfer(name, v_busy, moved);
  else
    perform storm.note_transfer(v_busy, name, -moved);
  end if;
end $$;

create function storm.empty(name text) returns void language plpgsql as $$
begin
  execute format('lock table only %s in access exclusive mode', name);
  perform storm.note_transfer(name, 'still.busy', 1000000);
  execute format('truncate only %s', name);
end $$;

-- Each measurement of a run that is not what the table had at any moment of that run. A commit has its time a little
-- before others see it.
create function storm.never_had(run_id bigint, rows integer)
returns table (name text, row_count bigint, method text, had text) language sql stable as $$
  with
  run as (
    select run.collected_at - interval '3 s' as began, run.finished_at as ended
    from nms.table_metrics_runs as run
    where run.run_id = never_had.run_id
  ),
  change as (
    select change.name, change.change, pg_xact_commit_timestamp(change.xmin) as at
    from storm.still_changes as change
  ),
  total as (
    select
      change.name,
      change.at,
      sum(change.change) over (partition by change.name order by change.at, change.change) as rows
    from change
  ),
  found as (
    select measurement.*, measurement.schema_name || '.' || measurement.table_name as name
    from nms.table_metrics_measurements as measurement
    where
      measurement.run_id = never_had.run_id
      and measurement.schema_name = 'still'
      and measurement.table_name <> 'whole'
      and measurement.table_name <> 'busy'
      and measurement.row_count is not null
  )
  select
    found.name, found.row_count, found.method,
    format('%s since %s', array_to_string(known.had, ' or '), (
      select max(total.at) from total where total.name = found.name and total.at <= run.began
    ) - run.began)
  from found
  cross join run
  cross join lateral (
    select array_agg(distinct never_had.rows + possible.rows) as had
    from (
      select coalesce(
        (
          select total.rows from total
          where total.name = found.name and total.at <= run.began
          order by total.at desc, total.rows desc limit 1
        ),
        0
      )
      union
      select total.rows from total where total.name = found.name and total.at between run.began and run.ended
    ) as possible (rows)
  ) as known
  where found.row_count <> all (known.had)
$$;
