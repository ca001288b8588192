import postgres from 'postgres'

/** The version in which these parts of postgres were read. */
export const readIn = '3.4.9'

type Options = postgres.Options<Record<string, never>>

/**
 * A begin for a client with one session, which may be lost: the driver would then send a rollback or the next statement
 * over it, and throw where nobody can catch that (porsager/postgres#1208).
 */
export function safeBegin(client: postgres.Sql) {
  let losses = 0
  // Read anew each time that a connection has closed.
  client.options.onclose = () => {
    losses++
  }
  return async <T>(work: (transaction: postgres.TransactionSql) => Promise<T>): Promise<T> => {
    let lost: Error | undefined
    try {
      return (await client.begin((transaction) => {
        const before = losses
        const whileOpen = <F extends (...values: never[]) => unknown>(ask: F) =>
          new Proxy(ask, {
            apply(target, self, values) {
              if (losses === before) return Reflect.apply(target, self, values)
              throw Object.assign(new Error('the session was lost'), { code: 'CONNECTION_CLOSED' })
            },
          })
        const open = whileOpen(Object.assign(transaction, { unsafe: whileOpen(transaction.unsafe) }))
        return work(open).catch((error) => {
          if (losses === before) throw error
          lost = error
          return new Promise<never>(() => undefined) // the driver rejects by itself
        })
      })) as T
    } catch (error) {
      throw lost ?? error
    }
  }
}

/**
 * Asks the server, over a link of its own, to cancel a query, and resolves when it has heard of it. The query's own
 * cancel() tells nobody when that is, and when the server is away it rejects where nobody can catch that.
 */
export async function cancelQuery(query: object): Promise<void> {
  await (query as { canceller: (query: object) => Promise<void> }).canceller(query)
}

/** The same for who does not wait: a server that does not hear of it is away, which the query itself will say. */
export function cancelUnheard(query: object): void {
  cancelQuery(query).catch(() => undefined)
}

/**
 * A client on streams of one's own, an option that its types do not have. PGTARGETSESSIONATTRS is hidden from
 * it: it refuses one of the values, and does not go on to the next address.
 */
export function openOnStreams(options: Options, openStream: () => NodeJS.ReadWriteStream): postgres.Sql {
  const variable = 'PGTARGETSESSIONATTRS'
  const value = process.env[variable]
  delete process.env[variable]
  try {
    return postgres({ ...options, socket: openStream } as Options)
  } finally {
    if (value !== undefined) process.env[variable] = value
  }
}
