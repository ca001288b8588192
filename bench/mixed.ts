import { asAWhole, clientLoops, oneSnapshot, online } from './_collections.ts'
import { createMixedTables, tablesOf } from './_mixed_tables.ts'
import type { Scenario } from './_scenario.ts'

const jobs = [1, 2, 4]

export const mixed: Scenario = {
  name: 'mixed',
  title: '2,000 small, 20 medium and 2 large tables; 12,000,000 rows',
  bars: [
    ...jobs.map((n) => ({
      contestant: online(n).name,
      rival: clientLoops([], n).name,
      metric: 'whole' as const,
      atMost: 1,
    })),
    { contestant: online(2).name, rival: oneSnapshot.name, metric: 'whole', atMost: 1 / 1.3 },
  ],
  async build(sql, scale) {
    await createMixedTables(sql, {
      small: [2_000 * scale, 200],
      medium: [20, 200_000 * scale],
      large: [2, 4_000_000 * scale],
    })
    const tables = await tablesOf(sql, 'small', 'medium', 'large')
    for (const table of tables) await sql.unsafe(`select count(*) from ${table}`) // they have been read
    return [
      asAWhole(oneSnapshot),
      ...jobs.flatMap((n) => [asAWhole(online(n)), asAWhole(clientLoops(tables, n))]),
    ]
  },
}
