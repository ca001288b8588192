// npm start: one run, shown. On a database of one's own with DATABASE_URL, else on a sample shop.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import type { Sql } from '../src/connection/database.ts'
import { withDatabase } from '../src/connection/with_database.ts'
import { databaseUrl, snapshotTimeZone } from '../src/environment.ts'
import { runMain } from '../src/errors.ts'
import { migrate, planOf } from '../src/install/migrate.ts'
import { createLog } from '../src/log.ts'
import { parseExactly } from '../src/reading/exact_json.ts'
import { describeRun, readRunReport } from '../src/reading/report.ts'
import { collectTableMetrics } from '../src/run/collect.ts'
import { interruption } from '../src/terminal/interruption.ts'
import { print } from '../src/terminal/output.ts'
import { makeRootHome } from './embedded/binaries.ts'
import { type EmbeddedServer, startServer } from './embedded/server.ts'

const checkout = fileURLToPath(new URL('..', import.meta.url))

await runMain(start)

async function start(): Promise<void> {
  const { serve, yes } = options()
  if (process.env.DATABASE_URL || process.env.DATABASE_URL_FILE) {
    if (serve) throw new Error('--serve keeps the server of the sample up: unset DATABASE_URL for that')
    const url = databaseUrl()
    if (!yes) await askFirst(url)
    await collectAndShow(url)
    return
  }
  // They say how to connect to a server of the user's: this one is another.
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
  const server = await startServer({ home: await sampleHome() })
  try {
    const url = server.url('shop')
    await prepareShop(server)
    await collectAndShow(url)
    if (serve) await serveUntilStopped(url)
    else print(nextSteps(url))
  } finally {
    await server.stop()
  }
}

async function serveUntilStopped(url: string): Promise<void> {
  // Loaded only now: fastify takes a while.
  const { startService } = await import('../src/serve/serve.ts')
  const signal = interruption()
  const service = await startService({
    databaseUrl: url,
    host: '127.0.0.1',
    port: 0,
    authentication: undefined,
    log: createLog('text'),
  })
  try {
    const ended = once(signal, 'abort')
    print(nextSteps(url, service.url))
    if (!signal.aborted) await ended
  } finally {
    await service.stop()
  }
}

function options(): { serve: boolean; yes: boolean } {
  try {
    const { values } = parseArgs({
      options: { serve: { type: 'boolean', default: false }, yes: { type: 'boolean', default: false } },
    })
    return values
  } catch (error) {
    const [seen] = (error as Error).message.split('. ') // what follows is about positional arguments
    throw new Error(`${seen}: npm start knows --serve and, with DATABASE_URL, --yes`)
  }
}

/** It is somebody's database: nothing is written there unasked. */
async function askFirst(url: string): Promise<void> {
  const { database, server, user, creates } = await planOf(url)
  const what = [
    `npm start writes to the database ${database} on ${server}, as ${user}`,
    creates.length > 0 ? `: it creates ${creates.join(', ')}, then` : ': it',
    ' counts every table and keeps the counts in the schema nms',
  ].join('')
  if (!process.stdin.isTTY) {
    throw Object.assign(new Error(what), { hint: 'if that is what you want: npm start -- --yes' })
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${what}.\nGo on? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new Error('nothing was written')
}

/** Root's checkout may be closed to the account that the server runs as. */
async function sampleHome(): Promise<string> {
  if (process.getuid?.() !== 0) return join(checkout, '.table-metrics')
  const name = createHash('sha256').update(checkout).digest('hex').slice(0, 12)
  return join(await makeRootHome(), `sample-${name}`)
}

async function prepareShop(server: EmbeddedServer): Promise<void> {
  const admin = postgres(server.url('postgres'), { max: 1 }) // no database is made in a transaction
  try {
    const found = await admin`select from pg_database where datname = 'shop'`
    if (found.length === 0) await admin`create database shop`
  } finally {
    await admin.end({ timeout: 1 })
  }
  await withDatabase(async (sql) => {
    const [{ open }] = await sql<[{ open: boolean }]>`select to_regnamespace('sales') is not null as open`
    const script = await readFile(join(checkout, 'demo/sample', open ? 'trade.sql' : 'shop.sql'), 'utf8')
    await sql.begin((transaction) => transaction.unsafe(script))
  }, server.url('shop'))
}

async function collectAndShow(url: string): Promise<void> {
  await migrate(url, snapshotTimeZone())
  const run = await collectTableMetrics(url)
  if (run.status !== 'SUCCEEDED') process.exitCode = 1
  await withDatabase(async (sql) => {
    print(describeRun(parseExactly(await readRunReport(sql, run.run_id))))
    print(await reportDay(sql, run.snapshot_date))
  }, url)
}

async function reportDay(sql: Sql, day: string): Promise<string> {
  const [snapshot] = await sql<{ payload: string; run_id: string }[]>`
    select jsonb_pretty(payload) as payload, run_id::text
    from nms.table_metrics_daily_snapshot
    where snapshot_date = ${day}
  `
  if (!snapshot) return `\nno run of ${day} has succeeded yet`
  return `\nthe daily JSON of ${day}, from run ${snapshot.run_id}:\n${snapshot.payload}`
}

function nextSteps(url: string, page?: string): string {
  const steps = page
    ? [
        'serving until Ctrl-C; next:',
        `  page: ${page}/`,
        `  psql ${url}`,
        `  DATABASE_URL=${url} npm run table-metrics -- collect # count again`,
      ]
    : [
        'next:',
        '  npm start -- --serve                           # look at it: a page, and psql',
        '  npm start                                      # collect again, see what changed',
        '  DATABASE_URL=postgres://user@host/db npm start # use your own database: asks first',
      ]
  return ['', ...steps].join('\n')
}
