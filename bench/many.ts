import { clientLoop, collector } from './_contestants.ts'
import type { Scenario } from './_scenario.ts'

const schemas = 20

export const many: Scenario = {
  name: 'many',
  title: '20,000 tables of 20 rows',
  bars: [
    { rival: 'client loop', temperature: 'cold', atMost: 0.45 },
    { rival: 'client loop', temperature: 'warm', atMost: 0.25 },
  ],
  showMemory: true,
  async build(sql) {
    // A transaction per schema: all in one would need more locks than a server has by default.
    for (let schema = 1; schema <= schemas; schema++) {
      await sql.unsafe(`
        create schema shop_${schema};
        do $$
        begin
          for v_table in 1..1000 loop
            execute format('create table shop_${schema}.table_%s (id bigint primary key, note text)', v_table);
            execute format(
              'insert into shop_${schema}.table_%s select id, ''note '' || id from generate_series(1, 20) as id',
              v_table
            );
          end loop;
        end
        $$;
      `)
    }
    await sql`vacuum (analyze)`
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'shop%'
    `
    return [collector, clientLoop(tables.map(({ name }) => name))]
  },
}
