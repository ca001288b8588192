import test from 'ava'
import { rowsAxis } from '../../../src/page/charts/rows_axis.ts'

const texts = (...counts: bigint[]) => rowsAxis(counts).ticks.map(({ text }) => text)

test('round counts with separators stand from below the lowest to above the highest', (t) => {
  t.deepEqual(texts(1_812_000n, 2_048_439n), ['1,800,000', '1,900,000', '2,000,000', '2,100,000'])
  t.deepEqual(texts(97n, 103n), ['96', '98', '100', '102', '104'])
})

test('zero is on the axis unless the counts lie far above it', (t) => {
  t.deepEqual(texts(0n, 3n), ['0', '1', '2', '3'])
  t.deepEqual(texts(400n, 1000n), ['0', '500', '1,000'])
  t.is(texts(401n, 1000n)[0], '400')
})

test('millions are short where that says it all', (t) => {
  t.deepEqual(texts(0n, 40_000_000n), ['0', '10 M', '20 M', '30 M', '40 M'])
  t.deepEqual(texts(9_000_000n, 11_000_000n), ['9.0 M', '9.5 M', '10.0 M', '10.5 M', '11.0 M'])
  t.deepEqual(texts(7_000_000_000_000_000n, 9_007_199_254_740_993n), [
    '7,000 T',
    '8,000 T',
    '9,000 T',
    '10,000 T',
  ])
})

test('counts beyond 2^53 are told apart: their place is of the difference, and their texts are exact', (t) => {
  const [one, next] = [2n ** 53n, 2n ** 53n + 1n]
  const axis = rowsAxis([one, next])

  t.deepEqual(axis.ticks, [
    { place: 0, text: '9,007,199,254,740,992' },
    { place: 1, text: '9,007,199,254,740,993' },
  ])
  t.deepEqual([axis.place(one), axis.place(next)], [0, 1])
})

test('a count that never changes is in the middle, none at the bottom', (t) => {
  t.deepEqual(rowsAxis([249n, 249n]).ticks, [{ place: 0.5, text: '249' }])
  t.deepEqual(rowsAxis([0n]).ticks, [{ place: 0, text: '0' }])
})
