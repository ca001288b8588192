import { databaseUrl } from '../environment.ts'
import { expectOwnState } from '../install/state.ts'
import { connect, type Sql } from './database.ts'

/**
 * Gives a command the database of DATABASE_URL, unless given another, when the install there is of this version.
 *
 * @throws what is wrong with the install, and what to type
 */
export function withDatabase<T>(work: (sql: Sql) => Promise<T>, url = databaseUrl()): Promise<T> {
  return withSession(async (sql) => {
    await expectOwnState(sql)
    return work(sql)
  }, url)
}

/** Gives some work a connection to a database, for as long as it takes. */
export async function withSession<T>(work: (sql: Sql) => Promise<T>, url: string): Promise<T> {
  const sql = connect(url)
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
