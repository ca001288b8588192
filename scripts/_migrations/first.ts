import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { compile } from 'graphile-migrate'
import { migrationsFolder } from '../../src/install/migrations.ts'
import { stateIn } from '../../src/install/state.ts'
import { currentText, firstMigration, fixtures } from './checkout.ts'
import { stateStatement } from './state.ts'

// The tables need these two, which stand before them.
const early = ['functions/settings/is_time_zone.sql', 'functions/settings/business_date.sql']

// Where the statement that tells the state will stand.
const stateMark = '-- State'

/**
 * The one committed migration made anew, until the first release: its own statements as they stand in its file,
 * and every fixture as it is now. What current.sql has is added at the end.
 */
export async function remakeFirst(): Promise<{ body: string; text: string }> {
  const committed = readFileSync(firstMigration, 'utf8')
  const includes = fixtures()
    .filter((name) => !early.includes(name))
    .map((name) => `--!include ${name}`)
  const source = committed
    .slice(committed.indexOf('\n\n') + 2)
    .replace(/^--! Included (\S+)\n.*?^--! EndIncluded \1$/gms, '--!include $1')
    .replace(
      /^-- Functions and views$.*?^-- Triggers$/ms,
      () => `-- Functions and views\n\n${includes.join('\n')}\n\n${stateMark}\n\n-- Triggers`,
    )
  const pending = currentText().replace(/^--!include .*\n?/gm, '') // all of them are in it already
  const unmarked = await compiled(`${source.trim()}\n\n${pending}`.trim())
  const body = unmarked.replace(stateMark, () => stateStatement(unmarked, stateIn(committed)))
  const text = `--! Previous: -\n--! Hash: ${hashOf(body)}\n--! Message: table metrics\n\n${body}\n`
  return { body, text }
}

/** SQL with the fixtures that it includes, as graphile-migrate freezes it. */
export function compiled(sql: string): Promise<string> {
  // Compiling connects to nothing, but wants to know the name of a database.
  return compile({ connectionString: 'postgres:///none', migrationsFolder }, sql)
}

/** The hash of a migration as graphile-migrate computes it. */
export function hashOf(body: string, previous = ''): string {
  const content = `${previous}\n${body.trim()}`.trim()
  return `sha1:${createHash('sha1').update(`${content}\n`).digest('hex')}`
}
