// The page of a table as text, made of reports that are written out here.

import test from 'ava'
import type { TableReport } from '../../src/page/table/report.ts'
import { tablePage } from '../../src/page/table/table.ts'

const day = (snapshot_date: string, row_count: string | null, rest = {}) => ({
  snapshot_date,
  row_count,
  change: null,
  change_percent: null,
  run_id: '1',
  method: row_count === null ? null : 'exact',
  ...rest,
})

const report = (changes: Partial<TableReport> = {}): TableReport => ({
  schema_name: 'public',
  table_name: 'orders',
  business_date: '2026-03-06',
  business_time_zone: 'America/New_York',
  table_kind: 'table',
  is_partition: false,
  partition_of: null,
  days: [day('2026-03-01', '100'), day('2026-03-02', '110', { change: '10', change_percent: '10.00' })],
  expected: [],
  alerts: [],
  last_runs: { snapshot_date: null, runs: [] },
  summary: {
    days_found: '2',
    days_left_out: '0',
    first_date: '2026-03-01',
    first_rows: '100',
    last_date: '2026-03-02',
    last_rows: '110',
    lowest: '100',
    lowest_date: '2026-03-01',
    highest: '110',
    highest_date: '2026-03-02',
    change: '10',
    change_percent: '10.00',
  },
  ...changes,
})

const page = (changes?: Partial<TableReport>) => tablePage(report(changes), [], '30')

/** The cells of each row of the table beneath a heading, as text. */
function rowsOf(document: string, id: string): string[][] {
  const section = document.slice(document.indexOf(`<h2 id="${id}">`))
  const body = /<tbody>(.*?)<\/tbody>/s.exec(section)?.[1] ?? ''
  return [...body.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) =>
      cell
        .replaceAll(/<[^>]+>/g, '')
        .replace('\u00a0', ' ')
        .trim(),
    ),
  )
}

test('the numbers come newest first, and each gap is a row', (t) => {
  const days = [
    day('2026-03-01', '100'),
    day('2026-03-04', null),
    day('2026-03-06', '99', { change: '-1', change_percent: '-1.00' }),
  ]
  const expected = [{ snapshot_date: '2026-03-06', expected_low: '85', expected_high: '1300' }]

  t.deepEqual(rowsOf(page({ days, expected }), 'numbers'), [
    ['2026-03-06', '99', '−1', '−1.0 %', '85 to 1,300', '1'],
    ['2026-03-05', 'no result', ''],
    ['2026-03-04', 'left out', '', '', '', '1'],
    ['2026-03-03 back to 2026-03-02', 'no result', ''],
    ['2026-03-01', '100', '', '', '', '1'],
  ])
})

test('counts beyond 2^53 are exact wherever they stand', (t) => {
  const huge = '9007199254740993'
  const summary = { ...report().summary, last_rows: huge, highest: huge, lowest: huge }

  const document = page({ days: [day('2026-03-01', huge)], summary })

  const texts = document.replaceAll('<wbr>', '').match(/9,007,199,254,740,\d+/g) ?? []
  t.true(texts.length >= 5, document)
  t.deepEqual([...new Set(texts)], ['9,007,199,254,740,993'])
})

test('alerts are numbered from the first one on, in the chart as in the list', (t) => {
  const alert = {
    kind: 'dropped_to_zero',
    detail: 'empty, 100 rows on 2026-11-19 (-100 %), usually about 100 rows',
  }
  const document = page({
    alerts: [
      { ...alert, kind: 'drop', snapshot_date: '2026-03-02', closed_at: null },
      { ...alert, snapshot_date: '2026-03-01', closed_at: '2026-03-02T11:00:00+00:00' },
    ],
  })

  const list = document.slice(document.indexOf('<h2 id="alerts">')).replaceAll(/<[^>]+>/g, '')
  t.regex(
    list,
    /2 2026-03-02 drop\s.*It is open\..*1 2026-03-01 dropped to zero\s.*Closed 2026-03-02 06:00\./s,
  )
  t.deepEqual(
    [
      ...document.matchAll(/<svg x="([\d.]+)%" overflow="visible" class="trend-alert">.*?>(\d)<\/text>/gs),
    ].map(([, x, number]) => [Number(x) < 20, number]),
    [
      [true, '1'],
      [false, '2'],
    ],
  )
})

test('a name is text everywhere, and what is invisible in it is spelled out', (t) => {
  const name = '"><script>alert(1)</script>\u202e&'
  const document = page({ table_name: name, partition_of: { schema_name: name, table_name: name } })

  t.is(document.match(/<script/g)?.length, 2) // that of every page, and that of the chart
  t.notRegex(document, /\u202e/)
  t.regex(document, /<title>public\.&quot;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;\\u202e&amp; · /)
  t.true(
    document.includes(
      `table=${encodeURIComponent(name).replaceAll('(', '%28').replaceAll(')', '%29')}&amp;days=90`,
    ),
  )
})

test('a partition leads to what it is a partition of', (t) => {
  const document = page({ is_partition: true, partition_of: { schema_name: 'public', table_name: 'events' } })

  t.regex(document, /partition of <a class="name" href="\/table\?schema=public&amp;table=events">/)
})

test('runs of the last day are told apart: which one is the result, and why one has no count', (t) => {
  const run = { status: 'SUCCEEDED', measured_at: '2026-03-06T11:00:00+00:00', method: 'exact', change: null }
  const document = page({
    last_runs: {
      snapshot_date: '2026-03-06',
      runs: [
        {
          ...run,
          run_id: '9',
          status: 'FAILED',
          row_count: null,
          error_message: 'permission\n denied',
          is_result: false,
        },
        { ...run, run_id: '8', row_count: '99', change: '-1', error_message: null, is_result: true },
      ],
    },
  })

  t.deepEqual(rowsOf(document, 'runs'), [
    ['9', '06:00', 'not counted', '', 'FAILED permission denied'],
    ['8', '06:00', '99', '−1', 'result of the day'],
  ])
})

test('days without a result say which days have one, and draw nothing', (t) => {
  const none = {
    first_date: null,
    first_rows: null,
    last_date: null,
    last_rows: null,
    lowest: null,
    lowest_date: null,
  }
  const summary = {
    ...none,
    ...{
      days_found: '0',
      days_left_out: '0',
      highest: null,
      highest_date: null,
      change: null,
      change_percent: null,
    },
    ...{ last_date_with_result: '2026-01-02', days_needed: '64' },
  }

  const document = page({ days: [], summary })

  t.regex(
    document,
    /the last one is of <a href="\/table\?schema=public&amp;table=orders&amp;days=64">2026-01-02</,
  )
  t.notRegex(document, /<figure|null|undefined/)
})

test('growth is listed by week and by month, newest first', (t) => {
  const period = (period_start: string, rows: string, change: string | null) => ({
    period_start,
    snapshot_date: period_start,
    rows,
    change,
    change_percent: null,
  })
  const periods = [period('2026-02-01', '90', null), period('2026-03-01', '100', '10')]

  const document = tablePage(report(), [{ by: 'month', periods }], '30')

  t.deepEqual(rowsOf(document, 'growth'), [
    ['2026-03', '100', '+10', ''],
    ['2026-02', '90', '', ''],
  ])
})
