// Makes the one committed migration anew, until the first release: its own statements as they stand in its file,
// and every included fixture as it is now. What current.sql has is added at the end.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { compile } from 'graphile-migrate'
import { migrationsFolder } from '../src/migrations.ts'

const file = `${migrationsFolder}/committed/000001-table-metrics.sql`
const blank = '-- Nothing is pending: write the next migration here.\n'

const committed = readFileSync(file, 'utf8')
const source = committed
  .slice(committed.indexOf('\n\n') + 2)
  .replace(/^--! Included (\S+)\n.*?^--! EndIncluded \1$/gms, '--!include $1')
const pending = readFileSync(`${migrationsFolder}/current.sql`, 'utf8')
const all = [source, ...(pending === blank ? [] : [pending])].map((text) => text.trim()).join('\n\n')

// Compiling connects to nothing, but wants to know the name of a database.
const body = await compile({ connectionString: 'postgres:///none', migrationsFolder }, all)
const hash = createHash('sha1').update(`${body}\n`).digest('hex')
writeFileSync(file, `--! Previous: -\n--! Hash: sha1:${hash}\n--! Message: table metrics\n\n${body}\n`)
writeFileSync(`${migrationsFolder}/current.sql`, blank)
