import {
  access,
  chmod,
  chown,
  link,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { serverAccount } from '../../demo/embedded/account.ts'
import { makeRootHome } from '../../demo/embedded/binaries.ts'
import {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  startServer,
  startTemporaryServer,
} from '../../demo/embedded/server.ts'
import { eventually } from '../_support/eventually.ts'
import { isAlive, processesIn, run, start } from '../_support/process.ts'
import { knownTypes } from '../_support/types.ts'

// Each starts servers of its own.
const test = ava.serial

const source = new URL('../../demo/embedded/server.ts', import.meta.url)

test('a server ends with the process that holds it, even if that is killed', async (t) => {
  const holder = startScript(
    t,
    `
    const server = await startTemporaryServer()
    console.log(JSON.stringify({ pid: server.pid, dataDirectory: server.dataDirectory }))
    setInterval(() => undefined, 1000)
  `,
  )
  await eventually(async () => holder.stdout().endsWith('\n'), 'the server has started')
  const { pid, dataDirectory } = JSON.parse(holder.stdout())
  t.teardown(() => rm(dirname(dataDirectory), { recursive: true, force: true }))
  t.true(isAlive(pid))

  holder.kill('SIGKILL')
  await holder.finished

  await eventually(async () => !isAlive(pid), 'the server is gone')
  await eventually(async () => (await processesIn(dataDirectory)).length === 0, 'its processes are gone')
  t.pass()
})

test('stop ends every session and leaves no process', async (t) => {
  const server = await startAgain(t, { home: await createHome(t) })
  const sql = postgres(server.url('postgres'), { ...knownTypes, max: 1 })
  const session = sql`select pg_sleep(60)`.then(
    () => 'ended by itself',
    (error: { code: string }) => error.code,
  )
  const sleeping = ask(`select count(*)::int from pg_stat_activity where wait_event = 'PgSleep'`)
  await eventually(async () => (await sleeping(server)) === 1, 'the session sleeps')

  await server.stop()

  t.false(isAlive(server.pid))
  t.deepEqual(await processesIn(server.dataDirectory), [])
  t.not(await session, 'ended by itself')
  await sql.end({ timeout: 0 })
})

test('two servers at once have ports of their own, and neither is 5432', async (t) => {
  const homes = [await createHome(t), await createHome(t)]
  const servers = await Promise.all(homes.map((home) => startAgain(t, { home })))

  const ports = servers.map(({ port }) => port)

  t.is(new Set([...ports, 5432]).size, 3)
  t.deepEqual(await Promise.all(servers.map(ask('show port'))), ports.map(String))
})

test('data, password and log are kept from one start to the next', async (t) => {
  const home = await createHome(t)
  const first = await startServer({ home })
  await ask('create table kept as select 42 as answer')(first)
  const stopping = first.stop()

  const second = await startAgain(t, { home })
  await stopping

  t.is(await ask('select answer::text from kept')(second), '42')
  t.is(new URL(second.url('postgres')).password, new URL(first.url('postgres')).password)
  t.true((await readdir(home)).includes('log'))
})

test('a process that is killed while it creates the data is no obstacle to the next', async (t) => {
  const home = await createHome(t)
  const first = startScript(t, `await startServer({ home: ${JSON.stringify(home)} })`)
  await eventually(
    async () => (await unfinishedData(home)).includes('PG_VERSION'),
    'the data are being created',
  )
  first.kill('SIGKILL')
  await first.finished

  const server = await startAgain(t, { home })

  t.is(await ask("select 'ready'")(server), 'ready')
})

test('a server that does not start gives an error with the end of its log, and keeps no process from ending', async (t) => {
  const { status, stdout, stderr } = await startScript(
    t,
    `
    const error = await startTemporaryServer({ settings: { shared_buffers: 'nonsense' } }).catch((e) => e)
    console.log(error.message)
  `,
  ).finished

  t.is(status, 0, stderr)
  t.regex(stdout, /did not start/)
  t.regex(stdout, /FATAL: .*"shared_buffers": "nonsense"/)
  const [, log = ''] = /the end of (.*):/.exec(stdout) ?? []
  await t.throwsAsync(access(dirname(log)), { code: 'ENOENT' })
})

test('a second server on the same data is refused in one line, also by another path', async (t) => {
  const home = await createHome(t)
  const alias = `${home}-alias`
  await symlink(home, alias)
  t.teardown(() => rm(alias))
  const first = await startAgain(t, { home })

  for (const path of [home, alias]) {
    const error = await t.throwsAsync(startServer({ home: path, timeout: 0 }))

    t.regex(
      error?.message ?? '',
      new RegExp(`^a server is running on ${path}/data .*kill -INT ${first.pid}$`),
    )
  }
  t.is(await ask("select 'ready'")(first), 'ready')
})

test('a temporary server leaves no folder', async (t) => {
  const server = await startTemporaryServer()

  await server.stop()

  t.deepEqual(await processesIn(server.dataDirectory), [])
  await t.throwsAsync(access(dirname(server.dataDirectory)), { code: 'ENOENT' })
})

test('only the account of the server can reach the data', async (t) => {
  const account = await serverAccount()
  const parent = await createHome(t)
  await chmod(parent, 0o755)
  const home = join(parent, 'new')
  await startAgain(t, { home })

  const { stdout } = await run(t, 'stat', ['-c', '%a %u', join(home, 'data')])

  t.is(stdout, `700 ${account?.uid ?? process.getuid?.()}\n`)
})

if (process.getuid?.() === 0) {
  test("the server's account cannot make root write elsewhere", async (t) => {
    const home = await createHome(t)
    const account = await serverAccount()
    const victim = await createVictim(t)
    await (await startServer({ home })).stop()

    for (const name of ['port', 'log']) {
      const planting = `rm -f '${home}/${name}'; ln -s '${victim}' '${home}/${name}'`
      await run(t, 'sh', ['-c', planting], { ...account, cwd: '/' })
    }
    await (await startServer({ home })).stop()

    t.is(await readFile(victim, 'utf8'), 'precious\n')
  })

  for (const path of ['port', 'log', 'data', 'data/password', 'data/postmaster.pid']) {
    test(`root follows no link at ${path}, and says where it is`, async (t) => {
      const home = await createHome(t)
      const victim = await createVictim(t)
      await (await startServer({ home })).stop()
      const target = path === 'data' ? dirname(victim) : victim
      await rename(join(home, path), join(home, 'former')).catch(() => undefined)
      await symlink(target, join(home, path))

      const error = await t.throwsAsync(startServer({ home }))

      t.is(error?.message, `${join(home, path)} is a link, or belongs to another account: remove it`)
      t.is(await readFile(victim, 'utf8'), 'precious\n')
    })
  }

  test('root writes into no file that has another name elsewhere', async (t) => {
    const home = await createHome(t)
    await (await startServer({ home })).stop()
    await link(join(home, 'log'), join(home, 'other'))

    const error = await t.throwsAsync(startServer({ home }))

    t.regex(error?.message ?? '', /log is a link/)
  })

  test('root keeps nothing below a folder of another account', async (t) => {
    const folder = await createHome(t)
    await chown(folder, 65534, 65534)

    const error = await t.throwsAsync(startServer({ home: join(folder, 'home') }))

    t.is(
      error?.message,
      `root keeps nothing in ${join(folder, 'home')}: another account may change ${folder}`,
    )
  })
} else {
  test.skip('what root keeps away from other accounts: these tests have to run as root', () => undefined)
}

/** A file that nobody but root may change. */
async function createVictim(t: ExecutionContext): Promise<string> {
  const victim = join(await createHome(t), 'victim')
  await writeFile(victim, 'precious\n', { mode: 0o600 })
  return victim
}

/** A folder for the data of one server, which its account can reach. */
async function createHome(t: ExecutionContext): Promise<string> {
  const home = await mkdtemp(join((await serverAccount()) ? await makeRootHome() : tmpdir(), 'test-'))
  t.teardown(() => rm(home, { recursive: true, force: true, maxRetries: 30 }))
  return home
}

/** Starts a server that stops when the test ends. */
async function startAgain(t: ExecutionContext, options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const server = await startServer(options)
  t.teardown(server.stop)
  return server
}

/** The files of a data directory that is being created. */
async function unfinishedData(home: string): Promise<string[]> {
  const [unfinished = ''] = (await readdir(home)).filter((name) => name.startsWith('unfinished-'))
  return readdir(join(home, unfinished, 'data')).catch(() => [])
}

/** Runs a script that may start servers, in a process of its own. */
function startScript(t: ExecutionContext, script: string) {
  const imports = `import { startServer, startTemporaryServer } from '${source}'`
  return start(t, process.execPath, ['--input-type=module', '-e', `${imports}\n${script}`])
}

/** The one value that a query returns. */
function ask(query: string) {
  return async ({ url }: EmbeddedServer): Promise<unknown> => {
    const sql = postgres(url('postgres'), { ...knownTypes, max: 1 })
    try {
      const [row = {}] = await sql.unsafe(query)
      return Object.values(row)[0]
    } finally {
      await sql.end()
    }
  }
}
