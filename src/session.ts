import { connect, type Sql } from './database.ts'
import { databaseUrl } from './environment.ts'

/** Gives a command a connection to the database of DATABASE_URL, for as long as it works. */
export async function withDatabase<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connect(databaseUrl())
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
