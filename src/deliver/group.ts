/** An alert, or several that are told together. */
export interface AlertGroup {
  kind: string
  schema_name: string | null
  table_name: string | null
  alerts: string
  detail: string
}

/** An alert, or several, in one line. */
export function describeGroup({ kind, schema_name, table_name, detail }: AlertGroup): string {
  const where =
    table_name !== null
      ? `${schema_name}.${table_name}`
      : schema_name !== null
        ? `in ${schema_name}`
        : undefined
  return `${[kind, where].filter(Boolean).join(' ')}: ${detail}`
}
