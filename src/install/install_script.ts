import { readFile } from 'node:fs/promises'
import { committedMigrations, installedTables, migrationsFolder } from './migrations.ts'

/**
 * The whole install as one script for psql, for those who keep migrations of their own. Running it
 * again changes nothing.
 *
 * @param timeZone business time zone of a first install, such as `Europe/Berlin`
 */
export async function installScript(timeZone?: string): Promise<string> {
  const migrations = await committedMigrations()
  return [
    '-- Installs table metrics: psql -v ON_ERROR_STOP=1 -f <this file>',
    'begin;',
    "set local client_min_messages = 'warning';",
    await beginning({ timeZone, keepsHistory: false }),
    ...migrations.map(({ body }) => body.trim()),
    'commit;\n',
  ].join('\n\n')
}

/** What removes all of it from a database as one script for psql, with everything it has kept. */
export async function uninstallScript(): Promise<string> {
  const hashes = (await committedMigrations()).map(({ hash }) => hash)
  return [
    '-- Removes table metrics: psql -v ON_ERROR_STOP=1 -f <this file>',
    'begin;',
    "set local client_min_messages = 'warning';",
    `set local nms.hashes = ${literal(`{${hashes.join(',')}}`)};`,
    (await readFile(`${migrationsFolder}/uninstall.sql`, 'utf8')).trim(),
    'commit;\n',
  ].join('\n\n')
}

/** What comes first in the transaction of an install: nothing of somebody else's is in our place. */
export async function beginning(options: {
  timeZone?: string | undefined
  keepsHistory: boolean
}): Promise<string> {
  return [
    ...(options.timeZone ? [`set local nms.business_time_zone = ${literal(options.timeZone)};`] : []),
    await check(['check_install', 'check_earlier'], options.keepsHistory),
  ].join('\n')
}

/** The statements of checks: each raises 55000 where nothing can be installed, with the way out as its hint. */
export async function check(
  names: ('check_install' | 'check_earlier')[],
  keepsHistory: boolean,
): Promise<string> {
  const scripts = names.map((name) => readFile(`${migrationsFolder}/${name}.sql`, 'utf8'))
  return [
    `set local nms.keeps_history = ${keepsHistory ? 'on' : 'off'};`,
    `set local nms.tables = ${literal(JSON.stringify(await installedTables()))};`,
    '',
    ...(await Promise.all(scripts)),
  ].join('\n')
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
