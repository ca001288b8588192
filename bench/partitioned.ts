import { clientLoop, collector } from './_contestants.ts'
import { timed } from './_measure.ts'
import type { Scenario } from './_scenario.ts'
import { type Counter, twiceInOneSession } from './_sessions.ts'

export const partitioned: Scenario = {
  name: 'partitioned',
  title: 'one table with 1,000 leaves of 5,000 rows',
  bars: [
    { contestant: 'collector', rival: 'loop in the database', metric: 'cold', atMost: 0.6 },
    { contestant: 'collector', rival: 'loop in the database', metric: 'warm', atMost: 0.6 },
    { contestant: 'collector', rival: 'client loop', metric: 'cold', atMost: 0.6 },
    { contestant: 'collector', rival: 'client loop', metric: 'warm', atMost: 0.6 },
  ],
  async build(sql, scale) {
    const leaves = Math.round(1_000 * scale)
    await sql.unsafe(`
      create table public.readings (id bigint primary key, amount integer) partition by range (id);
      do $$
      begin
        for v_leaf in 0..${leaves - 1} loop
          execute format(
            'create table public.readings_%s partition of public.readings for values from (%s) to (%s)',
            v_leaf, v_leaf * 5000, (v_leaf + 1) * 5000
          );
        end loop;
      end
      $$;
      insert into public.readings select id, id % 100 from generate_series(0, ${leaves * 5_000 - 1}) as id;

      create function public.count_in_a_loop(tables text[]) returns bigint
      language plpgsql stable
      as $$
      declare
        v_table text;
        v_rows bigint;
        v_sum bigint := 0;
      begin
        foreach v_table in array tables loop
          execute 'select count(*) from ' || v_table into v_rows;
          v_sum := v_sum + v_rows;
        end loop;
        return v_sum;
      end
      $$;
    `)
    await sql`vacuum (analyze)`
    const found = await sql<{ name: string }[]>`
      select relid::regclass::text as name from pg_partition_tree('public.readings') order by isleaf desc
    `
    const tables = found.map(({ name }) => name)
    return [collector, loopInTheDatabase(tables), clientLoop(tables)].map((counter) =>
      twiceInOneSession(counter),
    )
  },
}

function loopInTheDatabase(tables: string[]): Counter {
  return {
    name: 'loop in the database',
    async count(session) {
      const { milliseconds, result } = await timed(
        () => session<[{ rows: string }]>`select public.count_in_a_loop(${tables}) as rows`,
      )
      return { milliseconds, rows: BigInt(result[0].rows) }
    },
  }
}
