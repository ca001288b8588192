import pg from 'pg'
import { pinPath } from '../connection/search_path.ts'

// A server that hears nothing more between begin and commit lets go of the locks after that time.
const begin = `begin; ${pinPath}; set local idle_in_transaction_session_timeout = '30s'`

type Callback = (error?: Error, result?: pg.QueryResult) => void

/**
 * A connection of graphile-worker. What it sends by itself gets a transaction with a path of ours, and
 * a transaction that it begins has that path as well.
 */
export class PinnedClient extends pg.Client {
  #before: Promise<unknown> = Promise.resolve()

  // Any of the overloads of pg: text or an object, then perhaps values, then perhaps a callback.
  override query(...args: unknown[]): never {
    const callback = typeof args.at(-1) === 'function' ? (args.pop() as Callback) : undefined
    const [config, values] = args as [string | pg.QueryConfig, unknown[]?]
    const answer = this.#before.then(() => this.#ask(config, values))
    this.#before = answer.catch(() => undefined)
    if (callback) answer.then((result) => callback(undefined, result), callback)
    return (callback ? undefined : answer) as never
  }

  async #ask(config: string | pg.QueryConfig, values?: unknown[]): Promise<pg.QueryResult> {
    const send = (what: string | pg.QueryConfig) => super.query<pg.QueryResultRow>(what, values)
    if (/[TE]/.test(this.getTransactionStatus() ?? '')) return send(config)
    const begun = await super.query(begin)
    if (/^\s*(begin|start)\b/i.test(typeof config === 'string' ? config : config.text)) return begun
    try {
      const result = await send(config)
      await super.query('commit')
      return result
    } catch (error) {
      await super.query('rollback').catch(() => undefined) // the connection may be gone
      throw error
    }
  }
}
