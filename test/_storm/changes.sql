-- Tables are replaced, renamed and rewritten. Each call is one transaction, and keeps every sum.

-- Dropped and created again. The rows are copied, or go to a table nearby, and some of them back.
create function storm.recreate(name text, nearby text default null) returns void language plpgsql as $$
declare
  v_places storm.place[];
  v_rows bigint;
begin
  perform storm.lock(array[name]);
  v_places := storm.places(name);
  execute format('create table %1$s_anew (like %1$s including all)', name);
  if nearby is null then
    execute format('insert into %1$s_anew select * from only %1$s', name);
  else
    v_rows := storm.rows_in(name);
    perform storm.must(name <> nearby and storm.transfer(name, nearby, v_rows) = v_rows);
    perform storm.must(storm.roots(name::regclass) = storm.roots(nearby::regclass));
  end if;
  execute format('drop table %s', name);
  execute format('alter table %s_anew rename to %s', name, split_part(name, '.', 2));
  perform storm.put_in(name, v_places);
  if nearby is not null then
    perform storm.transfer(nearby, name, v_rows / 2);
    perform storm.must(storm.roots(name::regclass) = storm.roots(nearby::regclass));
  end if;
end $$;

-- A table that is created with rows of its neighbour, beside it, and dropped when they are back.
create function storm.haunt(name text, neighbour text) returns void language plpgsql as $$
begin
  if to_regclass(name) is null then
    execute format('create table %s (like storm.shape including all)', name);
    perform storm.put_in(name, storm.places(neighbour));
    perform storm.transfer(neighbour, name, 10);
    perform storm.must(storm.roots(name::regclass) = storm.roots(neighbour::regclass));
  else
    perform storm.lock(array[name]);
    perform storm.transfer(name, neighbour, storm.rows_in(name));
    -- Asked when the neighbour is locked as well, and stays in its families.
    perform storm.must(storm.roots(name::regclass) = storm.roots(neighbour::regclass));
    execute format('drop table %s', name);
  end if;
end $$;

-- A parent is replaced by one that takes over its children.
create function storm.recreate_parent(name text) returns void language plpgsql as $$
declare
  v_anew constant text := name || '_anew';
  v_places storm.place[];
  v_child record;
begin
  perform storm.lock(array[name]);
  v_places := storm.places(name);
  execute format(
    'create table %s (like storm.shape including defaults) %s', v_anew,
    (select case relkind when 'p' then 'partition by list (part)' end from pg_class where oid = name::regclass)
  );
  execute format('create index on %s (id)', v_anew);
  execute format('insert into %s select * from only %s', v_anew, name);
  for v_child in
    select storm.name_of(inhrelid) as name, pg_get_expr(relpartbound, oid) as bound
    from pg_inherits
    join pg_class on oid = inhrelid
    where inhparent = name::regclass
  loop
    perform storm.take_out(v_child.name, array[row(name, v_child.bound)::storm.place]);
    perform storm.put_in(v_child.name, array[row(v_anew, v_child.bound)::storm.place]);
  end loop;
  execute format('drop table %s', name);
  execute format('alter table %s rename to %s', v_anew, split_part(name, '.', 2));
  perform storm.put_in(name, v_places);
end $$;

create function storm.refill(name text) returns void language plpgsql as $$
declare
  v_only constant text := (select case relkind when 'r' then 'only ' else '' end from pg_class where oid = name::regclass);
begin
  execute format('lock table %s%s in access exclusive mode', v_only, name);
  execute format('create temporary table kept on commit drop as select * from %s%s', v_only, name);
  execute format('truncate %s%s', v_only, name);
  execute format('insert into %s select * from kept', name);
end $$;

create function storm.cluster(name text) returns void language plpgsql as $$
begin
  execute format('cluster %s using %s', name, (
    select relname from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = name::regclass limit 1
  ));
end $$;

create function storm.change_logging(name text) returns void language plpgsql as $$
begin
  execute format('alter table %s set %s', name, (
    select case relpersistence when 'p' then 'unlogged' else 'logged' end from pg_class where oid = name::regclass
  ));
end $$;

create function storm.swap_names(one text, other text) returns void language plpgsql as $$
declare
  v_one text[] := string_to_array(one, '.');
  v_other text[] := string_to_array(other, '.');
begin
  perform storm.must(one <> other);
  perform storm.lock(array[one, other]);
  execute format('alter table %s rename to between_names', one);
  if v_one[1] <> v_other[1] then
    execute format('alter table %s set schema %s', other, v_one[1]);
    execute format('alter table %s.between_names set schema %s', v_one[1], v_other[1]);
  end if;
  execute format('alter table %s.%s rename to %s', v_one[1], v_other[2], v_one[2]);
  execute format('alter table %s.between_names rename to %s', v_other[1], v_other[2]);
end $$;

create function storm.swap_schemas() returns void language plpgsql as $$
begin
  alter schema east rename to between_schemas;
  alter schema west rename to east;
  alter schema between_schemas rename to west;
end $$;

create function storm.wander() returns void language plpgsql as $$
begin
  if to_regclass('bank.nomad') is null then
    alter table away.nomad set schema bank;
  else
    alter table bank.nomad set schema away;
  end if;
end $$;
