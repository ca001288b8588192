import { createHistory, tableName } from './_history_data.ts'
import { prunesHalf } from './_pruning.ts'
import { asks, type Query } from './_queries.ts'
import type { Bar, Scenario } from './_scenario.ts'
import { copyDatabase } from './_sibling.ts'

const [runs, fewRuns] = [1_000, 100]
const pruning = 'pruning half of it'
const short = (name: string) => `${name}, ${fewRuns} runs`
const day = (age: number) => `nms.business_date() - ${age}`

const queries: Query[] = [
  {
    name: 'latest',
    sql: () => 'select * from nms.table_metrics_latest',
    rows: ({ tables }) => tables,
  },
  {
    name: 'payload of a day',
    sql: (n, { runs }) =>
      `select payload from nms.table_metrics_daily_snapshot where snapshot_date = ${day((n * 37) % runs)}`,
    rows: () => 1,
    atMost: 1,
    growth: 2,
  },
  {
    name: 'trend of 30 days',
    sql: (n, { tables }) => {
      const { schema, table } = tableName((n * 37) % tables)
      return `select * from nms.table_trend('${schema}', '${table}')`
    },
    rows: () => 30,
    atMost: 1,
    growth: 2,
  },
  {
    name: 'comparing two days',
    sql: (n, { runs }) => `select * from nms.compare_days(${day((n * 37) % runs)}, ${day((n * 17) % runs)})`,
    rows: ({ tables }) => tables,
  },
]

export const histories: Scenario = {
  name: 'histories',
  title: '2,000 tables counted once a day, on 1,000 days and on 100; milliseconds in the server',
  bars: [
    ...queries.flatMap(({ name, atMost, growth }): Bar[] => [
      ...(atMost ? [{ contestant: name, metric: 'later' as const, atMost }] : []),
      ...(growth ? [{ contestant: name, rival: short(name), metric: 'later' as const, atMost: growth }] : []),
    ]),
    { contestant: pruning, metric: 'waits', atMost: 0 },
  ],
  async build(sql, scale) {
    const tables = 2_000 * scale
    const [{ long }] = await sql<[{ long: string }]>`select current_database() as long`
    await sql.unsafe(tablesToCollect)
    await createHistory(sql, { tables, runs: fewRuns })
    await copyDatabase(sql, 'bench_few_runs')
    await sql`truncate nms.table_metrics_runs restart identity cascade`
    await createHistory(sql, { tables, runs })
    return [
      ...queries.flatMap((query) => [
        asks(query, query.name, long, { tables, runs }),
        asks(query, short(query.name), 'bench_few_runs', { tables, runs: fewRuns }),
      ]),
      prunesHalf(pruning, { tables, runs }),
    ]
  },
}

/** A history is data to read. What is collected beside pruning has to exist. */
const tablesToCollect = `
  do $$
  begin
    for v_table in 1..100 loop
      execute format('create table public.table_%s as select generate_series(1, 20) as id', v_table);
    end loop;
  end
  $$
`
