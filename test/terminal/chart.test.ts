import test from 'ava'
import { columnsOf } from '../../src/reading/columns.ts'
import { drawChart } from '../../src/terminal/chart.ts'

/** Points of counts, one after the other. */
const points = (...counts: (number | null)[]) =>
  counts.map((count, at) => ({ at, value: count === null ? null : BigInt(count) }))

test('a place that stands for several days reaches from their lowest to their highest', (t) => {
  const counts = [5, 5, 5, 9, 5, 5, 0, 5, 5, null, null, null, 5, 5, 5]
  const [columns = []] = columnsOf([points(...counts)], { length: 15, height: 10, most: 5 })

  t.deepEqual(columns, [
    { first: 5, last: 5, low: 5, high: 5 },
    { first: 9, last: 5, low: 5, high: 9 },
    { first: 0, last: 5, low: 0, high: 5 },
    null,
    { first: 5, last: 5, low: 5, high: 5 },
  ])
  t.is(
    drawChart(
      {
        lines: [{ columns, marked: new Set([2]) }],
        height: 10,
        top: '9',
        bottom: '0',
        first: 'a',
        last: 'z',
      },
      8,
    ),
    [
      '9 ┤ ╷', //
      '  │ │',
      '  │ │',
      '  │ │',
      '  │─┴┬ ─',
      '  │  │',
      '  │  │',
      '  │  │',
      '  │  │',
      '0 ┤  ╵',
      '  └──●──',
      '   a   z',
    ].join('\n'),
  )
})

test('lines of one chart share its axis, and the first lies above the others', (t) => {
  const [one = [], other = []] = columnsOf([points(0, 2, 2), points(2, 2, 1)], {
    length: 3,
    height: 3,
    most: 3,
  })

  t.is(
    drawChart(
      {
        lines: [
          { columns: one, pen: { character: 'o' } },
          { columns: other, pen: { character: 'x' } },
        ],
        height: 3,
        top: '2',
        bottom: '0',
        first: 'a',
        last: 'z',
      },
      6,
    ),
    [
      '2 ┤xoo', //
      '  │ ox',
      '0 ┤oo',
      '  └───',
      '   a z',
    ].join('\n'),
  )
})
