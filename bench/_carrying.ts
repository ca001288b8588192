import { connect, type Sql } from './_connect.ts'
import { payloadRows } from './_contestants.ts'
import { type Contestant, type Database, type Turn, timed } from './_measure.ts'
import { processCpu, serverCpu } from './_server_cpu.ts'

export const carrying = 'carrying'
export const counting = 'counting everything'
export const again = (name: string) => `${name}, again`

/** A run in a fresh session after something has changed, which the server knows; and a second one there after the same. */
export function twoRuns(name: string, change: string): Contestant[] {
  let second: Turn | undefined
  return [
    {
      name,
      async turn(database) {
        const method = name === carrying ? 'carried' : 'exact'
        await inASessionOfItsOwn(
          database.url,
          (sql) => sql`update nms.table_metrics_count_rules set method = ${method}`,
        )
        const session = connect(database.url)
        const run = async () => {
          await inASessionOfItsOwn(database.url, (sql) => sql.unsafe(change).simple())
          return collect(session, database, name)
        }
        try {
          const first = await run()
          second = await run()
          return first
        } finally {
          await session.end()
        }
      },
    },
    { name: again(name), turn: async () => second as Turn },
  ]
}

/** What is counted now is what the next run may carry. */
export async function carryFromNowOn(sql: Sql): Promise<void> {
  await sql`insert into nms.table_metrics_count_rules (method, shadow) values ('carried', '0')`
  await sql`select from nms.collect_table_metrics()`
}

async function collect(session: Sql, database: Database, name: string): Promise<Turn> {
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const before = await readUsage(database, pid)
  const { milliseconds, result } = await timed(
    () => session<[{ run_id: string; status: string; error_message: string | null }]>`
      select * from nms.collect_table_metrics()
    `,
  )
  const [run] = result
  if (run.status !== 'SUCCEEDED') throw new Error(`run ${run.run_id}: ${run.error_message}`)
  await session`select pg_stat_force_next_flush()`
  await session`select 1`
  const after = await readUsage(database, pid)
  const idle = milliseconds - (after.ownCpu - before.ownCpu)
  return {
    rows: await payloadRows(session, run.run_id),
    values: {
      whole: milliseconds,
      ...(name === carrying && { settling: Math.max(0, idle) }),
      cpu: after.cpu - before.cpu,
      buffers: after.buffers - before.buffers,
    },
  }
}

/** Read from another database: a session in this one would have to settle as well, and add its own. */
async function readUsage({ url, postmaster }: Database, pid: number) {
  const elsewhere = new URL(url)
  const name = elsewhere.pathname.slice(1)
  elsewhere.pathname = '/postgres'
  const [{ buffers }] = await inASessionOfItsOwn(
    elsewhere.href,
    (sql) => sql<[{ buffers: string }]>`
      select blks_hit + blks_read as buffers from pg_stat_database where datname = ${name}
    `,
  )
  return { buffers: Number(buffers), cpu: await serverCpu(postmaster), ownCpu: await processCpu(pid) }
}

/** When a session has ended, the server knows all that it did. */
async function inASessionOfItsOwn<T>(url: string, ask: (sql: Sql) => Promise<T>): Promise<T> {
  const session = connect(url)
  try {
    return await ask(session)
  } finally {
    await session.end()
  }
}

/** Pages of the tables of an application, and of their indexes, that were looked at in one carrying run. */
export function pagesOfARun(): Contestant {
  const readPages = (url: string) =>
    inASessionOfItsOwn(url, async (sql) => {
      const [{ pages }] = await sql<[{ pages: string }]>`
        select sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0)) as pages
        from pg_statio_user_tables
        where schemaname not in ('nms', 'nms_private')
      `
      return Number(pages)
    })
  return {
    name: carrying,
    async turn(database) {
      const before = await readPages(database.url)
      const run = await inASessionOfItsOwn(database.url, async (session) =>
        collect(session, database, carrying),
      )
      return { ...run, values: { ...run.values, pages: (await readPages(database.url)) - before } }
    },
  }
}
