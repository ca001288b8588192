import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chown,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Account, serverAccount } from './account.ts'
import { findBinaries, makeRootHome } from './binaries.ts'

const run = promisify(execFile)
const leash = fileURLToPath(new URL('leash.sh', import.meta.url))

/** A running Postgres of our own. It stops when this process ends, however that happens. */
export interface EmbeddedServer {
  port: number
  /** Process id of the postmaster. */
  pid: number
  dataDirectory: string
  /** Connection URL of one of its databases, as its superuser `postgres`. */
  url(database: string): string
  /** Ends every session and shuts down; resolves when no process is left. */
  stop(): Promise<void>
}

export interface EmbeddedServerOptions {
  /** Folder that keeps data and log; created when missing. */
  home: string
  /** Folder with `bin/postgres`: the one that `npm ci` installed unless given. */
  binaries?: string
  /** Server settings, such as `{fsync: 'off'}`. */
  settings?: Record<string, string>
  /** Milliseconds to wait for a server that still runs on this data: that of a killed process stops by itself. */
  patience?: number
}

/** Starts a server on a free port of 127.0.0.1, creating its data on first use. */
export async function startServer({
  home,
  binaries,
  settings = {},
  patience = 15_000,
}: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const account = await serverAccount()
  const folder = await findBinaries(account, binaries)
  const dataDirectory = join(home, 'data')
  await mkdir(home, { recursive: true, mode: 0o700 })
  if (account) await chown(home, account.uid, account.gid)
  await initialize(folder, home, dataDirectory, account)
  await waitForFormerServer(dataDirectory, patience)

  const password = (await readFile(join(dataDirectory, 'password'), 'utf8')).trim()
  const port = await freePort(home)
  const log = await open(join(home, 'log'), 'a')
  const options = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings, port }
  const child = spawn(
    'sh',
    [
      '-c',
      await readFile(leash, 'utf8'),
      'leash',
      join(folder, 'bin/postgres'),
      '-D',
      dataDirectory,
      ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      ...account,
      cwd: '/',
      detached: true, // out of reach of a Ctrl-C that is meant for us
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', log.fd, log.fd, 'pipe'],
    },
  )
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.once('error', () => undefined)
  await log.close()

  const stop = async () => {
    ;(child.stdio[3] as Writable).end()
    await ended
  }
  const pid = await ready(dataDirectory, child, home).catch(async (error) => {
    await stop()
    throw error
  })
  return {
    port,
    pid,
    dataDirectory,
    url: (database) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    stop,
  }
}

/** Starts a server that is deleted when it stops: for tests and benchmarks. */
export async function startTemporaryServer(
  options: Omit<EmbeddedServerOptions, 'home'> = {},
): Promise<EmbeddedServer> {
  const home = await mkdtemp(join((await serverAccount()) ? await makeRootHome() : tmpdir(), 'temporary-'))
  const remove = () => rm(home, { recursive: true, force: true })
  const server = await startServer({ ...options, home }).catch(async (error) => {
    await remove()
    throw error
  })
  return {
    ...server,
    stop: async () => {
      await server.stop()
      await remove()
    },
  }
}

async function initialize(
  folder: string,
  home: string,
  dataDirectory: string,
  account: Account,
): Promise<void> {
  if (await exists(dataDirectory)) return
  // Elsewhere, and moved in when complete: nobody meets what an interrupted one has left or still writes.
  const unfinished = await mkdtemp(join(home, 'unfinished-'))
  const passwordFile = join(unfinished, 'password')
  await writeFile(passwordFile, `${randomBytes(12).toString('hex')}\n`, { mode: 0o600 })
  if (account) await chown(unfinished, account.uid, account.gid)
  if (account) await chown(passwordFile, account.uid, account.gid)
  await run(
    join(folder, 'bin/initdb'),
    [
      `--pgdata=${unfinished}/data`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ],
    { ...account, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' } },
  )
  await rename(passwordFile, join(unfinished, 'data/password'))
  await rename(join(unfinished, 'data'), dataDirectory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY') throw error // another process was faster
  })
  await rm(unfinished, { recursive: true })
}

/** A former process of ours may have been killed: its server is stopping, or left its lock file behind. */
async function waitForFormerServer(dataDirectory: string, patience: number): Promise<void> {
  const realDirectory = await realpath(dataDirectory)
  const lockFile = join(dataDirectory, 'postmaster.pid')
  for (const deadline = Date.now() + patience; ; await sleep(100)) {
    const pid = Number((await readFile(lockFile, 'utf8').catch(() => '')).split('\n')[0])
    if (!pid) return
    // A postmaster works in its data directory. Another process may have been given its old number.
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined)
    if (folder !== realDirectory) {
      await rm(lockFile, { force: true })
      return
    }
    if (Date.now() > deadline) {
      throw new Error(
        `a server is running on ${dataDirectory} already (process ${pid}): wait until it is done, or stop it with kill -INT ${pid}`,
      )
    }
  }
}

/** The port of the last time where it is still free, so that a noted URL goes on working. */
async function freePort(home: string): Promise<number> {
  const file = join(home, 'port')
  const last = Number(await readFile(file, 'utf8').catch(() => '0'))
  const port = await listenOnce(last).catch(() => listenOnce(0))
  await writeFile(file, `${port}\n`)
  return port
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}

/** Resolves to the postmaster's process id once it accepts connections, as pg_ctl does. */
async function ready(dataDirectory: string, child: ReturnType<typeof spawn>, home: string): Promise<number> {
  while (child.pid && child.exitCode === null && child.signalCode === null) {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (/^(ready|standby)$/.test(lines[7]?.trim() ?? '')) return Number(lines[0])
    await sleep(20)
  }
  const log = (await readFile(join(home, 'log'), 'utf8')).trim().split('\n').slice(-5).join('\n')
  throw new Error(`the embedded Postgres did not start; the end of ${join(home, 'log')}:\n${log}`)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
