import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder with the migrations of this package: committed ones, and the fixtures they were made from. */
export const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** A committed migration as graphile-migrate froze it. */
export interface Migration {
  /** Name in graphile-migrate's history, such as `000001.sql`. */
  filename: string
  hash: string
  /** That of the migration before; null for the first. */
  previousHash: string | null
  /** The SQL, without graphile-migrate's header lines. */
  body: string
}

/** The committed migrations, oldest first. */
export async function committedMigrations(): Promise<Migration[]> {
  const files = (await readdir(`${migrationsFolder}/committed`)).filter((file) => /^\d{6}.*\.sql$/.test(file))
  return Promise.all(
    files.sort().map(async (file) => {
      const text = await readFile(`${migrationsFolder}/committed/${file}`, 'utf8')
      const [, previous = '-'] = /^--! Previous: (\S+)$/m.exec(text) ?? []
      const hash = /^--! Hash: (\S+)$/m.exec(text)?.[1]
      if (!hash) throw new Error(`${file} has no line "--! Hash:": it is not a committed migration`)
      return {
        filename: `${file.slice(0, 6)}.sql`,
        hash,
        previousHash: previous === '-' ? null : previous,
        body: text.slice(text.indexOf('\n\n') + 2),
      }
    }),
  )
}

/** Names of the functions in the schemas nms and nms_private that a complete install has: one per fixture. */
export async function installedFunctions(): Promise<string[]> {
  const files = await readdir(`${migrationsFolder}/fixtures/functions`, { recursive: true })
  return files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => basename(file, '.sql'))
    .sort()
}

/** What a table or composite type of the first migration is made of, and its triggers: `{'nms.table': …}`. */
export type Made = Record<string, { parts: string[]; triggers: string[] }>

/** The tables and types of the schemas nms and nms_private as the first migration writes them down. */
export async function installedTables(): Promise<Made> {
  const [first] = await committedMigrations()
  const made: Made = {}
  const tables =
    /^( *)create (?:table if not exists|type) ((?:nms|nms_private)\.\w+)(?: as)? \((?:\n(.*?)^\1)?\);$/gms
  for (const [, indent, table = '', lines = ''] of first?.body.matchAll(tables) ?? []) {
    const columns = lines.matchAll(
      new RegExp(`^${indent}  (?!primary|constraint|foreign|unique|check)(\\w+) `, 'gm'),
    )
    const constraints = lines.matchAll(/^ *constraint (\w+)/gm)
    made[table] = { parts: [...columns, ...constraints].map(([, name = '']) => name), triggers: [] }
  }
  const triggers = /^create or replace trigger (\w+)\n.*? on ((?:nms|nms_private)\.\w+)$/gm
  for (const [, trigger = '', table = ''] of first?.body.matchAll(triggers) ?? []) {
    made[table]?.triggers.push(trigger)
  }
  return made
}
