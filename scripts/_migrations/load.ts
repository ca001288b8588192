import type postgres from 'postgres'
import type { Script } from './script.ts'

/** An error of Postgres with the place of what it is about. */
export class SqlError extends Error {
  readonly detail: string | undefined
  readonly hint: string | undefined

  constructor(place: string, cause: postgres.PostgresError) {
    super(`${place}: ${cause.message}`, { cause })
    this.detail = cause.detail
    this.hint = cause.hint
  }
}

/** Executes a script, statement by statement: what Postgres says about one is said with its file and line. */
export async function load(sql: postgres.TransactionSql, { text, places }: Script): Promise<void> {
  for (const { start, statement } of statements(text)) {
    try {
      await sql.unsafe(statement)
    } catch (error) {
      const cause = error as postgres.PostgresError
      const offset = start + Math.max(Number(cause.position ?? 1) - 1, 0)
      const line = text.slice(0, offset).split('\n').length
      throw new SqlError(places[line - 1] ?? '', cause)
    }
  }
}

const tokens = /'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|;/g

/** The statements of a script, each from its first word on. */
function statements(text: string): { start: number; statement: string }[] {
  const found: { start: number; statement: string }[] = []
  let from = 0
  const take = (end: number) => {
    const blank = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text.slice(from, end))?.[0].length ?? 0
    if (from + blank < end) found.push({ start: from + blank, statement: text.slice(from + blank, end) })
    from = end
  }
  for (const { 0: token, index } of text.matchAll(tokens)) if (token === ';') take(index + 1)
  take(text.length)
  return found.filter(({ statement }) => statement.trim() !== ';')
}
