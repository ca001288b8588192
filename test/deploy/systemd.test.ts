import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { migrate } from '../../src/install/migrate.ts'
import { createDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { run, startTableMetrics } from '../_support/process.ts'

const folder = 'deploy/systemd'
const program = '/opt/table-metrics/bin/table-metrics'
const units = await readdir(folder)
const services = units.filter((name) => name.endsWith('.service'))

test('systemd finds nothing wrong with the units', async (t) => {
  const copy = await temporaryFolder(t)
  await cp(folder, copy, { recursive: true })
  const installed = join(copy, 'table-metrics')
  await writeFile(installed, '', { mode: 0o755 })
  for (const name of services) {
    const text = await readFile(join(folder, name), 'utf8')
    await writeFile(join(copy, name), text.replace(program, installed))
  }

  const { status, stderr } = await run(t, 'systemd-analyze', [
    'verify',
    '--man=no',
    ...units.map((name) => join(copy, name)),
  ])

  t.is(stderr, '')
  t.is(status, 0)
})

for (const name of services) {
  test(`${name} gives little away: an exposure of 1.5 at most, of 10`, async (t) => {
    const { status, stdout } = await run(t, 'systemd-analyze', [
      'security',
      '--offline=true',
      '--threshold=15',
      join(folder, name),
    ])

    t.is(status, 0, stdout)
  })
}

test('the worker of the unit starts, and ends in time', async (t) => {
  const { args, env } = await prepared(t, 'nms-table-metrics-worker.service')
  const worker = startTableMetrics(t, '', args, env)
  await eventually(async () => worker.stdout().includes('"worker_started"'), 'the worker has started')

  worker.kill('SIGTERM')

  t.is((await worker.finished).status, 0)
})

test('the service of the unit answers whoever has a token, and ends in time', async (t) => {
  const { args, env } = await prepared(t, 'nms-table-metrics-serve.service')
  const port = args.indexOf('--port') + 1
  const service = startTableMetrics(t, '', args.with(port, '0'), env)
  await eventually(async () => service.stdout().includes('"serving"'), 'it serves')
  const [, url] = /"url":"([^"]+)"/.exec(service.stdout()) ?? []
  const ask = (headers = {}) => fetch(`${url}/v1/today`, { headers: { connection: 'close', ...headers } })

  const stranger = await ask()
  const known = await ask({ authorization: `Bearer ${token}` })
  service.kill('SIGTERM')

  t.is(stranger.status, 401)
  t.is(known.status, 200)
  t.is((await service.finished).status, 0)
})

test('the timer counts', async (t) => {
  const { args, env } = await prepared(t, 'nms-table-metrics-collect.service')

  const { status, stdout } = await startTableMetrics(t, '', args, env).finished

  t.is(status, 0)
  t.true(stdout.includes('"run_succeeded"'))
})

const token = 'a-token-that-is-long-enough'

/** What systemd would start: the arguments, and an environment with credentials. */
async function prepared(t: ExecutionContext, name: string) {
  const db = await createDatabase(t, 'empty_template')
  await migrate(db.url, undefined, { keepOwner: true })
  await db.sql`select from nms.collect_table_metrics()`
  const credentials = await temporaryFolder(t)
  const contents: Record<string, string> = { database_url: db.url, tokens: `${token}\n` }
  const unit = settings(await readFile(join(folder, name), 'utf8'))
  for (const credential of valuesOf(unit, 'LoadCredential')) {
    const [file = ''] = credential.split(':')
    await writeFile(join(credentials, file), contents[file] as string, { mode: 0o400 })
  }
  const env = valuesOf(unit, 'Environment').map((pair) => pair.replaceAll('%d', credentials).split('='))
  const [command = ''] = valuesOf(unit, 'ExecStart')
  const [file, ...args] = command.split(' ')
  t.is(file, program)
  return { args, env: Object.fromEntries(env) as Record<string, string> }
}

function settings(unit: string): [name: string, value: string][] {
  return [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value])
}

function valuesOf(unit: [string, string][], wanted: string): string[] {
  return unit.filter(([name]) => name === wanted).map(([, value]) => value)
}

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-units-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
