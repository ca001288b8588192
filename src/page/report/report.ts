import type { Period } from '../../reading/period.ts'
import { visible } from '../../terminal/visible.ts'
import { trendChart } from '../charts/trend.ts'
import { type Html, html } from '../html.ts'
import { clockNote, documentOf } from '../layout.ts'
import { foreign } from '../names.ts'
import { counted } from '../numbers.ts'
import { clockOf, dayInWords } from '../times.ts'
import { alertsOf } from './alerts.ts'
import { changesOf } from './changes.ts'
import { figuresOf } from './figures.ts'
import { runsOf } from './runs.ts'
import { allTables } from './tables.ts'

/**
 * What became of all tables in a period, as one document that loads and runs nothing.
 *
 * @param style the element that has its style
 */
export function reportPage(period: Period, style: Html): string {
  const { since, until, database, business_time_zone } = period
  const clock = clockOf(business_time_zone)
  return documentOf({
    title: `${visible(database)}, ${since} to ${until}`,
    head: html`<meta name="robots" content="noindex">
${style}`,
    heading: html`${foreign(database)}, ${dayInWords(since)} to ${dayInWords(until)}`,
    status: comparison(period),
    body: html`${notices(period)}
${period.after && figuresOf(period)}
${period.after && totals(period)}
${changesOf(period)}
${alertsOf(period, clock)}
${runsOf(period)}
${allTables(period)}`,
    foot: html`${clockNote(business_time_zone)}
<span>Table metrics. Partitions are part of their tables; each row is counted once.</span>`,
  })
}

function comparison({ before, after }: Period): string {
  if (!after || !before) return ''
  return `What the count of ${dayInWords(after.snapshot_date)} found, compared with that of ${dayInWords(before.snapshot_date)}.`
}

/** What has to be known before the numbers are read. */
function notices({ before, after, since, until, business_date, tables_left_out }: Period): Html[] {
  const notice = (text: string, mood = '') => html`<div class="notice ${mood}"><p>${text}</p></div>`
  return [
    !after &&
      !before &&
      notice(
        until < business_date
          ? `Nothing was counted up to ${dayInWords(until)}.`
          : 'Nothing has been counted yet: table-metrics collect counts every table now.',
        'warn',
      ),
    !after &&
      before &&
      notice(
        `No day of this period has a result. The last one before it is of ${dayInWords(before.snapshot_date)}.`,
        'bad',
      ),
    after && !before && notice('This is the first day with a result: there is none to compare it with.'),
    after &&
      before &&
      before.snapshot_date > since &&
      notice(`Nothing was counted before ${dayInWords(before.snapshot_date)}: changes are since that day.`),
    after &&
      before &&
      before.snapshot_date < since &&
      notice(`${dayInWords(since)} has no result: changes are since the last day before it that has one.`),
    tables_left_out &&
      tables_left_out !== '0' &&
      notice(
        `${counted(tables_left_out, 'table was', 'tables were')} left out by request on one of the two days: no change has them in it.`,
      ),
  ].filter((one) => one instanceof Object)
}

function totals({ daily, until, database }: Period): Html | null {
  const days = daily.flatMap(({ snapshot_date, rows, estimated_rows }) =>
    rows === null ? [] : [{ snapshot_date, row_count: rows, method: estimated_rows ? 'estimate' : 'exact' }],
  )
  if (days.length < 2) return null
  const leavingOut = daily.filter(({ left_out_count }) => left_out_count).length
  return html`<section class="part" aria-labelledby="totals"><h2 id="totals">Rows by day</h2>
${trendChart({ days, until }, `Rows of all tables of ${visible(database)} on each day`, false)}
${leavingOut > 0 && html`<p class="muted">On ${counted(leavingOut, 'of these days', 'of these days')} a request left tables out: their rows are not in these totals.</p>`}
</section>`
}
