import type { Sql } from '../connection/database.ts'
import type { CollectRequest } from '../run/options.ts'
import { layOut } from '../terminal/table.ts'

/** What a run with this request would do to each table, as lines for a person and as JSON. */
export async function previewRun(
  sql: Sql,
  { skip = [], exclude = [] }: CollectRequest,
): Promise<{ text: string; json: string }> {
  const rows = await sql<{ name: string; kind: string; outcome: string; reason: string; json: string }[]>`
    select
      coalesce(schema_name || '.' || table_name, '') as name,
      coalesce(table_kind, '') as kind,
      outcome,
      reason,
      to_jsonb(preview)::text as json
    from nms.preview_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as preview
  `
  return {
    text: layOut(
      ['table', 'kind', 'outcome', 'reason'].map((title) => ({ title })),
      rows.map(({ name, kind, outcome, reason }) => [name, kind, outcome, reason]),
    ),
    json: `[${rows.map(({ json }) => json).join(',\n')}]`,
  }
}
