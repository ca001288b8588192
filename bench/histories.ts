import type { Sql } from './_connect.ts'
import { createHistory, type HistorySize, strangeRuns, tableName } from './_history_data.ts'
import { prunesHalf } from './_pruning.ts'
import { asks, type Query } from './_queries.ts'
import type { Bar, Scenario } from './_scenario.ts'
import { copyDatabase } from './_sibling.ts'

const pruning = 'pruning half of it'
const long = (name: string) => `${name}, 200 x 10,000`
const short = (name: string) => `${name}, 200 x 1,000`
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
    name: 'a day, with changes',
    sql: (n, { runs }) =>
      `select * from nms.table_metrics_daily where snapshot_date = ${day((n * 37) % runs)}`,
    rows: ({ tables }) => tables,
  },
  {
    name: 'comparing two days',
    sql: (n, { runs }) => `select * from nms.compare_days(${day((n * 37) % runs)}, ${day((n * 17) % runs)})`,
    rows: ({ tables }) => tables,
  },
  {
    name: 'alerts after a run',
    sql: (n, { runs }) => `select * from nms.find_alerts(${runs - (n % 30)})`,
    rows: () => 0,
    atMost: 500,
  },
  {
    name: 'alerts of one table in ten',
    sql: (_, { runs }) => `select * from nms.find_alerts(${strangeRuns(runs).tenth})`,
    rows: ({ tables }) => tables / 10,
    atMost: 500,
  },
  {
    name: 'alerts of every table',
    sql: (_, { runs }) => `select * from nms.find_alerts(${strangeRuns(runs).all})`,
    rows: ({ tables }) => tables,
  },
]

export const histories: Scenario = {
  name: 'histories',
  title: '2,000 tables x 1,000 daily runs; and ten times as many runs against as many, of 200 tables',
  bars: [
    ...queries.flatMap(({ name, atMost, growth }): Bar[] => [
      ...(atMost ? [{ contestant: name, metric: 'later' as const, atMost }] : []),
      ...(growth
        ? [{ contestant: long(name), rival: short(name), metric: 'later' as const, atMost: growth }]
        : []),
    ]),
    { contestant: pruning, metric: 'waits', atMost: 0 },
  ],
  async build(sql, scale) {
    const whole = { tables: 2_000 * scale, runs: 1_000 }
    const few = { tables: 200 * scale, runs: 1_000 }
    const many = { tables: 200 * scale, runs: 10_000 }
    await createAside(sql, 'bench_few_runs', few)
    await createAside(sql, 'bench_many_runs', many)
    await createHistory(sql, whole)
    await sql.unsafe(tablesToCollect)
    return [
      ...queries.map((query) => asks(query, query.name, 'bench_histories', whole)),
      ...queries
        .filter(({ growth }) => growth)
        .flatMap((query) => [
          asks(query, short(query.name), 'bench_few_runs', few),
          asks(query, long(query.name), 'bench_many_runs', many),
        ]),
      prunesHalf(pruning, whole),
    ]
  },
}

/** Creates a history in a database of its own. */
async function createAside(sql: Sql, database: string, size: HistorySize): Promise<void> {
  await createHistory(sql, size)
  await copyDatabase(sql, database)
  await sql`truncate nms.table_metrics_runs restart identity cascade`
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
