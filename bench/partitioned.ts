import { clientLoop, collector } from './_contestants.ts'
import { type Contestant, timed } from './_measure.ts'
import type { Scenario } from './_scenario.ts'

export const partitioned: Scenario = {
  name: 'partitioned',
  title: 'one table with 1,000 leaves of 5,000 rows',
  bars: [
    { rival: 'loop in the database', temperature: 'cold', atMost: 0.6 },
    { rival: 'loop in the database', temperature: 'warm', atMost: 0.6 },
    { rival: 'client loop', temperature: 'cold', atMost: 0.6 },
    { rival: 'client loop', temperature: 'warm', atMost: 0.6 },
  ],
  async build(sql) {
    await sql.unsafe(`
      create table public.readings (id bigint primary key, amount integer) partition by range (id);
      do $$
      begin
        for v_leaf in 0..999 loop
          execute format(
            'create table public.readings_%s partition of public.readings for values from (%s) to (%s)',
            v_leaf, v_leaf * 5000, (v_leaf + 1) * 5000
          );
        end loop;
      end
      $$;
      insert into public.readings select id, id % 100 from generate_series(0, 4999999) as id;

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
    return [collector, loopInTheDatabase(tables), clientLoop(tables)]
  },
}

function loopInTheDatabase(tables: string[]): Contestant {
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
