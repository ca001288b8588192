import type { Sql } from '../connection/database.ts'
import { paint } from '../terminal/output.ts'
import { styleOfChange, styleOfOutcome } from '../terminal/styles.ts'
import { layOut } from '../terminal/table.ts'
import { formatChange, formatCount, formatPercent } from '../terminal/terminal.ts'
import { type Asked, type Choice, type Chosen, describeChosen } from './choice.ts'
import { inOneLine } from './in_one_line.ts'
import { estimateMark, marked } from './marked_count.ts'
import { explainMarks, rangeCell, rowsCell, withColumn } from './method_marks.ts'
import { insteadOf } from './point.ts'
import { nameOf, type Table } from './tables.ts'

/** What is to be compared, and what of it is a failure; the server knows what is meant when nothing is named. */
export interface Comparison {
  before?: string | undefined
  after?: string | undefined
  failOn?: FailOn | undefined
  choice?: Choice | undefined
}

/** A table that has no count any more; that, or fewer rows; any difference. Not what a request leaves out. */
export const failures = ['missing', 'drop', 'any'] as const
export type FailOn = (typeof failures)[number]

/** What the server reports of two runs. */
export interface ComparisonReport extends Chosen {
  before: ComparedRun
  after: ComparedRun
  /** Of all rows, each counted once. */
  change: string
  /** True when some of the counts are estimates. */
  is_change_estimated?: boolean
  /** How many tables have which outcome. */
  outcomes: Record<string, string>
  /** Those that changed most first. */
  tables: ComparedTable[]
  failing: string[]
  verdict: 'passed' | 'failed' | null
  /** How many rows matched each filter; those that changed most first. */
  filters: ComparedFilter[]
}

interface ComparedFilter extends Table {
  filter_name: string
  /** Null where that run has not counted it. */
  rows_before: string | null
  rows_after: string | null
  change: string | null
  change_percent: string | null
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
  method_before?: string | null
  method_after?: string | null
  /** Of estimates. */
  rows_before_low?: string | null
  rows_before_high?: string | null
  rows_after_low?: string | null
  rows_after_high?: string | null
}

/** Two runs beside each other, as JSON rendered by the server: every table, also unchanged ones. */
export async function readComparison(sql: Sql, request: Comparison): Promise<string> {
  const { before, after, failOn, choice = {} } = request
  const [row] = await inOneLine(
    'table-metrics diff',
    sql<[{ json: string }]>`
      select nms.compare_report(
        before => ${before ?? null},
        after => ${after ?? null},
        fail_on => ${failOn ?? null},
        choice => ${sql.json({ ...choice })}
      )::text as json
    `,
  )
  return row.json
}

/** How two runs are to be shown. */
export interface ComparisonView extends Asked {
  /** The days that were asked for, where others stand for them. */
  asked?: (string | null | undefined)[]
}

/** Two runs beside each other, as lines for a person: what changed, most first. */
export function describeComparison(report: ComparisonReport, view: ComparisonView): string {
  const { asked = [], all } = view
  const { tables } = report
  const before = tables.map((table) => ({
    row_count: table.rows_before,
    method: table.method_before,
    row_count_low: table.rows_before_low,
    row_count_high: table.rows_before_high,
  }))
  const after = tables.map((table) => ({
    row_count: table.rows_after,
    method: table.method_after,
    row_count_low: table.rows_after_low,
    row_count_high: table.rows_after_high,
  }))
  return [
    paint('bold', [report.before, report.after].map(describeRun).join(' → ')),
    ...[report.before, report.after].flatMap(({ snapshot_date }, n) =>
      asked[n] ? [`${snapshot_date}${insteadOf(asked[n])}`] : [],
    ),
    ...(tables.length > 0
      ? [
          '',
          layOut(
            ...withColumn(
              withColumn(
                [
                  [
                    { title: 'table', cut: 'middle' },
                    { title: 'outcome', style: styleOfOutcome },
                    { title: 'before', right: true, drop: 2 },
                    { title: 'after', right: true },
                    { title: 'change', right: true, style: styleOfChange },
                    { title: '%', right: true, style: styleOfChange, drop: 1 },
                  ],
                  tables.map((table, n) => [
                    nameOf(table),
                    table.outcome,
                    ...[before[n], after[n]].map((count) => (count ? rowsCell(count) : '')),
                    marked(
                      formatChange(table.change),
                      { method: table.method_before },
                      { method: table.method_after },
                    ),
                    formatPercent(table),
                  ]),
                ],
                'range before',
                before.map(rangeCell),
              ),
              'range after',
              after.map(rangeCell),
            ),
          ),
        ]
      : []),
    ...describeChosen(report, view),
    ...describeFilters(
      report.filters.filter(
        (filter) => all || (filter.change !== '0' && (filter.rows_before ?? filter.rows_after) !== null),
      ),
    ),
    ...explainMarks([...before, ...after].map(({ method }) => method)),
    '',
    summarize(report),
  ].join('\n')
}

function describeFilters(filters: ComparedFilter[]): string[] {
  if (filters.length === 0) return []
  return [
    '',
    layOut(
      [
        { title: 'filter', cut: 'middle' },
        { title: 'before', right: true },
        { title: 'after', right: true },
        { title: 'change', right: true, style: styleOfChange },
        { title: '%', right: true, style: styleOfChange },
      ],
      filters.map((filter) => [
        `${nameOf(filter)} (${filter.filter_name})`,
        ...[filter.rows_before, filter.rows_after].map((rows) => (rows === null ? '' : formatCount(rows))),
        formatChange(filter.change),
        formatPercent(filter),
      ]),
    ),
  ]
}

const describeRun = ({ run_id, snapshot_date, status }: ComparedRun) =>
  `run ${run_id} of ${snapshot_date}${status === 'SUCCEEDED' ? '' : ` (${status})`}`

function summarize({ outcomes, change, is_change_estimated }: ComparisonReport): string {
  const tables = Object.entries(outcomes)
    .sort()
    .map(([outcome, count]) => `${formatCount(count)} ${outcome}`)
  const mark = is_change_estimated ? `${estimateMark} ` : ''
  const rows =
    change === '0'
      ? 'as many rows as before'
      : `${formatChange(change)} ${/^-?1$/.test(change) ? 'row' : 'rows'}`
  return `${tables.join(', ') || 'no tables'}\n${mark}${rows} in all, each counted once`
}
