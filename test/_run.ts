// Starts a server, installs into its template database, runs ava against it, stops it.
import { spawn } from 'node:child_process'
import postgres from 'postgres'
import { startTemporaryServer } from '../src/embedded/server.ts'
import { migrate } from '../src/migrate.ts'

const server = await startTemporaryServer({
  ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
  settings: { fsync: 'off', max_connections: '200', timezone: 'UTC' },
})
process.exitCode = await run().finally(server.stop)

async function run(): Promise<number> {
  const sql = postgres(server.url('postgres'))
  await sql`create database nms_template`
  await sql`create database empty_template`
  const [{ version }] = await sql<[{ version: string }]>`select current_setting('server_version') as version`
  await sql.end()
  await migrate(server.url('nms_template'))

  const ava = spawn('ava', process.argv.slice(2), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
      TEST_SERVER_URL: server.url('postgres'),
      TEST_DATA_DIRECTORY: server.dataDirectory,
    },
  })
  let output = ''
  ava.stdout.on('data', (chunk: Buffer) => {
    output += chunk
    process.stdout.write(chunk)
  })
  const code = await new Promise<number>((resolve) => ava.on('close', (status) => resolve(status ?? 1)))

  const count = (pattern: RegExp) =>
    [...output.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0)
  const passed = output.match(/^\s*✔ /gm)?.length ?? 0
  const failed = count(
    /^\s*(\d+) (?:tests? failed|uncaught exceptions?|unhandled rejections?|tests? remained pending)/gm,
  )
  console.log(`PostgreSQL ${version}`)
  // A run that ended badly without naming a failed test has one all the same.
  const broken = code !== 0 && failed === 0 ? 1 : failed
  console.log(`${passed} passed, ${broken} failed`)
  return code === 0 && passed > 0 ? 0 : 1
}
