import test from 'ava'
import { sparkline } from '../../src/terminal/sparkline.ts'

test('the lowest count is the lowest bar, the highest the highest, and the others lie between', (t) => {
  t.is(sparkline(['0', '1', '2', '3', '4', '5', '6', '7']), '▁▂▃▄▅▆▇█')
  t.is(sparkline(['7', '0']), '█▁')
})

test('a period without a count is a gap', (t) => {
  t.is(sparkline(['1', null, '2']), '▁ █')
  t.is(sparkline([null]), ' ')
  t.is(sparkline([]), '')
})

test('what never changes is a line in the middle', (t) => {
  t.is(sparkline(['5', '5', '5']), '▄▄▄')
})

test('counts beyond the largest bigint differ by a row', (t) => {
  t.is(sparkline(['18446744073709551614', '18446744073709551615']), '▁█')
})
