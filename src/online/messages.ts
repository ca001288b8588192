import type { Sql } from '../connection/database.ts'
import { cancelUnheard } from '../private_parts/postgres.ts'

/** Sends what an online run asks for: one message, one transaction, which ends with this process. */
export class Messages {
  readonly #underWay = new Set<object>()

  /** Resolves to the one row of a statement. */
  async send<Row>(sql: Sql, statement: string): Promise<Row> {
    const query = sql.unsafe(`
      set transaction isolation level read committed; -- what others count meanwhile has to be seen
      select nms_private.cancel_if_client_is_gone();
      ${statement};
    `)
    this.#underWay.add(query)
    try {
      const [, , [row]] = (await query) as unknown as [unknown, unknown, [Row]]
      return row
    } finally {
      this.#underWay.delete(query)
    }
  }

  /** Cancels whatever is under way. */
  cancel(): void {
    for (const query of this.#underWay) cancelUnheard(query)
  }
}
