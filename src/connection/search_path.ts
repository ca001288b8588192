import type postgres from 'postgres'
import { safeBegin } from '../private_parts/postgres.ts'

/**
 * Begins every transaction of ours: names mean those of `pg_catalog`, whatever the role, the database
 * or the schema `public` has in store. Local, because behind a pooler the session goes on to others.
 */
export const pinPath = 'set local search_path = pg_catalog, pg_temp'

/** What may stand in a query: a value, the JSON of {@link Sql.json}, a name, or a part of a query. */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly (string | number)[]
  | postgres.Parameter
  | Name
  | Answer<unknown>

/** Rows; asked for when somebody waits for them. Until then it can be a part of another query. */
export interface Answer<Rows> extends Promise<Rows> {
  readonly [text]: string
}

/** Asks one question: in a transaction of its own, or in one that is open. */
export type Ask = <Rows extends readonly (object | undefined)[]>(
  strings: TemplateStringsArray,
  ...values: string[]
) => Promise<Rows>

/** A connection on which no query resolves a name by the path of its session. */
export interface Sql {
  /** One message, one transaction: it commits even if the way back is cut. */
  <Rows extends readonly (object | undefined)[] = postgres.Row[]>(
    strings: TemplateStringsArray,
    ...values: Value[]
  ): Answer<Rows>
  /** A name, quoted. */
  (name: string): Name
  json: postgres.Sql['json']
  /** Several statements in one message and transaction. */
  unsafe(statements: string): postgres.PendingQuery<postgres.Row[]>
  begin<T>(work: (transaction: postgres.TransactionSql) => Promise<T>): Promise<T>
  end(options?: { timeout?: number }): Promise<void>
}

const text = Symbol('text')

class Name {
  readonly quoted: string
  constructor(name: string) {
    this.quoted = `"${name.replaceAll('"', '""')}"`
  }
}

/**
 * Lets a connection send nothing but transactions that begin with a path of ours.
 *
 * @param connection with at most one session
 */
export function pinned(connection: postgres.Sql): Sql {
  const begin = safeBegin(connection)
  const send = (statements: string) => connection.unsafe(`${pinPath};\n${statements}`)
  function sql(what: TemplateStringsArray | string, ...values: Value[]): Answer<unknown> | Name {
    if (typeof what === 'string') return new Name(what)
    const query = compose(what, values)
    return answer(query, async () => lastResult(await send(query)))
  }
  return Object.assign(sql, {
    json: connection.json,
    unsafe: send,
    begin: <T>(work: (transaction: postgres.TransactionSql) => Promise<T>) =>
      begin((transaction) => {
        transaction.unsafe(pinPath).execute() // what follows waits for it, and fails where it does
        return work(transaction)
      }),
    end: connection.end,
  }) as unknown as Sql
}

/** A statement with its values in it, each quoted. */
export function compose(parts: TemplateStringsArray, values: readonly Value[]): string {
  return parts.reduce((before, part, n) => before + literal(values[n - 1]) + part)
}

/** As Postgres reads it with either setting of standard_conforming_strings. */
function quote(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

function literal(value: Value | undefined): string {
  if (value === undefined) throw new TypeError('a query has a value that is undefined')
  if (value === null) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value !== 'object') return quote(String(value))
  if (value instanceof Name) return value.quoted
  if (text in value) return value[text]
  if ('type' in value) return `${quote(JSON.stringify(value.value))}::pg_catalog.jsonb`
  return `array[${value.map(literal).join(', ')}]`
}

function answer<T>(query: string, ask: () => Promise<T>): Answer<T> {
  let asked: Promise<T> | undefined
  const once = () => {
    asked ??= ask()
    return asked
  }
  return {
    [text]: query,
    // biome-ignore lint/suspicious/noThenProperty: asking is waiting for the answer
    then: (resolve, reject) => once().then(resolve, reject),
    catch: (reject) => once().catch(reject),
    finally: (settle) => once().finally(settle),
    [Symbol.toStringTag]: 'Answer',
  }
}

/** Of a message with several statements, what the last one has returned. */
export function lastResult(results: readonly unknown[]): unknown {
  const last = results.at(-1)
  return Array.isArray(last) ? last : results
}
