import { label } from './address.ts'
import type { Connection, TargetSession } from './connection.ts'
import type { Opener } from './link.ts'
import { openPostgres } from './postgres.ts'

/**
 * Looks what kind of sessions a server gives, over a connection of its own.
 *
 * @throws when they are of another kind than wanted, as if the server was away
 */
export async function expectSession(
  connection: Connection,
  opener: Opener,
  wanted: TargetSession,
): Promise<void> {
  const sql = openPostgres(connection, opener, { max: 1, prepare: false, fetch_types: false })
  try {
    const [is] = await sql<[{ standby: boolean; read_only: string }]>`
      select
        pg_catalog.pg_is_in_recovery() as standby,
        pg_catalog.current_setting('transaction_read_only') as read_only
    `
    const fits = {
      any: true,
      'read-write': is.read_only === 'off',
      'read-only': is.read_only === 'on',
      primary: !is.standby,
      standby: is.standby,
      'prefer-standby': is.standby,
    }[wanted]
    if (fits) return
    throw Object.assign(
      new Error(`${label(opener.address())} has no ${wanted} sessions, which target_session_attrs asks for`),
      { code: 'ECONNREFUSED', syscall: 'connect' },
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
}
