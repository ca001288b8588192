import { paint } from '../terminal/output.ts'
import { formatCount, formatMinute, plural } from '../terminal/terminal.ts'

/** How much is carried, and how far that can be trusted, as the server reports it. Numbers come as text. */
export interface Carrying {
  server_can_carry: boolean
  /** The last run that succeeded; null before the first. */
  run_id: string | null
  tables: string
  carried: string
  /** The earliest run that has counted what the last one carried. */
  oldest_run: string | null
  compared_since_run: string | null
  comparisons: string
  differences: string
  /** At most one carried count in so many is wrong, with 95 % confidence; null before there is enough to tell. */
  one_in: string | null
  open_differences: string
  /** Rules that carry nothing yet, and what the last run would have carried by them. */
  shadow: { rules: string; until: string; comparisons: string; differences: string } | null
}

/** The same as lines for a person. */
export function describeCarrying(carrying: Carrying, zone: string): string[] {
  const { shadow, open_differences } = carrying
  return [
    `carried: ${describeCarried(carrying)}`,
    `counted again: ${describeTrust(carrying)}`,
    ...(open_differences === '0'
      ? []
      : [paint('yellow', `not carried: ${formatCount(open_differences)} refuted, see the alerts`)]),
    ...(shadow
      ? [
          `in their shadow: ${plural(shadow.rules, 'rule')} until ${formatMinute(shadow.until, zone)} (${zone})`,
          `  the last run would have carried ${plural(shadow.comparisons, 'table')}, ${formatCount(shadow.differences)} of them wrong`,
        ]
      : []),
  ]
}

function describeCarried({ server_can_carry, run_id, tables, carried, oldest_run }: Carrying): string {
  if (!server_can_carry) return 'nothing, because this server is PostgreSQL 14: every table is counted'
  if (run_id === null) return 'nothing yet'
  const since = oldest_run === null ? '' : `, the oldest since run ${oldest_run}`
  return `${formatCount(carried)} of ${plural(tables, 'table')} in run ${run_id}${since}`
}

function describeTrust({ compared_since_run, comparisons, differences, one_in }: Carrying): string {
  const known = differences === '0' ? 'no difference' : `${plural(differences, 'difference')} before that`
  if (compared_since_run === null) return differences === '0' ? 'nothing yet' : `nothing yet, ${known}`
  const bound =
    one_in === null
      ? 'too few to tell more'
      : `at most 1 in ${formatCount(one_in)} carried counts is wrong (95 %)`
  return `${formatCount(comparisons)} since run ${compared_since_run}, ${known}: ${bound}`
}
