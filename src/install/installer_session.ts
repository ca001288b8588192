import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { readConnection } from '../connection/connection.ts'
import type { Link } from '../connection/link.ts'
import { pgSettings } from '../connection/pg.ts'

export type { Client }

/** Gives work a session that ends with its connection, rather than going on in another one in mid-transaction. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const links = new Set<Link>()
  const client = new Client({
    ...pgSettings(readConnection(url), links),
    application_name: 'table-metrics migrate',
  })
  client.on('error', () => undefined) // the query that is under way says so
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
    for (const link of links) link.destroy()
  }
}

/** All or nothing; names mean the built-in ones, whatever lies in the session's path, also behind a pooler. */
export async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    await client.query('set local search_path = pg_catalog, pg_temp')
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined) // the connection may be what broke
    throw error
  }
}

/** Does work, and looks from another connection at who makes it wait: the error for a lock that was not given says so. */
export async function namingWhoIsInTheWay<T>(
  client: Client,
  url: string,
  work: () => Promise<T>,
): Promise<T> {
  const { pid } = await inTransaction(client, () =>
    one<{ pid: number }>(client, 'select pg_backend_pid() as pid'),
  )
  const done = new AbortController()
  let seen = 'nobody who could be seen'
  const watching = withClient(url, async (watcher) => {
    for (; ; await sleep(200, undefined, { signal: done.signal })) {
      seen = (await blockers(watcher, pid)) ?? seen
    }
  }).catch(() => undefined)
  try {
    return await work()
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error
    throw Object.assign(
      new Error(`a lock was not given in time, and nothing was installed; in the way: ${seen}`, {
        cause: error,
      }),
      { code: '55P03', hint: 'wait until that session is done, or end it, then run this again' },
    )
  } finally {
    done.abort()
    await watching
  }
}

async function blockers(client: Client, pid: number): Promise<string | undefined> {
  const found = await inTransaction(client, () =>
    one<{ sessions: string | null }>(
      client,
      `
        select
          string_agg(
            format('process %s of %s (%s)', activity.pid, activity.usename, activity.application_name),
            ', ' order by activity.pid
          ) as sessions
        from pg_stat_activity as activity
        where activity.pid = any (pg_blocking_pids($1))
      `,
      [pid],
    ),
  )
  return found.sessions ?? undefined
}

/** The one row of a query. */
export async function one<T extends object>(client: Client, text: string, values?: unknown[]): Promise<T> {
  const { rows } = await client.query<T>(text, values)
  return rows[0] as T
}
