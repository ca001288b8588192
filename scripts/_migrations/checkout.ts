import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { migrationsFolder } from '../../src/install/migrations.ts'

/** The folder in which all this lies. */
export const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** Until the first release, the one committed migration. */
export const firstMigration = `${migrationsFolder}/committed/000001-table-metrics.sql`

/** The migration in progress. */
export const currentFile = `${checkout}/current.sql`

/** What current.sql says when nothing is pending: as graphile-migrate resets it. */
export const blank: string = JSON.parse(
  readFileSync(`${checkout}/.gmrc`, 'utf8').replace(/^\s*\/\/.*$/gm, ''),
).blankMigrationContent

/** Whether a version was released: from then on, no committed migration changes. */
export function isReleased(): boolean {
  return /^## \[\d+\.\d+\.\d+[^\]]*\] - \d{4}-\d\d-\d\d/m.test(
    readFileSync(`${checkout}/CHANGELOG.md`, 'utf8'),
  )
}

/** What stands in current.sql; empty when nothing is pending. */
export function currentText(): string {
  const text = readFileSync(currentFile, 'utf8')
  return text.trim() === blank.trim() ? '' : text.trim()
}

/** Text of a fixture, such as `functions/run/is_silent.sql`. */
export function fixtureText(name: string): string {
  return readFileSync(`${migrationsFolder}/fixtures/${name}`, 'utf8').trim()
}

/** Every fixture: functions by area, then views, each after those that it reads. */
export function fixtures(): string[] {
  const names = readdirSync(`${migrationsFolder}/fixtures`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql'))
    .sort()
  const views = names.filter((name) => name.startsWith('views/'))
  const ordered: string[] = []
  const place = (view: string) => {
    if (ordered.includes(view)) return
    const text = fixtureText(view)
    for (const other of views) {
      if (
        other !== view &&
        new RegExp(`(from|join) (?:nms|nms_private)\\.${objectName(other)}\\b`).test(text)
      )
        place(other)
    }
    ordered.push(view)
  }
  views.forEach(place)
  return [...names.filter((name) => !views.includes(name)), ...ordered]
}

/** What a fixture makes is named like its file. */
export function objectName(fixture: string): string {
  return fixture.slice(fixture.lastIndexOf('/') + 1, -'.sql'.length)
}
