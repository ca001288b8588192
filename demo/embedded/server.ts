import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Account, serverAccount } from './account.ts'
import { findBinaries, makeRootHome } from './binaries.ts'
import { hasFolderOf, makeFolderOf, makeOwnFolder, openOwnFile, readFileOf } from './own_files.ts'

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
  timeout?: number
}

/** Starts a server on a free port of 127.0.0.1, creating its data on first use. */
export async function startServer({
  home,
  binaries,
  settings = {},
  timeout = 15_000,
}: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const account = await serverAccount()
  const folder = await findBinaries(account, binaries)
  const dataDirectory = join(home, 'data')
  // Root's own: in a folder of the server's account, that account could make root write elsewhere.
  await makeOwnFolder(home, account ? 0o711 : 0o700)
  await initialize(folder, home, dataDirectory, account)
  await waitForFormerServer(dataDirectory, account, timeout)

  const password = (await readFileOf(account, join(dataDirectory, 'password')))?.trim()
  const port = await freePort(home)
  const log = await openOwnFile(join(home, 'log'), constants.O_WRONLY | constants.O_APPEND)
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
  const pid = await ready(dataDirectory, account, child, home).catch(async (error) => {
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

/**
 * Starts a server that is deleted when it stops: for tests and benchmarks.
 *
 * @param folder where its files lie meanwhile; on the disk unless given
 */
export async function startTemporaryServer(
  options: Omit<EmbeddedServerOptions, 'home'> = {},
  folder?: string,
): Promise<EmbeddedServer> {
  const home = await makeTemporaryHome(folder)
  const remove = () => removeTree(home)
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

/** Makes a folder for the files of a server that is deleted later. */
export async function makeTemporaryHome(folder?: string): Promise<string> {
  return mkdtemp(join(folder ?? ((await serverAccount()) ? await makeRootHome() : tmpdir()), 'temporary-'))
}

async function initialize(
  folder: string,
  home: string,
  dataDirectory: string,
  account: Account,
): Promise<void> {
  if (await hasFolderOf(account, dataDirectory)) return
  // Elsewhere, and moved in when complete: nobody meets what an interrupted one has left or still writes.
  const unfinished = await mkdtemp(join(home, 'unfinished-'))
  const passwordFile = join(unfinished, 'password')
  await chmod(unfinished, account ? 0o711 : 0o700)
  await makeFolderOf(account, join(unfinished, 'data'))
  await writeFile(passwordFile, `${randomBytes(12).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
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
  await removeTree(unfinished)
}

/** By the program, which cannot be led out of the folder by a link that is put into it meanwhile. */
async function removeTree(folder: string): Promise<void> {
  await run('rm', ['-rf', '--', folder])
}

/** A former process of ours may have been killed: its server is stopping, or left its lock file behind. */
async function waitForFormerServer(dataDirectory: string, account: Account, timeout: number): Promise<void> {
  const realDirectory = await realpath(dataDirectory)
  const lockFile = join(dataDirectory, 'postmaster.pid')
  for (const deadline = Date.now() + timeout; ; await sleep(100)) {
    const pid = Number((await readFileOf(account, lockFile))?.split('\n')[0])
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
  const file = await openOwnFile(join(home, 'port'), constants.O_RDWR)
  try {
    const last = Number(await file.readFile('utf8'))
    const port = await listenOnce(last).catch(() => listenOnce(0))
    await file.truncate()
    await file.write(`${port}\n`, 0)
    return port
  } finally {
    await file.close()
  }
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
async function ready(
  dataDirectory: string,
  account: Account,
  child: ReturnType<typeof spawn>,
  home: string,
): Promise<number> {
  while (child.pid && child.exitCode === null && child.signalCode === null) {
    const lines = (await readFileOf(account, join(dataDirectory, 'postmaster.pid')))?.split('\n')
    if (/^(ready|standby)$/.test(lines?.[7]?.trim() ?? '')) return Number(lines?.[0])
    await sleep(20)
  }
  const log = (await readFile(join(home, 'log'), 'utf8')).trim().split('\n').slice(-5).join('\n')
  throw new Error(`the embedded Postgres did not start; the end of ${join(home, 'log')}:\n${log}`)
}
