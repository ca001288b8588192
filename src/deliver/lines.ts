import { formatCount, formatMinute, inWords } from '../terminal/terminal.ts'

/** Alerts that are told together: several in one schema, or one alone. */
interface AlertGroup {
  kind: string
  schema_name: string | null
  alerts: string
  /** As they can be typed; the first three where there are several. */
  tables: string[]
  detail: string
}

/** What a message is made of: what `nms_private.message_of_run` and its kin write. Numbers are strings. */
export interface MessageBody {
  type: 'run.failed' | 'run.succeeded' | 'run.late' | 'test'
  timestamp: string
  data: {
    database: string | null
    run: {
      run_id: string
      snapshot_date: string
      error_message: string | null
      is_after_failure: boolean
      tables?: string
      rows?: string
    } | null
    opened: AlertGroup[]
    closed: AlertGroup[]
    open_alerts: string
  }
}

/** After so many milliseconds, a message says when that was. */
const late = 15 * 60_000

/** A message as lines for a person, the first one a title. */
export function linesOf(message: MessageBody, now: Date): string[] {
  const { database, opened, closed } = message.data
  const lines = [
    `${database ?? 'table-metrics'}: ${titleOf(message)}`,
    ...reasonOf(message),
    ...opened.map((group) => `opened: ${describe(group)}`),
    ...closed.map((group) => `closed: ${describe(group)}`),
    ...(now.getTime() - Date.parse(message.timestamp) > late
      ? [`This is of ${formatMinute(message.timestamp, 'UTC')} UTC.`]
      : []),
  ]
  return lines.map(inWords)
}

function titleOf({ type, data: { run, opened, closed } }: MessageBody): string {
  if (type === 'test') return 'this is a test'
  if (type === 'run.late') return 'a result is missing'
  const which = run && `run ${run.run_id} of ${run.snapshot_date}`
  if (type === 'run.failed') return `${which} FAILED`
  const news = [
    ...(opened.length > 0 ? [`${alerts(opened)} opened`] : []),
    ...(closed.length > 0 ? [`${alerts(closed)} closed`] : []),
  ]
  if (run?.is_after_failure) news.unshift('SUCCEEDED after a failure')
  return `${which}: ${news.join(', ')}`
}

function reasonOf({ type, data: { run } }: MessageBody): string[] {
  if (type === 'test') return ['What table-metrics has to tell will arrive here.']
  if (run?.error_message) return [run.error_message]
  if (run?.tables === undefined || run.rows === undefined) return []
  return [`${formatCount(run.tables)} tables, ${formatCount(run.rows)} rows`]
}

function alerts(groups: AlertGroup[]): string {
  const count = groups.reduce((sum, group) => sum + BigInt(group.alerts), 0n)
  return count === 1n ? '1 alert' : `${formatCount(String(count))} alerts`
}

function describe({ kind, schema_name, alerts, tables: [first], detail }: AlertGroup): string {
  const where = alerts === '1' ? first : schema_name === null ? undefined : `in ${schema_name}`
  return `${[kind, where].filter(Boolean).join(' ')}: ${detail}`
}
