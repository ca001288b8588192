import { constants } from 'node:fs'
import { chown, type FileHandle, lstat, mkdir, open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Account } from './account.ts'

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/**
 * Makes a folder in which root can keep files: nobody else can put anything in it, or something else
 * in its place. For others it is an ordinary folder.
 *
 * @throws for one that lies where another account may change it
 */
export async function makeOwnFolder(folder: string, mode: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode })
  if (process.getuid?.() !== 0) return
  const real = await realpath(folder)
  for (let path = dirname(real); ; path = dirname(path)) {
    const found = await lstat(path)
    const isOpen = (found.mode & 0o022) !== 0 && (found.mode & 0o1000) === 0 // sticky: nobody moves what is root's
    if (found.uid !== 0 || isOpen) {
      throw new Error(`root keeps nothing in ${folder}: another account may change ${path}`)
    }
    if (path === dirname(path)) break
  }
  const handle = await open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    await handle.chown(0, 0)
    await handle.chmod(mode)
  } finally {
    await handle.close()
  }
}

/** Makes a folder in one of ours, for the server's account. */
export async function makeFolderOf(account: Account, path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 })
  if (account) await chown(path, account.uid, account.gid)
}

/**
 * Opens a file in a folder of ours, and creates it when it is missing.
 *
 * @throws for what only stands there for another file: a link of either kind
 */
export async function openOwnFile(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600).catch((error) => {
    throw error.code === 'ELOOP' ? notOurs(path) : error
  })
  const found = await file.stat()
  if (found.isFile() && found.uid === process.getuid?.() && found.nlink === 1) return file
  await file.close()
  throw notOurs(path)
}

/**
 * Reads a file of the server's account, such as one in its data directory; undefined when there is none.
 *
 * @throws for what only stands there for a file of somebody else
 */
export async function readFileOf(account: Account, path: string): Promise<string | undefined> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error) => {
    if (error.code === 'ENOENT') return
    throw error.code === 'ELOOP' ? notOurs(path) : error
  })
  if (!file) return
  try {
    const found = await file.stat()
    if (!found.isFile() || found.uid !== (account?.uid ?? process.getuid?.())) throw notOurs(path)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Looks for the data directory. @throws for what only stands there for one of somebody else */
export async function hasFolderOf(account: Account, path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return false
  if (found.isDirectory() && found.uid === (account?.uid ?? process.getuid?.())) return true
  throw notOurs(path)
}

function notOurs(path: string): Error {
  return new Error(`${path} is a link, or belongs to another account: remove it`)
}
