import { randomBytes } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import postgres from 'postgres'
import type { Run } from '../../src/run/run.ts'
import { eventually, hang } from './eventually.ts'
import { knownTypes } from './types.ts'

const serverUrl = process.env.TEST_SERVER_URL
if (!serverUrl) throw new Error('TEST_SERVER_URL is not set: run the tests with npm test')

export type { Run }
export type Sql = postgres.Sql

type Options = postgres.Options<Record<string, never>>

/** A database of one test, dropped when the test ends. Sessions of the test itself go by the application name `test`. */
export interface TestDatabase {
  name: string
  url: string
  /** A pool as superuser; bigint arrives as a string. */
  sql: Sql
  /** Another connection of its own, closed when the test ends. */
  connect(options?: Options): Sql
  /** A role that is dropped when the test ends. Roles belong to the whole server: names are made unique. */
  createRole(attributes?: string): Promise<{ name: string; url: string; connect(): Sql }>
}

/** Creates a database with an installed collector and nothing else, by default on the server of all tests. */
export async function createDatabase(
  t: ExecutionContext,
  template = 'nms_template',
  on = serverUrl as string,
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const url = withDatabase(on, name)
  const connections: Sql[] = []
  const open = (to: string, { connection, ...options }: Options = {}) => {
    const sql = postgres(to, {
      max: 1,
      backoff: false,
      connect_timeout: hang,
      onnotice: () => undefined,
      ...knownTypes,
      connection: { application_name: 'test', ...connection },
      ...options,
    }) as Sql
    connections.push(sql)
    return sql
  }
  const admin = open(on, { connection: unharmed })
  await admin.unsafe(`create database ${name} template ${template} ${await copying(admin)}`)
  const roles: string[] = []
  t.teardown(async () => {
    await Promise.all(connections.slice(1).map((sql) => sql.end({ timeout: 1 })))
    // The connection that met a fault may be dead without knowing it.
    await eventually(
      async () => (await admin`drop database if exists ${admin(name)} with (force)`) !== null,
      'the database is dropped',
    )
    // Where roles were made by it, a role stays: its server goes.
    if (on === serverUrl) for (const role of roles) await admin`drop role ${admin(role)}`
    await admin.end({ timeout: 1 })
  })
  return {
    name,
    url,
    sql: open(url, { max: 4, connection: unharmed }),
    connect: ({ connection, ...options } = {}) =>
      open(url, { ...options, connection: { ...unharmed, ...connection } }),
    async createRole(attributes = '') {
      const role = `test_${randomBytes(6).toString('hex')}`
      await admin.unsafe(`create role ${role} login password 'secret' ${attributes}`)
      roles.push(role)
      const roleUrl = new URL(url)
      roleUrl.username = role
      roleUrl.password = 'secret'
      return {
        name: role,
        url: roleUrl.href,
        connect: () => open(roleUrl.href),
      }
    },
  }
}

// Copied as files, a database has no WAL of all its pages, and what its first session reads is there already.
const copying = async (sql: Sql) => ((await majorOf(sql)) < 15 ? '' : 'strategy file_copy')

/** The major version of the server. */
export async function majorOf(sql: Sql): Promise<number> {
  const [{ major }] = await sql<
    [{ major: number }]
  >`select current_setting('server_version_num')::int / 10000 as major`
  return major
}

/** Runs the collector once and returns the header. */
export async function collect(
  sql: Sql,
  { skip = [], exclude = [] }: { skip?: string[]; exclude?: string[] } = {},
): Promise<Run> {
  const [run] = await sql<[Run]>`
    select * from nms.collect_table_metrics(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)})
  `
  return run
}

/** The measurements of a run as `{'schema.table': row_count}`; null where a table could not be counted. */
export async function rowCounts(sql: Sql, run: Pick<Run, 'run_id'>): Promise<Record<string, number | null>> {
  const rows = await sql<{ name: string; row_count: string | null }[]>`
    select schema_name || '.' || table_name as name, row_count
    from nms.table_metrics_measurements
    where run_id = ${run.run_id}
    order by 1
  `
  return Object.fromEntries(
    rows.map(({ name, row_count }) => [name, row_count === null ? null : Number(row_count)]),
  )
}

/** Waits until a session waits for a lock, and not just for the moment that a batch of small tables does. */
export function untilItWaits(sql: Sql, pid: number): Promise<void> {
  return eventually(async () => {
    const waiting = await sql`
      select
      from pg_locks
      where pid = ${pid} and not granted and clock_timestamp() - waitstart > interval '100 ms'
    `
    return waiting.length === 1
  }, `session ${pid} waits for a lock`)
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}

// What a test sets for the database or the server is meant for others, such as the roles that it creates.
const unharmed: object = {
  default_transaction_read_only: 'off',
  idle_in_transaction_session_timeout: '0',
  statement_timeout: '0',
}
