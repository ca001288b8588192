import { connect, type Sql } from './_connect.ts'
import { type Contestant, median } from './_measure.ts'
import type { Metric } from './_metrics.ts'
import type { Scenario } from './_scenario.ts'
import { processCpu } from './_server_cpu.ts'

const none = 'no trigger'
const ours = 'maintained'
const counter = 'one counter row'
const waiting = 'a million notes waiting'
const phase = 2_000 // milliseconds

/** What an application pays for a count that is maintained, next to what people usually write, and what reading it costs. */
export const maintained: Scenario = {
  name: 'maintained',
  title: `an application beside triggers: 20,000 inserts of one row in one transaction, 1,000,000 rows at once, half of them deleted, then two clients for ${phase / 1000} s`,
  bars: [
    { contestant: waiting, metric: 'later', atMost: 2 },
    { contestant: ours, rival: none, metric: 'throughput', atLeast: 0.8, noise: 0.1 },
    { contestant: ours, rival: none, metric: 'bulk', atMost: 1.1, noise: 0.1 },
    { contestant: ours, rival: counter, metric: 'singles', atMost: 0.2 },
  ],
  async build(sql, scale) {
    await sql.unsafe(`
      create table public.plain (id bigint primary key, note text);
      create table public.maintained (id bigint primary key, note text);
      create table public.counted (id bigint primary key, note text);
      create table public.counter (row_count bigint not null);
      insert into public.counter values (0);
      create function public.count_rows() returns trigger language plpgsql as $$
      begin
        update public.counter set row_count = row_count
          + case tg_op when 'INSERT' then (select count(*) from changed) else -(select count(*) from changed) end;
        return null;
      end
      $$;
      create trigger inserted after insert on public.counted referencing new table as changed
        for each statement execute function public.count_rows();
      create trigger deleted after delete on public.counted referencing old table as changed
        for each statement execute function public.count_rows();
      select nms.maintain_count('public.maintained');
      select nms.fold_counts();
      create table public.orders (id bigint);
      select nms.maintain_count('public.orders');
      select nms.fold_counts();
    `)
    // As short transactions leave them, which is most of what there is to add up.
    await sql`set synchronous_commit = off`
    await sql.unsafe(`
      do $$
      begin
        for i in 1..${1_000_000 * scale} loop
          insert into public.orders values (i);
          if i % 10 = 0 then commit; end if;
        end loop;
      end
      $$
    `)
    const writes = { singles: 20_000 * scale, bulk: 1_000_000 * scale }
    return [
      writing(none, 'plain', writes),
      writing(ours, 'maintained', writes),
      writing(counter, 'counted', writes),
      asking(1_000_000 * scale),
    ]
  },
}

function writing(
  name: string,
  table: string,
  { singles, bulk }: { singles: number; bulk: number },
): Contestant {
  return {
    name,
    async turn({ url }) {
      const sql = connect(url)
      const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
      const cpu = async (statement: string) => {
        const before = await processCpu(pid)
        await sql.unsafe(statement)
        return (await processCpu(pid)) - before
      }
      await sql.unsafe(`truncate public.${table}`)
      const loop = `do $$ begin for i in 1..${singles} loop insert into public.${table} values (-1000000000 - i, 'x'); end loop; end $$`
      const values: Partial<Record<Metric, number>> = {
        singles: ((await cpu(loop)) / singles) * 1000,
        bulk: await cpu(`insert into public.${table} select n, 'x' from generate_series(1, ${bulk}) as n`),
        deletes: await cpu(`delete from public.${table} where id between 1 and ${bulk / 2}`),
        ...(await clients(url, table)),
      }
      // What is left to vacuum is nobody's burden in the next turn.
      await sql.unsafe(`truncate public.${table}`)
      await sql`vacuum`
      await sql.end()
      return { values }
    },
  }
}

/** Two clients, each of which commits every statement. */
async function clients(url: string, table: string): Promise<Record<'throughput' | 'statement', number>> {
  const sessions = [connect(url), connect(url)]
  const pids = await Promise.all(
    sessions.map(async (session) => {
      const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
      return pid
    }),
  )
  const cpu = async () => (await Promise.all(pids.map(processCpu))).reduce((sum, each) => sum + each, 0)
  const before = await cpu()
  const end = performance.now() + phase
  const done = await Promise.all(
    sessions.map(async (session, client) => {
      let statements = 0
      for (; performance.now() < end; statements++) {
        await session.unsafe(`insert into public.${table} values (${-1 - client - 2 * statements}, 'x')`)
      }
      return statements
    }),
  )
  const taken = (await cpu()) - before
  await Promise.all(sessions.map((session) => session.end()))
  const statements = done.reduce((sum, each) => sum + each, 0)
  return { throughput: (statements * 1000) / phase, statement: (taken * 1000) / statements }
}

function asking(rows: number): Contestant {
  return {
    name: waiting,
    async turn({ url }) {
      const session = connect(url)
      const first = await ask(session, rows)
      const later: number[] = []
      while (later.length < 20) later.push(await ask(session, rows))
      await session.end()
      return { values: { first, later: median(later) } }
    },
  }
}

/** Milliseconds by the clock of the server. */
async function ask(session: Sql, rows: number): Promise<number> {
  const [row] = await session<[{ seen: string; milliseconds: number }]>`
    with started as materialized (select clock_timestamp() as at),
    asked as materialized (select nms.current_count('public.orders') as seen from started where at is not null)
    select
      asked.seen,
      (extract(epoch from clock_timestamp() - started.at) * 1000)::double precision as milliseconds
    from started cross join asked
  `
  if (Number(row.seen) !== rows) throw new Error(`saw ${row.seen} rows, expected ${rows}`)
  return row.milliseconds
}
