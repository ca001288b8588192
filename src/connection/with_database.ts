import { databaseUrl } from '../environment.ts'
import { connect, type Sql } from './database.ts'

/** Gives some work a connection to a database, unless given that of DATABASE_URL, for as long as it takes. */
export async function withDatabase<T>(work: (sql: Sql) => Promise<T>, url = databaseUrl()): Promise<T> {
  const sql = connect(url)
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
