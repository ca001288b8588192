import { committedMigrations } from './migrations.ts'

/**
 * The whole install as one script for psql, for those who keep migrations of their own. Running it
 * again changes nothing.
 *
 * @param timeZone business time zone of a first install, such as `Europe/Berlin`
 */
export async function installScript(timeZone?: string): Promise<string> {
  const migrations = await committedMigrations()
  const zone = timeZone && `set local nms.business_time_zone = '${timeZone.replaceAll("'", "''")}';\n`
  return [
    '-- Installs table metrics: psql -v ON_ERROR_STOP=1 -f <this file>',
    'begin;',
    "set local client_min_messages = 'warning';",
    ...(zone ? [zone] : []),
    ...migrations.map(({ body }) => body.trim()),
    'commit;\n',
  ].join('\n\n')
}
