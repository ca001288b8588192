import test from 'ava'
import { dateOf, dayNumber } from '../../../src/page/charts/days_axis.ts'
import type { Trend } from '../../../src/page/charts/place_days.ts'
import { trendChart } from '../../../src/page/charts/trend.ts'

const draw = (trend: Trend) => trendChart(trend, 'Rows').markup
const pathOf = (markup: string, name: string) =>
  new RegExp(`<path class="trend-${name}" d="([^"]*)"`).exec(markup)?.[1]

/** Counts of days on end; undefined for a day without a result. */
function days(counts: (number | string | null | undefined)[], first = '2026-01-01') {
  return counts.flatMap((count, n) =>
    count === undefined
      ? []
      : [{ snapshot_date: dateOf(dayNumber(first) + n), row_count: count === null ? null : String(count) }],
  )
}

test('each day is a point, from the bottom of the axis to its top', (t) => {
  const markup = draw({ days: days([0, 100, 50]) })

  t.is(pathOf(markup, 'line'), 'M0 260L1 0L2 130')
  t.regex(markup, /data-first="2026-01-01" data-heights="260,0,130"/)
})

test('an incident of one day in ten years has a point of its own', (t) => {
  const counts = Array.from({ length: 3650 }, () => 1000)
  counts[1825] = 0

  t.true(pathOf(draw({ days: days(counts) }), 'line')?.includes('L1824 0L1825 260L1826 0'))
})

test('a day without a result parts the line, and so does one that left the table out; neither is zero', (t) => {
  const markup = draw({ days: days([5, 6, undefined, 7, 0, null, 3, 4]) })

  t.deepEqual(
    pathOf(markup, 'line')
      ?.split('M')
      .map((piece) => piece.split('L').length),
    [1, 2, 2, 2],
  )
  t.regex(markup, /data-heights="[\d.]+,[\d.]+,,[\d.]+,260,,[\d.]+,[\d.]+"/)
  t.is(pathOf(markup, 'none'), 'M1.5 267H2.5')
  t.is(pathOf(markup, 'left-out'), 'M4.5 267H5.5')
  t.regex(markup, /left out by request.*no result/s)
})

test('a day between two gaps is a dot', (t) => {
  t.is(pathOf(draw({ days: days([1, undefined, 2, undefined, 1]) }), 'line'), 'M0 260h0M2 0h0M4 260h0')
})

test('days up to a later one without any result belong to the axis', (t) => {
  const markup = draw({ days: days([1, 2]), until: '2026-01-05' })

  t.regex(markup, /viewBox="-0.5 0 5 /)
  t.is(pathOf(markup, 'none'), 'M1.5 267H4.5')
})

test('the range of an estimate is an area of its own, which a count has not', (t) => {
  const [counted, estimated] = days([100, 60])
  const markup = draw({
    days: [
      counted,
      { ...estimated, method: 'estimate', row_count_low: '40', row_count_high: '80' },
    ] as Trend['days'],
  })

  t.is(pathOf(markup, 'estimated'), 'M0.5 52L1 52L1.5 52L1.5 156L1 156L0.5 156Z')
  t.regex(markup, /range of an estimate/)
  t.notRegex(draw({ days: days([100, 60]) }), /range of an estimate/)
})

test('the expected range is an area, parted where there is none', (t) => {
  const expected = (date: string, low: number, high: number) => ({
    snapshot_date: date,
    expected_low: String(low),
    expected_high: String(high),
  })
  const markup = draw({
    days: days([50, 50, 50, 50]),
    expected: [
      expected('2026-01-01', 0, 100),
      expected('2026-01-02', 0, 100),
      expected('2026-01-04', 25, 100),
    ],
  })

  t.is(
    pathOf(markup, 'expected'),
    'M-0.5 0L0 0L1 0L1.5 0L1.5 260L1 260L0 260L-0.5 260ZM2.5 0L3 0L3.5 0L3.5 195L3 195L2.5 195Z',
  )
})

test('a range far beyond all counts goes off the chart, and leaves room for them', (t) => {
  const markup = draw({
    days: days([50, 100]),
    expected: [{ snapshot_date: '2026-01-01', expected_low: '0', expected_high: '9200000000000000000' }],
  })

  t.is(pathOf(markup, 'expected'), 'M-0.5 0L0 0L0.5 0L0.5 260L0 260L-0.5 260Z')
  t.is(pathOf(markup, 'line'), 'M0 195L1 130')
})

test('an alert has a flag with its number over its day, at the height of its count', (t) => {
  const markup = draw({
    days: days([100, 0, 100, 100]),
    alerts: [
      { snapshot_date: '2026-01-02', number: 2 },
      { snapshot_date: '2026-01-02', number: 1 },
      { snapshot_date: '2025-12-01', number: 7 },
    ],
  })

  const flags = [
    ...markup.matchAll(
      /<svg x="([\d.]+%)" overflow="visible" class="trend-alert">.*?<path d="M0 ([\d.]+).*?<text[^>]*>([^<]*)/gs,
    ),
  ]
  t.deepEqual(
    flags.map(([, x, y, text]) => [x, y, text]),
    [['37.50%', '285', '2,1']],
  )
})

test('flags that are near to each other have their numbers at different heights', (t) => {
  const alerts = [10, 11, 12, 300].map((day, n) => ({
    snapshot_date: dateOf(dayNumber('2026-01-01') + day),
    number: n + 1,
  }))
  const markup = draw({ days: days(Array.from({ length: 365 }, (_, n) => n)), alerts })

  t.deepEqual(
    [...markup.matchAll(/<text y="(\d+)">(\d)</g)].map(([, y, number]) => [number, y]),
    [
      ['1', '23'],
      ['2', '11'],
      ['3', '23'],
      ['4', '23'],
    ],
  )
})

test('imported days are marked beneath', (t) => {
  const [one, two] = days([1, 2])
  const markup = draw({ days: [{ ...(one as object), method: 'imported' } as never, two as never] })

  t.is(pathOf(markup, 'imported'), 'M-0.5 267H0.5')
})

test('of counts beyond 2^53 the one that is higher by one is higher', (t) => {
  t.is(pathOf(draw({ days: days(['9007199254740992', '9007199254740993']) }), 'line'), 'M0 260L1 0')
})

test('without a single count there is nothing to draw', (t) => {
  t.is(draw({ days: [] }), '')
  t.is(draw({ days: days([null, null]) }), '')
})

test('it says what it shows, in text that nobody can break out of, and has no styles of its own', (t) => {
  const markup = trendChart({ days: days([1, 2]) }, 'Rows of "><script>alert(1)</script>').markup

  t.true(markup.includes('aria-label="Rows of &quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"'))
  t.notRegex(markup, /style=|<style|NaN|undefined|null/)
})
