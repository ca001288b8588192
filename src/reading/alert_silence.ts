import type { Sql } from '../connection/database.ts'
import { formatCount } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { unlessRefused } from './refusal.ts'

/** What is to be silent, and until when. */
export interface SilenceRequest {
  /** `schema.table`, `schema.*` or `*`. */
  named: string
  /** A day to come, or a time from today; the silence ends unless given. */
  until?: string | undefined
  kind?: string | undefined
  why?: string | undefined
}

/** What holds for the table or schema from now on. */
export interface Silence {
  kind: string
  is_on: boolean
  silenced_until: string | null
  open_alerts: string
}

/** Silences alerts, or ends that. What holds now, as JSON rendered by the server. */
export async function silence(sql: Sql, { named, until, kind, why }: SilenceRequest): Promise<string> {
  const [row] = await unlessRefused(
    sql<[{ json: string }]>`
      select nms.silence_alerts(
        ${named}, until => ${until ?? null}, kind => ${kind ?? null}, why => ${why ?? null}
      )::text as json
    `,
    unlessEnded(until),
  )
  return row.json
}

const unlessEnded = (until: string | undefined) =>
  until === undefined
    ? 'type table-metrics alerts rules to see what is silent'
    : 'type table-metrics daily to see every table'

/** The same in a line. */
export function describeSilence(
  named: string,
  { kind, is_on, silenced_until, open_alerts }: Silence,
): string {
  const alerts = kind === '*' ? 'alerts' : `alerts of the kind ${kind}`
  const open =
    open_alerts === '0' ? '' : `, ${formatCount(open_alerts)} open ${open_alerts === '1' ? 'one' : 'ones'}`
  if (!is_on) return visible(`${named}: no ${alerts}, a rule has switched them off`)
  if (silenced_until === null) return visible(`${named}: ${alerts} again${open}`)
  return visible(`${named}: no ${alerts} until ${silenced_until}${open && `${open} hidden`}`)
}
