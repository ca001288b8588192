-- What the storm blows through. All tables have the same columns; rows are moved, never made nor lost.
create schema storm; -- of the storm itself: not counted
create schema bank;
create schema away;
create schema east;
create schema west;
create schema parts;
create schema heirs;

-- Of these tables count(*) never changes, or only between known totals.
create table storm.constants (name text primary key);

create sequence storm.ids;
create table storm.shape (
  id bigint not null default nextval('storm.ids'),
  part integer not null default 0,
  pad text not null default repeat('.', 300)
);
create index on storm.shape (id);

create function storm.name_of(of oid) returns text language sql stable as $$
  select nspname || '.' || relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace where pg_class.oid = of
$$;

-- The constants of which the rows of a table are part. Rows may move between tables that have the same.
create function storm.roots(of oid) returns text[] language sql stable as $$
  with recursive above (oid) as (
    select of
    union
    select inhparent from above join pg_inherits on inhrelid = above.oid
  )
  select coalesce(array_agg(name order by name), '{}') from above join storm.constants on name = storm.name_of(above.oid)
$$;

create function storm.part_of(of oid) returns integer language sql stable as $$
  select coalesce(substring(pg_get_expr(relpartbound, oid) from '\((\d+)')::integer, 0) from pg_class where oid = of
$$;

create view storm.workload as
  select oid from pg_class
  where relkind in ('r', 'p') and relnamespace::regnamespace::text in ('bank', 'away', 'east', 'west', 'parts', 'heirs');

create function storm.rows_in(name text, own boolean default true) returns bigint language plpgsql as $$
declare
  v_rows bigint;
begin
  execute format('select count(*) from %s %s', case when own then 'only' end, name) into v_rows;
  return v_rows;
end $$;

-- What cannot be done as things are is given up, like what meets a lock.
create function storm.must(holds boolean) returns void language plpgsql as $$
begin
  if holds is not true then
    raise exception 'not as things are' using errcode = 'ST001';
  end if;
end $$;

create function storm.lock(names text[]) returns void language plpgsql as $$
begin
  execute format('lock table %s in access exclusive mode', array_to_string(names, ', '));
end $$;

create function storm.transfer(source text, target text, rows bigint) returns bigint language plpgsql as $$
declare
  v_moved bigint;
  v_above text;
begin
  -- PostgreSQL (seen on 18.4) crashes in the check of a partition's constraint when a table above the
  -- partition is detached or attached during an insert. With a lock there, that waits.
  select string_agg('only ' || storm.name_of(relid), ', ') into v_above
  from pg_partition_ancestors(target::regclass)
  where relid <> target::regclass;
  if v_above is not null then
    execute format('lock table %s in access share mode', v_above);
  end if;

  execute format(
    'with gone as (
      delete from only %1$s where id in (select id from only %1$s limit $1 for update skip locked) returning id
    )
    insert into %2$s (id, part) select id, $2 from gone',
    source, target
  ) using rows, storm.part_of(target::regclass);
  get diagnostics v_moved = row_count;
  return v_moved;
end $$;

create function storm.move(source text, target text, rows bigint) returns void language plpgsql as $$
begin
  perform storm.must(storm.transfer(source, target, rows) > 0);
  -- From now on both are locked, and stay in their families.
  perform storm.must(storm.roots(source::regclass) = storm.roots(target::regclass));
end $$;

create type storm.place as (parent text, bound text);

create function storm.places(name text) returns storm.place[] language sql volatile as $$
  select array_agg(row(storm.name_of(inhparent), pg_get_expr(relpartbound, pg_class.oid))::storm.place)
  from pg_inherits
  join pg_class on pg_class.oid = inhrelid
  where inhrelid = name::regclass
$$;

create function storm.take_out(name text, places storm.place[]) returns void language plpgsql as $$
declare
  v_place storm.place;
begin
  foreach v_place in array places loop
    if v_place.bound is null then
      execute format('alter table %s no inherit %s', name, v_place.parent);
    else
      execute format('alter table %s detach partition %s', v_place.parent, name);
    end if;
  end loop;
end $$;

create function storm.put_in(name text, places storm.place[]) returns void language plpgsql as $$
declare
  v_place storm.place;
begin
  foreach v_place in array coalesce(places, '{}') loop
    if v_place.bound is null then
      execute format('alter table %s inherit %s', name, v_place.parent);
    else
      execute format('update only %s set part = %s', name, substring(v_place.bound from '\((\d+)'));
      execute format('alter table %s attach partition %s %s', v_place.parent, name, v_place.bound);
    end if;
  end loop;
end $$;
