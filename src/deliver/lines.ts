import type { Period } from '../reading/period.ts'
import { formatCount, formatMinute, inWords } from '../terminal/terminal.ts'
import { digestLines } from './digest.ts'
import { type AlertGroup, describeGroup } from './group.ts'

/** What is sent: what the functions in migrations/fixtures/functions/deliver write. Numbers are strings. */
export type MessageBody = RunMessage | { type: 'digest.weekly'; timestamp: string; data: Digest }

/** A week, without its days and without all of its tables. */
export type Digest = Omit<Period, 'daily' | 'tables' | 'more_tables'>

interface RunMessage {
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
  const lines = message.type === 'digest.weekly' ? digestLines(message.data) : runLines(message)
  if (now.getTime() - Date.parse(message.timestamp) > late) {
    lines.push(`This is of ${formatMinute(message.timestamp, 'UTC')} UTC.`)
  }
  return lines.map(inWords)
}

function runLines(message: RunMessage): string[] {
  const { database, opened, closed } = message.data
  return [
    `${database ?? 'table-metrics'}: ${titleOf(message)}`,
    ...reasonOf(message),
    ...opened.map((group) => `opened: ${describeGroup(group)}`),
    ...closed.map((group) => `closed: ${describeGroup(group)}`),
  ]
}

function titleOf({ type, data: { run, opened, closed } }: RunMessage): string {
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

function reasonOf({ type, data: { run } }: RunMessage): string[] {
  if (type === 'test') return ['What table-metrics has to tell will arrive here.']
  if (run?.error_message) return [run.error_message]
  if (run?.tables === undefined || run.rows === undefined) return []
  return [`${formatCount(run.tables)} tables, ${formatCount(run.rows)} rows`]
}

function alerts(groups: AlertGroup[]): string {
  const count = groups.reduce((sum, group) => sum + BigInt(group.alerts), 0n)
  return count === 1n ? '1 alert' : `${formatCount(String(count))} alerts`
}
