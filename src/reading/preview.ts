import type { Sql } from '../connection/database.ts'
import type { CollectRequest } from '../run/options.ts'
import { layOut } from '../terminal/table.ts'
import { formatCount } from '../terminal/terminal.ts'
import { firstOf } from './tables.ts'

/** What a run with this request would do to each table, as JSON. */
export async function readPreview(sql: Sql, { skip = [], exclude = [] }: CollectRequest): Promise<string> {
  const rows = await sql<{ json: string }[]>`
    select to_jsonb(preview)::text as json
    from nms.preview_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as preview
  `
  return `[${rows.map(({ json }) => json).join(',\n')}]`
}

/**
 * The same as lines for a person: first what is not counted, and last how many have which outcome.
 *
 * @param all also tables of the machinery, and more than the first ones
 */
export async function describePreview(
  sql: Sql,
  { skip = [], exclude = [] }: CollectRequest,
  all = false,
): Promise<string> {
  const rows = await sql<Row[]>`
    select
      coalesce(schema_name || '.' || table_name, '') as name,
      coalesce(table_kind, '') as kind,
      outcome,
      reason
    from nms.preview_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as preview
    where ${all} or outcome <> 'machinery'
    order by outcome = 'counted', outcome <> 'matches nothing', schema_name, table_name
  `
  const [shown, more] = firstOf(rows, (count) => `${count} more: add --all to see them`, all)
  return [
    layOut(
      ['table', 'kind', 'outcome', 'reason'].map((title) => ({ title })),
      shown.map(({ name, kind, outcome, reason }) => [name, kind, outcome, reason]),
    ),
    ...more,
    '',
    tally(rows),
  ].join('\n')
}

interface Row {
  name: string
  kind: string
  outcome: string
  reason: string
}

function tally(rows: readonly Row[]): string {
  return [...Map.groupBy(rows, ({ outcome }) => outcome)]
    .map(([outcome, { length }]) => `${formatCount(String(length))} ${outcome}`)
    .reverse()
    .join(', ')
}
