import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange, styleOfOutcome } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { inOneLine } from './in_one_line.ts'
import { firstOf, nameOf, type Table } from './tables.ts'

/** What is to be compared, and what of it is a failure; the server knows what is meant when nothing is named. */
export interface Comparison {
  before?: string | undefined
  after?: string | undefined
  failOn?: FailOn | undefined
}

/** A table that has no count any more; that, or fewer rows; any difference. Not what a request leaves out. */
export const failures = ['missing', 'drop', 'any'] as const
export type FailOn = (typeof failures)[number]

/** What the server reports of two runs. */
export interface ComparisonReport {
  before: ComparedRun
  after: ComparedRun
  /** Of all rows, each counted once. */
  change: string
  /** How many tables have which outcome. */
  outcomes: Record<string, string>
  /** Those that changed most first. */
  tables: ComparedTable[]
  failing: string[]
  verdict: 'passed' | 'failed' | null
}

export interface ComparedRun {
  run_id: string
  snapshot_date: string
  status: string
}

export interface ComparedTable extends Table {
  outcome: string
  rows_before: string | null
  rows_after: string | null
  change: string | null
  change_percent: string | null
  is_partition: boolean
}

/** Two runs beside each other, as JSON rendered by the server: every table, also unchanged ones. */
export async function readComparison(sql: Sql, { before, after, failOn }: Comparison): Promise<string> {
  const [row] = await inOneLine(
    'table-metrics diff',
    sql<[{ json: string }]>`
      select nms.compare_report(
        before => ${before ?? null},
        after => ${after ?? null},
        fail_on => ${failOn ?? null}
      )::text as json
    `,
  )
  return row.json
}

/** Two runs beside each other, as lines for a person: what changed, most first. */
export function describeComparison(report: ComparisonReport, all = false): string {
  const [tables, more] = firstOf(
    report.tables.filter(({ outcome }) => all || outcome !== 'unchanged'),
    (count) => `${count} more: --all shows every table`,
    all,
  )
  return [
    paint('bold', [report.before, report.after].map(describeRun).join(' → ')),
    ...(tables.length > 0
      ? [
          '',
          layOut(
            [
              { title: 'table', cut: 'middle' },
              { title: 'outcome', style: styleOfOutcome },
              { title: 'before', right: true },
              { title: 'after', right: true },
              { title: 'change', right: true, style: styleOfChange },
              { title: '%', right: true, style: styleOfChange },
            ],
            tables.map((table) => [
              nameOf(table),
              table.outcome,
              formatCount(table.rows_before ?? ''),
              formatCount(table.rows_after ?? ''),
              formatChange(table.change),
              formatPercent(table),
            ]),
          ),
        ]
      : []),
    ...more,
    '',
    summarize(report),
  ].join('\n')
}

const describeRun = ({ run_id, snapshot_date, status }: ComparedRun) =>
  `run ${run_id} of ${snapshot_date}${status === 'SUCCEEDED' ? '' : ` (${status})`}`

function summarize({ outcomes, change }: ComparisonReport): string {
  const tables = Object.entries(outcomes)
    .sort()
    .map(([outcome, count]) => `${formatCount(count)} ${outcome}`)
  const rows = change === '0' ? 'as many rows as before' : `${formatChange(change)} rows`
  return `${tables.join(', ') || 'no tables'}\n${rows} in all, each counted once`
}
