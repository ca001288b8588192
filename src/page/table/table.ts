import { marked } from '../../reading/marked_count.ts'
import { kindOf, nameOf, type Table } from '../../reading/tables.ts'
import { formatCount } from '../../terminal/terminal.ts'
import { visible } from '../../terminal/visible.ts'
import { dateOf, dayNumber } from '../charts/days_axis.ts'
import { trendChart } from '../charts/trend.ts'
import { type Html, html } from '../html.ts'
import { layout } from '../layout.ts'
import { address, links } from '../links.ts'
import { tableLink, tableName } from '../names.ts'
import { clockOf } from '../times.ts'
import { alertsOf } from './alerts.ts'
import { growthOf } from './growth.ts'
import { numbersOf } from './numbers.ts'
import type { Growth, TableReport } from './report.ts'
import { runsOf } from './runs.ts'
import { figuresOf } from './summary.ts'

const ranges = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'a year'],
  ['all', 'all'],
] as const

/**
 * The page of one table: its days as a chart and as numbers, its alerts, its last runs, how it grows.
 *
 * @param asked how many days, or `all`
 */
export function tablePage(report: TableReport, growth: Growth[], asked: string): string {
  const { schema_name, table_name, summary, business_time_zone } = report
  const name = visible(nameOf(report))
  const clock = clockOf(business_time_zone)
  // The first alert is number 1, and the last one stands on top.
  const alerts = report.alerts.map((alert, n) => ({ ...alert, number: report.alerts.length - n }))
  return layout({
    title: name,
    path: '/table',
    heading: tableName(report),
    status: describe(report),
    zone: business_time_zone,
    json: address('/v1/trend', {
      schema: schema_name,
      table: table_name,
      days: asked === 'all' ? '9999' : asked,
    }),
    body: html`
<section class="part" aria-labelledby="days">
<div class="part-head"><h2 id="days">Rows by day</h2>${rangeLinks(report, asked)}</div>
${
  summary.days_found === '0'
    ? noResult(report)
    : [
        trendChart(
          { ...report, alerts, until: dateOf(dayNumber(report.business_date) - 1) },
          describeChart(name, report),
        ),
        figuresOf(summary, report.days),
      ]
}
</section>
${alertsOf(alerts, clock)}
${runsOf(report.last_runs, clock)}
${growthOf(growth)}
${numbersOf(report)}
<link rel="stylesheet" href="/assets/chart.css">
<script type="module" src="/assets/chart.js"></script>`,
  })
}

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

function describeChart(name: string, { days, summary }: Pick<TableReport, 'days' | 'summary'>): string {
  const count = (rows: string | null, date: string | null) =>
    marked(formatCount(rows ?? ''), {
      method: days.find(({ snapshot_date }) => snapshot_date === date)?.method,
    })
  const { first_date, last_date, lowest, lowest_date, highest, highest_date } = summary
  return [
    `Rows of ${name} from ${first_date} to ${last_date}`,
    `lowest ${count(lowest, lowest_date)} on ${lowest_date}`,
    `highest ${count(highest, highest_date)} on ${highest_date}`,
    'the numbers are in a table on this page',
  ].join('; ')
}

function noResult({ schema_name, table_name, summary }: TableReport): Html {
  const { last_date_with_result: date, days_needed: days } = summary
  return html`<p class="notice">${
    date
      ? html`<span>No result on these days: the last one is of <a href="${links.table(schema_name, table_name, { days: days ?? 'all' })}">${date}</a>.</span>`
      : 'No day has a result for it: the runs say why.'
  }</p>`
}
