import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { type EmbeddedServer, startTemporaryServer } from '../../demo/embedded/server.ts'
import { type Container, createContainer } from './container.ts'

const run = promisify(execFile)

/** Does with an image what docs/deploy.md does, as its user, on a PostgreSQL of its own. */
export async function tryImage(tag: string): Promise<void> {
  const server = await startTemporaryServer()
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-image-'))
  try {
    const container = await createContainer(tag, await secrets(folder, server))
    try {
      await hasNothingElse(container)
      await collects(container, server)
      await works(container)
      await serves(container)
    } finally {
      await container.remove()
    }
  } finally {
    await server.stop()
    await rm(folder, { recursive: true })
  }
}

const token = 'a-token-that-is-long-enough'

/** Files that its user may read, as a runtime mounts them. */
async function secrets(folder: string, server: EmbeddedServer): Promise<Record<string, string>> {
  const sql = postgres(server.url('postgres'), { max: 1 })
  await sql`create database shop`
  await sql.end()
  const [url, tokens] = [join(folder, 'url'), join(folder, 'tokens')]
  await writeFile(url, `${server.url('shop')}\n`, { mode: 0o644 })
  await writeFile(tokens, `${token}\n`, { mode: 0o644 })
  return { [url]: '/run/secrets/database_url', [tokens]: '/run/secrets/tokens' }
}

async function hasNothingElse(container: Container): Promise<void> {
  const { stdout } = await run('find', [
    container.root,
    '-type',
    'f',
    '-perm',
    '/111',
    '-not',
    '-path',
    '*/app/*',
  ])
  const programs = stdout
    .trim()
    .split('\n')
    .map((file) => file.slice(container.root.length))
  assert.deepEqual(
    programs.filter((file) => !/\.so(\.\d+)*$/.test(file)),
    ['/usr/local/bin/node'],
  )
  const { stdout: user } = await container.run(['node', '-p', 'process.getuid() + os.homedir()'])
  assert.equal(user, '65532/home/table-metrics\n')
  console.log('  one program, node, as 65532')
}

async function collects(container: Container, server: EmbeddedServer): Promise<void> {
  const sql = postgres(server.url('shop'), { max: 1 })
  await sql`create table public.apples as select generate_series(1, 3) as id`
  await container.tableMetrics(['--help'])
  await container.tableMetrics(['migrate'])
  const { stdout } = await container.tableMetrics(['collect', '--json'])
  assert.deepEqual(JSON.parse(stdout).payload, { public: { apples: 3 } })
  await container.tableMetrics(['worker', '--once'])
  await sql`select graphile_worker.add_job('collect_table_metrics')`
  await container.tableMetrics(['worker', '--once'])
  const [{ runs } = { runs: 0 }] = await sql<{ runs: number }[]>`
    select count(*)::int as runs from nms.table_metrics_runs where status = 'SUCCEEDED'
  `
  assert.equal(runs, 2)
  await sql.end()
  console.log('  migrate, collect and worker --once count 3 apples')
}

async function works(container: Container): Promise<void> {
  const worker = container.start(['worker', '--log', 'json'])
  await worker.writes(/"worker_started"/)
  assert.equal(await worker.stop(), 0)
  console.log('  worker starts, and ends well at SIGTERM')
}

async function serves(container: Container): Promise<void> {
  const port = String(await freePort())
  const service = container.start(container.command, {
    PORT: port,
    SERVE_TOKENS_FILE: '/run/secrets/tokens',
  })
  await service.writes(new RegExp(`:${port}\\b`))
  const ask = async (path: string, headers = {}) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status
  assert.equal(await ask('/live'), 200)
  assert.equal(await ask('/ready'), 200)
  assert.equal(await ask('/v1/today'), 401)
  assert.equal(await ask('/v1/today', { authorization: `Bearer ${token}` }), 200)
  await container.run(container.healthcheck, { PORT: port })
  assert.equal(await service.stop(), 0)
  await assert.rejects(container.run(container.healthcheck, { PORT: port }))
  await assert.rejects(container.tableMetrics(container.command), /no authentication/)
  console.log('  serve is live, ready and healthy, wants a token, and ends well at SIGTERM')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
