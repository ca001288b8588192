import { execFile } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import postgres from 'postgres'
import { type EmbeddedServer, makeTemporaryHome, startServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { flush, naive } from '../_support/carrying.ts'
import { collect, type Sql } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { inMemory } from '../_support/memory.ts'
import { reservePort } from '../_support/ports.ts'
import { knownTypes } from '../_support/types.ts'

/** One of two servers that take turns: what it counts lies in files of its own, what it stores comes from the other. */
interface Site {
  home: string
  start(): Promise<EmbeddedServer>
}

async function makeSite(): Promise<Site> {
  const home = await makeTemporaryHome(await inMemory())
  await writeFile(join(home, 'port'), `${await reservePort()}\n`)
  const start = () =>
    startServer({
      home,
      ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
      settings: {
        fsync: 'off',
        timezone: 'UTC',
        wal_keep_size: '1GB',
        autovacuum: 'off',
        shared_buffers: '32MB',
      },
    })
  return { home, start }
}

/** With its owner, which may be another account. */
const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to])

const dataOf = ({ home }: Site) => join(home, 'data')

/** Lets a site that is stopped go on from where another one has stopped. */
async function follow(follower: Site, leader: Site): Promise<void> {
  await copy(join(dataOf(leader), 'pg_wal'), dataOf(follower))
  await copy(join(dataOf(leader), 'password'), join(dataOf(follower), 'standby.signal')) // no matter what is in it
}

async function promote(server: EmbeddedServer): Promise<Sql> {
  const sql = connect(server)
  await eventually(async () => (await sql`select pg_is_in_recovery()`).length === 1, 'the standby answers')
  await sql`select pg_promote()`
  await eventually(async () => {
    const [state] = await sql`select pg_is_in_recovery() as is_standby`
    return state?.is_standby === false
  }, 'it is promoted')
  return sql
}

const connect = (server: EmbeddedServer) =>
  postgres(server.url('shop'), { ...knownTypes, max: 1, onnotice: () => undefined }) as Sql

async function insert(sql: Sql, rows: number): Promise<void> {
  await sql`insert into orders select generate_series(1, ${rows}::int)`
  await flush(sql)
}

async function counted(sql: Sql): Promise<unknown[]> {
  const { run_id } = await collect(sql)
  const [row] = await sql`
    select row_count::int, method from nms.table_metrics_measurements where run_id = ${run_id} and table_name = 'orders'
  `
  return [row?.row_count, row?.method]
}

test('after a standby was promoted, and back, nothing is carried that only looks unchanged', async (t) => {
  const [here, there] = [await makeSite(), await makeSite()]
  const running = new Set<EmbeddedServer>()
  const start = async (site: Site) => {
    const server = await site.start()
    running.add(server)
    return server
  }
  const stop = async (server: EmbeddedServer, sql: Sql) => {
    await sql.end()
    await server.stop()
    running.delete(server)
  }
  t.teardown(async () => {
    for (const server of running) await server.stop()
    for (const { home } of [here, there]) await rm(home, { recursive: true, force: true })
  })

  let server = await start(here)
  const administrator = postgres(server.url('postgres'), { ...knownTypes, max: 1 })
  await administrator`create database shop`
  await administrator.end()
  await migrate(server.url('shop'), undefined, { keepOwner: true })
  let sql = connect(server)
  const [{ is_able }] = await sql<[{ is_able: boolean }]>`
    select current_setting('server_version_num')::int >= 150000 as is_able
  `
  await sql`insert into nms.table_metrics_count_rules (method, shadow) values ('carried', '0')`
  await sql`create table orders (id int)`
  await insert(sql, 10)
  await stop(server, sql)
  await rm(dataOf(there), { recursive: true, force: true })
  await copy(dataOf(here), there.home)

  server = await start(here)
  sql = connect(server)
  await insert(sql, 7)
  t.deepEqual(await counted(sql), [17, 'exact'])
  await stop(server, sql)

  await follow(there, here)
  server = await start(there)
  sql = await promote(server)
  await insert(sql, 7)
  if (is_able) t.is(await naive(sql, 'orders'), 17) // the counters are those of the base
  t.deepEqual(await counted(sql), [24, 'exact'])
  await insert(sql, 7)
  await stop(server, sql)

  await follow(here, there)
  server = await start(here)
  sql = await promote(server)
  if (is_able) t.is(await naive(sql, 'orders'), 24)
  t.deepEqual(await counted(sql), [31, 'exact'])
  t.deepEqual(await counted(sql), [31, is_able ? 'carried' : 'exact'])
  t.true((await readdir(join(dataOf(here), 'pg_wal'))).some((name) => name.startsWith('00000003')))
  await stop(server, sql)
})
