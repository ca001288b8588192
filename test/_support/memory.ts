import { statfs } from 'node:fs/promises'

const tmpfs = 0x01021994
const room = 4 * 2 ** 30

/**
 * A folder in memory for the files of a server, where there is one with room. Tests drop a database every
 * few moments, and ext4 looks at every file that was deleted in the last minute before it creates another.
 */
export async function inMemory(folder = '/dev/shm'): Promise<string | undefined> {
  const found = await statfs(folder).catch(() => undefined)
  return found?.type === tmpfs && found.bavail * found.bsize > room ? folder : undefined
}
