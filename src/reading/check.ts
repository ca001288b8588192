import type { Sql } from '../connection/database.ts'
import { inWords } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { parseExactly } from './exact_json.ts'

/** What can be checked. */
export type Checked = 'status' | 'alerts'

/** What a monitor is told. */
export interface CheckReport {
  status: string
  exit_status: string
  message: string
  perfdata: string
}

/** How it stands, by the server. It is not asked for longer than a monitor waits. */
export async function readCheck(sql: Sql, what: Checked): Promise<CheckReport> {
  const [row] = await sql.begin<[{ json: string }]>(async (transaction) => {
    transaction.unsafe(`set local statement_timeout = '8s'`).execute()
    return transaction.unsafe(`select nms.check_report('${what}')::text as json`) as never
  })
  return parseExactly(row.json)
}

/** One line, as plugins of Nagios print. */
export const describeCheck = ({ status, message, perfdata }: CheckReport) =>
  `TABLE METRICS ${status} - ${visible(message)} | ${perfdata}`

/** The same when nothing is known. */
export const describeUnknown = (reason: string) =>
  `TABLE METRICS UNKNOWN - ${visible(inWords(reason.trim()).replaceAll('|', '/'))}`
