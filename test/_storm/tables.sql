create function storm.make(name text, rows integer, clause text default '(like storm.shape including all)')
returns void language plpgsql as $$
begin
  execute format('create table %s %s', name, clause);
  execute format('insert into %s (part) select %s from generate_series(1, %s)', name, storm.part_of(name::regclass), rows);
  if to_regclass(name || '_id_idx') is null then
    execute format('create index on %s (id)', name);
  end if;
end $$;

-- Each by itself.
select storm.make('bank.solo_1', 100);
select storm.make('bank.solo_2', 37);
select storm.make('bank.solo_3', 3000); -- read by itself
select storm.make('bank.solo_4', 0);
select storm.make('bank.twin_1', 70);
select storm.make('bank.twin_2', 90);
select storm.make('east.twin', 80);
select storm.make('west.twin', 65);
select storm.make('bank.nomad', 60);
-- Rows move between these, and to and from what leaves and joins families.
select storm.make('bank.vault', 400);
select storm.make('bank.pool_1', 100);
select storm.make('bank.pool_2', 2000);
select storm.make('away.pool_3', 100);

-- A partitioned table on two levels; between the parts rows move freely.
select storm.make('parts.orders', 0, '(like storm.shape including defaults) partition by list (part)');
select storm.make('parts.orders_sub', 0, 'partition of parts.orders for values in (10, 11) partition by list (part)');
select storm.make('parts.orders_1', 200, 'partition of parts.orders for values in (1)');
select storm.make('parts.orders_2', 100, 'partition of parts.orders for values in (2)');
select storm.make('away.orders_3', 100, 'partition of parts.orders for values in (3)');
select storm.make('parts.orders_10', 60, 'partition of parts.orders_sub for values in (10)');
select storm.make('parts.orders_11', 50, 'partition of parts.orders_sub for values in (11)');
select storm.make('parts.spare_1', 100);
select storm.make('parts.spare_2', 50);
-- One that two parts join and leave with all their rows, one of them with parts of its own.
select storm.make('parts.flow', 0, '(like storm.shape including defaults) partition by list (part)');
select storm.make('parts.flow_1', 30, 'partition of parts.flow for values in (1)');
select storm.make('parts.flow_2', 30, 'partition of parts.flow for values in (2)');
select storm.make('parts.comer', 40, 'partition of parts.flow for values in (9)');
select storm.make('parts.band', 0, 'partition of parts.flow for values in (20, 21) partition by list (part)');
select storm.make('parts.band_20', 15, 'partition of parts.band for values in (20)');
select storm.make('parts.band_21', 10, 'partition of parts.band for values in (21)');

-- Heirs on three levels, one of them with two parents.
select storm.make('heirs.a', 50);
select storm.make('away.a2', 30, '() inherits (heirs.a)');
select storm.make('heirs.b', 40, '() inherits (heirs.a)');
select storm.make('heirs.b2', 40, '() inherits (heirs.b)');
select storm.make('heirs.c', 40, '() inherits (heirs.a)');
select storm.make('heirs.e', 40, '() inherits (heirs.c)');
select storm.make('heirs.d', 40, '() inherits (heirs.b, heirs.c)');
select storm.make('heirs.d2', 20, '() inherits (heirs.b, heirs.c)');
select storm.make('heirs.spare', 40);
-- Two families that share heirs.
select storm.make('heirs.y', 40);
select storm.make('heirs.z', 30);
select storm.make('heirs.y1', 30, '() inherits (heirs.y)');
select storm.make('heirs.z1', 30, '() inherits (heirs.z)');
select storm.make('heirs.yz1', 20, '() inherits (heirs.y, heirs.z)');
select storm.make('heirs.yz2', 20, '() inherits (heirs.y, heirs.z)');
-- And a family with a guest, who has an heir.
select storm.make('heirs.host', 50);
select storm.make('heirs.host_1', 30, '() inherits (heirs.host)');
select storm.make('heirs.guest', 30, '() inherits (heirs.host)');
select storm.make('heirs.guest_1', 15, '() inherits (heirs.guest)');
analyze;
