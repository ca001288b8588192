// npm start: one run, shown. On a database of one's own with DATABASE_URL, else on a sample shop.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { collectTableMetrics } from './collect/collect.ts'
import { connect, type Sql } from './database.ts'
import { makeRootHome } from './embedded/binaries.ts'
import { type EmbeddedServer, startServer } from './embedded/server.ts'
import { databaseUrl, snapshotTimeZone } from './environment.ts'
import { runMain } from './errors.ts'
import { interruption } from './interruption.ts'
import { migrate } from './migrate.ts'
import { reportRun } from './reading/report.ts'
import { print } from './terminal/output.ts'

const checkout = fileURLToPath(new URL('..', import.meta.url))

await runMain(start)

async function start(): Promise<void> {
  if (process.env.DATABASE_URL || process.env.DATABASE_URL_FILE) {
    await collectAndShow(databaseUrl())
    return
  }
  // They say how to connect to a server of the user's: this one is another.
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
  const server = await startServer({ home: await sampleHome() })
  try {
    const url = server.url('shop')
    await prepareShop(server)
    await collectAndShow(url)
    const serving = process.argv.includes('--serve')
    const ended = serving && once(interruption(), 'abort')
    console.log(nextSteps(url, serving))
    await ended
  } finally {
    await server.stop()
  }
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
    await admin.end()
  }
  const sql = connect(server.url('shop'))
  try {
    const [{ open }] = await sql<[{ open: boolean }]>`select to_regnamespace('sales') is not null as open`
    const script = await readFile(join(checkout, 'sample', open ? 'trade.sql' : 'shop.sql'), 'utf8')
    await sql.begin((transaction) => transaction.unsafe(script))
  } finally {
    await sql.end()
  }
}

async function collectAndShow(url: string): Promise<void> {
  const timeZone = snapshotTimeZone()
  await migrate(url, timeZone)
  const sql = connect(url)
  try {
    const run = await collectTableMetrics(url)
    print(await reportRun(sql, run, timeZone))
    if (run.status !== 'SUCCEEDED') process.exitCode = 1
    print(await reportDay(sql, run.snapshot_date))
  } finally {
    await sql.end()
  }
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

function nextSteps(url: string, serving: boolean): string {
  return [
    '',
    serving ? 'serving until Ctrl-C; next:' : 'next:',
    `  psql ${url}${serving ? '' : '   # while npm start -- --serve runs'}`,
    '  npm start                                      # collect again, see what changed',
    '  DATABASE_URL=postgres://user@host/db npm start # use your own database',
  ].join('\n')
}
