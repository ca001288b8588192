import { connect, type Sql } from './_connect.ts'
import { type Contestant, median, timed } from './_measure.ts'
import type { Scenario } from './_scenario.ts'
import { processCpu } from './_server_cpu.ts'

const tries = 200

/** How near one comes to a large table without reading it, next to what else says how many rows there may be. */
export const estimate: Scenario = {
  name: 'estimate',
  title: `one table of 10,000,000 rows, a tenth of them younger than its last analyze, ${tries} tries`,
  bars: [
    { contestant: 'estimate_count', metric: 'later', atMost: 50 },
    { contestant: 'estimate_count', metric: 'error', atMost: 1 },
    { contestant: 'estimate_count', metric: 'held', atLeast: 1 },
  ],
  async build(sql, scale) {
    const rows = 10_000_000 * scale
    await sql`
      create table public.events (
        id bigint primary key, customer_id integer, happened_at timestamptz, amount numeric(10, 2), note text
      )
      with (autovacuum_enabled = off)
    `
    const insert = (first: number, last: number) => sql`
      insert into public.events
      select id, id % 50000, timestamptz '2026-01-01' + id * interval '1 second', id % 1000, 'event number ' || id
      from generate_series(${first}::integer, ${last}::integer) as id
    `
    await insert(1, rows)
    await sql`vacuum (analyze) public.events`
    await sql`delete from public.events where id % 10 = 0`
    await insert(rows + 1, rows + rows / 10)
    await sql`select count(*) from public.events` // the operating system has read the file
    await sql`select pg_stat_force_next_flush()`.catch(() => undefined) // before PostgreSQL 15 there is none
    return [
      guesses('estimate_count', rows, tries, `select * from nms.estimate_count('public', 'events')`),
      guesses(
        'reltuples',
        rows,
        1,
        `select reltuples as row_count from pg_class where oid = 'public.events'::regclass`,
      ),
      guesses(
        'n_live_tup',
        rows,
        1,
        `select n_live_tup as row_count from pg_stat_user_tables where relid = 'public.events'::regclass`,
      ),
      guesses(
        'TABLESAMPLE of 1 %',
        rows,
        10,
        'select 100 * count(*) as row_count from public.events tablesample system (1)',
      ),
      guesses('count(*)', rows, 1, 'select count(*) as row_count from public.events'),
    ]
  },
}

interface Guess {
  row_count: string
  row_count_low?: string
  row_count_high?: string
}

/** Asks again and again in one session. error: of the worst try. held: how many of the ranges have the number of rows. */
function guesses(name: string, rows: number, times: number, query: string): Contestant {
  return {
    name,
    async turn({ url }) {
      const session = connect(url)
      try {
        const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
        const found = [await ask(session, query)]
        const before = await processCpu(pid)
        while (found.length <= times) found.push(await ask(session, query))
        const [first, ...later] = found
        const errors = later.map(({ guess }) => (100 * Math.abs(Number(guess.row_count) - rows)) / rows)
        return {
          values: {
            first: first?.milliseconds ?? Number.NaN,
            later: median(later.map(({ milliseconds }) => milliseconds)),
            statement: (((await processCpu(pid)) - before) * 1000) / later.length,
            error: Math.max(...errors),
            ...(first?.guess.row_count_low !== undefined && {
              held: later.filter(({ guess }) => holds(guess, rows)).length / later.length,
            }),
          },
        }
      } finally {
        await session.end()
      }
    },
  }
}

async function ask(session: Sql, query: string) {
  const { milliseconds, result } = await timed(() => session.unsafe<[Guess]>(query))
  return { milliseconds, guess: result[0] }
}

const holds = ({ row_count_low: low, row_count_high: high }: Guess, rows: number) =>
  Number(low) <= rows && rows <= Number(high)
