import { formatCount, formatDuration } from '../../terminal/terminal.ts'
import { inKind, isTaken } from '../alert_list.ts'
import { sparkline } from '../charts/sparkline.ts'
import { estimatedOf, tablesNote, totalOf } from '../count.ts'
import { type Html, html } from '../html.ts'
import { links } from '../links.ts'
import { changeOf, counted, percentOf } from '../numbers.ts'
import { statusTag } from '../status_tag.ts'
import { type Clock, shortened } from '../times.ts'
import type { Overview } from './overview.ts'
import { stripOfDay } from './strip.ts'

/** How the day and table metrics stand, one number each. */
export function figures(overview: Overview, clock: Clock): Html {
  return html`<dl class="figures">
${overview.has_result && [rows(overview), tables(overview)]}
${alerts(overview)}
${lastRun(overview, clock)}
${today(overview, clock)}
</dl>`
}

function rows(overview: Overview): Html {
  const { totals, change, change_percent, previous_date, days } = overview
  const changed = { method: overview.is_change_estimated ? 'estimate' : 'exact' }
  const percent = percentOf({ change, change_percent })
  return html`<div><dt>Rows</dt>
<dd class="figure">${totalOf(formatCount(totals.rows), totals)}</dd>
${estimatedOf(totals)}
${previous_date && html`<dd>${changeOf(change, changed)} ${percent && `(${percent})`}</dd><dd class="muted">since ${shortened(previous_date)}</dd>`}
<dd>${sparkline(days.map(({ rows }) => rows))}</dd></div>`
}

function tables({ totals, tables, run }: Overview): Html {
  const partitions = tables.filter(({ is_partition }) => is_partition).length
  const leftOut = run?.left_out_count ?? '0'
  return html`<div><dt>Tables</dt>
<dd class="figure">${formatCount(totals.tables)}</dd>
${tablesNote(totals)}
${partitions > 0 && html`<dd class="muted">${counted(partitions, 'of them is a partition', 'of them are partitions')}: no row is added twice</dd>`}
${leftOut !== '0' && html`<dd class="muted">${counted(leftOut, 'table')} left out by request</dd>`}</div>`
}

function alerts({ alerts }: Overview): Html {
  const taken = alerts.filter(isTaken).length
  const open = alerts.filter((alert) => !isTaken(alert))
  const kinds = [...kindsOf(open), ...(taken > 0 ? [`${formatCount(String(taken))} acknowledged`] : [])]
  return html`<div><dt>Open alerts</dt>
<dd class="figure">${alerts.length > 0 ? html`<a href="${links.alerts()}">${formatCount(String(open.length))}</a>` : '0'}</dd>
<dd class="muted">${alerts.length === 0 ? 'nothing is strange' : kinds.join(', ')}</dd></div>`
}

function kindsOf(alerts: Overview['alerts']): string[] {
  const counts = Map.groupBy(alerts, ({ kind }) => kind)
  return [...counts].map(([kind, { length }]) => `${formatCount(String(length))} ${inKind(kind)}`)
}

function lastRun({ last_run: run }: Overview, clock: Clock): Html | null {
  if (!run) return null
  const took = run.status === 'RUNNING' ? 'so far' : 'took'
  return html`<div><dt>Last run</dt>
<dd class="figure">${statusTag(run.status)}</dd>
<dd><a href="${links.run(run.run_id)}">Run ${run.run_id}</a> <span class="muted">of ${clock.short(run.collected_at)}</span></dd>
<dd class="muted">${run.is_imported ? 'imported' : `${took} ${formatDuration(run.seconds)}`}</dd></div>`
}

function today(overview: Overview, clock: Clock): Html {
  const { today, business_date, snapshot_date, next_due, runs, last_run } = overview
  const all = [today.succeeded, today.failed, today.running].reduce((sum, count) => sum + Number(count), 0)
  const parts = [
    today.succeeded !== '0' && `${today.succeeded} succeeded`,
    today.failed !== '0' && `${today.failed} failed`,
    today.running !== '0' && `${today.running} running`,
  ].filter(Boolean)
  return html`<div><dt>Today, ${shortened(business_date)}</dt>
<dd class="figure">${all === 0 ? 'no run yet' : counted(all, 'run')}</dd>
${all > 0 && html`<dd class="muted">${parts.join(', ')}${last_run?.snapshot_date === business_date && last_run.status !== 'RUNNING' && last_run.target_count !== null && `; ${formatCount(last_run.counted)} of ${counted(last_run.target_count, 'table')} counted`}</dd>`}
${snapshot_date === business_date && runs.length > 0 && html`<dd>${stripOfDay(runs, clock)}</dd>`}
${next_due && html`<dd class="muted">next due by ${clock.on(business_date, next_due.due_at)}</dd>`}</div>`
}
