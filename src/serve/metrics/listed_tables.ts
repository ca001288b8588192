/** More series than that are better asked of the API. */
const mostTables = 1000

/**
 * Which tables have series of their own: those that flags name, or else those of SERVE_METRICS_TABLES.
 *
 * @param named values of `--metrics-table`
 * @param setting a JSON array of strings, because names may have commas and spaces
 * @throws when that is no list of tables, each with its schema, or too long
 */
export function listedTables(named: readonly string[] = [], setting?: string): string[] {
  const [source, tables] =
    named.length > 0 || !setting
      ? ['--metrics-table', named]
      : ['SERVE_METRICS_TABLES', parse(setting, 'SERVE_METRICS_TABLES')]
  const distinct = [...new Set(tables)]
  const strange = distinct.find((table) => !/.\../su.test(table))
  if (strange !== undefined) {
    throw new Error(
      `${source}: saw ${JSON.stringify(strange)}, expected a schema and a table such as sales.orders`,
    )
  }
  if (distinct.length > mostTables) {
    throw new Error(
      `${source}: saw ${distinct.length} tables, expected at most ${mostTables}: the API has them all, /v1/latest`,
    )
  }
  return distinct
}

function parse(setting: string, source: string): string[] {
  try {
    const tables: unknown = JSON.parse(setting)
    if (Array.isArray(tables) && tables.every((table) => typeof table === 'string')) return tables
  } catch {
    // said below
  }
  throw new Error(`${source}: saw ${setting.slice(0, 100)}, expected a JSON array such as ["sales.orders"]`)
}
