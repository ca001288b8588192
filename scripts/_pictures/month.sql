-- Five weeks of a shop that sells more on weekends. One day was not counted, one run failed, and last night most of a table is gone.
do $$
declare
  v_today constant date := nms.business_date();
  v_zone constant text := (select settings.business_time_zone from nms.table_metrics_settings as settings);
  v_day date;
  v_begin timestamptz;
  v_run_id bigint;
  v_fails boolean;
begin
  for v_ago in reverse 34..0 loop
    continue when v_ago = 16; -- the server was down
    v_day := v_today - v_ago;
    v_fails := v_ago = 9;
    v_begin := (v_day + time '05:15' + v_ago % 7 * interval '7 s') at time zone v_zone;
    if v_begin > clock_timestamp() - interval '1 min' then -- it is early in the morning
      v_begin := clock_timestamp() - 0.1 * (clock_timestamp() - v_day::timestamp at time zone v_zone);
    end if;
    v_run_id := nextval(pg_get_serial_sequence('nms.table_metrics_runs', 'run_id'));
    insert into nms.table_metrics_runs (
      run_id, snapshot_date, collected_at, finished_at, status, error_message, target_count, left_out_count,
      machinery_schemas, scheduled_for
    )
    overriding system value
    select
      v_run_id,
      v_day,
      v_begin,
      v_begin + interval '21 s' + v_ago % 5 * interval '1.7 s',
      case when v_fails then 'FAILED' else 'SUCCEEDED' end,
      case
        when v_fails then 'support.tickets could not be counted: canceling statement due to lock timeout (55P03). Ask who locks it: select * from pg_locks where relation = ''support.tickets''::regclass'
      end,
      10, 0, settings.machinery_schemas, date_trunc('hour', v_begin)
    from nms.table_metrics_settings as settings;

    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid,
      error_sqlstate, error_message
    )
    with busy as (
      select
        34 - v_ago as day,
        case when extract(isodow from v_day) in (6, 7) then 1.8 else 1 end as trade,
        (('x' || left(md5(v_ago::text), 6))::bit(24)::integer % 1000) / 1000.0 as chance
    ),
    sold as (
      -- What was sold until that day, weekends weighing more.
      select sum(case when extract(isodow from past) in (6, 7) then 1.8 else 1 end) as days
      from generate_series(v_today - 34, v_day, interval '1 day') as past
    ),
    made (schema_name, table_name, rows, parent_rows) as (
      select
        made.*
      from busy
      cross join sold
      cross join lateral (
        values
          ('sales', 'customers', 48210 + (sold.days * 61)::bigint, null::bigint),
          ('sales', 'orders_2026_h1', 1204417, null),
          ('sales', 'orders_2026_h2', 911302 + (sold.days * 2113 + busy.chance * 700)::bigint, null),
          ('sales', 'orders_later', 0, null),
          ('sales', 'order_lines', 5288120 + (sold.days * 5817 + busy.chance * 2100)::bigint, null),
          ('Warehouse', 'Products', 3120 + (busy.day / 7) * 40, null),
          (
            'Warehouse', 'Stock Movements',
            case
              when v_ago = 0 then 418000
              else 2204000 + (sold.days * 4105 + busy.chance * 1900)::bigint
            end,
            null
          ),
          ('support', 'tickets', 90480 + (sold.days * 83 + busy.chance * 55)::bigint, null),
          ('support', 'drafts', (busy.trade * 240 + busy.chance * 190)::bigint, null)
      ) as made
    ),
    counted as (
      select made.schema_name, made.table_name, made.rows, made.rows as own_rows, 'table' as table_kind, made.table_name like 'orders\_%' as is_partition
      from made
      union all
      select 'sales', 'orders', sum(made.rows), 0, 'partitioned table', false
      from made
      where made.table_name like 'orders\_%'
    )
    select
      v_run_id,
      counted.schema_name,
      counted.table_name,
      case when not failure.is_here then counted.rows end,
      case when not failure.is_here then counted.own_rows end,
      v_begin + interval '20 s',
      counted.table_kind,
      counted.is_partition,
      hashtext(counted.table_name) & 65535,
      case when failure.is_here then '55P03' end,
      case when failure.is_here then 'canceling statement due to lock timeout' end
    from counted
    cross join lateral (values (v_fails and counted.table_name = 'tickets')) as failure (is_here);

    if not v_fails then
      perform nms.rebuild_run_snapshot(run_id => v_run_id);
      perform nms.rebuild_daily_snapshot(snapshot_date => v_day);
    end if;
    perform nms.record_alerts(run_id => v_run_id);
  end loop;
end
$$;
