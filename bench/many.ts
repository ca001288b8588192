import { asAWhole, oneSnapshot, online } from './_collections.ts'
import type { Sql } from './_connect.ts'
import { clientLoop, collector, collectorWithStorage } from './_contestants.ts'
import type { Scenario } from './_scenario.ts'
import { twiceInOneSession } from './_sessions.ts'

const schemas = 20

export const many: Scenario = {
  name: 'many',
  title: '20,000 tables of 20 rows',
  bars: [
    { contestant: 'collector', rival: 'client loop', metric: 'cold', atMost: 0.45 },
    { contestant: 'collector', rival: 'client loop', metric: 'warm', atMost: 0.25 },
    { contestant: collectorWithStorage.name, rival: collector.name, metric: 'cold', atMost: 3 },
    { contestant: collectorWithStorage.name, rival: collector.name, metric: 'warm', atMost: 3 },
    { contestant: online(1).name, rival: oneSnapshot.name, metric: 'whole', atMost: 2 },
    { contestant: online(2).name, rival: oneSnapshot.name, metric: 'whole', atMost: 2 },
  ],
  async build(sql, scale) {
    await createShops(sql, scale)
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'shop%'
    `
    return [
      twiceInOneSession(collector, { memory: true }),
      twiceInOneSession(collectorWithStorage, { memory: true }),
      twiceInOneSession(clientLoop(tables.map(({ name }) => name)), { memory: true }),
      asAWhole(oneSnapshot),
      asAWhole(online(1)),
      asAWhole(online(2)),
    ]
  },
}

/** 20 schemas of 1,000 tables of 20 rows each. */
export async function createShops(sql: Sql, scale: number): Promise<void> {
  // A transaction per schema: all in one would need more locks than a server has by default.
  for (let schema = 1; schema <= schemas * scale; schema++) {
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
}
