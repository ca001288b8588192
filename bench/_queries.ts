import { connect, type Sql } from './_connect.ts'
import type { HistorySize } from './_history_data.ts'
import { type Contestant, median } from './_measure.ts'
import { inDatabase } from './_sibling.ts'

/** What somebody types to read a history. */
export interface Query {
  name: string
  /** Asks for something else for each `n`, where there is something else to ask for. */
  sql(n: number, history: HistorySize): string
  /** How many rows have to come back, where that is known: a query that finds nothing is fast. */
  rows?(history: HistorySize): number
  /** The bar in milliseconds, for 2,000 tables x 1,000 runs. */
  atMost?: number
  /** The bar of a history with ten times as many runs against one with as many. */
  growth?: number
}

const questions = 20

/** Asks in a session of its own, once and then twenty times with other parameters. */
export function asks(query: Query, name: string, database: string, history: HistorySize): Contestant {
  let n = 0
  return {
    name,
    async turn({ url }) {
      const session = connect(inDatabase(url, database))
      try {
        const ask = () => serverTime(session, query.sql(n++, history), query.rows?.(history))
        const first = await ask()
        const later: number[] = []
        while (later.length < questions) later.push(await ask())
        return { values: { first, later: median(later) } }
      } finally {
        await session.end()
      }
    },
  }
}

/** Milliseconds by the clock of the server: planning, execution, and turning the result into what is sent. */
async function serverTime(session: Sql, statement: string, rows?: number): Promise<number> {
  const [row] = await session.unsafe<[{ 'QUERY PLAN': [Explained] }]>(
    `explain (analyze, timing off, buffers off, serialize text, format json) ${statement}`,
  )
  const [explained] = row['QUERY PLAN']
  const seen = explained.Plan['Actual Rows']
  if (rows !== undefined && seen !== rows) throw new Error(`${statement}: saw ${seen} rows, expected ${rows}`)
  return explained['Planning Time'] + explained['Execution Time']
}

interface Explained {
  Plan: { 'Actual Rows': number }
  'Planning Time': number
  'Execution Time': number
}
