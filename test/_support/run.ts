// Starts a server, installs into its template database, runs ava against it, stops it.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startTemporaryServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { inMemory } from './memory.ts'

const server = await startTemporaryServer(
  {
    ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
    settings: { fsync: 'off', max_connections: '500', timezone: 'UTC' },
  },
  await inMemory(),
)
const compiled = await mkdtemp(join(tmpdir(), 'compiled-'))
process.exitCode = await run().finally(async () => {
  await server.stop()
  await rm(compiled, { recursive: true, force: true })
})

async function run(): Promise<number> {
  const sql = postgres(server.url('postgres'), { max: 1 })
  await sql`create database nms_template`
  await sql`create database empty_template`
  await weakenPasswords(sql)
  const [{ version }] = await sql<[{ version: string }]>`select current_setting('server_version') as version`
  await sql.end()
  await migrate(server.url('nms_template'), undefined, { keepOwner: true })

  const args = process.argv.length > 2 ? process.argv.slice(2) : everyday()
  const first = await ava(args)
  // Thousands of tests with real processes and deadlines, on a machine that others use as well: who fails has a
  // second try with the machine for itself. That is named, and more than one in a thousand is a failure in .ci/run.
  const files = first.code === 0 ? [] : filesOf(first.failures, args)
  const again =
    files.length > 0 && first.failed === first.failures.length ? await ava(['--serial', ...files]) : first
  const recovered = again === first ? 0 : first.failed - Math.min(again.failed, first.failed)

  console.log(`PostgreSQL ${version}`)
  for (const failure of again === first ? [] : first.failures) {
    console.log(
      `${again.failures.some((title) => failure.endsWith(title)) ? 'failed twice' : 'failed, and passed alone'}: ${failure}`,
    )
  }
  // A run that ended badly without naming a failed test has one all the same.
  const failed = again.code !== 0 && again.failed === 0 ? 1 : again.failed
  console.log(`${first.passed + recovered} passed, ${failed} failed`)
  return again.code === 0 && first.passed > 0 ? 0 : 1
}

/** Thousands of sessions prove who they are: 4,096 rounds of hashing take as long as the rest of a connection. */
async function weakenPasswords(sql: postgres.Sql): Promise<void> {
  const known = await sql`select from pg_settings where name = 'scram_iterations'` // from 16 on
  if (known.length === 0) return
  await sql`alter system set scram_iterations = 1`
  await sql`select pg_reload_conf()`
  await sql`set scram_iterations = 1`
  await sql.unsafe(`alter role postgres password '${new URL(server.url('postgres')).password}'`)
}

/** All but what kills, waits or installs for long: npm run test:dying has that. */
function everyday(): string[] {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('dying/'))
    .map((file) => `test/${file}`)
}

interface Outcome {
  code: number
  passed: number
  failed: number
  /** Titles, each with the path of its file in front unless there is but one; and what was caught in no test. */
  failures: string[]
}

async function ava(args: string[]): Promise<Outcome> {
  const ava = spawn('ava', args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
      TEST_SERVER_URL: server.url('postgres'),
      TEST_DATA_DIRECTORY: server.dataDirectory,
      NODE_COMPILE_CACHE: compiled, // of every program that the tests start, too
    },
  })
  let output = ''
  ava.stdout.on('data', (chunk: Buffer) => {
    output += chunk
    process.stdout.write(chunk)
  })
  const code = await new Promise<number>((resolve) => ava.on('close', (status) => resolve(status ?? 1)))
  const counts = output.matchAll(
    /^\s*(\d+) (?:tests? failed|uncaught exceptions?|unhandled rejections?|tests? remained pending)/gm,
  )
  return {
    code,
    passed: output.match(/^\s*✔ /gm)?.length ?? 0,
    failed: [...counts].reduce((sum, [, count]) => sum + Number(count), 0),
    failures: [
      ...output.matchAll(/^\s*(?:✘ \[fail\]: (.*)|((?:Uncaught exception|Unhandled rejection) in \S+))$/gm),
    ].map(([, title, elsewhere]) => title ?? elsewhere ?? ''),
  }
}

/**
 * Which of the files that were run the titles of failed tests belong to. Titles begin with the path from the folder that
 * all of those are in: `server › a restart` is of test/dying/server.test.ts when nothing but that folder was run.
 */
function filesOf(titles: string[], run: string[]): string[] {
  const files = titles.map((title) => {
    const named = /^(?:Uncaught exception|Unhandled rejection) in (\S+)$/.exec(title)
    if (named) return named[1]
    const parts = title.split(' › ')
    const found = parts.flatMap((_, n) => {
      const path = `/${parts.slice(0, n + 1).join('/')}.test.ts`
      return run.filter((file) => file.endsWith(path)).sort((one, other) => one.length - other.length)
    })
    return found[0] ?? (run.length === 1 ? run[0] : undefined)
  })
  return files.includes(undefined) ? [] : [...new Set(files as string[])]
}
