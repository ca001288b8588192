import { readdirSync, readFileSync } from 'node:fs'
import { migrationsFolder } from '../../src/install/migrations.ts'
import { fixtures, fixtureText, objectName } from './checkout.ts'
import { hashOf } from './first.ts'

/** What the fixtures have, compared with the committed migrations. */
export interface Changes {
  added: string[]
  changed: string[]
  /** Frozen in a migration, made by no file any more, and dropped by no later migration. */
  gone: string[]
  /** Committed migrations, such as `000001-table-metrics.sql`, with another text than their hash was made of. */
  edited: string[]
}

export function changesOfFixtures(): Changes {
  const migrations = committedFiles().map((file) => ({ file, ...readMigration(file) }))
  const frozen = new Map<string, string>()
  const dropped = new Set<string>()
  for (const { body } of migrations) {
    for (const [drop] of body.matchAll(/^drop (function|view) [^;]*;/gm)) {
      for (const [, name = ''] of drop.matchAll(/nms(?:_private)?\.(\w+)/g)) dropped.add(name)
    }
    for (const [, name = '', text = ''] of body.matchAll(
      /^--! Included (\S+)\n(.*?)^--! EndIncluded \1$/gms,
    )) {
      frozen.set(name, text.trim())
      dropped.delete(objectName(name))
    }
  }
  const names = fixtures()
  const made = new Set(names.map(objectName))
  const isGone = (name: string) => !made.has(objectName(name)) && !dropped.has(objectName(name))
  return {
    added: names.filter((name) => !frozen.has(name)),
    changed: names.filter((name) => frozen.has(name) && frozen.get(name) !== fixtureText(name)),
    gone: [...frozen.keys()].filter(isGone),
    edited: migrations
      .filter(({ hash, previous, body }) => hash !== hashOf(body, previous))
      .map(({ file }) => file),
  }
}

/** Names of the files in migrations/committed, oldest first. */
export function committedFiles(): string[] {
  return readdirSync(`${migrationsFolder}/committed`)
    .filter((file) => file.endsWith('.sql'))
    .sort()
}

function readMigration(file: string): { hash: string; previous: string; body: string } {
  const text = readFileSync(`${migrationsFolder}/committed/${file}`, 'utf8')
  const [, hash = ''] = /^--! Hash: (\S+)$/m.exec(text) ?? []
  const [, previous = ''] = /^--! Previous: (sha1:\S+)$/m.exec(text) ?? []
  return { hash, previous, body: text.slice(text.indexOf('\n\n') + 2) }
}
