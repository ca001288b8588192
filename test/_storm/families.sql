-- Parts leave and join families. Each call is one transaction, and keeps every sum.

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
