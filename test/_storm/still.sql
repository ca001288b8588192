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

-- What a transaction does to one of them: rows go to the busy one, or come from there.
create function storm.stir(name text, moved bigint) returns void language plpgsql as $$
declare
  v_busy constant text := case when name like '%leaf%' then 'still.leaf_10' else 'still.busy' end;
begin
  if moved > 0 then
    perform storm.transfer(name, v_busy, moved);
  else
    perform storm.transfer(v_busy, name, -moved);
  end if;
end $$;

create function storm.empty(name text) returns void language plpgsql as $$
begin
  execute format('lock table only %s in access exclusive mode', name);
  perform storm.transfer(name, 'still.busy', 1000000);
  execute format('truncate only %s', name);
end $$;
