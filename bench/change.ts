import { carryFromNowOn, carrying, counting, pagesOfARun, twoRuns } from './_carrying.ts'
import type { Scenario } from './_scenario.ts'
import { createEvents } from './large.ts'
import { createShops } from './many.ts'

export const change: Scenario = {
  name: 'change',
  title: '20,000 tables of 20 rows, one in a hundred changes between runs',
  bars: [
    { contestant: carrying, rival: counting, metric: 'cpu', atMost: 0.15 },
    { contestant: carrying, rival: counting, metric: 'buffers', atMost: 0.15 },
  ],
  async build(sql, scale) {
    await createShops(sql, scale)
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name
      from pg_tables
      where schemaname like 'shop%' and tablename like '%00'
    `
    // As many come as go: all contestants find the same sum.
    const change = tables.map(
      ({ name }) => `delete from ${name} where id = 1; insert into ${name} values (1, 'note 1');`,
    )
    await carryFromNowOn(sql)
    return [...twoRuns(carrying, change.join('')), ...twoRuns(counting, change.join(''))]
  },
}

export const unchanged: Scenario = {
  name: 'unchanged',
  title: 'one table of 10,000,000 rows that nobody has changed since the last run',
  bars: [{ contestant: carrying, metric: 'pages', atMost: 0 }],
  async build(sql, scale) {
    await createEvents(sql, scale)
    await carryFromNowOn(sql)
    return [pagesOfARun()]
  },
}
