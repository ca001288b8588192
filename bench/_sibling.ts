import type { Sql } from './_connect.ts'

/** Copies the database of a session, which must be alone in it, to another one of that name. */
export async function copyDatabase(sql: Sql, name: string): Promise<void> {
  const [{ current }] = await sql<[{ current: string }]>`select current_database() as current`
  await sql`create database ${sql(name)} template ${sql(current)} strategy file_copy`
}

/** The same server, another database. */
export function inDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
