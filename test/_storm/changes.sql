-- Changes of tables and families. Each call is one transaction, and keeps every sum.

-- A part leaves its family: its rows stay there, or as many others from outside take their place.
create function storm.leave(name text, sibling text, vault text, with_rows boolean) returns void language plpgsql as $$
declare
  v_places storm.place[];
  v_roots text[];
  v_rows bigint;
begin
  perform storm.lock(array[name]);
  v_places := storm.places(name);
  v_roots := storm.roots(name::regclass);
  v_rows := storm.rows_in(name);
  perform storm.must(v_places is not null and name <> sibling);
  perform storm.must(storm.transfer(case when with_rows then vault else name end, sibling, v_rows) = v_rows);
  perform storm.take_out(name, v_places);
  perform storm.must(storm.roots(sibling::regclass) = v_roots and storm.roots(vault::regclass) = '{}');
end $$;

-- A table from outside joins a family beside one of its parts.
create function storm.join(name text, sibling text, vault text, with_rows boolean) returns void language plpgsql as $$
declare
  v_places storm.place[];
  v_rows bigint;
  v_bound integer;
begin
  perform storm.lock(array[name]);
  v_rows := storm.rows_in(name);
  v_places := storm.places(sibling);
  perform storm.must(v_places is not null and storm.places(name) is null and vault <> all (array[name, sibling]));
  if v_places[1].bound is not null then
    -- The first bound that is free.
    select min(bound) into v_bound
    from unnest(case v_places[1].parent when 'parts.orders' then '{1,2,3}' else '{10,11}' end::integer[]) as bound
    where bound not in (
      select storm.part_of(inhrelid) from pg_inherits where inhparent = v_places[1].parent::regclass
    );
    perform storm.must(v_bound is not null);
    v_places[1].bound := format('FOR VALUES IN (%s)', v_bound);
  end if;
  perform storm.must(storm.transfer(case when with_rows then sibling else name end, vault, v_rows) = v_rows);
  perform storm.put_in(name, v_places);
  perform storm.must(storm.roots(name::regclass) = storm.roots(sibling::regclass));
  perform storm.must(storm.roots(vault::regclass) = '{}');
end $$;

create function storm.come_or_go(name text, sibling text, vault text, with_rows boolean) returns void language plpgsql as $$
begin
  if storm.places(name) is null then
    perform storm.join(name, sibling, vault, with_rows);
  else
    perform storm.leave(name, sibling, vault, with_rows);
  end if;
end $$;

-- A table from outside, with as many rows, takes the place of a part.
create function storm.exchange(name text, newcomer text, vault text) returns void language plpgsql as $$
declare
  v_places storm.place[];
  v_roots text[];
  v_more bigint;
begin
  if storm.places(name) is null and storm.places(newcomer) is not null then
    perform storm.exchange(newcomer, name, vault);
    return;
  end if;
  perform storm.lock(array[name, newcomer]);
  v_places := storm.places(name);
  v_roots := storm.roots(name::regclass);
  perform storm.must(v_places is not null and storm.places(newcomer) is null and vault <> all (array[name, newcomer]));
  v_more := storm.rows_in(name) - storm.rows_in(newcomer);
  perform storm.must(
    v_more = case when v_more > 0
      then storm.transfer(vault, newcomer, v_more)
      else -storm.transfer(newcomer, vault, -v_more)
    end
  );
  perform storm.take_out(name, v_places);
  perform storm.put_in(newcomer, v_places);
  perform storm.must(storm.roots(newcomer::regclass) = v_roots and storm.roots(vault::regclass) = '{}');
end $$;

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
  else
    perform storm.lock(array[name]);
    perform storm.must(storm.roots(name::regclass) = storm.roots(neighbour::regclass));
    perform storm.transfer(name, neighbour, storm.rows_in(name));
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
