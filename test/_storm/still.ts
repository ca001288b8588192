import { readFile } from 'node:fs/promises'
import type { Sql } from '../_support/database.ts'
import type { Expected, Violation } from './checker.ts'

/** Sessions that hide what they change in these go by this name. */
export const hidersName = 'storm hider'

const rows = 20
const names = (prefix: string, length: number) => Array.from({ length }, (_, n) => `still.${prefix}_${n + 1}`)

/** Those of which the counts are carried when nothing has happened to them. */
export const stillTables = names('table', 400)
const all = [...stillTables, 'still.busy']
const leaves = names('leaf', 10)

/** What must hold of them in every run that succeeded. */
export const stillExpected: Expected = {
  tables: [...all, ...leaves, 'still.whole'],
  sums: [
    {
      name: 'what stands still',
      tables: all,
      column: 'row_count',
      totals: [2 * stillTables.length * rows],
      isOneFamily: false,
    },
    {
      name: 'still.whole',
      tables: ['still.whole'],
      column: 'row_count',
      totals: [10 * rows],
      isOneFamily: true,
    },
    { name: 'its leaves', tables: leaves, column: 'row_count', totals: [10 * rows], isOneFamily: true },
  ],
}

/** Makes these tables, and lets runs carry. The world must be there. */
export async function createStill(sql: Sql): Promise<void> {
  await sql.unsafe(await readFile(new URL('still.sql', import.meta.url), 'utf8'))
  await sql`select storm.make_still(tables => ${stillTables.length}, rows => ${rows})`
}

/** As if every session had told all it did, the moment one asks: what carrying rests on is gone. */
export async function believeEverySession(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create or replace function nms_private.unsettled_sessions(since timestamptz, among integer[] default null)
    returns table (pid integer, open_transaction text)
    language sql stable
    as 'select null::integer, null::text where false'
  `)
}

export interface Carried {
  runs: number
  carried: number
  comparisons: number
}

/** How many runs have carried something, how many counts that were, and how many were compared. */
export async function readCarried(sql: Sql): Promise<Carried> {
  const [row] = await sql<[Carried]>`
    select
      count(distinct run_id)::integer as runs,
      count(*)::integer as carried,
      (select coalesce(sum(comparisons), 0)::integer from nms.table_metrics_comparisons) as comparisons
    from nms.table_metrics_measurements as measurement
    join nms.table_metrics_runs as run using (run_id)
    where measurement.method = 'carried' and run.status = 'SUCCEEDED'
  `
  return row
}

/** Every recount that was not what would have been carried. */
export async function readDifferences(sql: Sql): Promise<Violation[]> {
  const found = await sql<Violation[]>`
    select
      run_id::text, 'what is carried is what is counted' as rule, schema_name || '.' || table_name as "of",
      claimed_row_count || ' from run ' || claimed_from_run as seen, row_count::text as expected
    from nms.table_metrics_differences
  `
  return [...found]
}

/** Counts of an online run, each as of an instant of its own, that their tables did not have at any moment of the run. */
export async function neverHad(sql: Sql, run_id: string): Promise<Violation[]> {
  const found = await sql<{ name: string; row_count: string; method: string; had: string }[]>`
    select name, row_count, method, had from storm.never_had(run_id => ${run_id}, rows => ${rows})
  `
  return found.map(({ name, row_count, method, had }) => ({
    run_id,
    rule: 'a count that the table had meanwhile',
    of: `${name} (${method})`,
    seen: row_count,
    expected: had,
  }))
}

/** How many rows there really are, when nobody changes anything any more. */
export async function violationsOfStill(sql: Sql): Promise<Violation[]> {
  const sums = await Promise.all(
    stillExpected.sums.map(async ({ name, tables, totals }) => {
      const counts = await Promise.all(
        tables.map((table) =>
          sql.unsafe<[{ rows: number }]>(`select count(*)::integer as rows from ${table}`),
        ),
      )
      const total = counts.reduce((sum, [{ rows }]) => sum + rows, 0)
      return { run_id: '0', rule: 'a sum', of: name, seen: String(total), expected: String(totals[0]) }
    }),
  )
  return sums.filter(({ seen, expected }) => seen !== expected)
}

/** Both. */
export function together(one: Expected, other: Expected): Expected {
  return { tables: [...one.tables, ...other.tables], sums: [...one.sums, ...other.sums] }
}
