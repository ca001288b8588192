import test from 'ava'
import { sparkline } from '../../../src/page/charts/sparkline.ts'

const path = (counts: (number | null)[]) => / d="([^"]*)"/.exec(sparkline(counts).markup)?.[1]

test('the highest count is at the top, the lowest at the bottom, the last day at the right', (t) => {
  t.is(path([0, 8, 4]), 'M2 18l48-16 48 8')
})

test('a day without a count parts the line', (t) => {
  t.is(path([1, 1, null, 1, 1]), 'M2 10l24 0M74 10l24 0')
})

test('a gap is not zero: the lowest count is what was counted', (t) => {
  t.is(path([5, null, 6]), 'M2 18h0M98 2h0')
})

test('counts that never change are one line in the middle', (t) => {
  t.is(path([7, 7, 7, 7]), 'M2 10l96 0')
  t.is(path([0, 0]), 'M2 10l96 0')
})

test('one count is a dot, no count is nothing', (t) => {
  t.is(path([3]), 'M98 10h0')
  t.is(path([null, 3]), 'M98 10h0')
  t.is(path([null, null]), '')
  t.is(path([]), '')
})

test('an incident of one day is seen among more days than there are pixels', (t) => {
  const counts = Array.from({ length: 3650 }, () => 1000)
  counts[1825] = 0
  const heights = [...(path(counts) ?? '').matchAll(/-?\d+/g)].map(Number)
  t.deepEqual(
    heights.slice(1).filter((_, n) => n % 2 === 0),
    [2, 0, 16, -16, 0],
  )
})

test('five thousand of them are small', (t) => {
  const markup = sparkline(Array.from({ length: 30 }, (_, day) => 1000 + ((day * 37) % 101))).markup
  t.true(markup.length < 240, markup)
  t.notRegex(markup, /style|NaN|Infinity|\./)
})
