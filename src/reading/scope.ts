import type { Sql } from '../connection/database.ts'
import { parseExactly } from './exact_json.ts'

/** A table; without its name a schema, and without both names the whole database. */
export interface Scope {
  schema_name: string | null
  table_name: string | null
}

/** How it is shown, and can be named: `sales.orders`, `sales.*`, `*`. */
export const nameOfScope = ({ schema_name, table_name }: Scope) =>
  schema_name === null ? '*' : `${schema_name}.${table_name ?? '*'}`

/**
 * What a name stands for in the history; it may be gone.
 *
 * @throws for a name that no run has met, with those that are most like it
 */
export async function readScope(sql: Sql, name: string): Promise<Scope> {
  const { found, alike } = await read(sql, name)
  const [scope, another] = found
  if (scope && !another) return scope
  if (scope) {
    throw new Error(`${name} is more than one: type ${found.map(({ quoted }) => quoted).join(' or ')}`)
  }
  const advice =
    alike.length > 0
      ? `did you mean ${alike.join(', ')}?`
      : "expected schema.table, 'schema.*' or '*', type table-metrics daily to see the tables"
  throw new Error(`no run has met a table ${name}: ${advice}`)
}

async function read(sql: Sql, name: string) {
  try {
    const [row] = await sql<[{ json: string }]>`select nms.find_scope(${name})::text as json`
    return parseExactly<{ found: (Scope & { quoted: string })[]; alike: string[] }>(row.json)
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message: string; hint?: string }
    if (code !== 'P0002') throw error
    throw new Error(`${message}: ${hint?.replace(/^There are: /, 'there are ')}`)
  }
}
