import { type EmbeddedServer, startTemporaryServer } from '../demo/embedded/server.ts'
import { connect, type Sql } from './_connect.ts'
import { collector } from './_contestants.ts'
import { timed } from './_measure.ts'
import type { Scenario } from './_scenario.ts'
import { type Counter, twiceInOneSession } from './_sessions.ts'

const rows = 3_000_000
const servers: EmbeddedServer[] = []

export const shards: Scenario = {
  name: 'shards',
  title: 'one table of 3,000,000 rows, spread over three other servers with postgres_fdw',
  bars: [
    { contestant: 'collector', rival: 'count of the table', metric: 'cold', atMost: 0.1 },
    { contestant: 'collector', rival: 'count of the table', metric: 'warm', atMost: 0.1 },
  ],
  async build(sql, scale) {
    await sql.unsafe(`
      create extension postgres_fdw;
      create table public.orders (id bigint, amount integer) partition by hash (id);
    `)
    for (const part of [0, 1, 2]) await addPart(sql, part, Math.round((rows * scale) / 3))
    return [twiceInOneSession(collector), twiceInOneSession(countOfTheTable)]
  },
  async end() {
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  },
}

async function addPart(sql: Sql, part: number, count: number): Promise<void> {
  const server = await startTemporaryServer()
  servers.push(server)
  const { hostname, port, username, password } = new URL(server.url('postgres'))
  const there = connect(server.url('postgres'))
  await there.unsafe(`
    create table public.orders_${part} as select id, (id % 100)::integer as amount from generate_series(1::bigint, ${count}) as id
  `)
  await there`vacuum (analyze)`
  await there.end()
  await sql.unsafe(`
    create server shard_${part} foreign data wrapper postgres_fdw
      options (host '${hostname}', port '${port}', dbname 'postgres', async_capable 'true');
    create user mapping for public server shard_${part} options (user '${username}', password '${password}');
    create foreign table public.orders_${part} partition of public.orders
      for values with (modulus 3, remainder ${part}) server shard_${part};
  `)
}

/** What somebody types who wants to know. */
const countOfTheTable: Counter = {
  name: 'count of the table',
  async count(session) {
    const { milliseconds, result } = await timed(
      () => session<[{ rows: string }]>`select count(*) as rows from public.orders`,
    )
    // In the result of a run each row is there twice: in the table, and in its part.
    return { milliseconds, rows: 2n * BigInt(result[0].rows) }
  },
}
