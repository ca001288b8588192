import type { PeriodTable } from '../reading/period.ts'
import { nameOf } from '../reading/tables.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { describeGroup } from './group.ts'
import type { Digest } from './lines.ts'

/** So many tables are named, and so many alerts. */
const most = 5

/** What a week was like, as lines for a person, the first one a title. */
export function digestLines(week: Digest): string[] {
  const { opened, closed, open } = week.alerts
  return [
    `${week.database}: the seven days up to ${week.until}`,
    describeDays(week.days),
    describeRuns(week.runs),
    ...describeTotal(week),
    ...biggest('grew most', week.grew),
    ...biggest('shrank most', week.shrank),
    ...biggest('new', week.appeared),
    ...biggest('gone', week.disappeared),
    `alerts: ${formatCount(opened.alerts)} opened, ${formatCount(closed.alerts)} closed, ${formatCount(open.alerts)} open`,
    ...open.groups.slice(0, most).map((group) => `open: ${describeGroup(group)}`),
    ...(open.groups.length > most ? ['more: table-metrics alerts'] : []),
  ]
}

function describeDays({ expected, with_result, without_result }: Digest['days']): string {
  const missing = without_result.length > 0 ? `, none of ${without_result.join(', ')}` : ''
  return `days: ${with_result} of ${expected} have a result${missing}`
}

function describeRuns({ succeeded, failed, reasons: [last] }: Digest['runs']): string {
  const reason = last ? `, the last one because: ${last.error_message.slice(0, 300)}` : ''
  return `runs: ${formatCount(succeeded)} SUCCEEDED, ${formatCount(failed)} FAILED${reason}`
}

function describeTotal({ before, after, change, change_percent }: Digest): string[] {
  if (!after) return []
  const since =
    before && change !== null ? `, ${changeOf({ change, change_percent })} since ${before.snapshot_date}` : ''
  return [`rows: ${formatCount(after.rows)} in ${formatCount(after.tables)} tables${since}`]
}

function biggest(what: string, tables: PeriodTable[]): string[] {
  if (tables.length === 0) return []
  const names = tables.slice(0, most).map((table) => {
    const change = changeOf(table)
    return `${nameOf(table)}${change && ` ${change}`}`
  })
  return [`${what}: ${names.join(', ')}${tables.length > most ? ', …' : ''}`]
}

function changeOf(of: { change: string | null; change_percent: string | null }): string {
  const percent = formatPercent(of)
  const change = of.change === '0' ? 'unchanged' : formatChange(of.change)
  return percent ? `${change} (${percent})` : change
}
