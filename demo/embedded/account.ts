import { readFile } from 'node:fs/promises'

/** The operating system account that the server runs as; undefined for our own. */
export type Account = { uid: number; gid: number } | undefined

/**
 * Postgres refuses to run as root: as root, the server runs as `postgres` where that user exists,
 * otherwise as `nobody`.
 */
export async function serverAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const line = lines.find((fields) => fields[0] === name)
    if (line) return { uid: Number(line[2]), gid: Number(line[3]) }
  }
  throw new Error(
    'Postgres does not run as root, and /etc/passwd has neither a user postgres nor nobody: run this as an ordinary user',
  )
}
