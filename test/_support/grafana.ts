// Grafana is not there to ask: as much of it as stands between the text of a query and the database.

import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface DataSource {
  type: string
  uid: string
}

export interface Target {
  refId: string
  datasource: DataSource
  format: string
  rawSql?: string
  expr?: string
}

export interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource: DataSource
  targets: Target[]
  fieldConfig: {
    defaults: { unit?: string }
    overrides: { matcher: { id: string; options: string }; properties: { id: string; value: unknown }[] }[]
  }
  options: { reduceOptions?: { fields: string } }
}

export interface Variable {
  name: string
  type: string
  query: string | { query: string }
  datasource?: DataSource
  current?: { text: string; value: string }
}

export interface Dashboard {
  uid: string
  title: string
  schemaVersion: number
  timezone: string
  panels: Panel[]
  templating: { list: Variable[] }
}

export const grafanaFolder = fileURLToPath(new URL('../../grafana', import.meta.url))

/** The dashboards, by the names of their files. */
export async function readDashboards(): Promise<Record<string, Dashboard>> {
  const names = (await readdir(`${grafanaFolder}/dashboards`)).sort()
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [
        name,
        JSON.parse(await readFile(`${grafanaFolder}/dashboards/${name}`, 'utf8')) as Dashboard,
      ]),
    ),
  )
}

/** What the browser puts in place of `$name`, `${name}` and `${name:format}`. A name that it does not know stays. */
export function interpolate(text: string, variables: Record<string, string>): string {
  return text.replaceAll(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (found, braced, format, bare) => {
    const value = variables[braced ?? bare]
    if (value === undefined) return found
    if (format === 'sqlstring') return `'${value.replaceAll("'", "''")}'`
    if (format === 'percentencode') return encodeURIComponent(value)
    if (format === undefined) return value
    throw new Error(`${found}: a format that is not known here`)
  })
}

/** What the server puts in place of macros, wherever they stand. @throws for one that the data source does not have */
export function expandMacros(sql: string, { from, to }: { from: Date; to: Date }): string {
  const [first, last] = [from, to].map((time) => `'${time.toISOString()}'`)
  return sql.replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (found, name, argument) => {
    if (name === '__timeFilter' && argument) return `${argument} BETWEEN ${first} AND ${last}`
    if (name === '__timeFrom') return first as string
    if (name === '__timeTo') return last as string
    throw new Error(`${found}: a macro that is not known here`)
  })
}
