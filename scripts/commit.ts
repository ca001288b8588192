// Makes the one committed migration anew, until the first release: its own statements as they stand in its file,
// and every fixture as it is now. What current.sql has is added at the end.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { compile } from 'graphile-migrate'
import { migrationsFolder } from '../src/install/migrations.ts'

const file = `${migrationsFolder}/committed/000001-table-metrics.sql`
const blank = '-- Nothing is pending: write the next migration here.\n'
// The tables need these two, which stand before them.
const early = ['functions/settings/is_time_zone.sql', 'functions/settings/business_date.sql']

const committed = readFileSync(file, 'utf8')
const source = committed
  .slice(committed.indexOf('\n\n') + 2)
  .replace(/^--! Included (\S+)\n.*?^--! EndIncluded \1$/gms, '--!include $1')
  .replace(
    /^-- Functions and views$.*?^-- Triggers$/ms,
    () => `-- Functions and views\n\n${includes()}\n\n-- Triggers`,
  )
const pending = readFileSync(`${migrationsFolder}/current.sql`, 'utf8')
const all = [source, ...(pending === blank ? [] : [pending])].map((text) => text.trim()).join('\n\n')

// Compiling connects to nothing, but wants to know the name of a database.
const body = await compile({ connectionString: 'postgres:///none', migrationsFolder }, all)
const hash = createHash('sha1').update(`${body}\n`).digest('hex')
writeFileSync(file, `--! Previous: -\n--! Hash: sha1:${hash}\n--! Message: table metrics\n\n${body}\n`)
writeFileSync(`${migrationsFolder}/current.sql`, blank)

/** A line for each fixture: functions by area, then views, each after those that it reads. */
function includes(): string {
  const fixtures = readdirSync(`${migrationsFolder}/fixtures`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql') && !early.includes(name))
    .sort()
  const functions = fixtures.filter((name) => name.startsWith('functions/'))
  const views = fixtures.filter((name) => name.startsWith('views/'))
  const reads = (view: string) => {
    const text = readFileSync(`${migrationsFolder}/fixtures/${view}`, 'utf8')
    return views.filter(
      (other) =>
        other !== view && new RegExp(`(from|join) (nms|nms_private)\\.${viewName(other)}\\b`).test(text),
    )
  }
  const ordered: string[] = []
  const place = (view: string) => {
    if (ordered.includes(view)) return
    reads(view).forEach(place)
    ordered.push(view)
  }
  views.forEach(place)
  return [...functions, ...ordered].map((name) => `--!include ${name}`).join('\n')
}

function viewName(file: string): string {
  return file.slice('views/'.length, -'.sql'.length)
}
