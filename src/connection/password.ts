import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Address, defaultFolder } from './address.ts'

/**
 * The password that a file has for an address: of the first line `host:port:database:user:password` that fits.
 * As libpq does, a file that others may read is passed over with a warning.
 */
export function passwordFromFile(
  file: string | undefined,
  { host, hostaddr, port }: Address,
  database: string,
  user: string,
): string | undefined {
  const path = file || join(homedir(), '.pgpass')
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) return undefined
  if (stat.mode & 0o077) {
    warnOnce(`WARNING: ${path} is not used: others may read it. Mend it with: chmod 0600 ${path}`)
    return undefined
  }
  const name = host === defaultFolder ? 'localhost' : host || hostaddr || 'localhost'
  const wanted = [name, String(port), database, user]
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    const [, fields, password] = /^((?:(?:\\.|[^\\:])*:){4})(.*)$/.exec(line) ?? []
    if (!fields || password === undefined || line.startsWith('#')) continue
    const given = fields.match(/(?:\\.|[^\\:])*:/g) ?? []
    if (given.every((field, n) => field === '*:' || unquoted(field.slice(0, -1)) === wanted[n])) {
      return unquoted(password)
    }
  }
}

function unquoted(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}

const warned = new Set<string>()

function warnOnce(message: string): void {
  if (!warned.has(message)) console.error(message)
  warned.add(message)
}
