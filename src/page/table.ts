import { kindOf, nameOf, type Table } from '../reading/tables.ts'
import { isTimeZone } from '../terminal/terminal.ts'
import { visible } from '../terminal/visible.ts'
import { dateOf, dayNumber } from './charts/days_axis.ts'
import { trendChart } from './charts/trend.ts'
import { type Html, html } from './html.ts'
import { layout } from './layout.ts'
import { address, links } from './links.ts'
import { foreign, tableLink } from './names.ts'
import { tableAlerts } from './table_alerts.ts'
import { type Growth, tableGrowth } from './table_growth.ts'
import { tableNumbers } from './table_numbers.ts'
import { type LastRuns, tableRuns } from './table_runs.ts'
import { type Summary, tableSummary } from './table_summary.ts'

/** What nms.table_report says, each number as text. */
export interface TableReport extends Table {
  business_date: string
  business_time_zone: string
  table_kind: string | null
  is_partition: boolean | null
  partition_of: Table | null
  days: TableDay[]
  expected: ExpectedDay[]
  alerts: TableAlert[]
  last_runs: LastRuns
  summary: Summary
}

export interface TableDay {
  snapshot_date: string
  row_count: string | null
  change: string | null
  change_percent: string | null
  run_id: string
  method: string | null
}

export interface ExpectedDay {
  snapshot_date: string
  expected_low: string
  expected_high: string
}

export interface TableAlert {
  kind: string
  detail: string
  snapshot_date: string
  closed_at: string | null
}

/** How many days a page shows, in words. */
const ranges = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'a year'],
  ['all', 'all'],
] as const

/** The page of one table: its days as a chart and as numbers, its alerts, its last runs, how it grows. */
export function tablePage(report: TableReport, asked: string, growth: Growth[]): string {
  const name = visible(nameOf(report))
  const zone = isTimeZone(report.business_time_zone) ? report.business_time_zone : 'UTC'
  // The first alert is number 1, the last one stands on top.
  const alerts = report.alerts.map((alert, n) => ({ ...alert, number: report.alerts.length - n }))
  const hasChart = report.summary.days_found !== '0'
  return layout({
    title: name,
    path: '/table',
    heading: html`<span class="name">${tableName(report)}</span>`,
    status: describe(report),
    zone: report.business_time_zone,
    json: address('/v1/trend', {
      schema: report.schema_name,
      table: report.table_name,
      days: asked === 'all' ? '9999' : asked,
    }),
    body: html`
<section class="part" aria-labelledby="days">
<div class="part-head"><h2 id="days">Rows by day</h2>${rangeLinks(report, asked)}</div>
${
  hasChart
    ? trendChart(
        { ...report, alerts, until: dateOf(dayNumber(report.business_date) - 1) },
        describeChart(name, report.summary),
      )
    : noResult(report)
}
${tableSummary(report.summary)}
</section>
${tableAlerts(alerts, zone)}
${tableRuns(report.last_runs, zone)}
${tableGrowth(growth)}
${tableNumbers(report)}
<link rel="stylesheet" href="/assets/chart.css">
<script type="module" src="/assets/chart.js"></script>`,
  })
}

const tableName = ({ schema_name, table_name }: Table) =>
  html`<span class="schema">${foreign(schema_name)}.</span>${foreign(table_name)}`

function describe({ table_kind, is_partition, partition_of }: TableReport): Html {
  if (table_kind === null) return html`not counted yet`
  const kind = kindOf({ table_kind, is_partition: is_partition === true })
  return html`${kind}${partition_of && html` of ${tableLink(partition_of)}`}`
}

function rangeLinks({ schema_name, table_name }: Table, asked: string): Html {
  return html`<nav class="ranges" aria-label="How many days">${ranges.map(
    ([days, text]) =>
      html`<a href="${links.table(schema_name, table_name, { days })}"${days === asked && html` aria-current="page"`}>${text}</a>`,
  )}</nav>`
}

function describeChart(name: string, summary: Summary): string {
  return [
    `Rows of ${name} from ${summary.first_date} to ${summary.last_date}`,
    `lowest ${summary.lowest} on ${summary.lowest_date}`,
    `highest ${summary.highest} on ${summary.highest_date}`,
    'the numbers are in a table on this page',
  ].join('; ')
}

function noResult({ schema_name, table_name, summary }: TableReport): Html {
  return html`<p class="notice">${
    summary.last_date_with_result
      ? html`<span>No result on these days: the last one is of <a href="${links.table(schema_name, table_name, { days: summary.days_needed ?? 'all' })}">${summary.last_date_with_result}</a>.</span>`
      : html`No run has counted it yet: the runs below say why.`
  }</p>`
}
