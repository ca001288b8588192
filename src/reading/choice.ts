import { formatCount, plural } from '../terminal/terminal.ts'
import { screenful } from './tables.ts'

/** Which tables are to be shown, and in which order, as the server takes it; {} for all, as they come. */
export interface Choice {
  schemas?: string[]
  like?: string
  only?: string[]
  min_rows?: number
  sort?: string
  top?: number
}

/** How a person has asked for tables. */
export interface Asked {
  choice?: Choice | undefined
  /** Also those that no screen has room for. */
  all?: boolean | undefined
}

/** What of a report says how many tables there are. */
export interface Chosen {
  tables: unknown[]
  /** How many there would be without `top`. */
  tables_chosen: string
  /** And if none was left out. */
  tables_in_all: string
}

/** The same choice for a person, who reads no more than a screenful unless asked for. */
export const readable = ({ choice = {}, all }: Asked): Choice => ({
  ...(!all && { top: screenful }),
  ...choice,
})

/** How many of the tables are shown, as far as these are not all. */
export function describeChosen(report: Chosen, { choice: { sort: _, ...choice } = {} }: Asked): string[] {
  const shown = report.tables.length
  const left = Number(report.tables_chosen) - shown
  return [
    ...(left > 0 && choice.top === undefined
      ? [`… and ${plural(String(left), 'more table')}: --all shows them`]
      : []),
    ...(Object.keys(choice).length > 0
      ? [`${formatCount(String(shown))} of ${plural(report.tables_in_all, 'table')} shown`]
      : []),
  ]
}
