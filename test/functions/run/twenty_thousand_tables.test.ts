import test from 'ava'
import { collectTableMetrics } from '../../../src/run/collect.ts'
import { collect, createDatabase, type Run, type Sql } from '../../_support/database.ts'

test('20,000 tables with primary keys are counted in one call under default lock settings, and online', async (t) => {
  t.timeout(900_000)
  const { sql, url } = await createDatabase(t)
  await sql.unsafe(`
    do $$
    begin
      for v_table in 1..20000 loop
        execute format('create table public.t_%s (id int primary key)', v_table);
        if v_table % 1000 = 0 then
          execute format('insert into public.t_%s select generate_series(1, %1$s / 1000)', v_table);
          commit;
        end if;
      end loop;
    end
    $$
  `)
  const [setting] =
    await sql`select setting = boot_val as is_default from pg_settings where name = 'max_locks_per_transaction'`

  t.true(setting?.is_default)

  const run = await collect(sql)
  t.is(run.error_message, null)
  t.is(run.status, 'SUCCEEDED')
  t.is(run.target_count, '20000')
  t.deepEqual(await counted(sql, run), { tables: 20_000, rows: 210, right_each: true })

  // As autovacuum may do it: the planner knows that run, and takes the next one for a row or none.
  await sql`analyze nms.table_metrics_measurements`
  const online = await collectTableMetrics(url, {}, { online: true, jobs: 2 })
  t.is(online.error_message, null)
  t.is(online.status, 'SUCCEEDED')
  t.deepEqual(await counted(sql, online), { tables: 20_000, rows: 210, right_each: true })
})

async function counted(sql: Sql, { run_id }: Pick<Run, 'run_id'>) {
  const [row] = await sql`
    select
      count(*)::int as tables,
      sum(row_count)::int as rows,
      bool_and(row_count = case when table_name like '%000' then substr(table_name, 3)::int / 1000 else 0 end) as right_each
    from nms.table_metrics_measurements
    where run_id = ${run_id}
  `
  return { ...row }
}
