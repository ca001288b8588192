-- Raises where an earlier state of table-metrics made the tables: half of them would be of that, and half of this
-- version. Changes nothing, so that doctor can ask as well.
--
-- nms.tables: as for check_install.sql. nms.keeps_history = on: graphile-migrate's history is kept, too.
do $$
declare
  v_keeps_history constant boolean := current_setting('nms.keeps_history') = 'on';
  v_tables constant jsonb := current_setting('nms.tables');
  v_seen text;
  v_row text;
  v_zone text;
begin
  select format('%s lacks %s', part.relation, string_agg(part.name, ', ' order by part.name)) into v_seen
  from (
    select relation.oid::regclass as relation, needed.name
    from pg_class as relation
    join pg_namespace as schema on schema.oid = relation.relnamespace
    cross join jsonb_array_elements_text(v_tables -> concat_ws('.', schema.nspname, relation.relname) -> 'parts') as needed (name)
    where
      not exists (
        select from pg_attribute as col
        where col.attrelid = relation.oid and col.attname = needed.name and not col.attisdropped
      )
      and not exists (select from pg_constraint as con where con.conrelid = relation.oid and con.conname = needed.name)
  ) as part
  group by part.relation
  order by part.relation::text collate "C"
  limit 1;
  if not found then
    return;
  end if;

  execute 'select settings.business_time_zone from nms.table_metrics_settings as settings' into v_zone;
  if v_keeps_history then
    -- Any other history is another project's, and stays.
    execute $query$
      select format('delete from graphile_migrate.migrations where hash = %L; ', min(migration.hash))
      from graphile_migrate.migrations as migration
      having count(*) = 1 and min(migration.filename) = '000001.sql'
    $query$ into v_row;
  end if;
  raise exception 'the schema nms was made by an earlier state of table-metrics: nothing was installed'
    using
      errcode = 'object_not_in_prerequisite_state',
      detail = v_seen,
      hint = concat(
        'To keep its days: alter schema nms rename to nms_before; ',
        case when to_regtype('nms_private.target') is not null then 'drop schema nms_private cascade; ' end,
        v_row,
        format('then install again (SNAPSHOT_TZ=%s), and ', v_zone),
        'select count(nms.import_run(snapshot_date, payload)) from nms_before.table_metrics_daily_snapshot; ',
        'drop schema nms_before cascade;'
      );
end
$$;
