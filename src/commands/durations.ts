import type { Sql } from '../connection/database.ts'

/** @throws when what an option says is not how long a run may take */
export async function checkDeadline(sql: Sql, option: string, value: string): Promise<void> {
  const answer = await sql<Answer>`
    select nms_private.validate_deadline(deadline => ${value}) as expected
  `
  refuse(option, value, answer)
}

/** @throws when what an option says is not how long something is kept */
export async function checkKeepTime(sql: Sql, option: string, value: string): Promise<void> {
  const answer = await sql<Answer>`
    select nms_private.validate_keep_time(keep_time => ${value}) as expected
  `
  refuse(option, value, answer)
}

type Answer = [{ expected: string | null }]

function refuse(option: string, value: string, [{ expected }]: Answer): void {
  if (expected !== null) throw new Error(`${option}: saw ${value}, expected ${expected}`)
}
