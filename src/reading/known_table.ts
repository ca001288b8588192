import type { Sql } from '../connection/database.ts'
import { parseExactly } from './exact_json.ts'
import type { Table } from './tables.ts'

/**
 * The table of the history that a name stands for; it may be gone.
 *
 * @throws for a name that no run has met, with those that are most like it
 */
export async function readKnownTable(sql: Sql, name: string): Promise<Table> {
  const [row] = await sql<[{ json: string }]>`select nms.find_table(${name})::text as json`
  const { found, alike } = parseExactly<{ found: (Table & { quoted: string })[]; alike: string[] }>(row.json)
  const [table, another] = found
  if (table && !another) return table
  if (table) {
    throw new Error(`${name} is more than one table: type ${found.map(({ quoted }) => quoted).join(' or ')}`)
  }
  const advice =
    alike.length > 0
      ? `did you mean ${alike.join(', ')}?`
      : 'expected schema.table, type table-metrics daily to see them all'
  throw new Error(`no run has met a table ${name}: ${advice}`)
}

/**
 * The same schemas.
 *
 * @throws for one that no run has met, with those that there are
 */
export async function readKnownSchemas(sql: Sql, names: string[]): Promise<string[]> {
  for (const name of names) await sql`select from nms.tables_report(schema_name => ${name}, "limit" => 1)`
  return names
}
