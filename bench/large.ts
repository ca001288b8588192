import type { Sql } from './_connect.ts'
import { clientLoop, collector } from './_contestants.ts'
import type { Scenario } from './_scenario.ts'
import { twiceInOneSession } from './_sessions.ts'

export const large: Scenario = {
  name: 'large',
  title: 'one table of 10,000,000 rows',
  bars: [
    { contestant: 'collector', rival: 'bare count(*)', metric: 'cold', atMost: 1.05 },
    { contestant: 'collector', rival: 'bare count(*)', metric: 'warm', atMost: 1.05 },
  ],
  async build(sql, scale) {
    await createEvents(sql, scale)
    const plan = await sql<{ 'QUERY PLAN': string }[]>`explain select count(*) from public.events`
    if (!plan.some((line) => line['QUERY PLAN'].includes('Workers Planned'))) {
      throw new Error('the bare count is not parallel: not the rival it is meant to be')
    }
    await sql`select count(*) from public.events` // the operating system has read the file
    return [
      twiceInOneSession(collector),
      twiceInOneSession({ ...clientLoop(['public.events']), name: 'bare count(*)' }),
    ]
  },
}

export async function createEvents(sql: Sql, scale: number): Promise<void> {
  await sql`
    create table public.events (
      id bigint primary key, customer_id integer, happened_at timestamptz, amount numeric(10, 2), note text
    )
  `
  await sql`
    insert into public.events
    select id, id % 50000, timestamptz '2026-01-01' + id * interval '1 second', id % 1000, 'event number ' || id
    from generate_series(1, ${10_000_000 * scale}::integer) as id
  `
  await sql`vacuum (analyze)`
}
